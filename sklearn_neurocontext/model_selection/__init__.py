"""Splits of studies, and tools against leakage between their parts."""

from ._leakage import duplicate_groups, normalize_title, without_leaks
from ._shared_peaks import studies_sharing_peaks
from ._splits import PaperSplits, paper_splits, shuffled_folds

__all__ = [
    "PaperSplits",
    "duplicate_groups",
    "normalize_title",
    "paper_splits",
    "shuffled_folds",
    "studies_sharing_peaks",
    "without_leaks",
]
