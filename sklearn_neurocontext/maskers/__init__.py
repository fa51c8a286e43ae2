"""Transformers between peaks, coefficients and brain maps."""

from ._density_map import density_map
from ._kde_difumo import KDEDiFuMoMasker

__all__ = [
    "KDEDiFuMoMasker",
    "density_map",
]
