"""Splits into training and test studies, and removal of leakage between them."""

from ._leakage import (
    duplicate_groups,
    find_studies_sharing_peaks,
    normalize_title,
    remove_leakage,
)
from ._splits import PaperSplits, paper_splits, shuffled_folds

__all__ = [
    "PaperSplits",
    "duplicate_groups",
    "find_studies_sharing_peaks",
    "normalize_title",
    "paper_splits",
    "remove_leakage",
    "shuffled_folds",
]
