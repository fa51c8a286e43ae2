"""Embeddings of this process by content, so that no text is embedded twice."""

import hashlib
from collections import OrderedDict

import numpy as np

# At most this many bytes of vectors; the oldest go first.
_MAX_BYTES = 512 * 2**20


class MemoryCache:
    """A bounded dictionary from keys to vectors."""

    def __init__(self, max_bytes=_MAX_BYTES):
        self.max_bytes = max_bytes
        self._vectors = OrderedDict()
        self._n_bytes = 0

    def get(self, key):
        """Give the vector of a key, or None."""
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def put(self, key, vector):
        """Keep a vector, dropping the oldest where space is short."""
        if key in self._vectors:
            return
        vector = np.array(vector, dtype=np.float32)
        self._vectors[key] = vector
        self._n_bytes += vector.nbytes
        while self._n_bytes > self.max_bytes and len(self._vectors) > 1:
            _, dropped = self._vectors.popitem(last=False)
            self._n_bytes -= dropped.nbytes


PROCESS_CACHE = MemoryCache()


def text_key(text: str, settings: str) -> bytes:
    """Hash a text with all settings that change its embedding."""
    return hashlib.sha256(f"{settings}\0{text}".encode()).digest()
