"""Cache arrays on disk; write them atomically, and check their hashes when reading.

A cache entry is a folder with ``.npy`` files and a file ``entry.json``, which contains
the settings that identify the entry, its metadata (``facts``), and the SHA-256 of each
file. An entry is built in a temporary folder, which is renamed when the entry is
complete. Therefore an interrupted build does not leave an incomplete entry. If two
processes build the same entry, both use the entry of the process that finishes first.
"""

import hashlib
import json
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .files import DISK_FULL, cache_folder, write_json

_RECORD = "entry.json"
# Files up to this size (in bytes) are hashed whenever they are opened. Larger files are
# hashed only if their size or time stamps changed, because hashing a gigabyte takes
# seconds.
_ALWAYS_HASHED = 64 * 2**20
# Files larger than this size (in bytes) are memory-mapped.
_MAPPED_FROM = 2**16
_STALE_SECONDS = 24 * 3600
# Errors that occur when a damaged JSON file is read. RecursionError is caused by deeply
# nested JSON.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Entry:
    """Cache entry: its folder, a dict of its arrays, and its metadata (``facts``)."""

    folder: Path
    arrays: dict
    facts: dict


def fetch_entry(kind: str, settings: dict, build: Callable) -> Entry:
    """Open the entry for these settings; build it if it is missing or corrupted."""
    # The folder name starts with `kind`. `settings` is a dict of JSON values that must
    # contain every setting that affects the arrays. `build` takes a folder, writes .npy
    # files into this folder, and returns the metadata, which is a dict of JSON values.
    folder = entry_folder(kind, settings)
    # Try several times, because another process may replace a corrupted entry.
    for _ in range(3):
        if os.path.lexists(folder):  # True also for a link whose target is missing.
            entry = _open(folder, settings)
            if entry is not None:
                return entry
            warnings.warn(
                f"The cache entry {str(folder)!r} is corrupted and is built again.",
                UserWarning,
                stacklevel=2,
            )
            _discard(folder)
        _build(folder, settings, build)
    entry = _open(folder, settings)
    if entry is None:
        raise OSError(
            f"The cache entry {str(folder)!r} was written but cannot be read. Set the "
            "environment variable NEUROCONTEXT_CACHE to a folder on another disk."
        )
    return entry


def entry_folder(kind: str, settings: dict) -> Path:
    """Return the folder of the entry for these settings."""
    return cache_folder() / f"{kind}-{_hash_json(settings)[:32]}"


def _hash_json(content) -> str:
    """Convert JSON values to text with sorted keys, and return its SHA-256."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _open(folder: Path, settings: dict) -> Entry | None:
    """Open an entry; return None if it is corrupted or belongs to other settings."""
    try:
        record = json.loads((folder / _RECORD).read_bytes())
        body = record["body"]
        if _hash_json(body) != record["sha256"]:
            return None
        if body["settings"] != settings:
            return None
        arrays, signatures = {}, {}
        for name, digest in body["files"].items():
            path = folder / name
            found = signatures[name] = _signature(path)
            is_known = found == record["signatures"].get(name)
            is_verified = is_known and found[0] > _ALWAYS_HASHED
            if not is_verified and _sha256(path) != digest:
                return None
            mmap_mode = "r" if found[0] > _MAPPED_FROM else None
            arrays[path.stem] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (*_DAMAGED, AttributeError):
        return None
    if signatures != record.get("signatures"):
        # The time stamps of the files have changed, but their hashes have not. This
        # happens if the entry was copied. Record the new time stamps, so that large
        # files are not hashed again. If this write fails, the error is ignored, because
        # the folder may be read-only.
        with suppress(OSError):
            write_json(folder / _RECORD, record | {"signatures": signatures})
    return Entry(folder, arrays, body["facts"])


def _build(folder: Path, settings: dict, build: Callable) -> None:
    """Build an entry in a temporary folder, and rename this folder."""
    with _check_writable(folder.parent):
        _remove_leftovers(folder.parent)
        temporary = folder.with_name(f"building-{folder.name}-{secrets.token_hex(8)}")
        # tempfile.mkdtemp is not used, because only the owner could read the folder
        # that it creates.
        temporary.mkdir()
    try:
        with _explain_full_disk(folder.parent):
            facts = build(temporary)
            _write_record(temporary, settings, facts)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            # Another process has already built the entry. `fetch_entry` opens it.
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_record(folder: Path, settings: dict, facts: dict) -> None:
    """Write entry.json into the folder of an entry whose arrays are complete."""
    files = sorted(folder.glob("*.npy"))
    body = {
        "settings": settings,
        "facts": facts,
        "files": {path.name: _sha256(path) for path in files},
    }
    record = {
        "body": body,
        "sha256": _hash_json(body),
        "signatures": {path.name: _signature(path) for path in files},
    }
    write_json(folder / _RECORD, record)


@contextmanager
def _explain_full_disk(folder: Path):
    """Add advice to the error that is raised if the disk of the cache is full."""
    try:
        yield
    except OSError as error:
        # If `ndarray.tofile` fails, NumPy raises an OSError without error number. The
        # message of this error contains the words "requested and".
        if error.errno not in DISK_FULL and "requested and" not in str(error):
            raise
        raise OSError(
            f"The cache folder {str(folder)!r} has too little space ({error}). Free "
            "space on this disk, or set the environment variable NEUROCONTEXT_CACHE to "
            "a folder on another disk."
        ) from error


@contextmanager
def _check_writable(folder: Path):
    """Create the cache folder if needed; add advice to the error if writing fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(
            f"The cache folder {str(folder)!r} cannot be written to ({error}). Set the "
            "environment variable NEUROCONTEXT_CACHE to a writable folder."
        ) from error


def _discard(folder: Path) -> None:
    """Remove a corrupted entry."""
    # Rename the entry first, so that no other process opens it while it is removed.
    gone = folder.with_name(f"building-gone-{secrets.token_hex(8)}")
    try:
        folder.rename(gone)
    except FileNotFoundError:  # Another process has removed it.
        return
    _remove(gone)


def _remove(path: Path) -> None:
    """Remove a folder, a file or a link, if possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders that are more than a day old."""
    # Interrupted processes leave temporary folders, whose names start with "building-",
    # and temporary files of `write_json`, whose names start with a dot.
    for path in (*folder.glob("building-*"), *folder.glob(".????????.json")):
        with suppress(FileNotFoundError):
            if time.time() - path.lstat().st_mtime > _STALE_SECONDS:
                _remove(path)


def _signature(path: Path) -> list:
    """Return the size and the time stamps of a file, to detect later changes."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file; if the file is large, cache this hash."""
    # The cached hash is used until the size or a time stamp of the file changes.
    signature = _signature(path)
    if signature[0] <= _ALWAYS_HASHED:
        return _sha256(path)
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    record = cache_folder() / f"hash-{name}.json"
    try:
        known = json.loads(record.read_bytes())
        if known["signature"] == signature:
            return str(known["sha256"])
    except _DAMAGED:
        pass
    digest = _sha256(path)
    # If this write fails, the error is ignored. The file is then hashed again at the
    # next call.
    with suppress(OSError):
        write_json(record, {"signature": signature, "sha256": digest})
    return digest


class NpyWriter:
    """Write rows to a .npy file; the number of rows need not be known in advance."""

    def __init__(self, path: Path, dtype, row_shape=()):
        self._path = path
        self._dtype, self._row_shape = np.dtype(dtype), tuple(row_shape)
        self.n_rows = 0

    def __enter__(self):
        self._stream = self._path.open("wb")
        self._write_header()
        return self

    def append(self, rows) -> None:
        """Append an array of rows, of shape (n_rows, *row_shape)."""
        # `ndarray.tofile` would not report the cause of an error, such as a full disk.
        self._stream.write(np.ascontiguousarray(rows, dtype=self._dtype))
        self.n_rows += len(rows)

    def __exit__(self, kind, error, trace):
        # Replace the header by a header with the final number of rows. Both headers
        # have the same length, because NumPy pads them.
        if kind is None:
            self._stream.seek(0)
            self._write_header()
        self._stream.close()

    def _write_header(self):
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.n_rows, *self._row_shape),
        }
        np.lib.format.write_array_header_1_0(self._stream, header)
