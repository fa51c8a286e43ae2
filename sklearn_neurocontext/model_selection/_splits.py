"""Functions that split studies into training sets and test sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.model_selection import GroupKFold, KFold


@dataclass(frozen=True, eq=False)
class PaperSplits(Sequence):
    """Sequence of ``(train, test)`` index arrays, created by `paper_splits`.

    Parameters
    ----------
    n : int
        Number of studies.
    tests : tuple of ndarray of shape (n_candidates,), int64
        Sorted indices of the test studies of each split.
    development : ndarray of shape (n_development,), int64
        Sorted indices of studies that are in no test set. Use them to choose
        hyperparameters. They belong to the training set of every split.
    overlapping : bool
        True if test sets can share studies. This is the case if the corpus is too small
        for disjoint test sets.
    random_state : int
        Seed of the random choice of test studies.

    Examples
    --------
    >>> from sklearn_neurocontext.model_selection import paper_splits
    >>> splits = paper_splits(100, n_splits=2, n_candidates=30, n_development=20)
    >>> [(len(train), len(test)) for train, test in splits]
    [(70, 30), (70, 30)]
    >>> len(splits.development), splits.overlapping
    (40, False)
    """

    n: int
    tests: tuple[np.ndarray, ...]
    development: np.ndarray
    overlapping: bool
    random_state: int

    def __len__(self):
        return len(self.tests)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        test = self.tests[index]
        in_train = np.ones(self.n, dtype=bool)
        in_train[test] = False
        return np.flatnonzero(in_train), test

    def __repr__(self):
        how = "overlapping" if self.overlapping else "disjoint"
        return (
            f"PaperSplits(n={self.n}, n_splits={len(self)}, "
            f"n_candidates={len(self.tests[0])}, {how}, "
            f"n_development={len(self.development)}, random_state={self.random_state})"
        )


def paper_splits(
    n: int,
    n_splits: int = 15,
    n_candidates: int = 1000,
    random_state: int = 0,
    *,
    n_development: int = 600,
) -> PaperSplits:
    """Split studies as in the NeuroConText paper: 15 test sets of 1,000 studies.

    Development studies are in no test set and serve to choose hyperparameters. The
    training set of a split contains all studies that are not in its test set.
    Therefore, it includes all development studies.

    The n studies form the corpus. It is large enough for disjoint test sets if ``n >=
    n_splits * n_candidates + n_development``. In this case, the test sets are disjoint
    blocks of a random permutation, and all remaining studies are development studies.

    In a smaller corpus, `n_development` studies are drawn as development studies. Each
    test set is then drawn from the other studies, independently of the other test sets,
    so test sets can overlap. Confidence intervals are too narrow if they treat such
    splits as independent. The intervals of `run_benchmark` take the overlap into
    account.

    Parameters
    ----------
    n : int
        Number of studies.
    n_splits : int, default=15
        Number of splits.
    n_candidates : int, default=1000
        Number of studies in each test set. In retrieval, the maps of these studies are
        the candidates that are ranked for each text.
    random_state : int, default=0
        Seed of the random choice of test studies.
    n_development : int, default=600
        Minimum number of development studies. Use 300 for corpora of full texts.

    Returns
    -------
    splits : PaperSplits
        Sequence of ``(train, test)`` index arrays, which scikit-learn accepts as
        ``cv``. The attribute ``development`` contains the indices of the development
        studies. The attribute ``overlapping`` is True if test sets can share studies.

    Raises
    ------
    ValueError
        If a count is not an integer or is too small, or if there are too few studies.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024: 15 folds, 1,000 test studies.

    Examples
    --------
    >>> from sklearn_neurocontext import paper_splits
    >>> splits = paper_splits(17_950)
    >>> len(splits), len(splits.development), splits.overlapping
    (15, 2950, False)
    >>> train, test = splits[0]
    >>> len(train), len(test)
    (16950, 1000)
    >>> paper_splits(3_000).overlapping
    True
    """
    _check_counts(n, n_splits, n_candidates, n_development)
    rng = np.random.default_rng(random_state)
    order = rng.permutation(n)
    n_tested = n_splits * n_candidates
    overlapping = n < n_tested + n_development
    if overlapping:
        development, others = order[:n_development], order[n_development:]
        tests = [
            rng.choice(others, n_candidates, replace=False) for _ in range(n_splits)
        ]
    else:
        development = order[n_tested:]
        tests = np.split(order[:n_tested], n_splits)
    return PaperSplits(
        n=int(n),
        tests=tuple(np.sort(test) for test in tests),
        development=np.sort(development),
        overlapping=overlapping,
        random_state=random_state,
    )


def shuffled_folds(groups, n_splits: int = 15, random_state: int = 0) -> list:
    """Split rows into shuffled folds that keep the rows of each study together.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Identifier of the study of each row, for example the ``groups`` of a corpus.
    n_splits : int, default=15
        Number of folds.
    random_state : int, default=0
        Seed of the shuffle.

    Returns
    -------
    folds : list of (train, test) index arrays
        Training and test rows of each fold. If each study has a single row, the folds
        are computed by scikit-learn's ``KFold(shuffle=True)``. Otherwise, they are
        computed by ``GroupKFold(shuffle=True)``.

    Raises
    ------
    ValueError
        If there are fewer studies than folds.

    Examples
    --------
    >>> from sklearn_neurocontext.model_selection import shuffled_folds
    >>> folds = shuffled_folds(["a", "a", "b", "c"], n_splits=3)
    >>> sorted(len(test) for _, test in folds)
    [1, 1, 2]
    """
    groups = np.asarray(groups, dtype=str)
    n_studies = len(np.unique(groups))
    if n_studies < n_splits:
        raise ValueError(
            f"{n_studies} studies are too few for {n_splits} folds. Lower n_splits."
        )
    options = {"n_splits": n_splits, "shuffle": True, "random_state": random_state}
    if n_studies == len(groups):
        return list(KFold(**options).split(groups))
    return list(GroupKFold(**options).split(groups, groups=groups))


def _check_counts(n, n_splits, n_candidates, n_development) -> None:
    """Check that counts are integers in range and leave at least one training study."""
    counts = {
        "n": (n, 1),
        "n_splits": (n_splits, 1),
        "n_candidates": (n_candidates, 2),
        "n_development": (n_development, 0),
    }
    for name, (value, least) in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(
                f"{name} must be an integer, at least {least}; got {value!r}."
            )
    if n <= n_candidates + n_development:
        raise ValueError(
            f"{n} studies are too few for n_candidates={n_candidates} and "
            f"n_development={n_development}; at least "
            f"{n_candidates + n_development + 1} are needed. Lower n_candidates or "
            "n_development, or use sklearn.model_selection.KFold(shuffle=True)."
        )
