"""Voxels of peaks, Gaussians along an axis, and densities in continuous space."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext.maskers import density_map
from sklearn_neurocontext.maskers._kde import (
    gaussian_matrix,
    peaks_to_weights,
    reflected_matrix,
)
from tests.maskers.helpers import (
    AFFINE,
    FWHM,
    FWHM_TO_SIGMA,
    SHAPE,
    VOXEL_MM,
    draw_peaks,
    to_mm,
    to_voxels,
)

PEAKS = np.array([[-42.0, -22, 54], [4, 0, 60], [30, -80, 0], [0, 50, 10]])


def _make_mask(*sizes):
    inside = np.zeros((20, 24, 18), dtype=np.uint8)
    inside[3:17, 2:20, 4:15] = 1
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = [-40, -60, -30]
    return nib.Nifti1Image(inside, affine)


def test_density_is_the_sum_of_gaussians(rng):
    mask_img = _make_mask(4.0, 5.0, 3.0)
    peaks = rng.uniform(-30, 20, size=(7, 3))
    weights = rng.uniform(size=7)
    sigma = 8 * FWHM_TO_SIGMA
    voxels = nib.affines.apply_affine(
        mask_img.affine, np.argwhere(mask_img.get_fdata())
    )
    expected = np.zeros(len(voxels))
    for peak, weight in zip(peaks, weights, strict=True):
        distance = ((voxels - peak) ** 2).sum(axis=1)
        density = np.exp(-distance / (2 * sigma**2)) / (2 * np.pi * sigma**2) ** 1.5
        expected += weight * density * 4 * 5 * 3
    found = density_map(peaks, mask_img, fwhm=8, weights=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_density_of_many_peaks_is_computed_in_blocks(rng):
    mask_img = _make_mask(4.0, 4.0, 4.0)
    peaks = rng.uniform(-30, 20, size=(5000, 3))
    parts = [density_map(part, mask_img) for part in np.split(peaks, 5)]
    np.testing.assert_allclose(density_map(peaks, mask_img), np.sum(parts, axis=0))
    assert not density_map([], mask_img).any()
    as_text = [[f"−{-x}" if x < 0 else str(x) for x in row] for row in peaks.tolist()]
    np.testing.assert_array_equal(
        density_map(as_text, mask_img), density_map(peaks, mask_img)
    )


def test_oblique_mask_raises():
    mask_img = _make_mask(4.0, 4.0, 4.0)
    mask_img.affine[0, 1] = 1.0
    with pytest.raises(ValueError, match="mask_img must have a diagonal affine"):
        density_map(PEAKS, mask_img)


def test_gaussian_has_unit_rows_half_height_at_half_width_and_its_variance():
    weights = gaussian_matrix(201, 10 * FWHM_TO_SIGMA)
    np.testing.assert_array_equal(weights, weights.T)
    middle = weights[100]
    assert middle.sum() == pytest.approx(1, abs=1e-12)
    assert middle[105] == pytest.approx(middle[100] / 2)
    variance = middle @ (np.arange(201) - 100.0) ** 2
    assert variance == pytest.approx((10 * FWHM_TO_SIGMA) ** 2)
    assert weights[0].sum() < 0.6


def test_gaussian_does_not_depend_on_the_length_of_the_line():
    middle = slice(99, 102)
    np.testing.assert_allclose(
        gaussian_matrix(3, 8.0), gaussian_matrix(201, 8.0)[middle, middle]
    )


def test_neuroquerys_gaussian_is_scipys(rng):
    sigma = FWHM * FWHM_TO_SIGMA / VOXEL_MM
    volume = rng.random(SHAPE)
    x, y, z = (reflected_matrix(*axis) for axis in zip(SHAPE, sigma, strict=True))
    np.testing.assert_allclose(
        np.einsum("ai,bj,ck,ijk->abc", x, y, z, volume),
        gaussian_filter(volume, sigma, mode="reflect", truncate=4),
        atol=1e-12,
    )
    for weights in (x, y, z, reflected_matrix(3, 2.0)):
        np.testing.assert_allclose(weights, weights.T, atol=1e-15)
        np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_linear_shares_sum_to_one_and_keep_the_position(rng):
    inside = np.ones(SHAPE, dtype=bool)
    position = rng.uniform(1, 5, (20, 3))
    peaks = [to_mm(row)[None] for row in position]
    weights, *_ = peaks_to_weights(peaks, AFFINE, inside, voxelization="linear")
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights @ np.argwhere(inside), position, rtol=1e-5)


def test_linear_shares_beyond_the_border_go_to_the_border_voxel():
    inside = np.ones(SHAPE, dtype=bool)
    peak = to_mm(np.array([[-0.4, 3, 3]]))
    weights, n_off_grid, _ = peaks_to_weights(
        [peak], AFFINE, inside, voxelization="linear"
    )
    assert n_off_grid == 0
    assert weights.toarray().reshape(SHAPE)[0, 3, 3] == pytest.approx(1)


def test_dropped_peaks_are_counted_by_kind(inside):
    far, corner = [1e300, 0, 0], AFFINE[:3, 3]
    peaks = [np.array([far, corner, [0, 0, 0]]), np.array([[-1e300, 0, 0]])]
    weights, n_off_grid, n_off_mask = peaks_to_weights(peaks, AFFINE, inside)
    assert (n_off_grid, n_off_mask) == (2, 1)
    np.testing.assert_array_equal(weights.sum(axis=1), [1, 0])


def test_neuroquery_counts_peaks_outside_the_mask_and_keeps_them(inside, rng):
    peaks = draw_peaks(inside, rng, jitter=0.9)
    voxels = np.floor(to_voxels(np.concatenate(peaks))).astype(int)
    n_outside = (~inside[tuple(voxels.T)]).sum()
    peaks[-1] = np.concatenate([peaks[-1], AFFINE[:3, 3] + [[1, 1, 1], [-1, 0, 0]]])
    weights, n_off_grid, n_off_mask = peaks_to_weights(
        peaks, AFFINE, inside, voxelization="neuroquery"
    )
    assert (n_off_grid, n_off_mask) == (1, 1 + n_outside)
    np.testing.assert_array_equal(weights.sum(axis=1), [0, 1, 2, 3, 4, 6])
