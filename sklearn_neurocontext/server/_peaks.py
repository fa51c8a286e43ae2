"""Find the peaks of a map."""

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine, voxel_sizes
from scipy.ndimage import maximum_filter

# Smallest distance between two peaks, in mm.
_DISTANCE = 12.0


def find_peaks(img, k: int = 40) -> pd.DataFrame:
    """Return the k peaks of a map that have the largest magnitudes.

    The columns are ``x``, ``y`` and ``z``, in mm, and ``value``. A voxel is a peak if
    no voxel within 12 mm has a larger magnitude. If several voxels within 12 mm
    of each other have the same magnitude, only the first of them is a peak.
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
        distances = np.linalg.norm(positions[kept] - position, axis=1)
        if len(kept) < k and (distances > _DISTANCE).all():
            kept.append(row)
    peaks = pd.DataFrame(positions[kept], columns=["x", "y", "z"])
    return peaks.assign(value=img.get_fdata()[tuple(voxels[kept].T)])
