"""Atlases are found, hashed and sampled as nilearn would, or an error is raised."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.openers import ImageOpener
from scipy.spatial import cKDTree
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from sklearn_neurocontext.maskers import _atlas
from sklearn_neurocontext.maskers._atlas import (
    SHIPPED_CENTERS,
    compute_centers,
    find_atlas,
    geometric_centers,
    parcel_width,
    sample_atlas,
)
from sklearn_neurocontext.maskers._images import voxel_centers
from tests.maskers.helpers import ATLAS_AFFINE, load_mask, one_hot, resample, sample


def test_maps_are_interpolated_as_by_nilearn(maps_img, mask_img):
    labels, maps = sample(maps_img, 1, mask_img)
    assert labels == ["component 0", "component 1", "component 2"]
    expected = resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_maps_on_the_grid_are_not_interpolated(mask_img, rng):
    values = rng.standard_normal((*mask_img.shape, 2)).astype(np.float32)
    _, maps = sample(nib.Nifti1Image(values, mask_img.affine), 1, mask_img)
    np.testing.assert_array_equal(maps, values[np.asarray(mask_img.dataobj) > 0])


def test_labels_are_those_of_the_nearest_voxel(labels_img, mask_img):
    labels, maps = sample(labels_img, 1, mask_img)
    assert labels == ["label 2", "label 7", "label 11"]
    expected = one_hot(resample(labels_img, mask_img, "nearest"))
    np.testing.assert_array_equal(maps, expected)


def test_nan_in_an_image_counts_as_zero(maps_img, labels_img, mask_img):
    for img in (maps_img, labels_img):
        values = np.array(img.dataobj, dtype=np.float32)
        marked = nib.Nifti1Image(np.where(values == 0, np.nan, values), ATLAS_AFFINE)
        np.testing.assert_array_equal(
            sample(marked, 1, mask_img)[1], sample(img, 1, mask_img)[1]
        )


def test_infinite_values_raise(maps_img, mask_img):
    maps_img.get_fdata()[4, 4, 4, 1] = -np.inf
    broken = nib.Nifti1Image(maps_img.get_fdata(), ATLAS_AFFINE)
    with pytest.raises(ValueError, match="Map 1 of the atlas must be finite"):
        sample(broken, 1, mask_img)


def test_infinite_labels_raise(labels_img, mask_img):
    labels = labels_img.get_fdata()
    labels[4, 4, 4] = np.inf
    broken = nib.Nifti1Image(labels, ATLAS_AFFINE)
    with pytest.raises(ValueError, match="atlas must be finite"):
        sample(broken, 1, mask_img)


def test_3d_image_of_fractions_raises(maps_img, mask_img):
    single = nib.Nifti1Image(np.asarray(maps_img.dataobj)[..., 0], ATLAS_AFFINE)
    with pytest.raises(ValueError, match="3D atlas must contain integer labels"):
        sample(single, 1, mask_img)


def test_labels_outside_the_brain_raise(labels_img, mask_img):
    away = nib.Nifti1Image(
        np.asarray(labels_img.dataobj), ATLAS_AFFINE + np.eye(4, k=3) * 999
    )
    with pytest.raises(ValueError, match="no nonzero label inside the mask"):
        sample(away, 1, mask_img)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 2, 3)])
def test_neither_3d_nor_4d_raises(mask_img, shape):
    img = nib.Nifti1Image(np.ones(shape, dtype=np.float32), ATLAS_AFFINE)
    with pytest.raises(ValueError, match="atlas must be a 3D or 4D image"):
        sample(img, 1, mask_img)


def test_difumo_is_fetched_by_nilearn(maps_img, mask_img, tmp_path, monkeypatch):
    nib.save(maps_img, tmp_path / "maps.nii.gz")
    asked = {}

    def fetch(**settings):
        asked.update(settings)
        names = ["Insula", "Cuneus", "Insula"]
        return Bunch(
            maps=str(tmp_path / "maps.nii.gz"),
            labels=pd.DataFrame({"component": [1, 2, 3], "difumo_names": names}),
        )

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    labels, maps = sample("difumo", 64, mask_img, resolution_mm=3, data_dir=tmp_path)
    assert asked == {
        "dimension": 64,
        "resolution_mm": 3,
        "data_dir": tmp_path,
        "verbose": 0,
    }
    assert labels == ["Insula", "Cuneus", "Insula (2)"]
    expected = resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(maps, expected, atol=1e-6)


@pytest.mark.parametrize("error", [ConnectionError("no route"), ValueError("no route")])
def test_difumo_without_network_raises(mask_img, monkeypatch, error):
    def fetch(**settings):
        raise error

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    with pytest.raises(
        OSError, match=r"no route.*data_dir.*atlas='geometric'.*path of"
    ):
        sample("difumo", 512, mask_img)


def test_difumo_of_another_size_raises(mask_img):
    with pytest.raises(ValueError, match=r"64, 128, .*atlas='difumo'; got 100"):
        sample("difumo", 100, mask_img)


def test_labels_that_the_grid_misses_keep_their_columns(labels_img, mask_img):
    values = np.array(labels_img.dataobj)
    values[0, 0, 0] = 5
    labels, maps = sample(nib.Nifti1Image(values, ATLAS_AFFINE), 1, mask_img)
    assert labels == ["label 2", "label 5", "label 7", "label 11"]
    assert not maps[:, 1].any()
    np.testing.assert_array_equal(
        maps[:, [0, 2, 3]], sample(labels_img, 1, mask_img)[1]
    )


def test_labels_along_a_fourth_axis_are_labels(labels_img, mask_img, tmp_path):
    wrapped = nib.Nifti1Image(np.asarray(labels_img.dataobj)[..., None], ATLAS_AFFINE)
    nib.save(wrapped, tmp_path / "labels.nii.gz")
    expected = sample(labels_img, 1, mask_img)
    for given in (wrapped, tmp_path / "labels.nii.gz"):
        labels, maps = sample(given, 1, mask_img)
        assert labels == expected[0]
        np.testing.assert_array_equal(maps, expected[1])


def test_one_map_along_a_fourth_axis_stays_a_map(maps_img, mask_img):
    labels, maps = sample(maps_img.slicer[..., :1], 1, mask_img)
    assert labels == ["component 0"]
    np.testing.assert_array_equal(maps, sample(maps_img, 1, mask_img)[1][:, :1])


@pytest.mark.parametrize("kind", [str, lambda path: path])
@pytest.mark.parametrize("name", ["maps.nii", "maps.nii.gz"])
def test_path_and_image_are_equivalent(maps_img, mask_img, tmp_path, kind, name):
    nib.save(maps_img, tmp_path / name)
    np.testing.assert_array_equal(
        sample(kind(tmp_path / name), 1, mask_img)[1],
        sample(maps_img, 1, mask_img)[1],
    )


def test_home_folder_is_expanded(maps_img, mask_img, tmp_path, monkeypatch):
    nib.save(maps_img, tmp_path / "maps.nii")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert sample("~/maps.nii", 1, mask_img)[1].shape[1] == 3


@pytest.mark.parametrize("atlas", ["no-such-file.nii", "DiFuMo", "."])
def test_missing_file_raises(mask_img, atlas):
    with pytest.raises(
        FileNotFoundError, match=r"must be 'geometric', .* does not exist"
    ):
        sample(atlas, 1, mask_img)


@pytest.mark.parametrize("atlas", [None, 512, np.zeros((4, 4, 4))])
def test_wrong_type_raises(mask_img, atlas):
    with pytest.raises(TypeError, match="'geometric-soft', 'difumo', the path"):
        sample(atlas, 1, mask_img)


def test_hash_is_of_the_content(maps_img, labels_img, tmp_path):
    def find(atlas, n_components=1):
        return find_atlas(atlas, n_components).hash

    values = np.array(maps_img.dataobj)
    moved = nib.Nifti1Image(values, ATLAS_AFFINE + np.eye(4, k=3))
    other = values.copy()
    other[5, 5, 5, 1] += 1e-3
    hashes = [find(img) for img in (maps_img, moved, labels_img)]
    hashes += [find(nib.Nifti1Image(other, ATLAS_AFFINE))]
    hashes += [find("geometric", 128), find("geometric", 256)]
    hashes += [find("geometric-soft", 128)]
    assert len(set(hashes)) == len(hashes)
    assert find(nib.Nifti1Image(values.copy(), ATLAS_AFFINE)) == find(maps_img)
    for name in ("one.nii", "two.nii"):
        nib.save(maps_img, tmp_path / name)
    assert find(tmp_path / "one.nii") == find(str(tmp_path / "two.nii"))
    pair = nib.Nifti1Pair(values, ATLAS_AFFINE)
    nib.save(pair, tmp_path / "pair.img")
    before = find(tmp_path / "pair.img")
    nib.save(nib.Nifti1Pair(values, moved.affine), tmp_path / "pair.img")
    assert find(tmp_path / "pair.img") != before


@pytest.mark.parametrize("kind", [nib.load, str])
def test_compressed_file_is_opened_once(maps_img, tmp_path, kind, monkeypatch):
    """Otherwise a .nii.gz is decompressed from its start for each map."""
    many = nib.Nifti1Image(np.tile(maps_img.dataobj, 5), ATLAS_AFFINE)
    nib.save(many, tmp_path / "maps.nii.gz")
    given, opened = kind(tmp_path / "maps.nii.gz"), []

    class Counting(ImageOpener):
        def __init__(self, *args, **kwargs):
            opened.append(1)
            super().__init__(*args, **kwargs)

    atlas = find_atlas(given, 1)
    monkeypatch.setattr("nibabel.arrayproxy.openers.ImageOpener", Counting)
    _, columns = sample_atlas(atlas, load_mask(12.0))
    assert len(list(columns)) == 15
    assert len(opened) <= 1


def test_image_changed_in_memory_is_not_read_from_its_file(maps_img, tmp_path):
    nib.save(maps_img, tmp_path / "maps.nii.gz")
    img = nib.load(tmp_path / "maps.nii.gz")
    moved = nib.Nifti1Image(img.dataobj, ATLAS_AFFINE + np.eye(4, k=3))
    np.testing.assert_array_equal(find_atlas(moved, 1).img.affine, moved.affine)
    assert find_atlas(moved, 1).hash != find_atlas(img, 1).hash


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("junk.nii", b"junk" * 200),
        ("junk.nii.gz", b"junk" * 200),
        ("empty.nii", b""),
        ("junk.gii", b"junk"),
        ("junk.mgz", b"junk"),
        ("table.csv", b"x,y,z"),
    ],
)
def test_file_that_is_not_an_image_raises(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}' cannot be read as an image"):
        find_atlas(tmp_path / name, 1)


def test_surface_raises(tmp_path):
    array = nib.gifti.GiftiDataArray(np.zeros(5, dtype=np.float32))
    nib.save(nib.GiftiImage(darrays=[array]), tmp_path / "surface.gii")
    with pytest.raises(ValueError, match="got a GiftiImage"):
        find_atlas(tmp_path / "surface.gii", 1)


@pytest.mark.parametrize("n_components", [5, 128, 512])
def test_hard_parcels_are_voxels_of_the_nearest_center(mask_img, n_components):
    labels, maps = sample("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.sum(axis=1), 1)
    assert len(set(labels)) == n_components
    voxels, centers = voxel_centers(mask_img), geometric_centers(n_components)
    for row in range(0, len(voxels), 200):
        distance = np.linalg.norm(centers - voxels[row], axis=1)
        assert distance[maps[row].argmax()] == pytest.approx(distance.min())


@pytest.mark.parametrize("n_components", [5, 128])
def test_soft_parcels_are_responsibilities_of_a_mixture(mask_img, n_components):
    labels, maps = sample("geometric-soft", n_components, mask_img)
    centers, voxels = geometric_centers(n_components), voxel_centers(mask_img)
    assert len(labels) == n_components
    squares = ((voxels[:, None] - centers) ** 2).sum(axis=2)
    density = np.exp(-squares / (2 * parcel_width(centers) ** 2))
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    np.testing.assert_allclose(maps.sum(axis=1), 1, rtol=1e-5)
    _, hard = sample("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.argmax(axis=1), hard.argmax(axis=1))


def test_soft_parcels_are_as_wide_as_the_hard_ones(mask_img):
    """The mean share of a voxel in its own parcel is that of Gaussians so wide."""
    centers = geometric_centers(128)
    offsets = (
        voxel_centers(mask_img)
        - centers[cKDTree(centers).query(voxel_centers(mask_img))[1]]
    )
    assert parcel_width(centers) == pytest.approx(offsets.std(axis=0).mean(), rel=0.05)


@pytest.mark.parametrize("n_components", SHIPPED_CENTERS)
def test_shipped_centers_are_distinct_and_in_the_brain(n_components):
    centers = geometric_centers(n_components)
    assert centers.shape == (n_components, 3)
    to_voxel, _ = cKDTree(voxel_centers(load_mask(2.0))).query(centers)
    assert to_voxel.max() < 4
    to_other, _ = cKDTree(centers).query(centers, k=2)
    assert to_other[:, 1].min() > 4


def test_shipped_centers_are_as_good_as_computed_ones():
    voxels = voxel_centers(load_mask(4.0))
    shipped, computed = (
        np.mean(cKDTree(centers).query(voxels)[0] ** 2)
        for centers in (geometric_centers(128), compute_centers(128))
    )
    assert shipped == pytest.approx(computed, rel=0.01)


def test_computed_centers_are_the_same_twice():
    again = compute_centers.__wrapped__(20)
    np.testing.assert_array_equal(geometric_centers(20), again)


def test_more_centers_than_voxels_raises():
    with pytest.raises(ValueError, match=r"n_components must be at most .* got 99999"):
        geometric_centers(99999)


@pytest.mark.parametrize("name", ["geometric", "geometric-soft"])
def test_computed_centers_are_the_same_whatever_the_threads(name):
    hashes = []
    for n_threads in (1, 2, 3):
        compute_centers.cache_clear()
        with threadpool_limits(n_threads):
            hashes.append(find_atlas(name, 200).hash)
    assert len(set(hashes)) == 1


def test_hash_of_soft_parcels_covers_their_width(monkeypatch):
    before = find_atlas("geometric-soft", 128)
    assert before.width == pytest.approx(parcel_width(before.content), abs=1e-3)
    monkeypatch.setattr(_atlas, "parcel_width", lambda centers: before.width + 0.01)
    assert find_atlas("geometric-soft", 128).hash != before.hash
