"""Transformers between peaks, coefficients and brain maps."""

from ._images import load_mask
from ._kde import density_map
from ._kde_difumo_masker import KDEDiFuMoMasker

__all__ = [
    "KDEDiFuMoMasker",
    "density_map",
    "load_mask",
]
