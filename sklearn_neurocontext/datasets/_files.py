"""Find and read the files of a corpus, with errors that name file and remedy."""

import json
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from gzip import BadGzipFile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

_DAMAGED = (EOFError, BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def locate(directory, name: str) -> Path:
    """Find the folder that holds a file: the given one, or ``data`` in it.

    Parameters
    ----------
    directory : path-like
        Given by the user.
    name : str
        Name of the file.

    Returns
    -------
    folder : Path
        The given folder where neither holds the file.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{str(directory)!r} is no folder. Pass the folder that holds {name}."
        )
    inner = folder / "data"
    return inner if (inner / name).is_file() else folder


def find_one(folder: Path, name: str, origin: str) -> Path:
    """Give the path of a file that must be there.

    Parameters
    ----------
    folder : Path
        Where it should be.
    name : str
        Its name.
    origin : str
        Whose files these are, for the error message.

    Returns
    -------
    path : Path
        It exists.

    Raises
    ------
    FileNotFoundError
        If it is missing; the message lists what is there.
    """
    path = folder / name
    if path.is_file():
        return path
    present = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(present[:8]) + (" …" if len(present) > 8 else "")
    raise FileNotFoundError(
        f"{name} is missing in {str(folder)!r}, which holds {shown or 'nothing'}. Pass "
        f"the folder with {origin}, under their own names."
    )


def read_columns(path: Path, wanted=(), **options) -> pd.DataFrame:
    """Read a CSV file, or a TSV file by its ending, that must have some columns.

    Parameters
    ----------
    path : Path
        The file; compressed ones by their ending.
    wanted : sequence of str, default=()
        Columns that must be there.
    **options
        Passed to `pandas.read_csv`.

    Returns
    -------
    table : DataFrame
        With all columns of the file.

    Raises
    ------
    OSError
        If the file is cut off or damaged.
    ValueError
        If it is no table, or a column is missing.
    """
    separator = "\t" if ".tsv" in path.suffixes else ","
    with _naming(path, "a table in UTF-8"):
        table = pd.read_csv(path, sep=separator, **options)
    if len(table.columns) == 1:
        for other in {";", "\t", ","} & set(str(table.columns[0])):
            raise ValueError(
                f"{str(path)!r} looks separated by {other!r}; expected {separator!r} "
                "for a file of this name. Save it so."
            )
    return _check_columns(table, wanted, path)


def read_parquet(path: Path, wanted=()) -> pd.DataFrame:
    """Read a table in Parquet that must have some columns.

    Parameters
    ----------
    path : Path
        The file.
    wanted : sequence of str, default=()
        Columns that must be there.

    Returns
    -------
    table : DataFrame
        With all columns of the file.

    Raises
    ------
    ValueError
        If it is not in Parquet or cut off, or a column is missing.
    """
    with _naming(path, "a table in Parquet"):
        table = pd.read_parquet(path)
    return _check_columns(table, wanted, path)


def _check_columns(table, wanted, path):
    missing = [column for column in wanted if column not in table]
    if missing:
        raise ValueError(
            f"{str(path)!r} has no column {', '.join(missing)}; it has "
            f"{', '.join(map(str, table))}. Check that it is the right file."
        )
    return table


def read_coordinates(table, source: str) -> np.ndarray:
    """Take x, y, z of a table of peaks.

    Parameters
    ----------
    table : DataFrame
        One row per peak.
    source : str
        What the error message calls it.

    Returns
    -------
    xyz : ndarray of shape (n_peaks, 3), float64
        In mm.

    Raises
    ------
    ValueError
        If a column is missing or a cell holds no number.
    """
    missing = [axis for axis in "xyz" if axis not in table]
    if missing:
        raise ValueError(
            f"{source} has no column {', '.join(missing)}; it has "
            f"{', '.join(table)}. Expected x, y, z in mm."
        )
    xyz = table[["x", "y", "z"]].apply(pd.to_numeric, errors="coerce")
    wrong = table.index[xyz.isna().any(axis=1)]
    if len(wrong):
        shown = ", ".join(map(str, table.loc[wrong[0], ["x", "y", "z"]]))
        raise ValueError(
            f"In {source} {len(wrong)} of {len(table)} peaks hold no number, the first "
            f"in row {wrong[0]}: {shown}. Expected x, y, z in mm. Drop or correct "
            "these rows."
        )
    return xyz.to_numpy(dtype=np.float64)


def read_matrix(path: Path) -> sparse.csr_array:
    """Read a sparse matrix that SciPy saved as npz.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    matrix : csr_array
        As it was saved.

    Raises
    ------
    OSError
        If the file is cut off or damaged.
    ValueError
        If it holds no sparse matrix.
    """
    # Opened here, since a damaged file would be left open there.
    with (
        _naming(path, "a sparse matrix of scipy.sparse.save_npz"),
        path.open("rb") as stream,
    ):
        return sparse.csr_array(sparse.load_npz(stream))


def read_json(path: Path):
    """Read a file in JSON.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    content : object
        What it holds.

    Raises
    ------
    ValueError
        If it is no JSON, or cut off.
    """
    with _naming(path, "JSON in UTF-8"):
        return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def _naming(path, expected):
    """Name the file in the errors of a reader."""
    try:
        yield
    except _DAMAGED as error:
        raise OSError(
            f"{str(path)!r} cannot be read ({_say(error)}): it is cut off or damaged. "
            "Fetch or copy it anew."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{str(path)!r} is not {expected} ({_say(error)}). Save it as UTF-8."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} is not {expected}, or is cut off ({_say(error)}). Fetch or "
            "copy it anew."
        ) from error


def _say(error) -> str:
    return str(error).strip() or type(error).__name__
