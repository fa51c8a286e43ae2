"""Atlases made from the mask alone: parcels around centres of k-means."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from sklearn_neurocontext.maskers import _atlas
from sklearn_neurocontext.maskers._atlas import find_atlas
from sklearn_neurocontext.maskers._geometric import (
    SHIPPED_CENTRES,
    compute_centres,
    geometric_centres,
    soft_width,
)
from sklearn_neurocontext.maskers._grid import voxel_centres
from tests.maskers.atlases import bring, load_mask


@pytest.mark.parametrize("n_components", [5, 128, 512])
def test_geometric_maps_part_the_mask_by_nearest_centre(mask_img, n_components):
    labels, maps = bring("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.sum(axis=1), 1)
    assert len(set(labels)) == n_components
    voxels, centres = voxel_centres(mask_img), geometric_centres(n_components)
    for row in range(0, len(voxels), 200):
        distance = np.linalg.norm(centres - voxels[row], axis=1)
        assert distance[maps[row].argmax()] == pytest.approx(distance.min())


@pytest.mark.parametrize("n_components", [5, 128])
def test_soft_parcels_are_responsibilities_of_a_mixture(mask_img, n_components):
    labels, maps = bring("geometric-soft", n_components, mask_img)
    centres, voxels = geometric_centres(n_components), voxel_centres(mask_img)
    assert len(labels) == n_components
    squares = ((voxels[:, None] - centres) ** 2).sum(axis=2)
    density = np.exp(-squares / (2 * soft_width(centres) ** 2))
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    np.testing.assert_allclose(maps.sum(axis=1), 1, rtol=1e-5)
    _, hard = bring("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.argmax(axis=1), hard.argmax(axis=1))


def test_soft_parcels_are_as_wide_as_the_hard_ones(mask_img):
    """The mean share of a voxel in its own parcel is that of Gaussians so wide."""
    centres = geometric_centres(128)
    offsets = (
        voxel_centres(mask_img)
        - centres[cKDTree(centres).query(voxel_centres(mask_img))[1]]
    )
    assert soft_width(centres) == pytest.approx(offsets.std(axis=0).mean(), rel=0.05)


@pytest.mark.parametrize("n_components", SHIPPED_CENTRES)
def test_shipped_centres_are_distinct_and_in_the_brain(n_components):
    centres = geometric_centres(n_components)
    assert centres.shape == (n_components, 3)
    to_voxel, _ = cKDTree(voxel_centres(load_mask(2.0))).query(centres)
    assert to_voxel.max() < 4
    to_other, _ = cKDTree(centres).query(centres, k=2)
    assert to_other[:, 1].min() > 4


def test_shipped_centres_are_as_good_a_k_means_as_computed_ones():
    voxels = voxel_centres(load_mask(4.0))
    shipped, computed = (
        np.mean(cKDTree(centres).query(voxels)[0] ** 2)
        for centres in (geometric_centres(128), compute_centres(128))
    )
    assert shipped == pytest.approx(computed, rel=0.01)


def test_computed_centres_are_the_same_twice():
    again = compute_centres.__wrapped__(20)
    np.testing.assert_array_equal(geometric_centres(20), again)


def test_more_centres_than_voxels_is_an_error():
    with pytest.raises(ValueError, match="n_components=99999 is more than the"):
        geometric_centres(99999)


@pytest.mark.parametrize("name", ["geometric", "geometric-soft"])
def test_computed_centres_are_the_same_whatever_the_threads(name):
    hashes = []
    for n_threads in (1, 2, 3):
        compute_centres.cache_clear()
        with threadpool_limits(n_threads):
            hashes.append(find_atlas(name, 200).hash)
    assert len(set(hashes)) == 1


def test_hash_of_soft_parcels_covers_their_width(monkeypatch):
    before = find_atlas("geometric-soft", 128)
    assert before.width == pytest.approx(soft_width(before.content), abs=1e-3)
    monkeypatch.setattr(_atlas, "soft_width", lambda centres: before.width + 0.01)
    assert find_atlas("geometric-soft", 128).hash != before.hash
