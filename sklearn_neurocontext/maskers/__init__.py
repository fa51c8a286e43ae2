"""Transformers between peaks, coefficients and brain maps."""

from ._kde_difumo import KDEDiFuMoMasker

__all__ = ["KDEDiFuMoMasker"]
