"""Scorers ``(estimator, X, y)`` for cross-validation and searches.

Each is an instance of a small class, so it can be pickled and sent to workers.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._utils.validation import check_similarity
from .._utils.volumes import check_top
from ._dice_scorer import DiceScorer, check_masker
from ._retrieval import (
    check_enough_candidates,
    check_k,
    count_greater_and_tied,
    mix_match_from_counts,
    recall_from_counts,
)
from ._similarity import similarity

_DIRECTIONS = ("text_to_brain", "brain_to_text")


def _paired_similarity(estimator, X, y) -> np.ndarray:
    matrix = check_similarity(similarity(estimator, X, y))
    check_enough_candidates(len(matrix))
    return matrix


@dataclass(frozen=True)
class ScalarRetrievalScorer:
    """One retrieval score as a scorer; larger is better.

    Parameters
    ----------
    k : int or None, default=None
        Recall among the first `k` candidates; None is mix&match.
    direction : {"text_to_brain", "brain_to_text"}, default="text_to_brain"
        Which side asks: texts looking for maps, or maps looking for texts.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import ScalarRetrievalScorer
    >>> ScalarRetrievalScorer(k=5)
    ScalarRetrievalScorer(k=5, direction='text_to_brain')
    """

    k: int | None = None
    direction: str = "text_to_brain"

    def __post_init__(self):
        if self.direction not in _DIRECTIONS:
            raise ValueError(
                f"direction must be one of {_DIRECTIONS}; got {self.direction!r}."
            )

    def __call__(self, estimator, X, y) -> float:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        matrix = _paired_similarity(estimator, X, y)
        if self.k is not None:
            check_k(self.k, len(matrix))
        if self.direction == "brain_to_text":
            matrix = matrix.T
        counts = count_greater_and_tied(matrix)
        if self.k is None:
            return mix_match_from_counts(*counts)
        return recall_from_counts(*counts, self.k)


@dataclass(frozen=True)
class RetrievalScorer:
    """All retrieval scores of a fitted estimator in one dictionary.

    Made by `make_retrieval_scorer`; ``retrieval_scores`` is the instance with the
    defaults. Use it as ``scoring=`` of ``cross_validate``, or of ``GridSearchCV`` with
    ``refit="mix_match"``.

    Parameters
    ----------
    ks : tuple of int, default=(10, 100)
        The k of each recall.
    masker : KDEDiFuMoMasker or None, default=None
        Fitted masker; with it, the key ``dice`` is added.
    top : float, default=0.1
        Fraction of voxels that Dice selects in each map, in (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import CCABaseline
    >>> from sklearn_neurocontext.metrics import RetrievalScorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 4))
    >>> y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(50, 6))
    >>> scores = RetrievalScorer(ks=(10,))(CCABaseline().fit(X, y), X, y)
    >>> sorted(scores)[:3]
    ['mix_match', 'mix_match_brain_to_text', 'n_candidates']
    """

    ks: tuple[int, ...] = (10, 100)
    masker: Any = None
    top: float = 0.1

    def __post_init__(self):
        for k in self.ks:
            check_k(k, np.inf)
        if self.masker is not None:
            check_masker(self.masker)
            check_top(self.top)

    def __call__(self, estimator, X, y) -> dict[str, float]:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        matrix = _paired_similarity(estimator, X, y)
        scores = self.from_similarity(matrix)
        if self.masker is not None:
            scores["dice"] = DiceScorer(self.masker, self.top)(estimator, X, y)
        return scores

    def from_similarity(self, similarity) -> dict[str, float]:
        """Score a similarity matrix.

        Parameters
        ----------
        similarity : array-like of shape (n, n)
            Texts in rows, maps in columns, true pairs on the diagonal.

        Returns
        -------
        scores : dict of str to float
            ``recall_at_<k>`` and ``mix_match`` for text→brain, the same with
            ``_brain_to_text``, and ``n_candidates``.
        """
        matrix = check_similarity(similarity)
        n = len(matrix)
        check_enough_candidates(n)
        possible = [k for k in self.ks if k < n]
        if len(possible) < len(self.ks):
            keys = ", ".join(f"recall_at_{k}" for k in self.ks if k >= n)
            warnings.warn(
                f"Left out {keys}: there are only {n} candidates. Score more studies "
                "at once, or choose ks below the smallest fold with "
                "make_retrieval_scorer: cross_validate fails with a KeyError where "
                "folds have different keys.",
                UserWarning,
                stacklevel=3,
            )
        scores: dict[str, float] = {}
        for suffix, oriented in (("", matrix), ("_brain_to_text", matrix.T)):
            counts = count_greater_and_tied(oriented)
            for k in possible:
                scores[f"recall_at_{k}{suffix}"] = recall_from_counts(*counts, k)
            scores[f"mix_match{suffix}"] = mix_match_from_counts(*counts)
        scores["n_candidates"] = n
        return scores


def make_retrieval_scorer(
    ks=(10, 100), *, masker=None, top: float = 0.1
) -> RetrievalScorer:
    """Make one multimetric scorer of retrieval and, with a masker, of Dice overlap.

    Parameters
    ----------
    ks : sequence of int, default=(10, 100)
        The k of each recall. A k that is not below the number of candidates is left out
        with a warning; ``cross_validate`` wants the same keys of all folds, so keep
        them below the smallest fold.
    masker : KDEDiFuMoMasker or None, default=None
        The fitted masker that made y; adds the key ``dice``. The estimator must
        predict, so a ``ContrastiveTextBrain`` needs its decoder.
    top : float, default=0.1
        Fraction of voxels that Dice selects in each map, in (0, 1].

    Returns
    -------
    scorer : RetrievalScorer
        Picklable callable ``(estimator, X, y) -> dict`` with the keys
        ``recall_at_<k>``, ``mix_match``, both with ``_brain_to_text``,
        ``n_candidates``, and ``dice``. In a ``GridSearchCV`` name one of them:
        ``refit="mix_match"``.

    Raises
    ------
    ValueError
        If a k is not a positive integer, or `top` is not in (0, 1].
    TypeError
        If `ks` is no sequence, or the masker cannot turn coefficients into voxels.

    Examples
    --------
    >>> from sklearn_neurocontext import make_retrieval_scorer
    >>> make_retrieval_scorer(ks=(1, 5))
    RetrievalScorer(ks=(1, 5), masker=None, top=0.1)
    """
    try:
        ks = tuple(ks)
    except TypeError as error:
        raise TypeError(
            f"ks must be a sequence of integers; got {ks!r}. For a single one write "
            f"ks=({ks!r},)."
        ) from error
    return RetrievalScorer(ks, masker, top)


retrieval_scores = RetrievalScorer()
recall_at_10_scorer = ScalarRetrievalScorer(k=10)
recall_at_100_scorer = ScalarRetrievalScorer(k=100)
mix_match_scorer = ScalarRetrievalScorer()
recall_at_10_brain_to_text_scorer = ScalarRetrievalScorer(10, "brain_to_text")
recall_at_100_brain_to_text_scorer = ScalarRetrievalScorer(100, "brain_to_text")
mix_match_brain_to_text_scorer = ScalarRetrievalScorer(None, "brain_to_text")
