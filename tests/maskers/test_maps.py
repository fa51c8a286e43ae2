"""Maps on disk are those that were sampled; the inverse of their Gram matrix."""

import nibabel as nib
import numpy as np
import pytest
from scipy.sparse import csc_array, hstack
from sklearn.utils import gen_batches

from sklearn_neurocontext._utils.disk_cache import fetch_entry
from sklearn_neurocontext.maskers import _maps
from sklearn_neurocontext.maskers._atlas import find_atlas
from sklearn_neurocontext.maskers._images import open_mask, resample_mask
from sklearn_neurocontext.maskers._maps import (
    _invert,
    build_maps,
    gram_matrix,
    open_maps,
    read_blocks,
)


@pytest.fixture(scope="module")
def mask_img():
    return resample_mask(open_mask("mni"), 12.0)


@pytest.fixture(params=[0.02, 0.9], ids=["sparse", "full"])
def written(request, mask_img, rng, monkeypatch, tmp_path):
    """Seven maps in blocks of two: their folder, as read back, and their values."""
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path))
    monkeypatch.setattr(_maps, "_BLOCK", 2)
    shape = (*mask_img.shape, 7)
    values = rng.standard_normal(shape) * (rng.random(shape) < request.param)
    atlas = find_atlas(nib.Nifti1Image(values.astype(np.float32), mask_img.affine), 1)
    entry = fetch_entry("maps", {}, lambda folder: build_maps(folder, atlas, mask_img))
    inside = np.asarray(mask_img.dataobj) > 0
    return entry.folder, open_maps(entry), values[inside].astype(np.float32)


def test_maps_are_read_unchanged(written):
    folder, maps, values = written
    np.testing.assert_array_equal(maps.array.toarray(), values)
    assert maps.lowest == values.min()
    blocks, read = read_blocks(folder)
    assert [block.stop for block in blocks] == [2, 4, 6, 7]
    parts = hstack([read(block) for block in blocks])
    np.testing.assert_array_equal(parts.toarray(), values)


def test_inverse_and_condition_are_those_of_the_gram_matrix(written):
    _, maps, values = written
    gram = values.T.astype(float) @ values
    np.testing.assert_allclose(maps.inverse, np.linalg.inv(gram), rtol=1e-6, atol=1e-9)
    scaled = gram / np.sqrt(np.outer(gram.diagonal(), gram.diagonal()))
    condition = np.linalg.cond(scaled, 1)
    assert 0.3 * condition < maps.condition < 1.001 * condition


def test_products_are_those_of_dense_arrays(written, rng):
    _, maps, values = written
    voxels = rng.standard_normal((5, len(values)))
    np.testing.assert_allclose(maps.project(voxels), voxels @ values, atol=1e-9)
    coefficients = rng.standard_normal((5, 7)).astype(np.float32)
    np.testing.assert_allclose(
        maps.expand(coefficients), coefficients @ values.T, atol=1e-5
    )


@pytest.mark.parametrize(("gap", "expected"), [(1e-14, False), (1e-6, True)])
def test_a_nearly_singular_matrix_is_inverted_on_its_range(gap, expected):
    matrix = np.array([[1, 1 - gap], [1 - gap, 1]])
    inverse, condition = _invert(matrix)
    assert np.isfinite(condition) == expected
    if expected:
        assert condition == pytest.approx(np.linalg.cond(matrix, 1), rel=1e-6)
    np.testing.assert_allclose(matrix @ inverse @ matrix, matrix, atol=1e-9)


def test_gram_matrix_is_that_of_dense_maps_for_any_mixture_of_blocks(rng):
    maps = rng.standard_normal((50, 6))
    maps[:, 2:4] *= rng.random((50, 2)) > 0.95
    stored = csc_array(maps)
    blocks = list(gen_batches(6, 2))
    gram = gram_matrix(blocks, lambda b: stored[:, np.arange(b.start, b.stop)])
    np.testing.assert_allclose(gram, maps.T @ maps, atol=1e-12)
