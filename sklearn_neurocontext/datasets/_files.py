"""Find, download and read the files of a corpus."""

import gzip
import json
import lzma
import os
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from gzip import BadGzipFile
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
from scipy import sparse

from .._utils.files import data_folder
from .._utils.validation import read_numbers

LOCAL_FOLDER_VARIABLE = "NEUROCONTEXT_DATA"
_N_RETRIES = 2
_GZIP = b"\x1f\x8b"
# First bytes of files that are often passed in place of JSON, and advice.
_NOT_JSON = {
    b"\x80": (
        "a Python pickle, which is not read because it can run code. Load it with the "
        "program that wrote it, and save it as JSON; for a NiMARE studyset, with "
        "json.dump(studyset.to_dict(), file)."
    ),
    b"PK\x03\x04": "a ZIP archive. Unpack it first.",
    b"PAR1": "a Parquet table. Pass the folder with all tables of the studyset.",
    b"<": "a web page. Download the file itself.",
    b"version https://git-lfs": (
        "a pointer of Git LFS. Download the file itself, for example with git lfs pull."
    ),
}
_DAMAGED = (EOFError, BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def find_files(directory, names, source: str) -> list[Path]:
    """Find the files of a corpus in a folder, or in its subfolder ``data``."""
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The folder {str(directory)!r} does not exist. Pass the folder that "
            f"contains {source}."
        )
    inner = folder / "data"
    folder = inner if (inner / names[0]).is_file() else folder
    for name in names:
        if not (folder / name).is_file():
            present = sorted(entry.name for entry in folder.iterdir())
            shown = ", ".join(present[:8]) + (" …" if len(present) > 8 else "")
            raise FileNotFoundError(
                f"{name} is missing in {str(folder)!r}, which contains "
                f"{shown or 'no file'}. Pass the folder that contains "
                f"{source}, and keep the original file names."
            )
    return [folder / name for name in names]


def fetch_files(corpus: str, base_url: str, registry: dict, data_home=None) -> dict:
    """Find the files of a corpus on this machine, or download them.

    `registry` maps each file name to its size in bytes and its SHA-256. The returned
    dict maps the path of each file to "verified" or "local, unverified", in the order
    of `registry`.
    """
    # The environment variable NEUROCONTEXT_DATA may name a folder. If this folder has a
    # subfolder `corpus`, the files in this subfolder are used, without verification.
    # Existing files are never replaced, because a user may have put them there.
    local = os.environ.get(LOCAL_FOLDER_VARIABLE)
    folder = data_folder(data_home) / corpus
    files = {}
    for name, (n_bytes, sha256) in registry.items():
        own = local and Path(local).expanduser() / corpus / name
        if own and own.is_file():
            files[own] = "local, unverified"
            continue
        path = folder / name
        if path.is_file():
            _check_hash(path, sha256)
        else:
            _download(base_url, path, n_bytes, sha256)
        files[path] = "verified"
    return files


def _check_hash(path, sha256):
    """Raise OSError if the SHA-256 of a file differs from the published one."""
    found = pooch.file_hash(str(path))
    if found != sha256:
        raise OSError(
            f"{str(path)!r} has SHA-256 {found}; expected {sha256}, the hash of the "
            "published file. The file was left unchanged. To download the published "
            "file, move or rename the existing one. To use the existing file without "
            f"verification, set {LOCAL_FOLDER_VARIABLE} to {str(path.parents[1])!r}."
        )


def _download(base_url, path, n_bytes, sha256):
    """Download a file under a temporary name, verify its hash, and rename it."""
    name = path.name
    store = pooch.create(
        path.parent, base_url, registry={name: sha256}, retry_if_failed=_N_RETRIES
    )
    try:
        store.fetch(name, downloader=partial(_download_bounded, n_bytes=n_bytes))
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name} could not be downloaded from {base_url}{name} ({error}). Try "
            "again later. If this machine has no network access, copy the file to "
            f"<folder>/{path.parent.name}/{name} and set {LOCAL_FOLDER_VARIABLE} to "
            "<folder>."
        ) from error


def _download_bounded(url, output_file, store, *, n_bytes):
    """Download at most `n_bytes` bytes into a file; pooch calls this function."""
    # Only the owner can read the temporary file that pooch has created. Replace this
    # file with a new file, so that the permissions follow the umask.
    Path(output_file).unlink()
    download = pooch.HTTPDownloader(headers={"Accept-Encoding": "identity"})
    with Path(output_file).open("xb") as stream:
        download(url, _BoundedFile(stream, n_bytes), store)


class _BoundedFile:
    """Binary file that raises an error if it would exceed a number of bytes."""

    def __init__(self, stream, n_bytes):
        self._stream, self._n_bytes = stream, n_bytes
        self.flush = stream.flush

    def write(self, chunk):
        """Write a chunk; raise OSError if the file would become too large."""
        if self._stream.tell() + len(chunk) > self._n_bytes:
            raise OSError(
                f"the server sent more than the published {self._n_bytes:,} bytes; a "
                "proxy may have returned a web page instead of the file"
            )
        return self._stream.write(chunk)


def read_columns(path: Path, required=(), **options) -> pd.DataFrame:
    """Read a CSV or TSV file and check that it has the required columns."""
    separator = "\t" if ".tsv" in path.suffixes else ","
    with _name_file_in_errors(path, "a table in UTF-8"):
        table = pd.read_csv(path, sep=separator, **options)
    if len(table.columns) == 1:
        for other in {";", "\t", ","} & set(str(table.columns[0])):
            raise ValueError(
                f"The columns of {str(path)!r} must be separated by {separator!r}, as "
                f"its file extension indicates; got {other!r}. Save the table with "
                f"{separator!r} as separator, or change the extension."
            )
    return _check_columns(table, required, path)


def read_parquet(path: Path, required=()) -> pd.DataFrame:
    """Read a Parquet table and check that it has the required columns."""
    with _name_file_in_errors(path, "a table in Parquet"):
        table = pd.read_parquet(path)
    return _check_columns(table, required, path)


def _check_columns(table, required, path) -> pd.DataFrame:
    """Return a table after checking that it has the required columns."""
    missing = [column for column in required if column not in table]
    if missing:
        raise ValueError(
            f"{str(path)!r} has no column {', '.join(missing)}; it has "
            f"{', '.join(map(str, table))}. Check that it is the right file."
        )
    return table


def read_coordinates(table, source: str) -> np.ndarray:
    """Return the coordinates in a table as a float64 array of shape (n_peaks, 3)."""
    missing = [axis for axis in "xyz" if axis not in table]
    if missing:
        raise ValueError(
            f"{source} has no column {', '.join(missing)}; it has "
            f"{', '.join(table)}. Expected x, y, z in mm."
        )
    xyz = np.stack([read_numbers(table[axis]) for axis in "xyz"], axis=1)
    wrong = np.flatnonzero(np.isnan(xyz).any(axis=1))
    if len(wrong):
        shown = ", ".join(map(str, table[["x", "y", "z"]].iloc[wrong[0]]))
        raise ValueError(
            f"In {source}, the coordinates of {len(wrong)} of {len(table)} peaks are "
            f"not numbers. The first such row is row {table.index[wrong[0]]}: {shown}. "
            "Expected x, y, z in mm, with a decimal point. Correct or drop these rows."
        )
    return xyz


def read_matrix(path: Path) -> sparse.csr_array:
    """Read a sparse matrix saved by `scipy.sparse.save_npz`."""
    # Open the file here, because SciPy does not close a damaged file that it opened.
    with (
        _name_file_in_errors(path, "a sparse matrix saved by save_npz"),
        path.open("rb") as stream,
    ):
        return sparse.csr_array(sparse.load_npz(stream))


def read_json(path: Path):
    """Read a JSON file, which may be compressed with gzip."""
    with _name_file_in_errors(path, "JSON in UTF-8"):
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    for start, advice in _NOT_JSON.items():
        if content[:100].lstrip().startswith(start):
            raise ValueError(f"{str(path)!r} must be a JSON file; got {advice}")
    with _name_file_in_errors(path, "JSON in UTF-8"):
        # json.loads recognizes UTF-8 and UTF-16, with or without a byte order mark.
        return json.loads(content)


@contextmanager
def _name_file_in_errors(path, expected):
    """Add the file name and advice to the errors raised while reading a file."""
    try:
        yield
    except _DAMAGED as error:
        raise OSError(
            f"{str(path)!r} cannot be read ({_message(error)}). The file is truncated "
            "or damaged. Download or copy it again."
        ) from error
    except RecursionError as error:
        raise ValueError(
            f"{str(path)!r} must be {expected}; it is nested too deeply. Check that it "
            "is the right file."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{str(path)!r} is not {expected} ({_message(error)}). Save it as UTF-8."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} is not {expected}, or is truncated ({_message(error)}). "
            "Download or copy it again."
        ) from error


def _message(error) -> str:
    """Return the message of an error, or its type if it has none."""
    return str(error).strip() or type(error).__name__
