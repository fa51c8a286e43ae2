"""The store of recent results keeps few, and builds each one once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sklearn_neurocontext.maskers._table import RecentStore


def test_a_result_is_built_once_until_others_push_it_out():
    store, built = RecentStore(size=2), []

    def get(key):
        return store.get(key, lambda: built.append(key) or key.upper())

    assert [get(key) for key in "abab"] == ["A", "B", "A", "B"]
    assert built == ["a", "b"]
    get("a")
    get("c")
    assert get("a") == "A"
    assert built == ["a", "b", "c"]
    get("b")
    assert built == ["a", "b", "c", "b"]


def test_a_failed_build_leaves_nothing_behind():
    store = RecentStore(size=1)
    with pytest.raises(ZeroDivisionError):
        store.get("a", lambda: 1 / 0)
    assert store.get("a", lambda: 1) == 1


def test_a_build_may_ask_for_another_result():
    store = RecentStore(size=2)
    assert store.get("b", lambda: store.get("a", lambda: 1) + 1) == 2
    assert store.get("a", lambda: 0) == 1


def test_threads_share_one_build():
    store, built = RecentStore(size=1), []
    with ThreadPoolExecutor(4) as pool:
        results = [
            pool.submit(store.get, "a", lambda: built.append(1) or object())
            for _ in range(16)
        ]
    assert len({id(result.result()) for result in results}) == 1
    assert len(built) == 1
