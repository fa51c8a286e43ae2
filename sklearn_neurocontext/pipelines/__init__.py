"""Named pipelines from raw text to the shared space: the best settings known."""

from ._best import best_text_brain
from ._landmark_kernel import LandmarkKernel
from ._neighbor_maps import NeighborMaps

__all__ = ["LandmarkKernel", "NeighborMaps", "best_text_brain"]
