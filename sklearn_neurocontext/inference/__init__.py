"""A trained model in use: maps, decoding, calibration and reports."""

from ._calibration import TrainingStatistics, training_statistics
from ._neurocontext_model import NeuroContextModel
from ._report import Report, make_report

__all__ = [
    "NeuroContextModel",
    "Report",
    "TrainingStatistics",
    "make_report",
    "training_statistics",
]
