"""Store arrays in the cache folder of the package, and read them again."""

import numpy as np

from .._utils.disk_cache import fetch_entry
from ..persistence import fingerprint

# Version of the cached files. Increase this number when the content of the files
# changes, so that files of an earlier version are not read.
_FORMAT = 2


def fingerprint_or_none(estimator):
    """Return a hash of a fitted estimator, or None if it cannot be saved."""
    try:
        return fingerprint(estimator)
    except TypeError:
        return None


def cached_array(kind, settings, compute) -> np.ndarray:
    """Return an array from the cache folder; compute it if it is missing or altered.

    `kind` is the subfolder, and `settings` identify the array. ``compute()`` returns
    the array.
    """

    def _build(folder):
        np.save(folder / "rows.npy", np.asarray(compute()), allow_pickle=False)
        return {}

    return fetch_entry(kind, {"format": _FORMAT, **settings}, _build).arrays["rows"]
