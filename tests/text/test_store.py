"""A store keeps what it was given: through kills, from several processes, checked."""

import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from sklearn_neurocontext.text import EmbeddingStore, StoreWarning, _store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


def make_vectors(n, start=0, dim=8):
    return {
        number.to_bytes(32, "big"): np.full(dim, number, dtype=np.float32)
        for number in range(start, start + n)
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, vector in found.items():
        assert vector.dtype == np.float32
        np.testing.assert_array_equal(vector, expected[key])


def test_vectors_come_back_to_the_bit_after_closing(path, rng):
    vectors = {bytes([n]) * 32: rng.normal(size=384).astype("f4") for n in range(9)}
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
    with EmbeddingStore(path) as store:
        assert len(store) == 9
        assert_same(store.get_many([*vectors, b"unknown"]), vectors)
        assert store.get_many([]) == {}


def test_many_keys_are_asked_for_in_parts(path):
    vectors = make_vectors(3 * _store._KEYS_AT_ONCE + 1)
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
        assert_same(store.get_many(iter(vectors)), vectors)


def test_a_key_keeps_its_first_vector(path):
    with EmbeddingStore(path) as store:
        store.put_many({b"k": np.zeros(2)})
        store.put_many({b"k": np.ones(2)})
        store.put_many({})
        np.testing.assert_array_equal(store.get_many([b"k"])[b"k"], [0, 0])


def test_a_full_disk_is_told_and_leaves_what_was_there(path):
    kept = make_vectors(10)
    with EmbeddingStore(path) as store:
        store.put_many(kept)
        (n_pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {n_pages + 1}")
        with pytest.raises(OSError, match=r"store\.sqlite could not .*make room"):
            store.put_many(make_vectors(5000, start=10))
        assert_same(store.get_many(make_vectors(5010)), kept)
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.put_many(make_vectors(50, start=10))
        assert len(store) == 60


def test_a_lock_is_told(path, monkeypatch):
    monkeypatch.setattr(_store, "_SECONDS_TO_WAIT", 0.1)
    with EmbeddingStore(path) as store, EmbeddingStore(path) as other:
        other._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match=r"locked\).*end the process that holds it"):
            store.put_many(make_vectors(1))
        other._connection.execute("ROLLBACK")
        store.put_many(make_vectors(1))


def test_it_is_an_sqlite_file_in_wal_mode(path):
    with EmbeddingStore(path) as store:
        store.put_many(make_vectors(1))
        assert path.with_name("store.sqlite-wal").is_file()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_an_error_while_writing_leaves_nothing_and_no_lock(path):
    with EmbeddingStore(path) as store, EmbeddingStore(path) as other:
        with pytest.raises(OSError, match="could not be read or written"):
            store.put_many({b"a": np.zeros(2), 1.5j: np.zeros(2)})
        other.put_many(make_vectors(1))
        assert len(store) == 1


def test_vectors_that_changed_on_the_disk_are_dropped_with_a_warning(path):
    vectors = make_vectors(3)
    first, *others = vectors
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE embeddings SET vector = ? WHERE key = ?", (b"\0" * 32, others[0])
    )
    connection.commit()
    connection.close()
    with EmbeddingStore(path) as store:
        with pytest.warns(StoreWarning, match="1 vectors that have changed"):
            found = store.get_many(vectors)
        assert found.keys() == {first, others[1]}
        store.put_many(vectors)
        assert_same(store.get_many(vectors), vectors)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"PK\3\4"])
def test_a_file_of_another_kind_is_refused_and_stays(path, content):
    path.write_bytes(content)
    with pytest.raises(OSError, match="cannot be opened as a store of embeddings"):
        EmbeddingStore(path)
    assert path.read_bytes() == content


def test_a_database_of_somebody_else_is_refused_and_stays(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(OSError, match="application 0x0, version 0; expected"):
        EmbeddingStore(path)
    assert path.read_bytes() == before


def test_places_that_cannot_hold_a_store_are_refused(tmp_path, monkeypatch):
    with pytest.raises(OSError, match=r"is a folder; expected the file of a store"):
        EmbeddingStore(tmp_path)
    with pytest.raises(OSError, match=r"is not there\. Make it"):
        EmbeddingStore(tmp_path / "no" / "store.sqlite")
    monkeypatch.setattr(_store, "network_file_system", lambda folder: "nfs4")
    with pytest.raises(OSError, match=r"network file system \(nfs4\).*--merge'"):
        EmbeddingStore(tmp_path / "store.sqlite")
    assert not list(tmp_path.iterdir())


def test_shards_are_joined(tmp_path, path):
    shards = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    n = 2 * _store._KEYS_AT_ONCE
    for shard, start in zip(shards, (0, n // 2), strict=True):
        with EmbeddingStore(shard) as store:
            store.put_many(make_vectors(n, start))
    with EmbeddingStore(path) as store:
        assert [store.merge(shard) for shard in shards] == [n, n // 2]
        assert store.merge(shards[0]) == 0
        expected = make_vectors(3 * n // 2)
        assert_same(store.get_many(expected), expected)
        with pytest.raises(OSError, match=r"c\.sqlite is no file"):
            store.merge(tmp_path / "c.sqlite")
    assert not (tmp_path / "c.sqlite").exists()


WRITER = """
import sys
import numpy as np
from sklearn_neurocontext.text import EmbeddingStore

first = int(sys.argv[2])
for number in range(first, first + 100):
    # Opened anew each time: a new file is made by whoever comes first.
    with EmbeddingStore(sys.argv[1]) as store:
        key = number.to_bytes(32, "big")
        store.put_many({key: np.full(8, number, dtype="f4")})
        assert key in store.get_many([key])
"""


def test_several_processes_share_a_store_from_its_first_moment(path):
    starts = (0, 50, 100, 150)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(start)])
        for start in starts
    ]
    assert [writer.wait() for writer in writers] == [0] * len(starts)
    with EmbeddingStore(path) as store:
        assert len(store) == 250
        expected = make_vectors(250)
        assert_same(store.get_many(expected), expected)
