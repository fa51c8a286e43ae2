"""Join studies and peaks by id, and name an id of the wrong kind."""

import numpy as np
import pandas as pd

_KINDS = {"pmid": "PMIDs", "pmcid": "PMCIDs", "study_id": "study ids", "doi": "DOIs"}


def read_numbers(ids, kind: str) -> pd.Series:
    """Read PMIDs, PMCIDs (with or without the prefix ``PMC``) or years.

    Parameters
    ----------
    ids : Series
        Numbers or strings.
    kind : {"pmid", "pmcid", "year"}
        What they should be.

    Returns
    -------
    numbers : Series of Int64
        Missing where none is given.

    Raises
    ------
    ValueError
        If an id is of the other kind, or no whole number.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_neurocontext.datasets._ids import read_numbers
    >>> read_numbers(pd.Series(["PMC123", "45"]), "pmcid").tolist()
    [123, 45]
    """
    ids = pd.Series(ids).reset_index(drop=True)
    words = ids
    if not pd.api.types.is_numeric_dtype(ids):
        words = ids.astype("string").str.strip().replace("", pd.NA)
        prefixed = words.str.upper().str.startswith("PMC").fillna(False)
        if kind == "pmid" and prefixed.any():
            raise ValueError(
                f"The column pmid holds {int(prefixed.sum())} PMCIDs, "
                f"{words[prefixed].iloc[0]!r} among them; expected PMIDs. Name the "
                "column pmcid."
            )
        if kind == "pmcid":
            words = words.str.replace(r"(?i)^PMC", "", regex=True)
    numbers = pd.to_numeric(words, errors="coerce").astype("Float64")
    whole = numbers.notna() & np.isfinite(numbers) & (numbers % 1 == 0)
    wrong = ids[(~whole).fillna(True) & words.notna()]
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} cells of the column {kind} are no whole numbers, "
            f"{_plain(wrong.iloc[0])!r} among them; expected "
            f"{_KINDS.get(kind, 'years')}. Leave cells empty where none is known."
        )
    return numbers.astype("Int64")


def join_rows(studies, kind: str, ids, source: str) -> np.ndarray:
    """Find the row of the study that each peak belongs to.

    Parameters
    ----------
    studies : DataFrame
        One row per study.
    kind : str
        The column of `studies` that the peaks' ids should match.
    ids : array-like of shape (n_peaks,)
        The study of each peak.
    source : str
        What the error message calls the table of peaks.

    Returns
    -------
    rows : ndarray of shape (n_peaks,), int64
        Rows of `studies`, -1 for peaks of studies that are not there.

    Raises
    ------
    ValueError
        If there is no study or no id, or no id matches. Where more ids match another
        column than match this one, by chance then, that column is named.
    """
    if not len(studies):
        raise ValueError(
            f"There is no study for {source} to belong to. Check that the table of "
            "studies is whole."
        )
    if not len(ids):
        raise ValueError(f"{source} has no row; expected at least one.")
    codes, values = pd.factorize(np.asarray(ids), use_na_sentinel=False)
    rows = _match(studies[kind], values, kind)
    found = int((rows >= 0).sum())
    if found < len(values) / 2:
        _check_other_columns(studies, kind, values, found, source)
    if not found:
        raise ValueError(
            f"None of the {len(values):,} ids of {source} is among the "
            f"{len(studies):,} studies: they begin with {_plain(values[0])!r}, the "
            f"studies' {kind} with {_plain(studies[kind].iloc[0])!r}. Check that both "
            "tables are of one corpus and use the same kind of id."
        )
    return rows[codes]


def _check_other_columns(studies, kind, values, found, source):
    """Name the column that the ids belong to, where it is another one."""
    for other, name in _KINDS.items():
        if other == kind or other not in studies:
            continue
        here = int((_match(studies[other], values, other) >= 0).sum())
        if here > found:
            raise ValueError(
                f"The ids of {source} look like {name}: {here:,} of {len(values):,} "
                f"are in the column {other} of the studies and {found or 'none'} in "
                f"{kind}, where {_KINDS.get(kind, kind)} were expected. Name the "
                f"column {other} in both tables."
            )


def _plain(value):
    """Write a NumPy number as Python does, for an error message."""
    return value.item() if isinstance(value, np.generic) else value


def _match(column, ids, kind) -> np.ndarray:
    """Position of each id in a column, -1 where it is missing."""
    known = pd.Index(write_ids(column, kind).to_numpy(object, na_value=None))
    first = ~known.duplicated() & ~known.isna()
    positions = np.flatnonzero(first)
    words = write_ids(ids, kind).to_numpy(object, na_value=None)
    found = known[first].get_indexer(pd.Index(words))
    if not len(positions):
        return np.full(len(found), -1)
    return np.where(found >= 0, positions[found], -1)


def write_ids(ids, kind: str) -> pd.Series:
    """Write ids as words.

    Parameters
    ----------
    ids : array-like of shape (n,)
        Numbers or strings. A whole float, as pandas makes one where a cell of the
        column is empty, is the integer.
    kind : str
        What they are. ``"12.0"`` is 12, and ``"PMC12"`` too, only where PMIDs or PMCIDs
        are meant; other ids are words, so ``"1"`` and ``"1.0"`` are two.

    Returns
    -------
    words : Series of string
        Missing where none is given.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets._ids import write_ids
    >>> write_ids([12.0, None], "study_id").tolist()
    ['12', <NA>]
    >>> write_ids(["1", "1.0", "PMC12"], "id").tolist()
    ['1', '1.0', 'PMC12']
    """
    ids = pd.Series(ids).reset_index(drop=True)
    if ids.dtype == object or pd.api.types.is_float_dtype(ids):
        ids = pd.Series([_whole(value) for value in ids], dtype=object)
    words = ids.astype("string").str.strip()
    if kind in ("pmid", "pmcid"):
        words = words.str.removesuffix(".0")
    if kind == "pmcid":
        words = words.str.replace(r"(?i)^PMC(?=\d)", "", regex=True)
    return words


def name_studies(ids, kind: str) -> pd.Series:
    """Write the ids of studies, of which each must have one.

    Parameters
    ----------
    ids : array-like of shape (n_studies,)
        Numbers or strings.
    kind : str
        What they are, as for `write_ids`.

    Returns
    -------
    words : Series of string
        As `write_ids` gives them.

    Raises
    ------
    ValueError
        If an id is missing or blank.
    """
    words = write_ids(ids, kind)
    nameless = words.index[words.isna() | (words == "")]
    if len(nameless):
        raise ValueError(
            f"{len(nameless)} studies have no {kind}, the first in row {nameless[0]}. "
            "Expected one id per study. Fill in the ids, or drop these rows."
        )
    return words


def _whole(value):
    is_float = isinstance(value, float | np.floating)
    return int(value) if is_float and float(value).is_integer() else value
