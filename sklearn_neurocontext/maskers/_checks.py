"""Checks of maps and coefficients, with the words for their users."""

import warnings

import numpy as np

from ._maps import Maps
from ._solve import ILL_CONDITIONED

# The user's line: above a check, fit, and scikit-learn's wrapper of fit.
_USER = 4


def check_maps(maps: Maps, strategy: str) -> None:
    """Refuse negative maps for means; warn about empty and about collinear ones.

    Parameters
    ----------
    maps : Maps
        The atlas on the grid.
    strategy : {"lstsq", "mean"}
        What is to be done with it.

    Raises
    ------
    ValueError
        If a map has negative values and the strategy is ``"mean"``.
    """
    if strategy == "mean" and maps.lowest < 0:
        raise ValueError(
            "strategy='mean' needs maps without negative values; the atlas has values "
            f"down to {maps.lowest:.3g}. Use strategy='lstsq'."
        )
    bare = np.flatnonzero(np.diff(maps.array.indptr) == 0)
    if len(bare):
        warnings.warn(
            f"{len(bare)} of {len(maps.labels)} maps of the atlas are empty in the "
            f"mask, the first {maps.labels[bare[0]]!r}; their coefficients are always "
            "zero. Use smaller voxels (target_affine), or check that the atlas is in "
            "MNI space.",
            UserWarning,
            stacklevel=_USER,
        )
    if strategy == "lstsq" and np.isinf(maps.condition):
        warnings.warn(
            "Some maps of the atlas are combinations of others on this grid, so "
            "coefficients are not unique; taking those of least norm, with maps at "
            "unit norm. Use smaller voxels (target_affine) or fewer maps if that "
            "matters.",
            UserWarning,
            stacklevel=_USER,
        )
    elif strategy == "lstsq" and maps.condition > ILL_CONDITIONED:
        warnings.warn(
            "Some maps of the atlas are nearly combinations of others on this grid: "
            f"the condition number of AᵀMA is about {maps.condition:.1e}. "
            "Coefficients are unique, but rounding in the maps changes them. Use fewer "
            "maps if that matters.",
            UserWarning,
            stacklevel=_USER,
        )


def check_coefficients(coefficients, n_elements: int) -> np.ndarray:
    """Check coefficients, `n_elements` for each map: (n_maps, n_elements), float32."""
    coefficients = np.asarray(coefficients, dtype=np.float32)
    if coefficients.ndim != 2 or coefficients.shape[1] != n_elements:
        raise ValueError(
            f"coefficients have shape {coefficients.shape}; expected (n_maps, "
            f"{n_elements}). A single map is written [coefficients]."
        )
    if not np.isfinite(coefficients).all():
        raise ValueError(
            "coefficients hold NaN or infinity. Check what predicted them."
        )
    return coefficients
