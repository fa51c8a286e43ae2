"""Corpora of the retrieval tables: texts or counts, coefficients, splits."""

import json
import lzma
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_neurocontext import TermCounts
from sklearn_neurocontext.datasets import load_corpus, study_texts, usable_rows
from sklearn_neurocontext.experiments import make_masker
from sklearn_neurocontext.model_selection import (
    duplicate_groups,
    paper_splits,
    remove_leakage,
)

# Fields of NeuroQuery's studies whose counts are added, and their weights.
COUNTED = {
    "counts": {"title": 2, "keywords": 2, "abstract": 1},
    "abstract-counts": {"abstract": 1},
}
# Texts by PMID that are read from files, since the public corpora lack them.
FILES = ("abstracts", "bodies")
CORPORA = ("titles", *COUNTED, *FILES)


@dataclass(eq=False)
class Task:
    """Usable studies of a corpus, and splits without leakage.

    Attributes
    ----------
    name : str
        One of `CORPORA`.
    corpus : Bunch
        All studies.
    rows : ndarray of shape (n_studies,), int
        Rows of the usable studies in the corpus.
    X : list of str, or csr_matrix of shape (n_studies, n_terms)
        Input of `best_text_brain`: texts or counts.
    texts : list of str or None
        Texts; None if there are counts only.
    y : ndarray of shape (n_studies, n_components)
        Coefficients.
    splits : list of (train, test)
        Rows of X and y.
    trial : list of one (train, test)
        Split whose candidates are the development studies, which no test set has.
    groups : ndarray of shape (n_studies,), int
        Group of duplicate studies of each row.
    metadata : dict
        Settings that are saved with the scores.
    """

    name: str
    corpus: object
    rows: np.ndarray
    X: object
    texts: list | None
    y: np.ndarray
    splits: list
    trial: list
    groups: np.ndarray
    metadata: dict = field(default_factory=dict)

    @property
    def text_field(self) -> str:
        """The `text_field` of `best_text_brain`."""
        fields = {"titles": "title", "bodies": "body"}
        return fields.get(self.name, "abstract")


def load_task(name, file=None, n_components=512) -> Task:
    """Load a corpus and its splits.

    Parameters
    ----------
    name : str
        One of `CORPORA`.
    file : Path or None, default=None
        Abstracts (TSV with columns id and abstract) or bodies (lines of JSON with id
        and text); id is the PMID.
    n_components : int, default=512
        Number of maps of the geometric atlas.
    """
    corpus = load_corpus("neuroquery" if name in COUNTED else "neuroquery+neurosynth")
    y = make_masker("geometric", n_components).fit_transform(corpus.peaks)
    texts = None
    if name in COUNTED:
        fields = COUNTED[name].items()
        X = sum(w * corpus.term_counts[one] for one, w in fields).tocsr()
        rows = np.flatnonzero((X.sum(axis=1) > 0) & (y != 0).any(axis=1))
        X = sparse.csr_matrix(X[rows], dtype=np.float32)
    else:
        texts = _texts(name, corpus, file)
        rows = usable_rows(texts, y)
        X = texts = [texts[row] for row in rows]
    if name == "bodies":
        # Counts of one body do not depend on other bodies, so they are computed once.
        # Frequent words are selected in each split.
        X = TermCounts(min_df=1).fit_transform(texts)
    splits = paper_splits(len(rows), n_development=300 if name == "bodies" else 600)
    groups = duplicate_groups(
        corpus.studies["title"].iloc[rows].tolist(),
        [corpus.peaks[row] for row in rows],
        corpus.groups[rows],
    )
    n_duplicates = len(rows) - len(np.unique(groups))
    print(f"{name}: {splits}, {n_duplicates} duplicate studies", flush=True)
    others = np.setdiff1d(np.arange(len(rows)), splits.development)
    return Task(
        name=name,
        corpus=corpus,
        rows=rows,
        X=X,
        texts=texts,
        y=y[rows],
        splits=remove_leakage(splits, groups),
        trial=remove_leakage([(others, splits.development)], groups),
        groups=groups,
        metadata={
            "corpus": name,
            "n_studies": len(rows),
            "n_duplicates": n_duplicates,
            "n_components": n_components,
            "splits": repr(splits),
        },
    )


def _texts(name, corpus, file) -> list:
    if name == "titles":
        return study_texts(corpus, "title")
    if file is None:
        raise ValueError(f"{name} are read from a file; set --file.")
    if name == "abstracts":
        table = pd.read_csv(file, sep="\t")
        texts = dict(zip(table["id"], table["abstract"], strict=True))
    else:
        opener = lzma.open if Path(file).suffix == ".xz" else open
        with opener(file, "rt", encoding="utf-8") as lines:
            texts = {study["id"]: study["text"] for study in map(json.loads, lines)}
    return [texts.get(pmid, "") for pmid in corpus.studies["pmid"]]
