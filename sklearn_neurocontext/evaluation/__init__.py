"""Run estimators over splits; tables with mean, deviation, chance and cost."""

from ._provenance import provenance
from ._run import run_benchmark
from ._splits import PaperSplits, paper_splits
from ._tables import BenchmarkResult

__all__ = [
    "BenchmarkResult",
    "PaperSplits",
    "paper_splits",
    "provenance",
    "run_benchmark",
]
