"""Estimators that learn what texts and brain maps share."""

from ._cca import CCABaseline
from ._contrastive import PAPER_SETTINGS, ContrastiveTextBrain
from ._ensemble import TextBrainEnsemble
from ._kernel_cca import KernelCCA
from ._mlp import MLPBaseline
from ._ridge import RidgeBaseline

__all__ = [
    "PAPER_SETTINGS",
    "CCABaseline",
    "ContrastiveTextBrain",
    "KernelCCA",
    "MLPBaseline",
    "RidgeBaseline",
    "TextBrainEnsemble",
]
