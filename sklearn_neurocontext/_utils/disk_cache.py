"""Arrays kept on disk under their settings: atomic, verified, memory-mapped.

An entry is a folder with ``.npy`` files and one ``entry.json``, which holds the
settings that name the entry, facts, and the SHA-256 of each file. It is built beside
its place and moved there whole, so a killed build leaves nothing that looks like an
entry, and of two processes that build the same one the later finds it there.
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

from .files import atomic_write, cache_folder

_RECORD = "entry.json"
# Files up to this size are hashed whenever they are opened. Larger ones only where
# size or times differ from those recorded: gigabytes would take seconds.
_ALWAYS_HASHED = 64 * 2**20
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Entry:
    """Arrays and facts of an entry; `folder` holds them."""

    folder: Path
    arrays: dict
    facts: dict


def fetch_entry(kind: str, settings: dict, build: Callable) -> Entry:
    """Open the entry of these settings, building it if it is missing or broken."""
    place = entry_place(kind, settings)
    # Another process may replace a broken entry between our steps; then look again.
    for _ in range(3):
        if place.exists():
            entry = _open(place, settings)
            if entry is not None:
                return entry
            warnings.warn(
                f"{str(place)!r} in the cache was cut off or altered; building it "
                "again.",
                UserWarning,
                stacklevel=2,
            )
            _discard(place)
        _build(place, settings, build)
    entry = _open(place, settings)
    if entry is None:
        raise OSError(
            f"{str(place)!r} does not stay as it was written. Set NEUROCONTEXT_CACHE "
            "to a folder on a disk that works."
        )
    return entry


def entry_place(kind: str, settings: dict) -> Path:
    """Folder where the entry of these settings is kept."""
    name = hashlib.sha256(_canonical(settings)).hexdigest()[:32]
    return cache_folder() / f"{kind}-{name}"


def _canonical(content) -> bytes:
    return json.dumps(content, sort_keys=True, allow_nan=False).encode()


def _open(place: Path, settings: dict) -> Entry | None:
    """Open an entry, or give None where it is not as it was written."""
    try:
        record = json.loads((place / _RECORD).read_bytes())
        body = record["body"]
        if hashlib.sha256(_canonical(body)).hexdigest() != record["sha256"]:
            return None
        if body["settings"] != settings:
            return None
        arrays, signatures = {}, {}
        for name, digest in body["files"].items():
            path = place / name
            seen = signatures[name] = _signature(path)
            known = seen == record["signatures"].get(name)
            if not (known and seen[0] > _ALWAYS_HASHED) and _sha256(path) != digest:
                return None
            mapped = "r" if seen[0] > 2**16 else None
            arrays[path.stem] = np.load(path, mmap_mode=mapped, allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if signatures != record.get("signatures"):
        # A copy, and whole: the next process need not hash it again. Where the folder
        # is read-only it must.
        with suppress(OSError):
            _write_json(place / _RECORD, record | {"signatures": signatures})
    return Entry(place, arrays, body["facts"])


def _build(place: Path, settings: dict, build: Callable) -> None:
    """Build an entry beside its place, then move it there whole."""
    folder = _begin(place)
    try:
        facts = build(folder)
        files = sorted(folder.glob("*.npy"))
        body = {
            "settings": settings,
            "facts": facts,
            "files": {path.name: _sha256(path) for path in files},
        }
        record = {
            "body": body,
            "sha256": hashlib.sha256(_canonical(body)).hexdigest(),
            "signatures": {path.name: _signature(path) for path in files},
        }
        (folder / _RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        try:
            folder.rename(place)
        except OSError:
            if not place.exists():
                raise
            # Another process was first; its entry is opened next.
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _begin(place: Path) -> Path:
    """Make a folder beside a place, to build in what is moved there."""
    with _writing_to(place.parent):
        _sweep(place.parent)
        folder = place.with_name(f"building-{place.name}-{secrets.token_hex(8)}")
        folder.mkdir()  # mkdtemp's is for the owner alone, whatever the umask says
        return folder


@contextmanager
def _writing_to(folder: Path):
    """Make the cache folder where it is missing, and say what to do if it can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(
            f"The cache folder {str(folder)!r} cannot be written to ({error}). "
            "Set the environment variable NEUROCONTEXT_CACHE to a folder that can."
        ) from error


def _discard(place: Path) -> None:
    """Take a broken entry away, whole first, so that nobody opens half of it."""
    gone = place.with_name(f"building-gone-{os.getpid()}-{time.monotonic_ns()}")
    try:
        place.rename(gone)
    except FileNotFoundError:  # Another process took it.
        return
    shutil.rmtree(gone, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what builds and notes of more than a day ago, since killed, have left."""
    # The hidden ones are left by `atomic_write`.
    for left in (*folder.glob("building-*"), *folder.glob(".????????.json")):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime <= _STALE_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def _signature(path: Path) -> list:
    """Size and times of a file: they change when its content does."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _write_json(path: Path, content: dict) -> None:
    with _writing_to(path.parent), atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file; large files are hashed once until they change."""
    signature = _signature(path)
    if signature[0] <= _ALWAYS_HASHED:
        return _sha256(path)
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    note = cache_folder() / f"hash-{name}.json"
    try:
        kept = json.loads(note.read_bytes())
        if kept["signature"] == signature:
            return str(kept["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = _sha256(path)
    _write_json(note, {"signature": signature, "sha256": digest})
    return digest


class NpyWriter:
    """Write a .npy file row by row, without knowing the number of rows beforehand.

    Parameters
    ----------
    path : Path
        File to write.
    dtype : dtype
        Type of the values.
    row_shape : tuple of int, default=()
        Shape of one row.
    """

    def __init__(self, path: Path, dtype, row_shape=()):
        self._path = path
        self._dtype, self._row_shape = np.dtype(dtype), tuple(row_shape)
        self.n_rows = 0

    def __enter__(self):
        self._stream = self._path.open("wb")
        self._write_header()
        return self

    def append(self, rows) -> None:
        """Append rows of shape (n, *row_shape)."""
        np.ascontiguousarray(rows, dtype=self._dtype).tofile(self._stream)
        self.n_rows += len(rows)

    def __exit__(self, kind, error, trace):
        # NumPy pads the header, so the final number of rows fits into it.
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
