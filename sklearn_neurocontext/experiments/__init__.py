"""Run estimators over splits: resumable records, provenance and tables."""

from ._benchmark import run_benchmark
from ._estimators import (
    ESTIMATORS,
    TEXT_ESTIMATORS,
    inputs_of,
    make_embedder,
    make_estimators,
    make_masker,
)
from ._provenance import provenance
from ._result import BenchmarkResult, difference_and_interval, mean_and_deviation
from ._studies import PreparedStudies, StudyMaps, median_study_maps, prepare_studies

__all__ = [
    "ESTIMATORS",
    "TEXT_ESTIMATORS",
    "BenchmarkResult",
    "PreparedStudies",
    "StudyMaps",
    "difference_and_interval",
    "inputs_of",
    "make_embedder",
    "make_estimators",
    "make_masker",
    "mean_and_deviation",
    "median_study_maps",
    "prepare_studies",
    "provenance",
    "run_benchmark",
]
