"""A trained model in use: maps, decoding, calibration and reports."""

from ._calibration import TrainingStatistics, check_exchanges, training_statistics
from ._fit import fit_model
from ._neurocontext_model import NeuroContextModel
from ._report import Report, make_report
from ._storage import check_overwritable

__all__ = [
    "NeuroContextModel",
    "Report",
    "TrainingStatistics",
    "check_exchanges",
    "check_overwritable",
    "fit_model",
    "make_report",
    "training_statistics",
]
