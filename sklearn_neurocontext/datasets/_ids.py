"""Read and format ids of studies, join tables by ids, and group duplicate studies."""

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .._utils.validation import normalize_text, read_numbers

_KINDS = {"pmid": "PMIDs", "pmcid": "PMCIDs", "study_id": "study ids", "doi": "DOIs"}

# Columns that identify an article, in order of precedence.
ARTICLE_IDS = ("pmid", "pmcid", "doi")


def read_integers(values, column: str) -> pd.Series:
    """Convert PMIDs, PMCIDs or years to Int64; drop the prefix PMC of PMCIDs."""
    values = pd.Series(values).reset_index(drop=True)
    words = values
    if not pd.api.types.is_numeric_dtype(values):
        words = _drop_prefix(values.astype("string"), column).replace("", pd.NA)
        prefixed = words.str.upper().str.startswith("PMC").fillna(False)
        if column == "pmid" and prefixed.any():
            raise ValueError(
                f"The column pmid holds {int(prefixed.sum())} PMCIDs, for example "
                f"{words[prefixed].iloc[0]!r}; expected PMIDs. Name the column pmcid."
            )
        if column == "pmcid":
            words = words.str.replace(r"(?i)^PMC", "", regex=True)
    numbers = read_numbers(words)
    whole = np.isfinite(numbers) & (numbers == np.round(numbers))
    wrong = values[~whole & words.notna()]
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} cells of the column {column} are not integers, for example "
            f"{_plain(wrong.iloc[0])!r}; expected {_KINDS.get(column, 'years')}. Leave "
            "unknown cells empty."
        )
    # Some exports write 0 or -1 in place of an unknown PMID or PMCID.
    if column in ("pmid", "pmcid"):
        numbers = np.where(numbers > 0, numbers, np.nan)
    return pd.Series(numbers).astype("Int64")


def _drop_prefix(words, kind) -> pd.Series:
    """Strip white space from ids; reduce PMIDs and PMCIDs to the id itself.

    A web address or "PMID:" before the id is removed, as is the version of a PMCID.
    """
    words = words.str.strip()
    if kind not in ("pmid", "pmcid"):
        return words
    # The id may follow "PMID: ", or be at the end of a web address. A PMCID may end
    # with a version, such as ".1".
    words = words.str.replace(
        rf"(?i)^(?:https?://\S*/|{kind}\s*:?\s*)(?=(?:PMC)?\d+/?$)", "", regex=True
    ).str.removesuffix("/")
    return words.str.replace(r"(?i)^(PMC\d+)\.\d+$", r"\1", regex=True)


def read_dois(values) -> pd.Series:
    """Return DOIs in lowercase, without "https://doi.org/" or "doi:"; "" if unknown."""
    words = pd.Series(values).reset_index(drop=True).astype("string").fillna("")
    words = words.map(normalize_text).str.replace("%2f", "/", case=False, regex=False)
    dois = words.str.extract(r"(10\.\d{4,}(?:\.\d+)*/[^\s?#]+)", expand=False)
    dois = dois.str.lower().str.rstrip(".,;/>]}\"'”’").fillna("").astype(str)
    # A closing parenthesis may belong to the DOI, or to the text around it.
    is_open = dois.str.count(r"\(") >= dois.str.count(r"\)")
    return dois.where(is_open, dois.str.rstrip("),.;"))


def write_ids(ids, kind: str) -> pd.Series:
    """Return ids as strings; unknown ids are NA."""
    # If a cell of a column is empty, pandas reads the integers of this column as
    # floats. Therefore, floats that are whole numbers are formatted as integers.
    # Strings are not changed, because "1" and "1.0" may be different ids. There are
    # three exceptions: PMIDs and PMCIDs lose the suffix ".0", PMCIDs lose the prefix
    # PMC, and DOIs are converted by `read_dois`.
    ids = pd.Series(ids).reset_index(drop=True)
    if ids.dtype == object or pd.api.types.is_float_dtype(ids):
        ids = pd.Series([_plain_integer(value) for value in ids], dtype=object)
    words = _drop_prefix(ids.astype("string"), kind)
    if kind in ("pmid", "pmcid"):
        words = words.str.removesuffix(".0")
    if kind == "pmcid":
        words = words.str.replace(r"(?i)^PMC(?=\d)", "", regex=True)
    if kind == "doi":
        words = read_dois(words).replace("", pd.NA).astype("string")
    return words


def write_study_ids(ids, kind: str) -> pd.Series:
    """Return ids of studies as strings; raise ValueError if an id is missing."""
    words = write_ids(ids, kind)
    missing = words.index[words.isna() | (words == "")]
    if len(missing):
        raise ValueError(
            f"{len(missing)} of {len(words)} studies have no {kind}. The first of them "
            f"is in row {missing[0] + 1} of the table (counted from 1, without the "
            "header and blank rows). Fill in the ids, or drop these rows."
        )
    return words


def join_rows(studies, kind: str, ids, source: str) -> np.ndarray:
    """Return, for each id, the row of the study with this id, or -1 if there is none.

    `kind` is the column of `studies` that contains the ids of studies. `source` is the
    name of the table that contains `ids`; it is used in error messages. The returned
    array has shape (n_ids,).
    """
    if not len(studies):
        raise ValueError(
            f"The table of studies has no row, so {source} cannot be joined to it. "
            "Check that the table of studies is complete."
        )
    if not len(ids):
        raise ValueError(f"{source} has no row; expected at least one.")
    codes, values = pd.factorize(np.asarray(ids), use_na_sentinel=False)
    rows = _match(studies[kind], values, kind)
    n_found = int((rows >= 0).sum())
    if n_found < len(values) / 2:
        _check_other_columns(studies, kind, values, n_found, source)
    if not n_found:
        raise ValueError(
            f"None of the {len(values):,} ids of {source} matches the {kind} of any of "
            f"the {len(studies):,} studies. The first id is {_plain(values[0])!r}; the "
            f"first {kind} is {_plain(studies[kind].iloc[0])!r}. Check that both "
            "tables belong to the same corpus and contain the same kind of id."
        )
    return rows[codes]


def _check_other_columns(studies, kind, values, n_found, source):
    """Raise ValueError if another id column contains more of the ids than `kind`."""
    # Counts are compared, because a few ids of another kind may match by coincidence.
    for other, name in _KINDS.items():
        if other == kind or other not in studies:
            continue
        n_other = int((_match(studies[other], values, other) >= 0).sum())
        if n_other > n_found:
            raise ValueError(
                f"The ids of {source} look like {name}. Of {len(values):,} ids, "
                f"{n_other:,} are in the column {other} of the studies, and "
                f"{n_found:,} are in {kind}. Expected {_KINDS.get(kind, kind)}. "
                f"Name the column {other} in both tables."
            )


def _match(column, ids, kind) -> np.ndarray:
    """Return, for each id, the first row of `column` that contains it, or -1."""
    known = pd.Index(write_ids(column, kind).to_numpy(object, na_value=None))
    first = ~known.duplicated() & ~known.isna()
    positions = np.flatnonzero(first)
    words = write_ids(ids, kind).to_numpy(object, na_value=None)
    found = known[first].get_indexer(pd.Index(words))
    if not len(positions):
        return np.full(len(found), -1)
    return np.where(found >= 0, positions[found], -1)


def _plain(value):
    """Convert NumPy scalars to Python objects, for error messages."""
    return value.item() if isinstance(value, np.generic) else value


def _plain_integer(value):
    """Convert a float that is a whole number to int; return other values unchanged."""
    is_float = isinstance(value, float | np.floating)
    return int(value) if is_float and float(value).is_integer() else value


def group_articles(studies) -> pd.Series:
    """Return, for each row, the study id of the first row of the same article."""
    # Two rows belong to the same article if they have the same PMID, PMCID or DOI, or
    # if they have the same title and the same abstract. The comparison of texts ignores
    # case, punctuation and the words "Reprint of" at the beginning of a text.
    studies = studies.reset_index(drop=True)
    titles, abstracts = _letters(studies["title"]), _letters(studies["abstract"])
    texts = (titles + "\n" + abstracts).where((titles != "") & (abstracts != ""))
    rows = pd.Series(np.arange(len(studies)))
    ids = [write_ids(studies[kind], kind) for kind in ARTICLE_IDS if kind in studies]
    links = [rows.groupby(key).transform("first") for key in (*ids, texts)]
    # Link each row to the first row with the same id, and to the first row with the
    # same text. If the id or the text of a row is missing, link the row to itself.
    first = pd.concat([link.fillna(rows) for link in links]).to_numpy(dtype=int)
    edges = (np.ones(len(first)), (np.tile(rows, len(links)), first))
    graph = sparse.coo_array(edges, shape=(len(rows), len(rows)))
    _, articles = connected_components(graph, directed=False)
    return studies["study_id"].groupby(articles).transform("first")


def _letters(texts) -> pd.Series:
    """Convert texts to lowercase; drop "Reprint of", spaces and punctuation."""
    texts = texts.astype("string").fillna("").map(normalize_text).str.lower()
    texts = texts.str.replace(r"^\W*reprint of\b", "", regex=True)
    return texts.str.replace(r"[\W_]+", "", regex=True)
