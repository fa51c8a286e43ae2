"""The memory of embeddings is bounded and goes by content."""

import numpy as np

from sklearn_neurocontext.text._cache import MemoryCache, open_cache, text_key
from sklearn_neurocontext.text._store import EmbeddingStore


def test_a_kept_vector_comes_back_and_is_a_copy():
    cache, vector = MemoryCache(), np.ones(3, dtype=np.float32)
    cache.put_many({b"a": vector})
    vector[:] = 5
    found = cache.get_many([b"a", b"b"])
    assert list(found) == [b"a"]
    np.testing.assert_array_equal(found[b"a"], np.ones(3))


def test_the_vector_used_longest_ago_goes_first():
    cache = MemoryCache(max_bytes=2 * 4 * 4)
    cache.put_many({b"a": np.zeros(4), b"b": np.zeros(4)})
    cache.get_many([b"a"])
    cache.put_many({b"c": np.zeros(4)})
    assert set(cache.get_many([b"a", b"b", b"c"])) == {b"a", b"c"}


def test_a_vector_above_the_bound_is_not_kept():
    cache = MemoryCache(max_bytes=8)
    cache.put_many({b"a": np.zeros(4)})
    assert not cache.get_many([b"a"])


def test_keys_differ_by_text_and_by_settings():
    keys = {text_key("pain", "a"), text_key("pain", "b"), text_key("fear", "a")}
    assert len(keys) == 3
    assert text_key("pain", "a") == text_key("pain", "a")


def test_memory_disk_or_nothing(tmp_path):
    for cache, kept in (("memory", 1), (tmp_path / "store.sqlite", 1), (None, 0)):
        with open_cache(cache) as opened:
            opened.put_many({b"test_memory_disk_or_nothing": np.zeros(4)})
        with open_cache(cache) as opened:
            assert len(opened.get_many([b"test_memory_disk_or_nothing"])) == kept
    with open_cache(str(tmp_path / "store.sqlite")) as opened:
        assert isinstance(opened, EmbeddingStore)
