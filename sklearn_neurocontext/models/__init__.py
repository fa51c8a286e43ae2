"""Estimators that learn the relation between texts and brain maps."""

from ._base import MixMatchMixin, TextBrainEstimator, scale_like_predictions
from ._best import best_text_brain
from ._cca import CCABaseline
from ._contrastive import PAPER_SETTINGS, ContrastiveTextBrain
from ._ensemble import TextBrainEnsemble
from ._kernel_cca import KernelCCA
from ._mlp import MLPBaseline
from ._neighbor_maps import NeighborMaps
from ._network import NetworkEstimator
from ._nystroem_kernel import NystroemKernel
from ._ridge import RidgeBaseline, solve_ridge
from ._weights import build_module, read_weights

__all__ = [
    "PAPER_SETTINGS",
    "CCABaseline",
    "ContrastiveTextBrain",
    "KernelCCA",
    "MLPBaseline",
    "MixMatchMixin",
    "NeighborMaps",
    "NetworkEstimator",
    "NystroemKernel",
    "RidgeBaseline",
    "TextBrainEnsemble",
    "TextBrainEstimator",
    "best_text_brain",
    "build_module",
    "read_weights",
    "scale_like_predictions",
    "solve_ridge",
]
