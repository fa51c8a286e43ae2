"""The store of recent results keeps few, and builds each one once."""

from concurrent.futures import ThreadPoolExecutor

from sklearn_neurocontext.maskers._store import RecentStore


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
    try:
        store.get("a", lambda: 1 / 0)
    except ZeroDivisionError:
        assert store.get("a", lambda: 1) == 1


def test_threads_share_one_build():
    store, built = RecentStore(size=1), []
    with ThreadPoolExecutor(4) as pool:
        results = [
            pool.submit(store.get, "a", lambda: built.append(1) or object())
            for _ in range(16)
        ]
    assert len({id(result.result()) for result in results}) == 1
    assert len(built) == 1
