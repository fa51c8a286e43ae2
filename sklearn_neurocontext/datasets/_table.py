"""Load a corpus from a table of studies and a table of peaks."""

import warnings
from os import PathLike

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import (
    check_space,
    find_sides,
    find_unclear_labels,
    normalize_spaces,
)
from .._utils.files import expand_path
from ._bunch import (
    STUDY_COLUMNS,
    SkippedPeaksWarning,
    count_words,
    describe_ignored,
    make_bunch,
    warn_about_spaces,
)
from ._files import (
    ID_COLUMNS,
    describe_reading,
    read_columns,
    read_coordinates,
    skip_blanks,
)
from ._ids import join_rows, read_integers, write_ids, write_study_ids

_SPACE_COLUMNS = ("coordinate_space", "space")


def load_table(studies, peaks, *, space=None):
    """Load a corpus from a table of studies and a table of peaks.

    Parameters
    ----------
    studies : DataFrame, dict, or path-like
        Table with one row per study, or the path of a CSV or TSV file with this table.
        The file may be compressed. Its columns may be separated by commas, semicolons
        or tabs, and its encoding may be UTF-8, UTF-16 with a byte order mark, or
        Windows-1252. A column ``study_id``, ``pmid``, ``pmcid``, ``doi`` or ``id`` must
        identify the study. The columns ``title``, ``keywords``,
        ``abstract``, ``body``, ``year``, ``journal`` and ``coordinate_space`` (or
        ``space``) are optional.
    peaks : DataFrame, dict, or path-like
        Table with one row per peak, or the path of a CSV or TSV file with this table.
        The table must have the same id column as `studies`, and the columns ``x``,
        ``y`` and ``z`` in mm. Coordinates may be stored as text, and may have a decimal
        comma. The column ``coordinate_space`` (or ``space``) is optional. If a column
        ``hemisphere`` or ``side`` contradicts the sign of ``x``, a warning is issued.
    space : {"MNI", "TAL"} or None, default=None
        Coordinate space of the peaks whose space is not stated in the table of peaks.
        If None, the space of these peaks is taken from the table of studies. If the
        peaks were saved from a corpus of this package, pass ``"MNI"``, because
        Talairach peaks have already been converted to MNI space.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`. Peaks of studies that
        are not in the table of studies are skipped, and the field ``description``
        contains the number of skipped peaks, blank rows and blank columns. Columns
        of `studies` that are not listed above are ignored. The additional field
        ``ignored_columns`` is a list of the names of these columns, and ``description``
        contains at most eight of the names.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    OSError
        If a file is truncated or damaged.
    ValueError
        If a column is missing, if a row has more cells than the header (unless the
        additional cells are blank, or form one column without a name), if a study has
        no id or several rows, if ids are of the wrong kind (for example, PMCIDs in the
        column ``pmid``), if the tables have no id in common, or if a coordinate is not
        a number.

    Warns
    -----
    SkippedPeaksWarning
        If peaks belong to studies that are not in the table of studies.
    CoordinateSpaceWarning
        If the label of a coordinate space is unclear.
    DoubtfulPeaksWarning
        If peaks are probably not in mm, or if the minus signs of ``x`` are probably
        missing.

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
    check_space(space, ("MNI", "TAL", None))
    tables = _read(studies, "studies"), _read(peaks, "peaks")
    studies, peaks = tables
    kind = _find_id_column(studies, peaks)
    studies, ignored = _study_table(studies, kind)
    ids = peaks[kind]
    if kind in ("pmid", "pmcid"):
        ids = read_integers(ids, kind)
    rows = join_rows(studies, kind, ids, "peaks")
    known = rows >= 0
    xyz = read_coordinates(peaks, "the table of peaks")
    spaces = _choose_spaces(studies, peaks, rows, space)
    description = count_words(len(studies), "study", "studies") + " from a table."
    description += describe_reading(*tables)
    description += describe_ignored(ignored)
    skipped = "" if known.all() else _describe_skipped(ids[~known], kind)
    corpus = make_bunch(
        studies,
        rows[known],
        xyz[known],
        spaces[known],
        description=f"{description} {skipped}".strip(),
        sides=find_sides(peaks[known]),
        ignored_columns=ignored,
    )
    if skipped:
        warnings.warn(skipped, SkippedPeaksWarning, stacklevel=2)
    return warn_about_spaces(corpus)


def _read(table, name) -> pd.DataFrame:
    """Return a table with lowercase column names; read it from a file if needed."""
    if isinstance(table, str | PathLike):
        path = expand_path(table)
        if not path.is_file():
            raise FileNotFoundError(
                f"The table of {name}, {str(path)!r}, does not exist."
            )
        header = read_columns(path, nrows=0)
        # Ids are read as strings, because pandas would read 007 as 7.
        ids = {c: str for c in header if c.strip().lower() in ID_COLUMNS}
        table = read_columns(path, dtype=ids)
    else:
        table = skip_blanks(pd.DataFrame(table), f"the table of {name}")
    table = table.rename(columns=lambda name: str(name).strip().lower())
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise ValueError(
            f"The table of {name} has several columns {repeated[0]!r} (ignoring case); "
            "expected one such column. Drop or rename the others."
        )
    if not len(table):
        raise ValueError(f"The table of {name} has no row; expected at least one.")
    return table.reset_index(drop=True)


def _find_id_column(studies, peaks) -> str:
    """Return the first id column that both tables have."""
    for column in ID_COLUMNS:
        if column in studies and column in peaks:
            return column
    raise ValueError(
        "Both tables must have the same id column, which must be one of "
        f"{', '.join(ID_COLUMNS)}; got {', '.join(studies)} for studies and "
        f"{', '.join(peaks)} for peaks. Rename the column that identifies the study."
    )


def _study_table(studies, kind):
    """Return the columns that a corpus uses, and the names of the other columns."""
    for column, synonym in (
        ("year", "publication_year"),
        ("coordinate_space", "space"),
    ):
        if synonym in studies and column not in studies:
            studies = studies.rename(columns={synonym: column})
    studies = studies.assign(
        **{c: read_integers(studies[c], c) for c in ("pmid", "pmcid") if c in studies}
    )
    studies["study_id"] = write_study_ids(studies[kind], kind)
    repeated = studies["study_id"][studies["study_id"].duplicated()]
    if len(repeated):
        raise ValueError(
            f"Several rows of the table of studies have the same {kind}, for example "
            f"{repeated.iloc[0]!r}. Expected one row per study. Merge or drop the "
            "repeated rows. If one table contains the studies and the peaks, pass "
            f"table.drop_duplicates({kind!r}) as the table of studies, and the whole "
            "table as the table of peaks."
        )
    kept = [column for column in (*STUDY_COLUMNS, "id") if column in studies]
    return studies[kept], [column for column in studies if column not in kept]


def _choose_spaces(studies, peaks, rows, space) -> np.ndarray:
    """Return the space of each peak, from the first source that states it."""
    # The sources are, in this order, the table of peaks, the parameter `space`, and the
    # table of studies.
    stated = [peaks[column] for column in _SPACE_COLUMNS if column in peaks]
    if space is not None:
        stated.append(pd.Series(space, index=peaks.index))
    if "coordinate_space" in studies:
        of_study = studies["coordinate_space"].to_numpy(dtype=object)[rows]
        stated.append(pd.Series(of_study, index=peaks.index))
    spaces = pd.Series(None, index=peaks.index, dtype=object)
    for column in reversed(stated):
        labels = column.to_numpy(dtype=object)
        # An unclear label is kept, although its space is UNKNOWN, because the corpus
        # lists the unclear labels.
        known = normalize_spaces(labels) != "UNKNOWN"
        known |= column.isin(find_unclear_labels(labels)).to_numpy()
        spaces = column.astype(object).where(known, spaces)
    return spaces.to_numpy(dtype=object)


def _describe_skipped(ids, kind) -> str:
    """Return a message with the number of skipped peaks and the id of one study."""
    words = write_ids(ids, kind).replace("", pd.NA)
    studies, n_without_id = words.dropna().drop_duplicates(), int(words.isna().sum())
    shown = "no id" if studies.empty else studies.iloc[0]
    if len(studies) > 1:
        n = len(studies) - 1
        shown += f" and {n:,} {'other' if n == 1 else 'others'}"
    if n_without_id and len(studies):
        shown += f"; {n_without_id:,} without an id"
    return (
        f"Skipped {count_words(len(ids), 'peak', 'peaks')} whose study "
        f"({shown}) is not in the table of studies."
    )
