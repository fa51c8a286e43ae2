"""Any two tables: studies and peaks."""

import warnings
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from ._bunch import STUDY_COLUMNS, SkippedPeaksWarning, make_bunch, say_spaces
from ._files import read_columns, read_coordinates
from ._ids import join_rows, name_studies, read_numbers, write_ids

_ID_COLUMNS = ("study_id", "pmid", "pmcid", "id")
_SPACE_COLUMNS = ("coordinate_space", "space")


def load_table(studies, peaks, *, space=None):
    """Read a corpus from any two tables, one of studies and one of peaks.

    Parameters
    ----------
    studies : DataFrame, dict, or path-like
        One row per study, as a table or a CSV file (TSV by its ending; compressed
        files too). One of the columns ``study_id``, ``pmid``, ``pmcid`` or ``id`` names
        the study; ``title``, ``keywords``, ``abstract``, ``body``, ``year``,
        ``journal`` and ``coordinate_space`` (or ``space``) are used where they exist.
    peaks : DataFrame, dict, or path-like
        One row per peak, with the same id column and ``x``, ``y``, ``z`` in mm;
        a column ``space`` (or ``coordinate_space``) holds the space of each peak.
    space : {"MNI", "TAL"} or None, default=None
        Space of the peaks whose own row states none, whatever the studies say: with
        ``"MNI"``, peaks that a loader of this package gave are not converted again.
        None takes what the table of studies says. Blank cells state nothing.

    Returns
    -------
    corpus : Bunch
        ``studies``, ``peaks``, ``groups``, ``space_counts``, ``description`` as every
        loader gives them. Studies without peaks keep an empty array; peaks of studies
        that are not in the table are left out, and counted in ``description``.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    OSError
        If a file is cut off or damaged.
    ValueError
        If a column is missing, a study has no id or two rows, ids are of the wrong
        kind or never match, or a coordinate is no number.

    Warns
    -----
    SkippedPeaksWarning
        If peaks are of studies that are not in the table; how many, once.
    CoordinateSpaceWarning
        If peaks are not all in MNI space.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_table
    >>> corpus = load_table(
    ...     {"pmid": [11, 12], "title": ["pain", "words"]},
    ...     {"pmid": [11, 11, 12], "x": [0, 40, -44], "y": [0, 0, 30], "z": [8, 4, 2]},
    ...     space="MNI",
    ... )
    >>> [len(of_study) for of_study in corpus.peaks]
    [2, 1]
    """
    studies, peaks = _read(studies, "studies"), _read(peaks, "peaks")
    if space not in (None, "MNI", "TAL"):
        raise ValueError(f"space={space!r} is unknown; expected 'MNI', 'TAL' or None.")
    kind = _id_column(studies, peaks)
    table = _study_table(studies, kind)
    ids = peaks[kind]
    if kind in ("pmid", "pmcid"):
        ids = read_numbers(ids, kind)
    rows = join_rows(table, kind, ids, "peaks")
    known = rows >= 0
    xyz = read_coordinates(peaks, "the table of peaks")
    spaces = _spaces(table, peaks, rows, space)
    description = f"{len(table):,} studies of a table."
    left_out = "" if known.all() else _describe_left_out(ids[~known], kind)
    corpus = make_bunch(
        table,
        rows[known],
        xyz[known],
        spaces[known],
        description=f"{description} {left_out}".strip(),
    )
    if left_out:
        warnings.warn(left_out, SkippedPeaksWarning, stacklevel=2)
    return say_spaces(corpus)


def _describe_left_out(ids, kind) -> str:
    """Say how many peaks have no study in the table, and whose they are."""
    words = write_ids(ids, kind).replace("", pd.NA)
    studies, n_nameless = words.dropna().drop_duplicates(), int(words.isna().sum())
    shown = "no id" if studies.empty else studies.iloc[0]
    if len(studies) > 1:
        n = len(studies) - 1
        shown += f" and {n:,} {'other' if n == 1 else 'others'}"
    if n_nameless and len(studies):
        shown += f"; {n_nameless:,} without an id"
    return (
        f"Left out {len(ids):,} {'peak' if len(ids) == 1 else 'peaks'} whose study "
        f"({shown}) is not in the table of studies."
    )


def _read(table, name) -> pd.DataFrame:
    if isinstance(table, str | PathLike):
        path = Path(table).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"The table of {name}, {str(path)!r}, is no file.")
        header = read_columns(path, nrows=0)
        # Read as text, 007 stays 007.
        ids = {c: str for c in header if c.strip().lower() in _ID_COLUMNS}
        table = read_columns(path, dtype=ids)
    table = pd.DataFrame(table).rename(columns=lambda name: str(name).strip().lower())
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise ValueError(
            f"The table of {name} has several columns {repeated[0]!r} (capitals do not "
            "count); expected one. Drop or rename the others."
        )
    if not len(table):
        raise ValueError(f"The table of {name} has no row; expected at least one.")
    return table.reset_index(drop=True)


def _id_column(studies, peaks) -> str:
    for column in _ID_COLUMNS:
        if column in studies and column in peaks:
            return column
    raise ValueError(
        f"The table of studies has the columns {', '.join(studies)} and that of peaks "
        f"{', '.join(peaks)}; expected one of {', '.join(_ID_COLUMNS)} in both. Rename "
        "the column that names the study."
    )


def _study_table(studies, kind) -> pd.DataFrame:
    table = studies.copy()
    if "publication_year" in table and "year" not in table:
        table = table.rename(columns={"publication_year": "year"})
    for column in ("pmid", "pmcid"):
        if column in table:
            table[column] = read_numbers(table[column], column)
    table["study_id"] = name_studies(table[kind], kind)
    if "space" in table and "coordinate_space" not in table:
        table = table.rename(columns={"space": "coordinate_space"})
    kept = [column for column in (*STUDY_COLUMNS, "id", "doi") if column in table]
    return table[kept]


def _spaces(table, peaks, rows, space) -> np.ndarray:
    """Take the space of each peak from its own row, the argument, or its study's."""
    stated = [peaks[column] for column in _SPACE_COLUMNS if column in peaks]
    if space is not None:
        stated.append(pd.Series(space, index=peaks.index))
    if "coordinate_space" in table:
        of_study = table["coordinate_space"].to_numpy(dtype=object)[rows]
        stated.append(pd.Series(of_study, index=peaks.index))
    spaces = pd.Series(None, index=peaks.index, dtype=object)
    for column in reversed(stated):
        known = column.astype("string").str.strip().fillna("") != ""
        spaces = column.astype(object).where(known, spaces)
    return spaces.to_numpy(dtype=object)
