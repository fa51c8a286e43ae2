"""Estimators that learn what texts and brain maps share."""

from ._best import best_text_brain
from ._cca import CCABaseline
from ._contrastive import PAPER_SETTINGS, ContrastiveTextBrain
from ._ensemble import TextBrainEnsemble
from ._kernel_cca import KernelCCA
from ._mlp import MLPBaseline
from ._neighbor_maps import NeighborMaps
from ._nystroem_kernel import NystroemKernel
from ._ridge import RidgeBaseline
from ._scaling import scale_like_predictions
from ._weights import build_module

__all__ = [
    "PAPER_SETTINGS",
    "CCABaseline",
    "ContrastiveTextBrain",
    "KernelCCA",
    "MLPBaseline",
    "NeighborMaps",
    "NystroemKernel",
    "RidgeBaseline",
    "TextBrainEnsemble",
    "best_text_brain",
    "build_module",
    "scale_like_predictions",
]
