"""Tests of the embedding store, the memory cache and their keys."""

import os
import sqlite3
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.text import EmbeddingStore, StoreWarning, _store
from sklearn_neurocontext.text._store import (
    MemoryCache,
    network_file_system,
    open_cache,
    text_key,
)


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


def test_vectors_are_bit_equal_after_reopening(path, rng):
    vectors = {bytes([n]) * 32: rng.normal(size=384).astype("f4") for n in range(9)}
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
    with EmbeddingStore(path) as store:
        assert len(store) == 9
        assert_same(store.get_many([*vectors, b"unknown"]), vectors)
        assert store.get_many([]) == {}


def test_keys_are_split_into_queries(path):
    vectors = make_vectors(3 * _store._KEYS_PER_QUERY + 1)
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
        assert_same(store.get_many(iter(vectors)), vectors)


def test_stored_vectors_are_not_replaced(path):
    with EmbeddingStore(path) as store:
        store.put_many({b"k": np.zeros(2)})
        store.put_many({b"k": np.ones(2)})
        store.put_many({})
        np.testing.assert_array_equal(store.get_many([b"k"])[b"k"], [0, 0])


def test_full_disk_raises_and_keeps_earlier_vectors(path):
    kept = make_vectors(10)
    with EmbeddingStore(path) as store:
        store.put_many(kept)
        (n_pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {n_pages + 1}")
        with pytest.raises(OSError, match=r"store\.sqlite could not .*free some space"):
            store.put_many(make_vectors(5000, start=10))
        assert_same(store.get_many(make_vectors(5010)), kept)
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.put_many(make_vectors(50, start=10))
        assert len(store) == 60


def test_locked_store_raises(path, monkeypatch):
    monkeypatch.setattr(_store, "_TIMEOUT_SECONDS", 0.1)
    with EmbeddingStore(path) as store, EmbeddingStore(path) as other:
        other._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            OSError, match=r"locked\).*end the process that locks the store"
        ):
            store.put_many(make_vectors(1))
        other._connection.execute("ROLLBACK")
        store.put_many(make_vectors(1))


def test_file_is_in_wal_mode(path):
    with EmbeddingStore(path) as store:
        store.put_many(make_vectors(1))
        assert path.with_name("store.sqlite-wal").is_file()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_failed_write_is_rolled_back(path):
    with EmbeddingStore(path) as store, EmbeddingStore(path) as other:
        with pytest.raises(OSError, match="could not be read or written"):
            store.put_many({b"a": np.zeros(2), 1.5j: np.zeros(2)})
        other.put_many(make_vectors(1))
        assert len(store) == 1


def test_corrupted_vectors_are_deleted_with_warning(path):
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
        with pytest.warns(StoreWarning, match=r"1 vectors in .* are corrupted"):
            found = store.get_many(vectors)
        assert found.keys() == {first, others[1]}
        store.put_many(vectors)
        assert_same(store.get_many(vectors), vectors)


def change_row(path, key, vector, checksum=None):
    """Replace the vector of a key; the checksum fits unless it is given."""
    if checksum is None:
        checksum = zlib.crc32(vector if isinstance(vector, bytes) else b"text")
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE embeddings SET vector = ?, checksum = ? WHERE key = ?",
        (vector, checksum, key),
    )
    if vector == "not UTF-8":
        connection.execute("UPDATE embeddings SET vector = CAST(x'ff80' AS TEXT)")
    connection.commit()
    connection.close()


INVALID = {
    "text": ("text", None),
    "not UTF-8": ("not UTF-8", None),
    "number": (3.5, None),
    "checksum": (b"\0" * 32, "text"),
    "NaN": (np.full(8, np.nan, "f4").tobytes(), None),
    "infinity": (np.full(8, -np.inf, "f4").tobytes(), None),
    "empty": (b"", None),
    "cut off": (b"\0" * 31, None),
}


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_rows_are_deleted_with_warning(path, kind):
    vectors = make_vectors(1)
    (key,) = vectors
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
    change_row(path, key, *INVALID[kind])
    with EmbeddingStore(path) as store:
        with pytest.warns(StoreWarning, match="1 vectors in .* corrupted and were del"):
            assert store.get_many([key]) == {}
        assert len(store) == 0
        store.put_many(vectors)
        assert_same(store.get_many(vectors), vectors)


def test_embedder_replaces_vectors_of_another_length(path):
    texts = ["pain", "reading words"]
    expected = LLMChunkEmbedder(cache=None).fit_transform(texts)
    embedder = LLMChunkEmbedder(cache=path).fit()
    keys = [text_key(text, embedder.settings_key()) for text in texts]
    with EmbeddingStore(path) as store:
        store.put_many({keys[0]: np.ones(383), keys[1]: expected[1]})
    with pytest.warns(StoreWarning, match="1 vectors in .* are corrupted"):
        found = embedder.transform(texts)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(embedder.transform(texts), found)


def test_invalid_rows_are_not_merged(tmp_path, path):
    vectors = make_vectors(3)
    first, second, third = vectors
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
    change_row(path, first, np.full(8, np.nan, "f4").tobytes())
    connection = sqlite3.connect(path)
    connection.execute("UPDATE embeddings SET key = 'text' WHERE key = ?", (second,))
    connection.commit()
    connection.close()
    with EmbeddingStore(tmp_path / "all.sqlite") as store:
        with pytest.warns(StoreWarning, match="1 vectors in .* are corrupted"):
            assert store.merge(path) == 1
        assert_same(store.get_many(vectors), {third: vectors[third]})


@pytest.fixture
def read_only(path, monkeypatch):
    """Return vectors of a store that is read-only, also for the administrator."""
    vectors = make_vectors(3)
    with EmbeddingStore(path) as store:
        store.put_many(vectors)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda place, mode: mode != os.W_OK and real(place, mode)
    )
    yield vectors
    path.parent.chmod(0o755)


def test_read_only_store_is_read(path, read_only):
    content = path.read_bytes()
    with EmbeddingStore(path) as store:
        assert len(store) == 3
        assert_same(store.get_many([*read_only, b"other"]), read_only)
        assert [one.name for one in path.parent.iterdir()] == [path.name]
        with pytest.raises(OSError, match=r"must be writable .*Copy the store"):
            store.put_many(make_vectors(1, start=9))
    assert path.read_bytes() == content
    with pytest.raises(OSError, match=r"new\.sqlite cannot be created.* is read-only"):
        EmbeddingStore(path.with_name("new.sqlite"))


def test_invalid_rows_of_read_only_store_are_ignored(path, read_only):
    first, *_ = read_only
    path.chmod(0o644)
    change_row(path, first, "text")
    with (
        EmbeddingStore(path) as store,
        pytest.warns(StoreWarning, match="are corrupted and were ignored"),
    ):
        assert len(store.get_many(read_only)) == 2


def test_read_only_store_with_log_is_read(path, read_only, tmp_path):
    # The log of a process that was killed contains vectors that are not in the file.
    script = (
        "import os, sys, numpy as np\n"
        "from sklearn_neurocontext.text import EmbeddingStore\n"
        "store = EmbeddingStore(sys.argv[1])\n"
        "store.put_many({b'last': np.ones(8)})\n"
        "os._exit(0)\n"
    )
    path.chmod(0o644)
    path.parent.chmod(0o755)
    subprocess.run([sys.executable, "-c", script, path], check=True)
    assert path.with_name("store.sqlite-wal").stat().st_size
    with EmbeddingStore(path) as store:
        assert len(store) == 4
        np.testing.assert_array_equal(store.get_many([b"last"])[b"last"], np.ones(8))


def test_other_read_only_files_raise(path, read_only):
    path.chmod(0o644)
    path.write_bytes(b"")
    with pytest.raises(OSError, match="cannot be opened as an embedding store"):
        EmbeddingStore(path)


def test_concurrent_threads_create_store(tmp_path):
    # SQLite does not wait when two connections switch to WAL mode together.
    errors = []

    def create(path, barrier):
        barrier.wait()
        try:
            EmbeddingStore(path).close()
        except OSError as error:
            errors.append(error)

    for number in range(30):
        path, barrier = tmp_path / f"{number}.sqlite", threading.Barrier(4)
        threads = [
            threading.Thread(target=create, args=[path, barrier]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"PK\3\4"])
def test_other_files_raise_and_are_unchanged(path, content):
    path.write_bytes(content)
    with pytest.raises(OSError, match="cannot be opened as an embedding store"):
        EmbeddingStore(path)
    assert path.read_bytes() == content


def test_other_databases_raise_and_are_unchanged(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"application id must be .* got 0x0 and 0"):
        EmbeddingStore(path)
    assert path.read_bytes() == before


def test_invalid_locations_raise(tmp_path, monkeypatch):
    with pytest.raises(OSError, match=r"must be the file of a store, .* got a folder"):
        EmbeddingStore(tmp_path)
    with pytest.raises(OSError, match=r"does not exist\. Create it"):
        EmbeddingStore(tmp_path / "no" / "store.sqlite")
    monkeypatch.setattr(_store, "network_file_system", lambda folder: "nfs4")
    with pytest.raises(OSError, match=r"network file system \(nfs4\).*merge-stores'"):
        EmbeddingStore(tmp_path / "store.sqlite")
    assert not list(tmp_path.iterdir())


def test_merge_copies_missing_vectors(tmp_path, path):
    shards = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    n = 2 * _store._KEYS_PER_QUERY
    for shard, start in zip(shards, (0, n // 2), strict=True):
        with EmbeddingStore(shard) as store:
            store.put_many(make_vectors(n, start))
    with EmbeddingStore(path) as store:
        assert [store.merge(shard) for shard in shards] == [n, n // 2]
        assert store.merge(shards[0]) == 0
        expected = make_vectors(3 * n // 2)
        assert_same(store.get_many(expected), expected)
        with pytest.raises(
            OSError, match=r"must be the file of a store; got .*c\.sqlite"
        ):
            store.merge(tmp_path / "c.sqlite")
    assert not (tmp_path / "c.sqlite").exists()


WRITER = """
import sys
import numpy as np
from sklearn_neurocontext.text import EmbeddingStore

first = int(sys.argv[2])
for number in range(first, first + 100):
    # The store is opened each time; the first process creates the file.
    with EmbeddingStore(sys.argv[1]) as store:
        key = number.to_bytes(32, "big")
        store.put_many({key: np.full(8, number, dtype="f4")})
        assert key in store.get_many([key])
"""


def test_two_processes_create_and_share_store(path):
    starts = (0, 50)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(start)])
        for start in starts
    ]
    assert [writer.wait() for writer in writers] == [0] * len(starts)
    with EmbeddingStore(path) as store:
        assert len(store) == 150
        expected = make_vectors(150)
        assert_same(store.get_many(expected), expected)


def test_cached_vectors_are_copies():
    cache, vector = MemoryCache(), np.ones(3, dtype=np.float32)
    cache.put_many({b"a": vector})
    vector[:] = 5
    found = cache.get_many([b"a", b"b"])
    assert list(found) == [b"a"]
    np.testing.assert_array_equal(found[b"a"], np.ones(3))


def test_least_recently_used_vector_is_dropped():
    cache = MemoryCache(max_bytes=2 * 4 * 4)
    cache.put_many({b"a": np.zeros(4), b"b": np.zeros(4)})
    cache.get_many([b"a"])
    cache.put_many({b"c": np.zeros(4)})
    assert set(cache.get_many([b"a", b"b", b"c"])) == {b"a", b"c"}


def test_vector_above_limit_is_not_cached():
    cache = MemoryCache(max_bytes=8)
    cache.put_many({b"a": np.zeros(4)})
    assert not cache.get_many([b"a"])


def test_keys_depend_on_text_and_settings():
    keys = {text_key("pain", "a"), text_key("pain", "b"), text_key("fear", "a")}
    assert len(keys) == 3
    assert text_key("pain", "a") == text_key("pain", "a")


def test_open_cache(tmp_path):
    key = b"test_open_cache"
    for cache, n_cached in (("memory", 1), (tmp_path / "store.sqlite", 1), (None, 0)):
        with open_cache(cache) as opened:
            opened.put_many({key: np.zeros(4)})
        with open_cache(cache) as opened:
            assert len(opened.get_many([key])) == n_cached
    with open_cache(str(tmp_path / "store.sqlite")) as opened:
        assert isinstance(opened, EmbeddingStore)


MOUNTS = """\
22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:22 / /proc rw - proc proc rw
40 22 0:40 / /home rw,relatime shared:7 - nfs4 server:/home rw,vers=4.2
41 40 8:1 / /home/ada/scratch rw - xfs /dev/sdb1 rw
42 22 0:42 / /mnt/my\\040share rw - cifs //server/share rw
43 22 0:43 / /cluster rw - lustre mgs@tcp:/fs rw
44 22 0:44 / /mnt/sshfs rw - fuse.sshfs ada@host: rw
45 22 0:45 / /homestead rw - btrfs /dev/sdc1 rw
46 22 0:46 / /tmp rw - tmpfs tmpfs rw
47 22 0:47 / /over rw - ext4 /dev/sdd1 rw
48 22 0:48 / /over rw - nfs server:/over rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", None),
        ("/data", None),
        ("/home", "nfs4"),
        ("/home/ada/work", "nfs4"),
        ("/home/ada/scratch/run", None),
        ("/homestead", None),
        ("/mnt/my share/a", "cifs"),
        ("/cluster/ada", "lustre"),
        ("/mnt/sshfs", "fuse.sshfs"),
        ("/tmp", None),
        ("/over/ada", "nfs"),
    ],
)
def test_network_file_systems_by_innermost_mount(folder, kind, monkeypatch):
    monkeypatch.setattr("os.path.realpath", str)
    assert network_file_system(folder, MOUNTS) == kind


def test_links_are_resolved(tmp_path):
    (tmp_path / "link").symlink_to("/home/ada")
    assert network_file_system(tmp_path / "link", MOUNTS) == "nfs4"


def test_windows_shares_are_network_file_systems(monkeypatch):
    monkeypatch.setattr("os.path.realpath", str)
    assert network_file_system(r"\\server\share\x", "") == "Windows share"


def test_mounts_are_read_from_proc():
    assert network_file_system("/proc") is None
