"""Predict and decode brain maps, calibrate models and make HTML reports."""

from ._calibration import (
    TrainingStatistics,
    check_n_permutations,
    describe_null,
    draw_short_texts,
    fit_model,
    make_up_text,
    null_statistics,
    training_statistics,
)
from ._chosen_settings import clone_with_chosen_settings
from ._meta_analysis import run_meta_analysis
from ._neurocontext_model import (
    LowConfidenceWarning,
    NeuroContextModel,
    interpolate_scale,
    split_words,
)
from ._ontology import noisy_or
from ._peaks import find_peaks
from ._regions import peak_table, region_names
from ._report import Report, make_report
from ._results import PredictedMaps
from ._storage import check_overwritable
from ._terms import print_highlighted_text

__all__ = [
    "LowConfidenceWarning",
    "NeuroContextModel",
    "PredictedMaps",
    "Report",
    "TrainingStatistics",
    "check_n_permutations",
    "check_overwritable",
    "clone_with_chosen_settings",
    "describe_null",
    "draw_short_texts",
    "find_peaks",
    "fit_model",
    "interpolate_scale",
    "make_report",
    "make_up_text",
    "noisy_or",
    "null_statistics",
    "peak_table",
    "print_highlighted_text",
    "region_names",
    "run_meta_analysis",
    "split_words",
    "training_statistics",
]
