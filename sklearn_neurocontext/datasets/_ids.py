"""Join studies and peaks by id, and name an id of the wrong kind."""

import numpy as np
import pandas as pd

_KINDS = {"pmid": "PMIDs", "pmcid": "PMCIDs", "study_id": "study ids", "doi": "DOIs"}


def read_numbers(ids, kind: str) -> pd.Series:
    """Read PMIDs or PMCIDs, with or without the prefix ``PMC``.

    Parameters
    ----------
    ids : Series
        Numbers or strings.
    kind : {"pmid", "pmcid"}
        What they should be.

    Returns
    -------
    numbers : Series of Int64
        Missing where none is given.

    Raises
    ------
    ValueError
        If an id is of the other kind, or no number.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_neurocontext.datasets._ids import read_numbers
    >>> read_numbers(pd.Series(["PMC123", "45"]), "pmcid").tolist()
    [123, 45]
    """
    ids = pd.Series(ids).reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(ids):
        return ids.astype("Int64")
    words = ids.astype("string").str.strip().str.removesuffix(".0").replace("", pd.NA)
    prefixed = words.str.upper().str.startswith("PMC").fillna(False)
    if kind == "pmid" and prefixed.any():
        raise ValueError(
            f"The column pmid holds {int(prefixed.sum())} PMCIDs, "
            f"{words[prefixed].iloc[0]!r} among them; expected PMIDs. Name the column "
            "pmcid."
        )
    numbers = pd.to_numeric(
        words.str.replace(r"(?i)^PMC", "", regex=True), errors="coerce"
    )
    wrong = words[numbers.isna() & words.notna()]
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} ids in the column {kind} are no numbers, {wrong.iloc[0]!r} "
            f"among them; expected {_KINDS[kind]}."
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
        If no id matches; where the ids match another column, it is named.
    """
    ids = pd.Series(ids)
    rows = _match(studies[kind], ids, kind)
    if not len(ids) or (rows >= 0).any():
        return rows
    for other, name in _KINDS.items():
        if other != kind and other in studies:
            found = int((_match(studies[other], ids, other) >= 0).sum())
            if found:
                raise ValueError(
                    f"The ids of {source} look like {name}: {found:,} of {len(ids):,} "
                    f"are in the column {other} of the studies and none in {kind}, "
                    f"where {_KINDS.get(kind, kind)} were expected. Name the column "
                    f"{other} in both tables."
                )
    raise ValueError(
        f"None of the {len(ids):,} ids of {source} is among the {len(studies):,} "
        f"studies: they begin with {ids.iloc[0]!r}, the studies' {kind} with "
        f"{studies[kind].iloc[0]!r}. Check that both tables are of one corpus and "
        "use the same kind of id."
    )


def _match(column, ids, kind) -> np.ndarray:
    """Position of each id in a column, -1 where it is missing."""
    known = pd.Index(_as_words(column, kind))
    first = ~known.duplicated()
    positions = np.flatnonzero(first)
    found = pd.Index(known[first]).get_indexer(pd.Index(_as_words(ids, kind)))
    return np.where(found >= 0, positions[found], -1)


def _as_words(ids, kind):
    """Ids as strings; 12.0 and 12 are the same, and PMC12 where PMCIDs are meant."""
    words = pd.Series(ids).reset_index(drop=True).astype("string").str.strip()
    words = words.str.replace(r"\.0$", "", regex=True)
    if kind == "pmcid":
        words = words.str.replace(r"(?i)^PMC(?=\d)", "", regex=True)
    # A missing id equals no other.
    missing = words.isna()
    return words.where(~missing, "missing " + words.index.astype(str)).to_numpy(object)
