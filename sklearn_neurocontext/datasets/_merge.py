"""Merge corpora by PMID, PMCID and DOI."""

import numpy as np
import pandas as pd
from scipy import sparse

from .._utils.coordinate_spaces import talairach_to_mni
from ._bunch import TEXT_COLUMNS, count_words, finish_bunch, warn_about_spaces
from ._ids import ARTICLE_IDS

_FILLED_COLUMNS = (*TEXT_COLUMNS, *ARTICLE_IDS, "year")
# Coordinate spaces that may be copied from another corpus. MIXED is excluded, because
# it does not determine the space of each peak.
_FILLING_SPACES = ("MNI", "TAL", "OTHER")


def merge_corpora(first, *others):
    """Merge corpora, with one row per article; earlier corpora take precedence.

    Two rows of different corpora belong to the same article if they have the same PMID.
    If the PMID of at least one of the rows is unknown, the PMCIDs and then the DOIs are
    compared in the same way. A PMCID or DOI is ignored if it would join rows with
    different PMIDs, rows with different PMCIDs, or two rows of one corpus.

    The peaks of a study are taken from the first corpus that contains peaks of this
    study. Every other field is taken from the first corpus in which it is not empty.
    Some corpora, such as NeuroQuery, do not state the coordinate space of the peaks. In
    this case, the space is taken from another corpus that contains the study, and
    Talairach peaks are converted to MNI space.

    Parameters
    ----------
    first : Bunch
        A corpus returned by a loader of this package.
    *others : Bunch
        Further corpora.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`. If exactly one corpus
        has the fields ``term_counts`` and ``vocabulary``, the result also has these
        fields. The term counts of studies that are not in this corpus are zero.

    Raises
    ------
    ValueError
        If two rows of a corpus have the same PMID, if the column ``pmid`` of a corpus
        contains PMCIDs, or if two rows of the merged corpus have the same study id.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_table, merge_corpora
    >>> peaks = {"pmid": [1], "x": [0], "y": [0], "z": [50]}
    >>> first = load_table({"pmid": [1], "title": ["pain"]}, peaks, space="MNI")
    >>> titles = {"pmid": [1, 2], "title": ["", "faces"]}
    >>> second = load_table(titles, peaks, space="MNI")
    >>> merge_corpora(first, second).studies["title"].tolist()
    ['pain', 'faces']
    """
    corpora = (first, *others)
    _check_pmids(corpora)
    sources = _find_articles(corpora)
    tables = [corpus.studies.to_dict("records") for corpus in corpora]
    rows, peaks, groups, peak_spaces = [], [], [], []
    for of_study in sources:
        row = _fill_row(tables, of_study)
        xyz, spaces, row["coordinate_space"] = _choose_peaks(corpora, tables, of_study)
        rows.append(row)
        peaks.append(xyz)
        groups.append(corpora[of_study[0][0]].groups[of_study[0][1]])
        peak_spaces.append(spaces)
    studies = pd.DataFrame(rows, columns=first.studies.columns)
    studies = studies.astype(first.studies.dtypes.to_dict())
    _check_study_ids(studies)
    unclear = [label for corpus in corpora for label in corpus.unclear_spaces]
    sizes = " and ".join(f"{len(corpus.studies):,}" for corpus in corpora)
    corpus = finish_bunch(
        studies,
        peaks,
        peak_spaces,
        groups,
        f"{count_words(len(studies), 'study', 'studies')}, merged by PMID, PMCID and "
        f"DOI from corpora of {sizes} studies.",
        unclear_spaces=list(dict.fromkeys(unclear)),
        **_merge_term_counts(corpora, sources),
        **_merge_files(corpora),
    )
    return warn_about_spaces(corpus)


def _find_articles(corpora) -> list:
    """Return, for each article, a list of its rows as pairs (corpus index, row)."""
    ids = pd.concat(
        [corpus.studies[[*ARTICLE_IDS]] for corpus in corpora],
        keys=range(len(corpora)),
        names=["corpus", "row"],
    ).reset_index()
    ids["doi"] = ids["doi"].replace("", pd.NA)
    # At first, each row of `ids` is an article. Then articles with a common id are
    # joined. The number of an article is the index of its first row.
    article_of = list(range(len(ids)))
    rows_of = {article: [article] for article in article_of}
    for kind in ARTICLE_IDS:
        for indices in ids.groupby(kind, sort=False).indices.values():
            first, *others = sorted({article_of[index] for index in indices})
            rows = sorted(row for one in (first, *others) for row in rows_of[one])
            if others and (kind == "pmid" or _is_one_article(ids.iloc[rows])):
                for article in others:
                    del rows_of[article]
                rows_of[first] = rows
                for row in rows:
                    article_of[row] = first
    pairs = list(zip(ids["corpus"], ids["row"], strict=True))
    return [[pairs[row] for row in rows] for rows in rows_of.values()]


def _is_one_article(ids) -> bool:
    """Return whether rows can describe the same article."""
    # They must be from different corpora, and must not have different PMIDs or PMCIDs.
    return ids["corpus"].is_unique and (ids[["pmid", "pmcid"]].nunique() <= 1).all()


def _fill_row(tables, of_study) -> dict:
    """Return the first row of a study; fill empty cells from the other rows."""
    # `of_study` is the list of pairs (corpus index, row) of the study.
    index, row = of_study[0]
    filled = dict(tables[index][row])
    for other, other_row in of_study[1:]:
        for column in _FILLED_COLUMNS:
            if pd.isna(filled[column]) or filled[column] == "":
                filled[column] = tables[other][other_row][column]
    return filled


def _choose_peaks(corpora, tables, of_study):
    """Return the peaks of a study, the space of each peak, and the study's space."""
    # The peaks are taken from the first row that has peaks. If this row does not state
    # a space, the space is taken from the first row that states a space.
    found = [pair for pair in of_study if len(corpora[pair[0]].peaks[pair[1]])]
    index, row = found[0] if found else of_study[0]
    xyz, spaces = corpora[index].peaks[row], corpora[index].peak_spaces[row]
    space = tables[index][row]["coordinate_space"]
    if space == "UNKNOWN":
        stated = [tables[index][row]["coordinate_space"] for index, row in of_study]
        space = next((other for other in stated if other in _FILLING_SPACES), space)
        spaces = np.full(len(xyz), space)
        if space == "TAL":
            xyz = talairach_to_mni(xyz)
    return xyz.copy(), spaces.copy(), space


def _merge_term_counts(corpora, sources) -> dict:
    """Return term counts and vocabulary if exactly one corpus has them, else {}."""
    owners = [index for index, corpus in enumerate(corpora) if "term_counts" in corpus]
    if len(owners) != 1:
        return {}
    owner = corpora[owners[0]]
    pairs = [
        (new, row)
        for new, of_study in enumerate(sources)
        for index, row in of_study
        if index == owners[0]
    ]
    # A product with the matrix `pick` reorders the rows of the term counts. Element
    # (new, old) of this matrix is one if row `old` of the corpus with term counts
    # belongs to row `new` of the merged corpus.
    new, old = np.array(pairs).T
    pick = sparse.csr_array(
        (np.ones(len(pairs)), (new, old)), shape=(len(sources), len(owner.studies))
    )
    counts = {field: pick @ matrix for field, matrix in owner.term_counts.items()}
    return {"term_counts": counts, "vocabulary": owner.vocabulary}


def _merge_files(corpora) -> dict:
    """Merge the fields ``files`` of all corpora that have this field."""
    files = {}
    for corpus in corpora:
        files.update(corpus.get("files", {}))
    return {"files": files} if files else {}


def _check_pmids(corpora):
    """Check that PMIDs are unique within each corpus, and that they are not PMCIDs."""
    for corpus in corpora:
        pmids = corpus.studies["pmid"].dropna()
        if pmids.duplicated().any():
            raise ValueError(
                f"PMID {pmids[pmids.duplicated()].iloc[0]} has several rows in one "
                "corpus; expected one row per study. If this corpus is a NiMARE "
                "studyset, load it with rows='study'."
            )
    for corpus in corpora:
        for other in corpora:
            _check_kinds(corpus.studies, other.studies)


def _check_kinds(studies, other):
    """Raise ValueError if most PMIDs of a corpus are PMCIDs of another corpus."""
    pmids = set(studies["pmid"].dropna())
    pmcids = set(other["pmcid"].dropna())
    wrong = pmids & pmcids
    if len(wrong) > max(1, len(pmids) // 2) and not pmids & set(other["pmid"].dropna()):
        raise ValueError(
            f"{len(wrong):,} of the {len(pmids):,} PMIDs of one corpus are PMCIDs of "
            "another; expected PMIDs in the column pmid. Rename the column to pmcid."
        )


def _check_study_ids(studies):
    """Check that study ids are unique."""
    repeated = studies["study_id"][studies["study_id"].duplicated()]
    if len(repeated):
        raise ValueError(
            f"{len(repeated)} study ids belong to several studies, for example "
            f"{repeated.iloc[0]!r}. Before merging, rename the study ids of one "
            "corpus, or add PMIDs."
        )
