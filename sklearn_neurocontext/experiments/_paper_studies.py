"""Studies, coefficients and splits for tables like those of the NeuroConText paper."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ..datasets import study_texts, usable_rows
from ..model_selection import (
    duplicate_groups,
    paper_splits,
    remove_leakage,
    shuffled_folds,
)
from ._estimators import make_masker

# With the text field "counts", a study is described by the counts of terms that
# NeuroQuery publishes. The counts in titles, keywords and abstracts are multiplied by
# the following weights and added.
COUNTS = "counts"
_COUNT_WEIGHTS = {"title": 2, "keywords": 2, "abstract": 1}
# Number of development studies for a text field; the default is 600. Settings are
# chosen on these studies, which are in no test set. Few studies have a body, so the
# number is smaller for bodies.
_N_DEVELOPMENT = {"body": 300}
_N_SPLITS = 15


@dataclass(eq=False)
class PaperStudies:
    """Hold texts, coefficients and splits of the studies of one text field.

    Parameters
    ----------
    text_field : str
        Text field of the studies: "title", "abstract", "body" or "counts".
    rows : ndarray of shape (n_studies,), int64
        Indices of the studies in the corpus.
    texts : list of str or None
        Texts of the studies, or None if `text_field` is "counts".
    counts : csr_matrix of shape (n_studies, n_terms), float32, or None
        Counts of terms if `text_field` is "counts" or "body", otherwise None. For
        bodies, they are computed from the texts.
    y : ndarray of shape (n_studies, n_components), float32
        Coefficients.
    peaks : list of ndarray of shape (n_peaks_i, 3), float64
        Peaks in mm.
    splits : list of (train, test)
        Indices of the training and test studies. Duplicates of test studies are removed
        from training sets.
    development : tuple of (train, test) or None
        A split for choosing settings. Its test studies are in no test set of `splits`.
        It is None if the corpus has too few studies.
    groups : ndarray of shape (n_studies,), int
        Number of the group of each study. Duplicates are in the same group.
    metadata : dict
        Settings that are stored with the scores.

    See Also
    --------
    prepare_paper_studies : Selects the studies of each text field.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import prepare_paper_studies
    >>> corpus = make_studies(n_studies=60, random_state=0)
    >>> options = {"n_components": 64, "n_splits": 2}
    >>> studies = prepare_paper_studies(corpus, ["title"], **options)["title"]
    >>> studies.y.shape, len(studies.splits)
    ((60, 64), 2)
    """

    text_field: str
    rows: np.ndarray
    texts: list | None
    counts: object
    y: np.ndarray
    peaks: list
    splits: list
    development: tuple | None
    groups: np.ndarray
    metadata: dict

    @property
    def model_input(self):
        """Input of `best_text_brain`: counts if there are any, else texts."""
        return self.texts if self.counts is None else self.counts

    def restrict(self, split, n_train):
        """Return the studies of one split; use only a random part of its training set.

        Parameters
        ----------
        split : tuple of (train, test)
            Indices of the training and test studies.
        n_train : int
            Maximum number of training studies.

        Returns
        -------
        studies : PaperStudies
            The studies, with a single split.
        """
        train, test = split
        chosen = np.concatenate([random_subset(train, n_train), test])
        n_kept = len(chosen) - len(test)
        return replace(
            self,
            rows=self.rows[chosen],
            texts=None if self.texts is None else [self.texts[row] for row in chosen],
            counts=None if self.counts is None else self.counts[chosen],
            y=self.y[chosen],
            peaks=[self.peaks[row] for row in chosen],
            splits=[(np.arange(n_kept), np.arange(n_kept, len(chosen)))],
            development=None,
            groups=self.groups[chosen],
            metadata=self.metadata | {"n_train": n_kept},
        )


def random_subset(rows, size) -> np.ndarray:
    """Return at most `size` random rows; larger sizes return the same rows and more."""
    order = np.random.default_rng(0).permutation(rows.max() + 1)
    return np.sort(order[np.isin(order, rows)][:size])


def prepare_paper_studies(
    corpus,
    text_fields,
    *,
    atlas="geometric",
    n_components=512,
    n_splits=15,
    n_candidates=1000,
    random_state=0,
    same_studies=False,
) -> dict:
    """Select studies of each text field and compute their coefficients and splits.

    Parameters
    ----------
    corpus : Bunch
        Corpus returned by a loader of `sklearn_neurocontext.datasets`.
    text_fields : sequence of str
        Text fields among "title", "abstract", "body" and "counts" (NeuroQuery's counts
        of terms). Coordinates are removed from bodies by
        `sklearn_neurocontext.text.strip_coordinates`.
    atlas : str or path-like, default="geometric"
        Atlas, see `make_masker`.
    n_components : int, default=512
        Number of components of the atlas.
    n_splits : int, default=15
        Number of splits.
    n_candidates : int, default=1000
        Number of test studies of each split. If the corpus has too few studies,
        the splits are folds of a shuffled cross-validation.
    random_state : int, default=0
        Seed of the splits.
    same_studies : bool, default=False
        Whether to use the same studies for all fields. If True, only studies with a
        text in each of the fields are used.

    Returns
    -------
    studies : dict of str to PaperStudies
        The studies of each field.

    Raises
    ------
    ValueError
        If the corpus has no text in a field.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import prepare_paper_studies
    >>> corpus = make_studies(n_studies=60, random_state=0)
    >>> options = {"n_components": 64, "n_splits": 2}
    >>> studies = prepare_paper_studies(corpus, ["title"], **options)
    >>> len(studies["title"].texts)
    60
    """
    if not len(text_fields):
        return {}
    y = np.asarray(make_masker(atlas, n_components).fit_transform(corpus.peaks))
    texts = {field: _read_texts(corpus, field) for field in text_fields}
    rows = {field: _usable(texts[field], y) for field in text_fields}
    if same_studies:
        common = sorted(set.intersection(*(set(of.tolist()) for of in rows.values())))
        if not common:
            raise ValueError(
                "No study has a text in each of the fields "
                f"{', '.join(text_fields)}. Choose fewer text fields."
            )
        rows = dict.fromkeys(rows, np.array(common, dtype=np.int64))
    smallest = "body" if same_studies and "body" in text_fields else None
    prepared = {}
    for field in text_fields:
        n_development = _N_DEVELOPMENT.get(smallest or field, 600)
        splits, groups, development = _split(
            corpus, rows[field], n_splits, n_candidates, n_development, random_state
        )
        metadata = {"text_field": field, "n_studies": len(rows[field])}
        metadata |= {"atlas": str(atlas), "n_components": n_components}
        metadata |= {"n_splits": n_splits, "n_candidates": len(splits[0][1])}
        metadata |= {"random_state": random_state}
        metadata["n_duplicates"] = len(rows[field]) - len(np.unique(groups))
        prepared[field] = PaperStudies(
            text_field=field,
            rows=rows[field],
            y=y[rows[field]],
            peaks=[corpus.peaks[row] for row in rows[field]],
            splits=splits,
            development=development,
            groups=groups,
            metadata=metadata,
            **_select(texts[field], field, rows[field]),
        )
    return prepared


def _read_texts(corpus, field):
    """Return a list of texts, or a sparse matrix of counts."""
    if field == COUNTS:
        if "term_counts" not in corpus:
            raise ValueError(
                "The text field 'counts' needs NeuroQuery's counts of terms. Use the "
                "corpus 'neuroquery'."
            )
        parts = [w * corpus.term_counts[name] for name, w in _COUNT_WEIGHTS.items()]
        return sparse.csr_matrix(sum(parts), dtype=np.float32)
    texts = study_texts(corpus, field)
    if field != "body":
        return texts
    from ..text import strip_coordinates

    # Otherwise, a model could read the peaks of a study from coordinates in its body.
    return [strip_coordinates(text) for text in texts]


def _usable(texts, y) -> np.ndarray:
    """Return the rows of studies with a text and a peak in the mask."""
    if sparse.issparse(texts):
        has_counts = np.asarray(texts.sum(axis=1)).ravel() > 0
        return np.flatnonzero(has_counts & (y != 0).any(axis=1))
    return usable_rows(texts, y)


def _select(texts, field, rows) -> dict:
    """Return the texts and the counts of some studies."""
    from ..text import TermCounts

    if sparse.issparse(texts):
        return {"texts": None, "counts": texts[rows]}
    texts = [texts[row] for row in rows]
    # The counts of a text do not depend on other texts, so they are computed only once.
    # Frequent words are selected later, in each split, on its training studies.
    in_body = field == "body"
    counts = TermCounts(min_df=1).fit_transform(texts) if in_body else None
    return {"texts": texts, "counts": counts}


def _split(corpus, rows, n_splits, n_candidates, n_development, random_state):
    """Return the splits, the groups of duplicates, and a split for development."""
    titles = corpus.studies["title"].iloc[rows].tolist()
    peaks = [corpus.peaks[row] for row in rows]
    groups = duplicate_groups(titles, peaks, corpus.groups[rows])
    if len(rows) <= n_candidates + n_development:
        # Duplicates are in the same fold.
        return shuffled_folds(groups, n_splits, random_state), groups, None
    # At least 15 splits are made, and the first `n_splits` of them are used. Therefore,
    # a split does not depend on `n_splits` if `n_splits` is at most 15.
    splits = paper_splits(
        len(rows),
        max(n_splits, _N_SPLITS),
        n_candidates,
        random_state,
        n_development=n_development,
    )
    others = np.setdiff1d(np.arange(len(rows)), splits.development)
    [development] = remove_leakage([(others, splits.development)], groups)
    return remove_leakage(splits[:n_splits], groups), groups, development
