"""Cache embeddings in an SQLite file or in memory."""

import hashlib
import os
import sqlite3
import threading
import time
import warnings
import zlib
from collections import OrderedDict
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from .._utils.files import expand_path

_APPLICATION_ID = 0x4E437478  # "NCtx" in ASCII; identifies the file of a store
_VERSION = 1  # version of the columns of the table
_TIMEOUT_SECONDS = 120
_RETRY_SECONDS = 0.01
_KEYS_PER_QUERY = 500
_TABLE = """
CREATE TABLE IF NOT EXISTS embeddings (
    key BLOB PRIMARY KEY,
    vector BLOB NOT NULL,
    checksum INTEGER NOT NULL
)
"""
# A damaged row may contain text that is not UTF-8. Without the casts, an error would be
# raised when such a row is read.
_SELECT = (
    "SELECT key, typeof(vector), CAST(vector AS BLOB), CAST(checksum AS INTEGER) "
    "FROM embeddings"
)
_COPY_ADVICE = (
    "Copy the store, together with its file that ends with -wal if it exists, to a "
    "folder that you can write to, and pass the copy."
)
_MEMORY_BYTES = 512 * 2**20
_NETWORK_FILE_SYSTEMS = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs"),
    *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2"),
    *("smb3", "smbfs", "wekafs"),
}
_MOUNTS = Path("/proc/self/mountinfo")


class StoreWarning(UserWarning):
    """Warning about corrupted vectors in an embedding store."""


class EmbeddingStore:
    """Store embeddings in an SQLite file, with hashes of texts and settings as keys.

    A call of `put_many` writes either all of its vectors or no vector. If a process is
    killed, the vectors of its earlier calls remain in the store. Several processes on
    a host can share a store.

    Parameters
    ----------
    path : path-like
        File of the store. It is created if it does not exist. It must be on a local
        disk, because the write-ahead log (WAL) of SQLite does not work on network file
        systems. If the file or its folder is read-only, the store can be read, but
        not changed.

    Raises
    ------
    OSError
        If the file is not a store, if it cannot be opened, or if it is on a network
        file system.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from sklearn_neurocontext.text import EmbeddingStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with EmbeddingStore(pathlib.Path(folder) / "store.sqlite") as store:
    ...         store.put_many({b"key": np.array([1, 2], dtype="float32")})
    ...         (len(store), store.get_many([b"key", b"other"]))
    (1, {b'key': array([1., 2.], dtype=float32)})
    """

    def __init__(self, path):
        self.path = expand_path(path)
        _check_location(self.path)
        places = (self.path, self.path.resolve().parent)
        self._is_read_only = self.path.exists() and not all(
            os.access(place, os.W_OK) for place in places
        )
        try:
            # isolation_level=None selects autocommit mode, in which SQLite begins a
            # transaction only after an explicit BEGIN.
            self._connection = sqlite3.connect(
                self._address(),
                timeout=_TIMEOUT_SECONDS,
                isolation_level=None,
                uri=True,
            )
            self._prepare()
        except sqlite3.Error as error:
            advice = (
                "Pass the path of a store, or a path that does not exist. If the file "
                "is a corrupted store, delete it and embed its texts again."
            )
            raise OSError(
                f"{self.path} cannot be opened as an embedding store ({error}). "
                f"{_COPY_ADVICE if self._is_read_only else advice}"
            ) from error

    def _address(self) -> str:
        """Return the URI of the file, with the mode in which to open it."""
        path = self.path.resolve()
        if not self._is_read_only:
            return path.as_uri()
        # Even for reading, SQLite writes files to the folder of the store, unless the
        # store is declared immutable. In an immutable store, SQLite ignores the
        # write-ahead log. Therefore, a store with such a log is not declared immutable.
        # The log exists if another process is writing to the store, or was killed
        # before it closed the store.
        log = path.with_name(f"{path.name}-wal")
        has_log = log.is_file() and log.stat().st_size > 0
        return f"{path.as_uri()}?{'mode=ro' if has_log else 'immutable=1'}"

    def _prepare(self):
        """Create the table in a new file, or check that the file is a store."""
        execute = self._connection.execute
        (n_tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = execute("PRAGMA application_id").fetchone()
        (version,) = execute("PRAGMA user_version").fetchone()
        is_used = n_tables or self._is_read_only
        if is_used and (application, version) != (_APPLICATION_ID, _VERSION):
            raise sqlite3.DatabaseError(
                f"the application id must be {_APPLICATION_ID:#x} and the version "
                f"{_VERSION}; got {application:#x} and {version}"
            )
        if self._is_read_only:
            return
        self._enable_wal()
        # With this setting in WAL mode, recent writes may be lost if the power fails,
        # but the file cannot be corrupted.
        execute("PRAGMA synchronous = NORMAL")
        if not n_tables:
            execute("BEGIN IMMEDIATE")
            execute(_TABLE)
            execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            execute(f"PRAGMA user_version = {_VERSION}")
            execute("COMMIT")

    def _enable_wal(self):
        """Switch to WAL mode; wait while another process opens the same new file."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            try:
                (mode,) = self._connection.execute(
                    "PRAGMA journal_mode = WAL"
                ).fetchone()
                break
            except sqlite3.OperationalError as error:
                # The timeout of the connection does not apply to a change of the
                # journal mode. Therefore the statement is repeated here.
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
        if mode != "wal":
            raise sqlite3.OperationalError("its file system does not support WAL mode")

    def get_many(self, keys, embedding_dim=None) -> dict:
        """Return the vectors of the keys that are in the store.

        A vector is corrupted if its checksum, its type or its length is wrong, or if it
        contains NaN or infinity. Corrupted vectors are not returned, and a
        `StoreWarning` is issued. If the store is not read-only, they are also deleted.

        Parameters
        ----------
        keys : iterable of bytes
            Hashes of texts and settings.
        embedding_dim : int or None, default=None
            Expected length of the vectors. If None, any length is accepted.

        Returns
        -------
        vectors : dict of bytes to ndarray of shape (embedding_dim,), float32
            Vectors of the keys that are in the store.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        keys, found, corrupted = list(keys), {}, []
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            query = f"{_SELECT} WHERE key IN ({marks})"
            for key, *content in self._read(query, part):
                vector = _decode(*content)
                if vector is None or embedding_dim not in (None, len(vector)):
                    corrupted.append(key)
                else:
                    found[key] = vector
        if corrupted:
            self._drop(corrupted)
        return found

    def put_many(self, vectors: dict) -> None:
        """Store vectors in one transaction.

        Parameters
        ----------
        vectors : dict of bytes to ndarray of shape (embedding_dim,)
            Vector of each key. Vectors are stored as float32. If a key is already in
            the store, its stored vector is not changed.

        Raises
        ------
        OSError
            If the file cannot be written, for example because the disk is full.
        """
        if not vectors:
            return
        rows = []
        for key, vector in vectors.items():
            content = np.ascontiguousarray(vector, dtype="<f4").tobytes()
            rows.append((key, content, zlib.crc32(content)))
        self._write("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)", rows)

    def merge(self, other) -> int:
        """Copy the vectors of another store that are missing from this store.

        Parameters
        ----------
        other : path-like
            File of a store, for example the shard of a worker.

        Returns
        -------
        n_new : int
            Number of copied vectors.

        Raises
        ------
        OSError
            If `other` does not exist or is not a store.
        """
        other = expand_path(other)
        if not other.is_file():
            raise OSError(f"other must be the file of a store; got {other}.")
        n_before = len(self)
        with EmbeddingStore(other) as shard:
            rows = shard._read("SELECT key FROM embeddings WHERE typeof(key) = 'blob'")
            keys = [key for (key,) in rows]
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                self.put_many(shard.get_many(keys[start : start + _KEYS_PER_QUERY]))
        return len(self) - n_before

    def _drop(self, keys):
        """Warn about corrupted vectors; delete them if the store is not read-only."""
        done = "ignored" if self._is_read_only else "deleted"
        warnings.warn(
            f"{len(keys)} vectors in {self.path} are corrupted and were {done}. The "
            "texts of these vectors are embedded again when needed. Check the disk.",
            StoreWarning,
            stacklevel=3,
        )
        if self._is_read_only:
            return
        self._write("DELETE FROM embeddings WHERE key = ?", [(key,) for key in keys])

    def _read(self, query, values=()):
        """Return the rows of a query."""
        with self._helpful_errors():
            return self._connection.execute(query, values).fetchall()

    def _write(self, statement, rows):
        """Run a statement for all rows in one transaction."""
        if self._is_read_only:
            raise OSError(
                f"The store {self.path} must be writable to store new vectors; got a "
                f"read-only file or folder. {_COPY_ADVICE}"
            )
        with self._helpful_errors(), closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                cursor.executemany(statement, rows)
                cursor.execute("COMMIT")
            finally:
                # If the disk is full, SQLite has already rolled back the transaction.
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")

    @contextmanager
    def _helpful_errors(self):
        """Convert SQLite errors to OSError, with the path of the store and advice."""
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(
                f"The store {self.path} could not be read or written ({error}). This "
                "call did not change the store. If the disk is full, free some space. "
                "If the store is locked, end the process that locks the store. Then "
                "try again. If the file is corrupted, delete it and embed its texts "
                "again."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __len__(self):
        ((n,),) = self._read("SELECT count(*) FROM embeddings")
        return n

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def _decode(type_name, content, checksum) -> np.ndarray | None:
    """Return a stored vector, or None if it is corrupted."""
    if type_name != "blob" or len(content) % 4 or zlib.crc32(content) != checksum:
        return None
    vector = np.frombuffer(content, dtype="<f4")
    return vector if len(vector) and np.isfinite(vector).all() else None


def _check_location(path):
    """Check that a path is not a folder, and that its folder exists and is local."""
    if path.is_dir():
        raise OSError(
            f"path must be the file of a store, for example "
            f"{path / 'embeddings.sqlite'}; got a folder."
        )
    if not path.parent.is_dir():
        raise OSError(
            f"The folder {path.parent} of the store {path.name} does not exist. Create "
            "it, or pass another path."
        )
    if not path.exists() and not os.access(path.parent, os.W_OK):
        raise OSError(
            f"The store {path} cannot be created, because the folder {path.parent} is "
            "read-only. Pass the path of a file in another folder."
        )
    kind = network_file_system(path.parent)
    if kind is not None:
        raise OSError(
            f"{path} must be on a local disk; got a network file system ({kind}), on "
            "which the write-ahead log of SQLite does not work. Use for example the "
            "scratch folder of the job. To merge the stores of several hosts, run "
            "'neurocontext merge-stores'."
        )


def network_file_system(folder, mounts=None) -> str | None:
    """Return the type of a folder's network file system; None for local folders."""
    folder = os.path.realpath(folder)
    if folder.startswith("\\\\"):
        return "Windows share"
    if mounts is None:
        # On systems without the file _MOUNTS, such as macOS, all folders are assumed to
        # be local.
        mounts = _MOUNTS.read_text() if _MOUNTS.is_file() else ""
    longest, kind = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        # In the file _MOUNTS, \040 represents a space in a mount point.
        point = left.split()[4].replace("\\040", " ").rstrip("/")
        is_inside = folder == point or folder.startswith(point + "/")
        # If several file systems have the same mount point, only the file system of the
        # last line is visible.
        if is_inside and len(point) >= longest:
            longest, kind = len(point), right.split()[0]
    if kind is None:
        return None
    # FUSE file systems (types that begin with "fuse.") are assumed to use the network,
    # because most of them do, for example sshfs, s3fs and glusterfs.
    is_network = kind in _NETWORK_FILE_SYSTEMS or kind.startswith("fuse.")
    return kind if is_network else None


class MemoryCache:
    """Cache in memory from which the least recently used vectors are dropped."""

    def __init__(self, max_bytes=_MEMORY_BYTES):
        self.max_bytes = max_bytes
        self._vectors = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get_many(self, keys, embedding_dim=None) -> dict:
        """Return the vectors of the keys that are in the cache."""
        # `embedding_dim` is ignored. The method has this parameter because the embedder
        # calls the methods `get_many` of `MemoryCache` and `EmbeddingStore` with the
        # same arguments.
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in found:
                self._vectors.move_to_end(key)
        return found

    def put_many(self, vectors: dict) -> None:
        """Cache copies of vectors.

        If the cached vectors need more than `max_bytes` of memory, the least recently
        used vectors are dropped.
        """
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
    """Open the cache that the parameter `cache` of the embedder selects."""
    if cache is None:
        yield MemoryCache(max_bytes=0)
    elif cache == "memory":
        yield PROCESS_CACHE
    else:
        with EmbeddingStore(cache) as store:
            yield store


def text_key(text: str, settings: str) -> bytes:
    """Hash a normalized text with the settings that determine its embedding."""
    return hashlib.sha256(f"{settings}\0{text}".encode()).digest()
