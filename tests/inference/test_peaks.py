"""Peaks of maps are those of a slow search."""

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext.inference import find_peaks

AFFINE = np.diag([4.0, 5.0, 3.0, 1.0])
AFFINE[:3, 3] = -30, 10, 5


def test_peaks_of_a_slow_search(rng):
    values = gaussian_filter(rng.normal(size=(15, 12, 16)), 2)
    peaks = find_peaks(nib.Nifti1Image(values, AFFINE), k=1000)
    voxels = np.argwhere(np.ones(values.shape))
    position = nib.affines.apply_affine(AFFINE, voxels)
    magnitudes = np.abs(values).ravel()
    expected = []
    for one, magnitude in zip(position, magnitudes, strict=True):
        near = ((position - one) ** 2).sum(axis=1) <= 144
        if magnitude == magnitudes[near].max():
            expected.append((*one, magnitude))
    expected = np.array(sorted(expected, key=lambda peak: -peak[3]))
    found = peaks.assign(value=peaks["value"].abs())[[*"xyz", "value"]].to_numpy()
    np.testing.assert_allclose(found, expected)
    assert (peaks["value"] < 0).any()


def test_number_of_peaks_and_order(rng):
    values = rng.normal(size=(20, 20, 20))
    peaks = find_peaks(nib.Nifti1Image(values, AFFINE), k=5)
    assert len(peaks) == 5
    assert peaks["value"].abs().is_monotonic_decreasing


def test_plateau_has_one_peak():
    values = np.zeros((15, 15, 15))
    values[2:4, 2:4, 2:5], values[11, 11, 11] = 3, -2
    peaks = find_peaks(nib.Nifti1Image(values, AFFINE))
    assert peaks["value"].tolist() == [3, -2]


def test_map_of_zeros_has_no_peak():
    peaks = find_peaks(nib.Nifti1Image(np.zeros((5, 5, 5)), AFFINE))
    assert list(peaks) == ["x", "y", "z", "value", "region", "network"]
    assert len(peaks) == 0
