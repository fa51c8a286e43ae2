"""Find, download and read the files of a corpus."""

import codecs
import csv
import gzip
import io
import json
import lzma
import os
import re
import sys
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from gzip import BadGzipFile
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
from pandas.io.common import get_handle
from scipy import sparse

from .._utils.files import data_folder, expand_path, replace_surrogates
from .._utils.progress import delayed_progress_bar
from .._utils.validation import read_numbers

LOCAL_FOLDER_VARIABLE = "NEUROCONTEXT_DATA"
_N_RETRIES = 2
# Names that pandas gives to columns without a name.
_UNNAMED = re.compile(r"\s*|Unnamed: \d+")
_NOTES = "notes"
_SEPARATORS = ",;\t"
_GZIP = b"\x1f\x8b"
_BLOCK_SIZE = 2**20
# Columns that identify the study of a peak, in order of precedence.
ID_COLUMNS = ("study_id", "pmid", "pmcid", "doi", "id")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Description of a pickle that was passed in place of JSON, and advice.
_PICKLE = (
    "a Python pickle, which is not read because it can run code. Load it with the "
    "program that wrote it, and save it as JSON; for a NiMARE studyset, with "
    "json.dump(studyset.to_dict(), file)."
)
# First bytes of files that are often passed in place of JSON, with the description of
# their format and advice.
_NOT_JSON = {
    b"\x80": _PICKLE,
    b"(": _PICKLE,  # Protocol 0.
    b"c": _PICKLE,
    b"BZh": "a file compressed with bzip2. Unpack it, or compress it with gzip.",
    b"\xfd7zXZ": "a file compressed with xz. Unpack it, or compress it with gzip.",
    b"PK\x03\x04": "a ZIP archive. Unpack it first.",
    b"PAR1": "a Parquet table. Pass the folder with all tables of the studyset.",
    b"<": "a web page. Download the file itself.",
    b"version https://git-lfs": (
        "a pointer of Git LFS. Download the file itself, for example with git lfs pull."
    ),
}
# Matches UTF-16 surrogates, paired or unpaired, that are written as JSON escapes or
# encoded as bytes.
_SURROGATES = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
_DAMAGED = (EOFError, BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def find_files(directory, names, source: str) -> list[Path]:
    """Find the files of a corpus in a folder or in its subfolder ``data``.

    `source` describes the files in error messages.
    """
    folder = expand_path(directory)
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
    # subfolder with the name of the corpus, the files in this subfolder are used,
    # without verification. Existing files are never replaced, because a user may have
    # put them there.
    local = os.environ.get(LOCAL_FOLDER_VARIABLE)
    folder = data_folder(data_home) / corpus
    files = {}
    with delayed_progress_bar(f"files of {corpus}") as update:
        for name, (n_bytes, sha256) in registry.items():
            own = local and expand_path(local) / corpus / name
            if own and own.is_file():
                files[own] = "local, unverified"
                continue
            path = folder / name
            if path.is_file():
                _check_hash(path, sha256)
            else:
                _download(base_url, path, n_bytes, sha256)
            files[path] = "verified"
            update(len(files), len(registry))
    return files


def _check_hash(path, sha256):
    """Raise OSError if the SHA-256 of a file differs from the published SHA-256."""
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
    # Only the owner can read the temporary file that pooch has created. This file is
    # replaced with a new file, so that its permissions follow the umask.
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
    """Read a CSV or TSV file and check that it has the required columns.

    Blank rows and columns are skipped; `describe_reading` reports how many were
    skipped.
    """
    rows = None
    encoding = find_encoding(path)
    separator = _find_separator(path, encoding)
    text_options = {"encoding": encoding, "encoding_errors": "replace"}
    with _name_file_in_errors(path, "a table in CSV or TSV"):
        try:
            # pandas raises ParserError if a row is longer than the rows above it. If
            # the first row below the header is too long, pandas raises this error only
            # with `header=None`. Therefore, the first two lines are read separately.
            pd.read_csv(path, sep=separator, header=None, nrows=2, **text_options)
            table = pd.read_csv(
                path, sep=separator, index_col=False, **options, **text_options
            )
        except pd.errors.ParserError as error:
            rows = _read_long_rows(path, separator, encoding, error)
    if rows:
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerows(_complete_header(rows, separator, path))
        buffer.seek(0)
        table = pd.read_csv(buffer, **options)
    table = skip_blanks(table, path.name)
    table.attrs[_NOTES] += describe_encoding(path, encoding)
    return _check_columns(table, required, path)


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file: UTF-8, UTF-16 (with BOM) or Windows-1252."""
    check_no_workbook(path)
    with _name_file_in_errors(path, "a text file"), _open_file(path, "rb") as stream:
        blocks = iter(partial(stream.read, _BLOCK_SIZE), b"")
        first = next(blocks, b"")
        is_utf8 = _is_utf8(chain([first], blocks))
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in first:
        raise ValueError(
            f"{path.name} is not a text file: it contains zero bytes. Save it as "
            "UTF-8, or as UTF-16 with a byte order mark."
        )
    return "utf-8" if is_utf8 else "cp1252"


def _is_utf8(blocks) -> bool:
    """Return whether the blocks of a file are UTF-8."""
    try:
        for _ in codecs.iterdecode(blocks, "utf-8"):
            pass
    except UnicodeDecodeError:
        return False
    return True


def check_no_workbook(path: Path) -> None:
    """Raise ValueError if a file is a workbook of Excel or LibreOffice."""
    is_workbook = path.suffix.lower() in WORKBOOKS
    with _name_file_in_errors(path, "a text file"), path.open("rb") as stream:
        start = stream.read(8)
        if start.startswith(b"PK") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                is_workbook |= "xl/workbook.xml" in archive.namelist()
    if is_workbook or start == _OLD_WORKBOOK:
        raise ValueError(
            f"{str(path)!r} must be a text file; got an Excel workbook. Save each "
            "table as CSV, or pass pandas.read_excel(...) to load_table."
        )


def describe_encoding(path: Path, encoding: str) -> str:
    """Return a sentence that a file was read as Windows-1252; "" if it was not."""
    is_guess = encoding == "cp1252"
    return f" {path.name} is not UTF-8 and was read as Windows-1252." * is_guess


def read_text(path: Path, encoding: str) -> str:
    """Return the text of a file, which may be compressed, without byte order marks."""
    # A file that was concatenated from several files may have several of these marks.
    with _open_file(path, "r", encoding=encoding, errors="replace") as stream:
        return stream.read().replace("\ufeff", "")


@contextmanager
def _open_file(path, mode, **options):
    """Open a file, which may be compressed."""
    is_text = "b" not in mode
    with get_handle(
        path, mode, compression="infer", is_text=is_text, **options
    ) as handles:
        yield handles.handle


def _find_separator(path, encoding) -> str:
    """Return the separator of the columns of a table."""
    # If the header contains several separators outside quotes, the file extension
    # determines the separator: a tab for .tsv, and a comma otherwise.
    with _open_file(path, "r", encoding=encoding, errors="replace") as stream:
        header = next(filter(str.strip, stream), "").rstrip("\r\n")
    found = set(_SEPARATORS) & set(re.sub(r'"[^"]*"', "", header))
    expected = "\t" if ".tsv" in path.suffixes else ","
    if len(found) > 1 and expected not in found:
        raise ValueError(
            f"The separator of the columns of {str(path)!r} is unclear from its header "
            f"{header[:60]!r}. Put names that contain a separator in quotes."
        )
    return found.pop() if len(found) == 1 else expected


def _read_long_rows(path, separator, encoding, error) -> list:
    """Return the rows of a table; raise `error` if no row is longer than the header."""
    text = read_text(path, encoding)
    limit = csv.field_size_limit(sys.maxsize)
    try:
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, delimiter=separator, strict=True)
        rows = [row for row in reader if row]
    except csv.Error:
        raise error from None
    finally:
        csv.field_size_limit(limit)
    if not rows or max(map(len, rows)) == len(rows[0]):
        raise error
    # By default, R writes the names of the rows as the first column, but does not write
    # a name of this column to the header. R puts all names of columns in quotes. For
    # such a table, this function adds an empty name to the header.
    if _may_have_row_names(rows) and re.match(r'"[^\r\n]*[\r\n]+"', text):
        rows[0] = ["", *rows[0]]
    return rows


def _may_have_row_names(rows) -> bool:
    """Return whether all rows have one more cell than the header, as with row names.

    If the last cells of all rows are blank, each row ends with an extra separator, and
    there are no row names.
    """
    one_longer = {len(row) for row in rows[1:]} == {len(rows[0]) + 1}
    return one_longer and any(row[-1].strip() for row in rows[1:])


def _complete_header(rows, separator, path) -> list:
    """Return the rows of a table; add empty names to its header for longer rows."""
    # A row may have more cells than the header if the additional cells are blank. One
    # additional cell is also accepted if all rows of the table, or all rows of a block
    # written by Excel (see `_has_blocks`), have it. Other long rows may contain an
    # unquoted comma, for example a decimal comma, so that their cells would be read as
    # values of other columns.
    n = len(rows[0])
    filled = [row for row in rows[1:] if any(map(str.strip, row))]
    long = [row for row in filled if any(map(str.strip, row[n:]))]
    wrong = [row for row in long if any(map(str.strip, row[n + 1 :]))]
    # If the first cells are 1, 2, 3 and so on, and the last cell is a number, the first
    # column may contain row names, so that the header names the wrong columns.
    is_numbered = all(row[0] == str(i) for i, row in enumerate(rows[1:], start=1))
    is_shifted = (
        is_numbered
        and _may_have_row_names(rows)
        and np.isfinite(read_numbers(rows[1][n]))
    )
    if is_shifted or (any(len(row) <= n for row in filled) and not _has_blocks(rows)):
        wrong = long
    if wrong:
        shown = separator.join(wrong[0])
        raise ValueError(
            f"The rows of {str(path)!r} must not be longer than its header of {n} "
            f"columns ({separator.join(rows[0])[:60]}); got {shown[:60]!r}. Name all "
            f"columns in the header, and put cells that contain {separator!r} in "
            "quotes. In R, write the table with row.names = FALSE."
        )
    return [rows[0] + [""] * (max(map(len, rows)) - n), *rows[1:]]


def _has_blocks(rows) -> bool:
    """Return whether rows have equal numbers of cells within blocks of 16 rows."""
    # Excel writes blocks of 16 rows. It omits the last separators of all rows of a
    # block if the last cells of the block are empty.
    blocks = [rows[start : start + 16] for start in range(0, len(rows), 16)]
    sizes = [{len(row) for row in block} for block in blocks]
    last_is_long = len(blocks[-1]) == 1 and sizes[-1] != {len(rows[0])}
    return all(len(size) == 1 for size in sizes) and not last_is_long


def skip_blanks(table, name: str) -> pd.DataFrame:
    """Return a table without blank rows and without blank columns that have no name."""
    # In each column, only the rows that are blank in all previous columns are examined.
    rows = np.arange(len(table))
    for place in range(table.shape[1]):
        rows = rows[_is_blank(table.iloc[rows, place])]
    kept = [
        not (_UNNAMED.fullmatch(str(column)) and _is_blank(table.iloc[:, place]).all())
        for place, column in enumerate(table)
    ]
    counts = {"row": len(rows), "column": kept.count(False)}
    filled = np.delete(np.arange(len(table)), rows)
    table = table.iloc[filled].loc[:, kept].reset_index(drop=True)
    parts = [
        f"{n:,} blank {kind}{'s' if n > 1 else ''}" for kind, n in counts.items() if n
    ]
    table.attrs[_NOTES] = f" Skipped {' and '.join(parts)} of {name}." if parts else ""
    return table


def _is_blank(column) -> np.ndarray:
    """Return whether each cell of a column is missing or contains only white space."""
    if not pd.api.types.is_numeric_dtype(column):
        column = column.astype("string").str.strip().replace("", pd.NA)
    return column.isna().to_numpy()


def describe_reading(*tables) -> str:
    """Return a description of what was skipped or replaced when tables were read.

    The description starts with a space, or is empty if nothing is to be reported.
    """
    return "".join(table.attrs.get(_NOTES, "") for table in tables)


def read_parquet(path: Path, required=()) -> pd.DataFrame:
    """Read a Parquet table and check that it has the required columns."""
    with _name_file_in_errors(path, "a table in Parquet"):
        table = pd.read_parquet(path)
    return _check_columns(table, required, path)


def _check_columns(table, required, path) -> pd.DataFrame:
    """Check that a table has the required columns, and return the table."""
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
        first = table.iloc[wrong[0]]
        shown = "; ".join(map(str, first[["x", "y", "z"]]))
        study = next((f", {c} {first[c]}" for c in ID_COLUMNS if c in table), "")
        raise ValueError(
            f"In {source}, the coordinates of {len(wrong)} of {len(table)} peaks are "
            f"not numbers. The first such row is row {table.index[wrong[0]] + 1} of "
            "the table (counted from 1, without the header and blank rows)"
            f"{study}: {shown}. Expected x, y, z in mm, for example -42.5 or -42,5; "
            "write 1.234 in place of 1,234. Correct or drop these rows."
        )
    return xyz


def read_matrix(path: Path) -> sparse.csr_array:
    """Read a sparse matrix saved by `scipy.sparse.save_npz`."""
    # SciPy does not close a damaged file that it opened. Therefore, this function opens
    # the file.
    with (
        _name_file_in_errors(path, "a sparse matrix saved by save_npz"),
        path.open("rb") as stream,
    ):
        return sparse.csr_array(sparse.load_npz(stream))


def read_json(path: Path):
    """Read a JSON file, which may be compressed with gzip."""
    check_no_workbook(path)
    with _name_file_in_errors(path, "JSON in UTF-8"):
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    for start, advice in _NOT_JSON.items():
        if content[:100].lstrip().startswith(start):
            raise ValueError(f"{str(path)!r} must be a JSON file; got {advice}")
    with _name_file_in_errors(path, "JSON in UTF-8"):
        # json.loads recognizes UTF-8 and UTF-16, with or without a byte order mark.
        parsed = json.loads(content)
        if _SURROGATES.search(content):
            text = replace_surrogates(json.dumps(parsed, ensure_ascii=False))
            parsed = json.loads(text)
        return parsed


def read_json_lines(path: Path) -> pd.DataFrame:
    """Read a file with one JSON object per line, which may be compressed."""
    check_no_workbook(path)
    with _name_file_in_errors(path, "JSON lines in UTF-8"):
        return pd.read_json(path, lines=True, dtype=False)


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
