"""Scorers ``(estimator, X, y)`` for cross-validation and searches.

Each is an instance of a small class, so it can be pickled and sent to workers.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._validation import check_is_fitted, check_similarity
from ._overlap import check_top, dice_of_rows, select_top
from ._retrieval import (
    check_enough_candidates,
    check_k,
    count_greater_and_tied,
    mix_match_from_counts,
    recall_from_counts,
)

_BLOCK_ELEMENTS = 8_000_000
_DIRECTIONS = ("text_to_brain", "brain_to_text")


def similarity(estimator, X, y) -> np.ndarray:
    """Similarity of texts and maps under an estimator, however it is wrapped.

    Parameters
    ----------
    estimator : estimator
        A fitted model of this package, a Pipeline that ends in one, a fitted search
        over one, or these nested.
    X : array-like of shape (n_texts, n_features), or sequence of str
        What the estimator takes: embeddings, or texts for a Pipeline with an embedder.
    y : array-like of shape (n_maps, n_components)
        Coefficients.

    Returns
    -------
    similarity : ndarray of shape (n_texts, n_maps)
        Rows are texts, columns are maps. Where row i of `X` and row i of `y` are the
        same study, true pairs lie on the diagonal.

    Raises
    ------
    TypeError
        If no model with a method ``similarity`` is found inside the estimator.

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
            f"{type(estimator).__name__} holds no best_estimator_. Fit it first, with "
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


def _mean_dice(masker, top: float, predicted, observed) -> float:
    """Average the Dice overlap of the maps of two sets of coefficients."""
    if len(predicted) != len(observed):
        raise ValueError(
            f"Predicted {len(predicted)} maps for {len(observed)} rows of y; expected "
            "as many. Pass X and y of the same studies."
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
        # The first row tells the number of voxels, hence how many fit into a block.
        step = max(1, _BLOCK_ELEMENTS // true.shape[1])
    return total / len(observed)


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
class DiceScorer:
    """Mean Dice overlap of predicted and observed maps; made by `make_dice_scorer`.

    Parameters
    ----------
    masker : KDEDiFuMoMasker
        Fitted; turns coefficients into voxels.
    top : float, default=0.1
        Fraction of voxels selected in each map, in (0, 1].

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.metrics import DiceScorer
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=16).fit()
    >>> DiceScorer(masker, top=0.2).top
    0.2
    """

    masker: Any
    top: float = 0.1

    def __post_init__(self):
        _check_masker(self.masker)
        check_top(self.top)

    def __call__(self, estimator, X, y) -> float:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        return _mean_dice(
            self.masker, self.top, np.asarray(estimator.predict(X)), np.asarray(y)
        )


def _check_masker(masker) -> None:
    if not hasattr(masker, "coefficients_to_voxels"):
        raise TypeError(
            f"masker must turn coefficients into voxels; got {type(masker).__name__}. "
            "Pass the fitted KDEDiFuMoMasker that made y."
        )
    check_is_fitted(masker)


def make_dice_scorer(masker, top: float = 0.1) -> DiceScorer:
    """Make a scorer of the mean Dice overlap of predicted and observed maps.

    Both maps are cut at their strongest `top` voxels, which no positive factor per
    study changes: predictions may stand in units of the row norm while y does not.
    Under ``y_scaling="sqrt"`` predictions are square roots, so pass a y in square roots
    too. A study whose observed map is empty scores 0.

    Parameters
    ----------
    masker : KDEDiFuMoMasker
        The fitted masker that made y.
    top : float, default=0.1
        Fraction of the voxels in the mask, in (0, 1]; see `dice_score`.

    Returns
    -------
    scorer : DiceScorer
        Picklable callable ``(estimator, X, y) -> float`` in [0, 1].

    Raises
    ------
    TypeError
        If the masker cannot turn coefficients into voxels.
    ValueError
        If `top` is not in (0, 1].
    NotFittedError
        If the masker is not fitted.

    See Also
    --------
    make_retrieval_scorer : Retrieval and Dice in one callable.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker, make_dice_scorer
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=16).fit()
    >>> make_dice_scorer(masker).top
    0.1
    """
    return DiceScorer(masker, top)


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
            _check_masker(self.masker)
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
                "at once, or choose smaller ks in make_retrieval_scorer.",
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
        ``n_candidates``, and ``dice``.

    Raises
    ------
    ValueError
        If a k is not a positive integer, or `top` is not in (0, 1].
    TypeError
        If the masker cannot turn coefficients into voxels.

    Examples
    --------
    >>> from sklearn_neurocontext import make_retrieval_scorer
    >>> make_retrieval_scorer(ks=(1, 5))
    RetrievalScorer(ks=(1, 5), masker=None, top=0.1)
    """
    return RetrievalScorer(tuple(ks), masker, top)


retrieval_scores = RetrievalScorer()
recall_at_10_scorer = ScalarRetrievalScorer(k=10)
recall_at_100_scorer = ScalarRetrievalScorer(k=100)
mix_match_scorer = ScalarRetrievalScorer()
recall_at_10_brain_to_text_scorer = ScalarRetrievalScorer(10, "brain_to_text")
recall_at_100_brain_to_text_scorer = ScalarRetrievalScorer(100, "brain_to_text")
mix_match_brain_to_text_scorer = ScalarRetrievalScorer(None, "brain_to_text")
