"""Run estimators over splits; tables with mean, deviation, chance and cost."""

from ._corpus import CORPORA, load_corpus, usable_rows
from ._encoding import (
    bootstrap_interval,
    density_map,
    score_maps,
    studies_sharing_peaks,
)
from ._estimators import (
    ESTIMATORS,
    TEXT_ESTIMATORS,
    inputs_of,
    make_embedder,
    make_estimators,
    make_masker,
)
from ._illustrate import StudyMaps, median_study_maps
from ._leakage import duplicate_groups, normalize_title, without_leaks
from ._markdown import difference_and_interval, mean_and_deviation
from ._prepare import PreparedStudies, prepare_studies
from ._provenance import provenance
from ._run import run_benchmark
from ._splits import PaperSplits, paper_splits, shuffled_folds
from ._statistics import (
    TrainingStatistics,
    predict_coefficients,
    training_statistics,
)
from ._tables import BenchmarkResult

__all__ = [
    "CORPORA",
    "ESTIMATORS",
    "TEXT_ESTIMATORS",
    "BenchmarkResult",
    "PaperSplits",
    "PreparedStudies",
    "StudyMaps",
    "TrainingStatistics",
    "bootstrap_interval",
    "density_map",
    "difference_and_interval",
    "duplicate_groups",
    "inputs_of",
    "load_corpus",
    "make_embedder",
    "make_estimators",
    "make_masker",
    "mean_and_deviation",
    "median_study_maps",
    "normalize_title",
    "paper_splits",
    "predict_coefficients",
    "prepare_studies",
    "provenance",
    "run_benchmark",
    "score_maps",
    "shuffled_folds",
    "studies_sharing_peaks",
    "training_statistics",
    "usable_rows",
    "without_leaks",
]
