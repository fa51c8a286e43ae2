"""Atlases made from the mask alone: parcels around centres of k-means."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from sklearn_neurocontext.maskers import _atlas
from sklearn_neurocontext.maskers._atlas import (
    SHIPPED_CENTERS,
    compute_centers,
    find_atlas,
    geometric_centers,
    parcel_width,
)
from sklearn_neurocontext.maskers._images import voxel_centers
from tests.maskers.helpers import bring, load_mask


@pytest.mark.parametrize("n_components", [5, 128, 512])
def test_geometric_maps_part_the_mask_by_nearest_centre(mask_img, n_components):
    labels, maps = bring("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.sum(axis=1), 1)
    assert len(set(labels)) == n_components
    voxels, centres = voxel_centers(mask_img), geometric_centers(n_components)
    for row in range(0, len(voxels), 200):
        distance = np.linalg.norm(centres - voxels[row], axis=1)
        assert distance[maps[row].argmax()] == pytest.approx(distance.min())


@pytest.mark.parametrize("n_components", [5, 128])
def test_soft_parcels_are_responsibilities_of_a_mixture(mask_img, n_components):
    labels, maps = bring("geometric-soft", n_components, mask_img)
    centres, voxels = geometric_centers(n_components), voxel_centers(mask_img)
    assert len(labels) == n_components
    squares = ((voxels[:, None] - centres) ** 2).sum(axis=2)
    density = np.exp(-squares / (2 * parcel_width(centres) ** 2))
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    np.testing.assert_allclose(maps.sum(axis=1), 1, rtol=1e-5)
    _, hard = bring("geometric", n_components, mask_img)
    np.testing.assert_array_equal(maps.argmax(axis=1), hard.argmax(axis=1))


def test_soft_parcels_are_as_wide_as_the_hard_ones(mask_img):
    """The mean share of a voxel in its own parcel is that of Gaussians so wide."""
    centres = geometric_centers(128)
    offsets = (
        voxel_centers(mask_img)
        - centres[cKDTree(centres).query(voxel_centers(mask_img))[1]]
    )
    assert parcel_width(centres) == pytest.approx(offsets.std(axis=0).mean(), rel=0.05)


@pytest.mark.parametrize("n_components", SHIPPED_CENTERS)
def test_shipped_centres_are_distinct_and_in_the_brain(n_components):
    centres = geometric_centers(n_components)
    assert centres.shape == (n_components, 3)
    to_voxel, _ = cKDTree(voxel_centers(load_mask(2.0))).query(centres)
    assert to_voxel.max() < 4
    to_other, _ = cKDTree(centres).query(centres, k=2)
    assert to_other[:, 1].min() > 4


def test_shipped_centres_are_as_good_a_k_means_as_computed_ones():
    voxels = voxel_centers(load_mask(4.0))
    shipped, computed = (
        np.mean(cKDTree(centres).query(voxels)[0] ** 2)
        for centres in (geometric_centers(128), compute_centers(128))
    )
    assert shipped == pytest.approx(computed, rel=0.01)


def test_computed_centres_are_the_same_twice():
    again = compute_centers.__wrapped__(20)
    np.testing.assert_array_equal(geometric_centers(20), again)


def test_more_centres_than_voxels_is_an_error():
    with pytest.raises(ValueError, match=r"n_components must be at most .* got 99999"):
        geometric_centers(99999)


@pytest.mark.parametrize("name", ["geometric", "geometric-soft"])
def test_computed_centres_are_the_same_whatever_the_threads(name):
    hashes = []
    for n_threads in (1, 2, 3):
        compute_centers.cache_clear()
        with threadpool_limits(n_threads):
            hashes.append(find_atlas(name, 200).hash)
    assert len(set(hashes)) == 1


def test_hash_of_soft_parcels_covers_their_width(monkeypatch):
    before = find_atlas("geometric-soft", 128)
    assert before.width == pytest.approx(parcel_width(before.content), abs=1e-3)
    monkeypatch.setattr(_atlas, "parcel_width", lambda centres: before.width + 0.01)
    assert find_atlas("geometric-soft", 128).hash != before.hash
