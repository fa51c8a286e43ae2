"""Embeddings by content, so that no text is embedded twice."""

import hashlib
import threading
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np

from ._store import EmbeddingStore

# At most this many bytes of vectors; the oldest go first.
_MAX_BYTES = 512 * 2**20


class MemoryCache:
    """A bounded dictionary from keys to vectors.

    Parameters
    ----------
    max_bytes : int
        Bytes of vectors kept; with 0, none is.
    """

    def __init__(self, max_bytes=_MAX_BYTES):
        self.max_bytes = max_bytes
        self._vectors = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get_many(self, keys) -> dict:
        """Give the vectors of those keys that are kept."""
        found = {}
        with self._lock:
            for key in keys:
                vector = self._vectors.get(key)
                if vector is not None:
                    self._vectors.move_to_end(key)
                    found[key] = vector
        return found

    def put_many(self, vectors: dict) -> None:
        """Keep vectors, dropping the oldest where space is short."""
        with self._lock:
            for key, vector in vectors.items():
                if key not in self._vectors:
                    self._vectors[key] = np.array(vector, dtype=np.float32)
                    self._n_bytes += self._vectors[key].nbytes
            while self._n_bytes > self.max_bytes:
                _, dropped = self._vectors.popitem(last=False)
                self._n_bytes -= dropped.nbytes


PROCESS_CACHE = MemoryCache()


@contextmanager
def open_cache(cache):
    """Open what the embedder's parameter `cache` names, and close it in the end.

    Parameters
    ----------
    cache : "memory", path-like or None
        This process's memory, a store on disk, or nothing.

    Yields
    ------
    cache : MemoryCache or EmbeddingStore
        With ``get_many(keys)`` and ``put_many(vectors)``.
    """
    if cache is None:
        yield MemoryCache(max_bytes=0)
    elif cache == "memory":
        yield PROCESS_CACHE
    else:
        with EmbeddingStore(cache) as store:
            yield store


def text_key(text: str, settings: str) -> bytes:
    """Hash a text with all settings that change its embedding."""
    # Text from broken files may hold half a surrogate pair, which UTF-8 cannot.
    return hashlib.sha256(f"{settings}\0{text}".encode(errors="surrogatepass")).digest()
