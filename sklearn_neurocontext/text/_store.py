"""Embeddings cached by content: on disk in one SQLite file, or in memory."""

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

# "NCtx" distinguishes a store from other SQLite files; the version is the table's.
_APPLICATION_ID = 0x4E437478
_VERSION = 1
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
    """Store embeddings by content in one SQLite file in WAL mode.

    All vectors of one call are written, or none, so that a process killed at any moment
    loses nothing that it had stored. Several processes of one host may share a store.

    Parameters
    ----------
    path : path-like
        File of the store, created if it does not exist. It must be on a local disk:
        SQLite's WAL mode does not work on network file systems.

    Raises
    ------
    OSError
        If the file is not a store, cannot be opened, or is on a network file system.

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
        self.path = Path(path).expanduser()
        _check_location(self.path)
        try:
            # Autocommit: each write below is one statement, or opens its transaction.
            self._connection = sqlite3.connect(
                self.path, timeout=_TIMEOUT_SECONDS, isolation_level=None
            )
            self._prepare()
        except sqlite3.Error as error:
            raise OSError(
                f"{self.path} cannot be opened as an embedding store ({error}). "
                "Expected a file written by this package, or a new name. If the file "
                "is corrupted, delete it: its texts can be embedded again."
            ) from error

    def _prepare(self):
        """Create the table in a new file; refuse files of another kind."""
        execute = self._connection.execute
        (n_tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = execute("PRAGMA application_id").fetchone()
        (version,) = execute("PRAGMA user_version").fetchone()
        if n_tables and (application, version) != (_APPLICATION_ID, _VERSION):
            raise sqlite3.DatabaseError(
                f"application {application:#x}, version {version}; expected "
                f"{_APPLICATION_ID:#x}, version {_VERSION}"
            )
        self._enable_wal()
        # In WAL mode this never corrupts the file; a power cut may lose the last write.
        execute("PRAGMA synchronous = NORMAL")
        if not n_tables:
            execute("BEGIN IMMEDIATE")
            execute(_TABLE)
            execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            execute(f"PRAGMA user_version = {_VERSION}")
            execute("COMMIT")

    def _enable_wal(self):
        """Switch to WAL mode, waiting for others that open the same new file."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            try:
                (mode,) = self._connection.execute(
                    "PRAGMA journal_mode = WAL"
                ).fetchone()
                break
            except sqlite3.OperationalError as error:
                # SQLite's own timeout does not apply to this statement.
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
        if mode != "wal":
            raise sqlite3.OperationalError("its file system does not allow WAL mode")

    def get_many(self, keys) -> dict:
        """Return the stored vectors of some keys.

        Vectors whose checksum does not match are dropped with a `StoreWarning`.

        Parameters
        ----------
        keys : iterable of bytes
            Hashes of texts and settings.

        Returns
        -------
        vectors : dict of bytes to ndarray of shape (embedding_dim,), float32
            Without the keys that are not stored.
        """
        keys, found, corrupted = list(keys), {}, []
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            rows = self._read(
                f"SELECT key, vector, checksum FROM embeddings WHERE key IN ({marks})",
                part,
            )
            for key, vector, checksum in rows:
                if zlib.crc32(vector) == checksum:
                    found[key] = np.frombuffer(vector, dtype="<f4")
                else:
                    corrupted.append(key)
        if corrupted:
            self._drop(corrupted)
        return found

    def put_many(self, vectors: dict) -> None:
        """Store vectors: all of them, or none if the process dies meanwhile.

        Parameters
        ----------
        vectors : dict of bytes to ndarray of shape (embedding_dim,)
            Keys that are already stored keep their vector.

        Raises
        ------
        OSError
            If the file cannot be written, for example on a full disk.
        """
        if not vectors:
            return
        rows = []
        for key, vector in vectors.items():
            content = np.ascontiguousarray(vector, dtype="<f4").tobytes()
            rows.append((key, content, zlib.crc32(content)))
        self._write("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)", rows)

    def merge(self, other) -> int:
        """Copy the vectors of another store that are missing from this one.

        Parameters
        ----------
        other : path-like
            File of a store, for example the shard of a worker.

        Returns
        -------
        n_new : int
            Number of vectors copied.

        Raises
        ------
        OSError
            If `other` does not exist or is not a store.
        """
        other = Path(other).expanduser()
        if not other.is_file():
            raise OSError(f"{other} is not a file; expected an embedding store.")
        n_before = len(self)
        with EmbeddingStore(other) as shard:
            ((key,),) = shard._read("SELECT coalesce(min(key), x'') FROM embeddings")
            while keys := shard._next_keys(key):
                self.put_many(shard.get_many(keys))
                key = keys[-1] + b"\0"
        return len(self) - n_before

    def _next_keys(self, key):
        """Return the next keys in ascending order, from `key` on."""
        rows = self._read(
            "SELECT key FROM embeddings WHERE key >= ? ORDER BY key LIMIT ?",
            (key, _KEYS_PER_QUERY),
        )
        return [key for (key,) in rows]

    def _drop(self, keys):
        """Delete corrupted vectors, with a warning."""
        warnings.warn(
            f"{len(keys)} vectors in {self.path} are corrupted; they are dropped and "
            "embedded again. Check the disk.",
            StoreWarning,
            stacklevel=3,
        )
        self._write("DELETE FROM embeddings WHERE key = ?", [(key,) for key in keys])

    def _read(self, query, values=()):
        """Return the rows of a query."""
        with self._helpful_errors():
            return self._connection.execute(query, values).fetchall()

    def _write(self, statement, rows):
        """Run a statement for all rows in one transaction."""
        with self._helpful_errors(), closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                cursor.executemany(statement, rows)
                cursor.execute("COMMIT")
            finally:
                # A full disk ends the transaction by itself.
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")

    @contextmanager
    def _helpful_errors(self):
        """Add the file and a remedy to SQLite's errors."""
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(
                f"The store {self.path} could not be read or written ({error}). Its "
                "earlier content is unchanged. If the disk is full, free some space; "
                "if the store is locked, end the process that holds it; then run the "
                "same command again. If the file is corrupted, delete it: its texts "
                "can be embedded again."
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


def _check_location(path):
    """Refuse folders, missing folders and network file systems."""
    if path.is_dir():
        raise OSError(
            f"{path} is a folder; expected the file of a store, for example "
            f"{path / 'embeddings.sqlite'}."
        )
    if not path.parent.is_dir():
        raise OSError(
            f"The folder {path.parent} of the store {path.name} does not exist. Create "
            "it, or pass another path."
        )
    kind = network_file_system(path.parent)
    if kind is not None:
        raise OSError(
            f"{path} is on a network file system ({kind}), where SQLite's WAL mode "
            "does not work. Put the store on a local disk, for example in the job's "
            "scratch folder; merge the stores of several hosts with "
            "'neurocontext merge-stores'."
        )


def network_file_system(folder, mounts=None) -> str | None:
    r"""Return the type of the network file system of a folder; None if it is local.

    `mounts` is the content of Linux's ``/proc/self/mountinfo``, which is read if it is
    None. Systems without it (macOS) count as local.

    >>> from sklearn_neurocontext.text._store import network_file_system
    >>> mounts = "30 1 0:9 / / rw - ext4 /dev/sda rw\n31 30 0:9 / /mnt rw - nfs4 a: rw"
    >>> network_file_system("/mnt/home/ada", mounts)
    'nfs4'
    """
    folder = os.path.realpath(folder)
    if folder.startswith("\\\\"):
        return "Windows share"
    if mounts is None:
        mounts = _MOUNTS.read_text() if _MOUNTS.is_file() else ""
    longest, kind = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        # Spaces in a mount point are written as \040.
        point = left.split()[4].replace("\\040", " ").rstrip("/")
        is_inside = folder == point or folder.startswith(point + "/")
        # Of several mounts on the same point the last one counts.
        if is_inside and len(point) >= longest:
            longest, kind = len(point), right.split()[0]
    if kind is None:
        return None
    # Most FUSE file systems (sshfs, s3fs, glusterfs) use the network.
    is_network = kind in _NETWORK_FILE_SYSTEMS or kind.startswith("fuse.")
    return kind if is_network else None


class MemoryCache:
    """Cache vectors in memory up to a number of bytes; the least recently used go."""

    def __init__(self, max_bytes=_MEMORY_BYTES):
        self.max_bytes = max_bytes
        self._vectors = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get_many(self, keys) -> dict:
        """Return the cached vectors of some keys."""
        found = {}
        with self._lock:
            for key in keys:
                vector = self._vectors.get(key)
                if vector is not None:
                    self._vectors.move_to_end(key)
                    found[key] = vector
        return found

    def put_many(self, vectors: dict) -> None:
        """Cache copies of vectors and drop the least recently used beyond the limit."""
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
    """Open the cache that the embedder's parameter names: "memory", a path or None."""
    if cache is None:
        yield MemoryCache(max_bytes=0)
    elif cache == "memory":
        yield PROCESS_CACHE
    else:
        with EmbeddingStore(cache) as store:
            yield store


def text_key(text: str, settings: str) -> bytes:
    """Hash a text with the settings that determine its embedding."""
    # Texts may hold halves of surrogate pairs, which UTF-8 cannot encode.
    return hashlib.sha256(f"{settings}\0{text}".encode(errors="surrogatepass")).digest()
