"""The one source of splits for every published number."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.model_selection import GroupKFold, KFold


@dataclass(frozen=True, eq=False)
class PaperSplits(Sequence):
    """A sequence of ``(train, test)`` index arrays; made by `paper_splits`.

    Parameters
    ----------
    n : int
        Number of studies.
    tests : tuple of ndarray of shape (n_test,), int64
        Test part of each split, sorted.
    development : ndarray of shape (n_development,), int64
        Studies that are in no test part: settings are chosen on them. They belong to
        the training part of every split.
    overlapping : bool
        Whether test parts share studies, because the corpus is too small for blocks.
    seed : int
        Seed of the permutation.

    Examples
    --------
    >>> from sklearn_neurocontext.model_selection import paper_splits
    >>> splits = paper_splits(100, n_splits=2, n_test=30, n_development=20)
    >>> [(len(train), len(test)) for train, test in splits]
    [(70, 30), (70, 30)]
    >>> len(splits.development), splits.overlapping
    (40, False)
    """

    n: int
    tests: tuple[np.ndarray, ...]
    development: np.ndarray
    overlapping: bool
    seed: int

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
            f"n_test={len(self.tests[0])}, {how}, "
            f"n_development={len(self.development)}, seed={self.seed})"
        )


def paper_splits(
    n: int,
    n_splits: int = 15,
    n_test: int = 1000,
    seed: int = 0,
    *,
    n_development: int = 600,
) -> PaperSplits:
    """Split studies as the article does: 15 test parts of 1,000 candidates.

    Where ``n >= n_splits * n_test + n_development``, the test parts are disjoint blocks
    of one permutation and all remaining studies are development studies. In a smaller
    corpus, `n_development` studies are put aside first, and each test part is drawn at
    random from the others, independently, so test parts overlap: intervals over such
    splits are too narrow, and tables say so. The training part is always everything but
    the test part, development studies included.

    Parameters
    ----------
    n : int
        Number of studies.
    n_splits : int, default=15
        Number of splits.
    n_test : int, default=1000
        Studies in each test part: the number of candidates.
    seed : int, default=0
        Seed; the same arguments give the same splits.
    n_development : int, default=600
        Development studies, at least this many. 300 suits corpora of full texts.

    Returns
    -------
    splits : PaperSplits
        Sequence of ``(train, test)`` index arrays, usable as ``cv=``, with the
        attributes ``development`` (indices) and ``overlapping`` (bool).

    Raises
    ------
    ValueError
        If a number is not an integer in range, or there are too few studies.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024: 15 folds, 1,000 test studies.

    Examples
    --------
    >>> from sklearn_neurocontext import paper_splits
    >>> splits = paper_splits(17_950)
    >>> splits
    PaperSplits(n=17950, n_splits=15, n_test=1000, disjoint, n_development=2950, seed=0)
    >>> train, test = splits[0]
    >>> len(train), len(test)
    (16950, 1000)
    >>> paper_splits(3_000).overlapping
    True
    """
    _check_counts(n, n_splits, n_test, n_development)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    n_blocks = n_splits * n_test
    overlapping = n < n_blocks + n_development
    if overlapping:
        development, others = order[:n_development], order[n_development:]
        tests = [rng.choice(others, n_test, replace=False) for _ in range(n_splits)]
    else:
        development = order[n_blocks:]
        tests = np.split(order[:n_blocks], n_splits)
    return PaperSplits(
        n=int(n),
        tests=tuple(np.sort(test) for test in tests),
        development=np.sort(development),
        overlapping=overlapping,
        seed=seed,
    )


def shuffled_folds(groups, n_splits: int = 15, seed: int = 0) -> list:
    """Split a small corpus into shuffled folds, each study on one side only.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        The study of each row, as loaders give it.
    n_splits : int, default=15
        Number of folds.
    seed : int, default=0
        Seed of the shuffle.

    Returns
    -------
    folds : list of (train, test) index arrays
        As ``KFold(n_splits, shuffle=True, random_state=seed)`` gives them, or
        ``GroupKFold`` where a study has several rows.

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
            f"{n_studies} studies are too few for {n_splits} folds; lower the number "
            "of folds."
        )
    options = {"n_splits": n_splits, "shuffle": True, "random_state": seed}
    if n_studies == len(groups):
        return list(KFold(**options).split(groups))
    return list(GroupKFold(**options).split(groups, groups=groups))


def _check_counts(n, n_splits, n_test, n_development) -> None:
    counts = {"n": (n, 1), "n_splits": (n_splits, 1), "n_test": (n_test, 2)}
    counts["n_development"] = (n_development, 0)
    for name, (value, least) in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(
                f"{name} must be an integer of at least {least}; got {value!r}."
            )
    if n <= n_test + n_development:
        raise ValueError(
            f"{n} studies are too few for test parts of n_test={n_test} beside "
            f"n_development={n_development} development studies; more than "
            f"{n_test + n_development} are needed. Lower n_test or n_development, or "
            "use sklearn.model_selection.KFold(shuffle=True)."
        )
