"""Tests of the density of peaks in continuous space."""

import nibabel as nib
import numpy as np
import pytest

from sklearn_neurocontext.maskers import density_map

PEAKS = np.array([[-42.0, -22, 54], [4, 0, 60], [30, -80, 0], [0, 50, 10]])


def _mask_img(affine):
    inside = np.zeros((20, 24, 18), dtype=np.uint8)
    inside[3:17, 2:20, 4:15] = 1
    return nib.Nifti1Image(inside, affine)


def _affine(*sizes):
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = [-40, -60, -30]
    return affine


def test_density_is_the_sum_of_gaussians(rng):
    mask_img = _mask_img(_affine(4.0, 5.0, 3.0))
    peaks = rng.uniform(-30, 20, size=(7, 3))
    weights = rng.uniform(size=7)
    sigma = 8 / np.sqrt(8 * np.log(2))
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


def test_density_of_many_peaks_goes_in_blocks(rng):
    mask_img = _mask_img(_affine(4.0, 4.0, 4.0))
    peaks = rng.uniform(-30, 20, size=(5000, 3))
    parts = [density_map(part, mask_img) for part in np.split(peaks, 5)]
    np.testing.assert_allclose(density_map(peaks, mask_img), np.sum(parts, axis=0))
    assert not density_map([], mask_img).any()


def test_oblique_axes_are_refused():
    affine = _affine(4.0, 4.0, 4.0)
    affine[0, 1] = 1.0
    with pytest.raises(ValueError, match="got oblique axes"):
        density_map(PEAKS, _mask_img(affine))
