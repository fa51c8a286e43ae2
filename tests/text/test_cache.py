"""The memory of embeddings is bounded and goes by content."""

import numpy as np

from sklearn_neurocontext.text._cache import MemoryCache, text_key


def test_a_kept_vector_comes_back_and_is_a_copy():
    cache, vector = MemoryCache(), np.ones(3, dtype=np.float32)
    cache.put(b"a", vector)
    vector[:] = 5
    np.testing.assert_array_equal(cache.get(b"a"), np.ones(3))
    assert cache.get(b"b") is None


def test_the_vector_used_longest_ago_goes_first():
    cache = MemoryCache(max_bytes=2 * 4 * 4)
    for key in (b"a", b"b"):
        cache.put(key, np.zeros(4))
    cache.get(b"a")
    cache.put(b"c", np.zeros(4))
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None
    assert cache.get(b"c") is not None


def test_keys_differ_by_text_and_by_settings():
    keys = {text_key("pain", "a"), text_key("pain", "b"), text_key("fear", "a")}
    assert len(keys) == 3
    assert text_key("pain", "a") == text_key("pain", "a")
