"""Check dictionaries and intervals that are parameters of several plots."""

from collections.abc import Mapping

import numpy as np


def check_mapping(values, argument: str, content: str) -> dict:
    """Check that an argument is a nonempty dictionary, and return the dictionary.

    In error messages, `content` describes what a value of the dictionary is.
    """
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{argument} must be a dictionary from name to {content}; got "
            f"{type(values).__name__}. Pass a single entry as {{'name': …}}."
        )
    if not values:
        raise ValueError(f"{argument} is empty; expected at least one {content}.")
    return dict(values)


def check_intervals(intervals, names, *, fractions=False) -> dict:
    """Check intervals and return a dictionary from names to arrays (low, high).

    If `fractions` is True, all intervals must lie in [0, 1].
    """
    if intervals is None:
        return {}
    if not isinstance(intervals, Mapping):
        raise TypeError(
            "intervals must be a dictionary from name to (low, high); got "
            f"{type(intervals).__name__}."
        )
    unknown = sorted(set(intervals) - set(names))
    if unknown:
        raise ValueError(
            f"intervals must have names among {sorted(names)}; got {unknown}."
        )
    low, high = (0, 1) if fractions else (-np.inf, np.inf)
    checked = {}
    for name, interval in intervals.items():
        ends = np.asarray(interval, dtype=np.float64)
        if ends.shape != (2,) or not low <= ends[0] <= ends[1] <= high:
            raise ValueError(
                f"The interval of {name!r} must be (low, high) with low <= high"
                f"{' in [0, 1]' if fractions else ''}; got {interval!r}. Omit "
                "the intervals that are unknown."
            )
        checked[name] = ends
    return checked
