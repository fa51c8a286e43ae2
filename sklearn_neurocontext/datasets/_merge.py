"""Union of corpora by PMID."""

from collections import defaultdict

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import Bunch

from .._utils.coordinate_spaces import talairach_to_mni
from ._bunch import (
    TEXT_COLUMNS,
    count_spaces,
    describe_empty,
    describe_spaces,
    say_spaces,
)

_FILLED = (*TEXT_COLUMNS, "pmcid", "year")
# MIXED is not among them: it does not say which peak is of which space.
_FILLING = ("MNI", "TAL", "OTHER")


def merge_corpora(first, *others):
    """Unite corpora: one row per PMID, the first corpus that has a study wins.

    Peaks, and every cell that is known there, come from the first corpus; cells that
    are empty are filled from later ones. Where the first corpus does not know the space
    of a study's peaks and another one states it, it is filled in before converting, so
    Talairach peaks that NeuroQuery left as they are become MNI, once.

    Parameters
    ----------
    first : Bunch
        What a loader of this package gave.
    *others : Bunch
        Further corpora.

    Returns
    -------
    corpus : Bunch
        As every loader gives it. With ``term_counts`` and ``vocabulary`` where exactly
        one corpus has them; studies of the others have rows of zeros.

    Raises
    ------
    ValueError
        If a corpus repeats a PMID, if PMIDs of one are PMCIDs of another, or if
        studies without PMID share a study id.

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
    sources = _rows_by_study(corpora)
    tables = [corpus.studies.to_dict("records") for corpus in corpora]
    rows, peaks, groups, peak_spaces = [], [], [], []
    for of_study in sources.values():
        row = _fill_row(tables, of_study)
        xyz, spaces, row["coordinate_space"] = _choose_peaks(corpora, tables, of_study)
        rows.append(row)
        peaks.append(xyz)
        groups.append(corpora[of_study[0][0]].groups[of_study[0][1]])
        peak_spaces.append(spaces)
    studies = pd.DataFrame(rows, columns=first.studies.columns)
    studies = studies.astype(first.studies.dtypes.to_dict())
    counts = count_spaces(np.concatenate(peak_spaces))
    sizes = " and ".join(f"{len(corpus.studies):,}" for corpus in corpora)
    corpus = Bunch(
        studies=studies,
        peaks=peaks,
        peak_spaces=peak_spaces,
        groups=np.asarray(groups, dtype=str),
        space_counts=counts,
        description=f"Union by PMID of corpora of {sizes} studies: {len(studies):,}. "
        + describe_spaces(counts)
        + describe_empty(peaks),
        **_merge_counts(corpora, list(sources.values())),
        **_merge_files(corpora),
    )
    _check_unique(studies)
    return say_spaces(corpus)


def _rows_by_study(corpora) -> dict:
    """Group (corpus, row) pairs by PMID, or by corpus and row where there is none."""
    sources = defaultdict(list)
    for index, corpus in enumerate(corpora):
        for row, pmid in enumerate(corpus.studies["pmid"]):
            key = (index, row) if pd.isna(pmid) else int(pmid)
            sources[key].append((index, row))
    return sources


def _fill_row(tables, of_study) -> dict:
    index, row = of_study[0]
    filled = dict(tables[index][row])
    for other, other_row in of_study[1:]:
        for column in _FILLED:
            if pd.isna(filled[column]) or filled[column] == "":
                filled[column] = tables[other][other_row][column]
    return filled


def _choose_peaks(corpora, tables, of_study):
    """Take the first peaks that there are; convert them where only now known as TAL.

    Returns them with the space of each, and that of the study.
    """
    found = [pair for pair in of_study if len(corpora[pair[0]].peaks[pair[1]])]
    index, row = found[0] if found else of_study[0]
    xyz, spaces = corpora[index].peaks[row], corpora[index].peak_spaces[row]
    space = tables[index][row]["coordinate_space"]
    if space == "UNKNOWN":
        stated = [tables[index][row]["coordinate_space"] for index, row in of_study]
        space = next((other for other in stated if other in _FILLING), space)
        spaces = np.full(len(xyz), space)
        if space == "TAL":
            xyz = talairach_to_mni(xyz)
    return xyz.copy(), spaces.copy(), space


def _merge_counts(corpora, sources) -> dict:
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
    new, old = np.array(pairs).T
    pick = sparse.csr_array(
        (np.ones(len(pairs)), (new, old)), shape=(len(sources), len(owner.studies))
    )
    counts = {part: pick @ matrix for part, matrix in owner.term_counts.items()}
    return {"term_counts": counts, "vocabulary": owner.vocabulary}


def _merge_files(corpora) -> dict:
    """Say which files were verified, where the corpora say it."""
    files = {}
    for corpus in corpora:
        files.update(corpus.get("files", {}))
    return {"files": files} if files else {}


def _check_pmids(corpora):
    for corpus in corpora:
        pmids = corpus.studies["pmid"].dropna()
        if pmids.duplicated().any():
            raise ValueError(
                f"PMID {pmids[pmids.duplicated()].iloc[0]} has several rows in one "
                "corpus; expected one row per study. Load it with rows='study'."
            )
    for one in corpora:
        for other in corpora:
            _check_kinds(one.studies, other.studies)


def _check_kinds(one, other):
    """Recognise PMCIDs in the place of PMIDs: hardly a number is both by chance."""
    pmids = set(one["pmid"].dropna())
    pmcids = set(other["pmcid"].dropna())
    wrong = pmids & pmcids
    if len(wrong) > max(1, len(pmids) // 2) and not pmids & set(other["pmid"].dropna()):
        raise ValueError(
            f"{len(wrong):,} of the {len(pmids):,} PMIDs of one corpus are PMCIDs of "
            "another; expected PMIDs in the column pmid. Load it with its ids named "
            "pmcid."
        )


def _check_unique(studies):
    repeated = studies["study_id"][studies["study_id"].duplicated()]
    if len(repeated):
        raise ValueError(
            f"{len(repeated)} studies without a common PMID share a study id, "
            f"{repeated.iloc[0]!r} among them. Give the studies of one corpus other "
            "ids, or PMIDs, before merging."
        )
