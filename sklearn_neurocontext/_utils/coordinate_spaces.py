"""Convert coordinates between Talairach and MNI space; normalize names of spaces."""

import numpy as np
import pandas as pd

# Affine that converts MNI coordinates to Talairach coordinates, both in mm. This is the
# icbm2tal transform for images whose normalization software is unknown ("pooled").
# Lancaster et al., Bias between MNI and Talairach coordinates analyzed using the
# ICBM-152 brain template, Human Brain Mapping 2007.
_MNI_TO_TALAIRACH = np.array(
    [
        [0.9357, 0.0029, -0.0072, -1.0423],
        [-0.0065, 0.9396, -0.0726, -1.3940],
        [0.0103, 0.0752, 0.8967, 3.6475],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
_TALAIRACH_TO_MNI = np.linalg.inv(_MNI_TO_TALAIRACH)


def talairach_to_mni(xyz) -> np.ndarray:
    """Transform coordinates from Talairach to MNI space (Lancaster et al. 2007)."""
    return _apply(_TALAIRACH_TO_MNI, xyz)


def mni_to_talairach(xyz) -> np.ndarray:
    """Transform coordinates from MNI to Talairach space (Lancaster et al. 2007)."""
    return _apply(_MNI_TO_TALAIRACH, xyz)


def _apply(affine, xyz) -> np.ndarray:
    """Apply an affine to coordinates of shape (n_peaks, 3)."""
    xyz = np.asarray(xyz, dtype=np.float64)
    if xyz.size == 0:
        return xyz.reshape(0, 3)
    if xyz.ndim != 2 or xyz.shape[1] != 3:
        raise ValueError(
            f"Coordinates have shape {xyz.shape}; expected (n_peaks, 3) with x, y, z "
            "in mm. Write a single peak as [[x, y, z]]."
        )
    return xyz @ affine[:3, :3].T + affine[:3, 3]


def normalize_spaces(spaces) -> np.ndarray:
    """Return each name of a space as MNI, TAL, UNKNOWN, OTHER or MIXED."""
    series = pd.Series(np.asarray(spaces, dtype=object))
    names = {name: _normalize_space(name) for name in series.unique()}
    return series.map(names).to_numpy(dtype=object)


def _normalize_space(name) -> str:
    if pd.isna(name) or not str(name).strip():
        return "UNKNOWN"
    word = str(name).strip().upper()
    # T88 is the atlas of Talairach and Tournoux, 1988.
    for prefix in ("MNI", "TAL", "T88", "UNKNOWN", "MIXED"):
        if word.startswith(prefix):
            return "TAL" if prefix == "T88" else prefix
    return "OTHER"
