"""Run estimators over splits; tables with mean, deviation, chance and cost."""

from ._corpus import (
    CORPORA,
    ESTIMATORS,
    load_corpus,
    make_embedder,
    make_estimators,
    make_masker,
    usable_rows,
)
from ._prepare import PreparedStudies, prepare_studies
from ._provenance import provenance
from ._run import run_benchmark
from ._splits import PaperSplits, paper_splits
from ._tables import BenchmarkResult

__all__ = [
    "CORPORA",
    "ESTIMATORS",
    "BenchmarkResult",
    "PaperSplits",
    "PreparedStudies",
    "load_corpus",
    "make_embedder",
    "make_estimators",
    "make_masker",
    "paper_splits",
    "prepare_studies",
    "provenance",
    "run_benchmark",
    "usable_rows",
]
