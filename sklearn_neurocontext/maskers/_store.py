"""A few large results by key, shared by the estimators of a process."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class RecentStore:
    """Keeps the results that were used last; builds one that is missing.

    Parameters
    ----------
    size : int
        Number of results to keep.
    """

    def __init__(self, size: int):
        self._size = size
        self._results = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, build: Callable):
        """Give the result of `key`, from ``build()`` if it is not here.

        Parameters
        ----------
        key : hashable
            Names everything that the result depends on.
        build : callable
            Takes nothing, gives the result. Threads that ask meanwhile wait for it.

        Returns
        -------
        result : object
            Shared: not to be changed.
        """
        with self._lock:
            if key not in self._results:
                self._results[key] = build()
            self._results.move_to_end(key)
            while len(self._results) > self._size:
                self._results.popitem(last=False)
            return self._results[key]
