"""Plot brain maps, retrieval scores and training curves.

Every function takes arrays, dictionaries or images and returns a matplotlib Figure or
Axes. The functions do not use pyplot, so they display nothing and leave no figure open.
Save a plot with ``figure.savefig(path)`` or ``ax.figure.savefig(path)``. A notebook
displays a figure that is the last expression of a cell.
"""

from ._maps import plot_maps
from ._predicted_and_observed import plot_predicted_and_observed
from ._scores import (
    plot_dice_bars,
    plot_paired_differences,
    plot_recall_curves,
    plot_scores,
)
from ._similarity_matrix import plot_similarity_matrix
from ._style import DENSITY_UNIT, Z_THRESHOLD
from ._training_curve import plot_training_curve

__all__ = [
    "DENSITY_UNIT",
    "Z_THRESHOLD",
    "plot_dice_bars",
    "plot_maps",
    "plot_paired_differences",
    "plot_predicted_and_observed",
    "plot_recall_curves",
    "plot_scores",
    "plot_similarity_matrix",
    "plot_training_curve",
]
