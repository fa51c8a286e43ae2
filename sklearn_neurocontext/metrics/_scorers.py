"""Scorers ``(estimator, X, y)`` for cross-validation and searches.

Each is an instance of a small class, so it can be pickled and sent to workers.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._utils.validation import check_is_fitted, check_similarity
from .._utils.volumes import check_top, select_top
from ._maps import dice_of_rows
from ._retrieval import (
    check_enough_candidates,
    check_k,
    count_greater_and_tied,
    mix_match_from_counts,
    recall_from_counts,
)

_DIRECTIONS = ("text_to_brain", "brain_to_text")
_BLOCK_ELEMENTS = 8_000_000


def similarity(estimator, X, y) -> np.ndarray:
    """Compute the similarity of texts and maps with the model inside an estimator.

    Parameters
    ----------
    estimator : estimator
        A fitted model of this package, a Pipeline that ends in one, a fitted search
        over one, or any nesting of these.
    X : array-like of shape (n_texts, n_features), or sequence of str
        Input of the estimator: embeddings, or texts for a Pipeline with an embedder.
    y : array-like of shape (n_maps, n_components)
        Coefficients.

    Returns
    -------
    similarity : ndarray of shape (n_texts, n_maps)
        Rows are texts, columns are maps. If row i of `X` and row i of `y` are the same
        study, true pairs lie on the diagonal.

    Raises
    ------
    TypeError
        If the estimator contains no model with a method ``similarity``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_neurocontext import CCABaseline, similarity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 4))
    >>> y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(50, 6))
    >>> model = make_pipeline(StandardScaler(), CCABaseline()).fit(X, y)
    >>> similarity(model, X[:3], y[:5]).shape
    (3, 5)
    """
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if step is not None and step != "passthrough":
                X = step.transform(X)
        return similarity(estimator.steps[-1][1], X, y)
    if hasattr(estimator, "similarity"):
        return estimator.similarity(X, y)
    if hasattr(estimator, "best_estimator_"):
        return similarity(estimator.best_estimator_, X, y)
    if hasattr(estimator, "param_distributions") or hasattr(estimator, "param_grid"):
        raise TypeError(
            f"{type(estimator).__name__} has no best_estimator_. Fit it first, with "
            "refit set to True or to the name of a metric."
        )
    raise TypeError(
        f"{type(estimator).__name__} has no method similarity. Expected a model such "
        "as ContrastiveTextBrain or RidgeBaseline, a Pipeline that ends in one, or a "
        "fitted search over one."
    )


def _paired_similarity(estimator, X, y) -> np.ndarray:
    matrix = check_similarity(similarity(estimator, X, y))
    check_enough_candidates(len(matrix))
    return matrix


@dataclass(frozen=True)
class ScalarRetrievalScorer:
    """Scorer of one retrieval score; larger is better.

    Parameters
    ----------
    k : int or None, default=None
        Number of most similar candidates for recall; None computes mix&match.
    direction : {"text_to_brain", "brain_to_text"}, default="text_to_brain"
        Whether texts or maps are the queries.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import ScalarRetrievalScorer
    >>> ScalarRetrievalScorer(k=5)
    ScalarRetrievalScorer(k=5, direction='text_to_brain')
    """

    k: int | None = None
    direction: str = "text_to_brain"

    def __call__(self, estimator, X, y) -> float:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        if self.direction not in _DIRECTIONS:
            raise ValueError(
                f"direction must be one of {_DIRECTIONS}; got {self.direction!r}."
            )
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
class DiceScorer:
    """Scorer of the mean Dice overlap; see `make_dice_scorer`."""

    masker: Any
    top: float = 0.1

    def __call__(self, estimator, X, y) -> float:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        predicted = np.asarray(estimator.predict(X))
        return _mean_dice(self.masker, self.top, predicted, np.asarray(y))


def _check_masker(masker) -> None:
    """Check that the masker is fitted and converts coefficients to voxels."""
    if not hasattr(masker, "coefficients_to_voxels"):
        raise TypeError(
            "masker must have a method coefficients_to_voxels; got "
            f"{type(masker).__name__}. Pass the fitted KDEDiFuMoMasker that computed y."
        )
    check_is_fitted(masker)


def _mean_dice(masker, top: float, predicted, observed) -> float:
    """Compute the mean Dice overlap of the maps of two sets of coefficients."""
    if len(predicted) != len(observed):
        raise ValueError(
            f"predict must return one map for each of {len(observed)} rows of y; got "
            f"{len(predicted)}. Pass X and y of the same studies."
        )
    total, start = 0.0, 0
    step = 1
    while start < len(observed):
        rows = slice(start, start + step)
        true, found = (
            select_top(np.asarray(masker.coefficients_to_voxels(one[rows])), top)
            for one in (observed, predicted)
        )
        total += float(dice_of_rows(true, found).sum())
        start += step
        # The number of voxels is known after the first row; it limits the block size.
        step = max(1, _BLOCK_ELEMENTS // true.shape[1])
    return total / len(observed)


def make_dice_scorer(masker, top: float = 0.1) -> DiceScorer:
    """Make a scorer of the mean Dice overlap of predicted and observed maps.

    The strongest `top` voxels of both maps are compared, so the norm of a study's
    coefficients does not matter. A study whose observed map is empty scores 0.

    Parameters
    ----------
    masker : KDEDiFuMoMasker
        The fitted masker that computed y.
    top : float, default=0.1
        Fraction of the voxels in the mask that is compared, in (0, 1]; see
        `dice_score`.

    Returns
    -------
    scorer : callable
        Picklable callable ``(estimator, X, y) -> float`` in [0, 1].

    Raises
    ------
    TypeError
        If the masker cannot convert coefficients to voxels.
    ValueError
        If `top` is not in (0, 1].
    NotFittedError
        If the masker is not fitted.

    See Also
    --------
    make_retrieval_scorer : Computes retrieval scores and Dice overlap together.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker, make_dice_scorer
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=16).fit()
    >>> make_dice_scorer(masker).top
    0.1
    """
    _check_masker(masker)
    check_top(top)
    return DiceScorer(masker, top)


@dataclass(frozen=True)
class RetrievalScorer:
    """Scorer of all retrieval scores; see `make_retrieval_scorer`."""

    ks: tuple[int, ...] = (10, 100)
    masker: Any = None
    top: float = 0.1

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
                f"{keys} left out, since there are only {n} candidates. Score more "
                "studies at once, or choose ks below the smallest fold with "
                "make_retrieval_scorer: cross_validate raises a KeyError if folds have "
                "different keys.",
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
    """Make a scorer of all retrieval scores and, with a masker, of Dice overlap.

    Parameters
    ----------
    ks : sequence of int, default=(10, 100)
        The k of each recall. A k that is not less than the number of candidates is left
        out with a warning. ``cross_validate`` needs the same keys for all folds, so
        choose each k below the size of the smallest fold.
    masker : KDEDiFuMoMasker or None, default=None
        The fitted masker that computed y. If given, the key ``dice`` is added, and the
        estimator must have a method ``predict``, so a ``ContrastiveTextBrain`` needs a
        decoder.
    top : float, default=0.1
        Fraction of voxels that Dice selects in each map, in (0, 1].

    Returns
    -------
    scorer : callable
        Picklable callable ``(estimator, X, y) -> dict`` with the keys ``recall_at_<k>``
        and ``mix_match`` for text→brain, the same with ``_brain_to_text``,
        ``n_candidates``, and ``dice`` if `masker` is given. Pass it as ``scoring=`` to
        ``cross_validate``, or to ``GridSearchCV`` with ``refit="mix_match"``. Its
        method ``from_similarity`` scores a similarity matrix.

    Raises
    ------
    ValueError
        If a k is not a positive integer, or `top` is not in (0, 1].
    TypeError
        If `ks` is not a sequence, or the masker cannot convert coefficients to voxels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import make_retrieval_scorer
    >>> scorer = make_retrieval_scorer(ks=(1, 5))
    >>> sorted(scorer.from_similarity(np.eye(20)))[:3]
    ['mix_match', 'mix_match_brain_to_text', 'n_candidates']
    """
    try:
        ks = tuple(ks)
    except TypeError as error:
        raise TypeError(
            f"ks must be a sequence of integers; got {ks!r}. For a single k, write "
            f"ks=({ks!r},)."
        ) from error
    for k in ks:
        check_k(k, np.inf)
    if masker is not None:
        _check_masker(masker)
        check_top(top)
    return RetrievalScorer(ks, masker, top)


retrieval_scores = RetrievalScorer()
recall_at_10_scorer = ScalarRetrievalScorer(k=10)
recall_at_100_scorer = ScalarRetrievalScorer(k=100)
mix_match_scorer = ScalarRetrievalScorer()
recall_at_10_brain_to_text_scorer = ScalarRetrievalScorer(10, "brain_to_text")
recall_at_100_brain_to_text_scorer = ScalarRetrievalScorer(100, "brain_to_text")
mix_match_brain_to_text_scorer = ScalarRetrievalScorer(None, "brain_to_text")
