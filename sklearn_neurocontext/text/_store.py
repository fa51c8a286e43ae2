"""Embeddings on disk by content: one SQLite file, shared by a host's processes."""

import sqlite3
import warnings
import zlib
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from ._host import network_file_system

# "NCtx": tells a store from other SQLite files. The version is that of the table.
_APPLICATION_ID = 0x4E437478
_VERSION = 1
_SECONDS_TO_WAIT = 120
_KEYS_AT_ONCE = 500
_TABLE = """
CREATE TABLE IF NOT EXISTS embeddings (
    key BLOB PRIMARY KEY,
    vector BLOB NOT NULL,
    checksum INTEGER NOT NULL
)
"""


class StoreWarning(UserWarning):
    """Something in a store of embeddings could not be used."""


class EmbeddingStore:
    """A content-addressed store of vectors in one SQLite file in WAL mode.

    What was put in stays through a kill of the process at any moment: SQLite writes all
    vectors of one call, or none. Several processes of one host may share it.

    Parameters
    ----------
    path : path-like
        The file, which is made where there is none. It must lie on this host's disk.

    Raises
    ------
    OSError
        If the file is no store, cannot be opened, or lies on a network file system.

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
        _check_place(self.path)
        try:
            # Autocommit: each write below is one statement, or opens its transaction.
            self._connection = sqlite3.connect(
                self.path, timeout=_SECONDS_TO_WAIT, isolation_level=None
            )
            self._prepare()
        except sqlite3.Error as error:
            raise OSError(
                f"{self.path} cannot be opened as a store of embeddings ({error}). "
                "Expected one that this package wrote, or a new name. If the file is "
                "damaged, delete it: what it held can be embedded again."
            ) from error

    def _prepare(self):
        """Make the table in a new file; refuse files that are something else."""
        ask = self._connection.execute
        (n_tables,) = ask("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = ask("PRAGMA application_id").fetchone()
        (version,) = ask("PRAGMA user_version").fetchone()
        if n_tables and (application, version) != (_APPLICATION_ID, _VERSION):
            raise sqlite3.DatabaseError(
                f"application {application:#x}, version {version}; expected "
                f"{_APPLICATION_ID:#x}, version {_VERSION}"
            )
        (mode,) = ask("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise sqlite3.OperationalError("its file system allows no WAL mode")
        # In WAL mode this never harms the file; a power cut may cost the last vectors.
        ask("PRAGMA synchronous = NORMAL")
        if not n_tables:
            ask("BEGIN IMMEDIATE")
            ask(_TABLE)
            ask(f"PRAGMA application_id = {_APPLICATION_ID}")
            ask(f"PRAGMA user_version = {_VERSION}")
            ask("COMMIT")

    def get_many(self, keys) -> dict:
        """Give the vectors of those keys that the store has.

        Parameters
        ----------
        keys : iterable of bytes
            Each a hash, see `text_key`.

        Returns
        -------
        vectors : dict of bytes to ndarray of shape (embedding_dim,), float32
            Without those whose bytes have changed on the disk, of which it warns.
        """
        keys, found, damaged = list(keys), {}, []
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = keys[start : start + _KEYS_AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self._ask(
                f"SELECT key, vector, checksum FROM embeddings WHERE key IN ({marks})",
                part,
            )
            for key, vector, checksum in rows:
                if zlib.crc32(vector) == checksum:
                    found[key] = np.frombuffer(vector, dtype="<f4")
                else:
                    damaged.append(key)
        if damaged:
            self._drop(damaged)
        return found

    def put_many(self, vectors: dict) -> None:
        """Keep vectors, all of them or, where the process dies meanwhile, none.

        Parameters
        ----------
        vectors : dict of bytes to ndarray of shape (embedding_dim,)
            Keys that the store has already keep their vector.

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
        self._change("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)", rows)

    def merge(self, other) -> int:
        """Take over the vectors of another store that this one does not have.

        Parameters
        ----------
        other : path-like
            A store, for example the shard of a worker.

        Returns
        -------
        n_new : int
            Vectors taken over.

        Raises
        ------
        OSError
            If `other` is not there, or is no store.
        """
        other = Path(other).expanduser()
        if not other.is_file():
            raise OSError(f"{other} is no file; expected a store of embeddings.")
        before = len(self)
        with EmbeddingStore(other) as shard:
            ((key,),) = shard._ask("SELECT coalesce(min(key), x'') FROM embeddings")
            while keys := shard._keys_from(key):
                self.put_many(shard.get_many(keys))
                key = keys[-1] + b"\0"
        return len(self) - before

    def _keys_from(self, key):
        """Give the next keys in rising order."""
        rows = self._ask(
            "SELECT key FROM embeddings WHERE key >= ? ORDER BY key LIMIT ?",
            (key, _KEYS_AT_ONCE),
        )
        return [key for (key,) in rows]

    def _drop(self, keys):
        """Forget vectors whose bytes have changed on the disk."""
        warnings.warn(
            f"{self.path} holds {len(keys)} vectors that have changed on the disk; "
            "they are dropped and embedded again. Check the disk.",
            StoreWarning,
            stacklevel=3,
        )
        self._change("DELETE FROM embeddings WHERE key = ?", [(key,) for key in keys])

    def _ask(self, question, values=()):
        """Read rows."""
        with self._errors_told():
            return self._connection.execute(question, values).fetchall()

    def _change(self, statement, rows):
        """Run a statement for all rows, or, where that fails, for none."""
        with self._errors_told(), closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                cursor.executemany(statement, rows)
                cursor.execute("COMMIT")
            finally:
                # A full disk ends the transaction by itself.
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")

    @contextmanager
    def _errors_told(self):
        """Say which file SQLite's errors are about, and what helps."""
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(
                f"The store {self.path} could not be read or written ({error}). What "
                "it held before is still there. If its disk is full, make room; if it "
                "is locked, end the process that holds it; then run the same again. If "
                "it is damaged, delete it: what it held can be embedded again."
            ) from error

    def close(self) -> None:
        """Close the file; the store is not used after that."""
        self._connection.close()

    def __len__(self):
        ((n,),) = self._ask("SELECT count(*) FROM embeddings")
        return n

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def _check_place(path):
    """Refuse a folder, a folder that is missing, and network file systems."""
    if path.is_dir():
        raise OSError(
            f"{path} is a folder; expected the file of a store, for example "
            f"{path / 'embeddings.sqlite'}."
        )
    if not path.parent.is_dir():
        raise OSError(
            f"The folder {path.parent} of the store {path.name} is not there. Make it, "
            "or pass another path."
        )
    kind = network_file_system(path.parent)
    if kind is not None:
        raise OSError(
            f"{path} lies on a network file system ({kind}), where SQLite's WAL mode "
            "does not work. Put the store on a disk of this host, for example in the "
            "job's scratch folder; join the stores of several hosts with "
            "'neurocontext embed --merge'."
        )
