"""Find the strongest local maxima of a map, and their regions."""

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine, voxel_sizes
from scipy.ndimage import maximum_filter

from ._regions import region_names

# Smallest distance between two peaks, in mm: three voxels of the shipped masker (4 mm).
_DISTANCE = 12.0


def find_peaks(img, k: int = 40) -> pd.DataFrame:
    """Find the peaks of both signs in a map, without a threshold.

    A voxel is a peak if no voxel within 12 mm has a larger magnitude. If several voxels
    within 12 mm of each other have the same magnitude, only the first of them is a
    peak. HTML pages need all peaks, because readers can move the threshold. In
    contrast, `peak_table` finds the peaks of clusters above a threshold.

    Parameters
    ----------
    img : Nifti image of shape (nx, ny, nz)
        One map in MNI space.
    k : int, default=40
        Maximum number of peaks. Those with the largest magnitudes are returned.

    Returns
    -------
    peaks : DataFrame
        One row per peak, in descending order of the magnitude. The columns are ``x``,
        ``y`` and ``z`` (in mm), ``value``, and ``region`` and ``network`` as in
        `region_names`.

    Examples
    --------
    >>> from nilearn.datasets import load_sample_motor_activation_image
    >>> from nilearn.image import load_img
    >>> from sklearn_neurocontext.inference import find_peaks
    >>> img = load_img(load_sample_motor_activation_image())
    >>> find_peaks(img, k=10).shape
    (10, 6)
    """
    magnitudes = np.abs(img.get_fdata())
    radii = (_DISTANCE / voxel_sizes(img.affine)).astype(int)
    grid = np.ogrid[tuple(slice(-radius, radius + 1) for radius in radii)]
    ball = sum(
        (index * size) ** 2
        for index, size in zip(grid, voxel_sizes(img.affine), strict=True)
    )
    highest = maximum_filter(magnitudes, footprint=ball <= _DISTANCE**2)
    voxels = np.argwhere((magnitudes == highest) & (magnitudes > 0))
    order = np.argsort(-magnitudes[tuple(voxels.T)], kind="stable")
    voxels = voxels[order]
    positions = apply_affine(img.affine, voxels)
    kept = []
    for row, position in enumerate(positions):
        if len(kept) == k:
            break
        distances = np.linalg.norm(positions[kept] - position, axis=1)
        if (distances > _DISTANCE).all():
            kept.append(row)
    peaks = pd.DataFrame(positions[kept], columns=["x", "y", "z"])
    peaks = peaks.assign(value=img.get_fdata()[tuple(voxels[kept].T)])
    regions = region_names(peaks[["x", "y", "z"]].to_numpy())
    return peaks.join(regions[["region", "network"]])
