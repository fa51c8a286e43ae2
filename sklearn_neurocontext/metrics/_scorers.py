"""Scorers for scikit-learn's cross-validation and hyperparameter searches.

Scorers are called as ``scorer(estimator, X, y)``. Each scorer is an instance of a small
class, so that scorers can be pickled and sent to parallel workers.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._utils.validation import (
    array_output,
    check_is_fitted,
    check_similarity,
    innermost_model,
)
from .._utils.volumes import normalize_studies, to_densities
from ._maps import check_threshold_or_top, dice_of_rows, select_voxels
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
        A fitted model of this package, a fitted Pipeline that ends in such a model, or
        a fitted hyperparameter search over such a model or Pipeline.
    X : array-like of shape (n_texts, n_features), or sequence of str
        Input of the estimator, for example embeddings. For a Pipeline that starts with
        an embedder, the input is texts.
    y : array-like of shape (n_maps, n_components)
        Coefficients of the maps.

    Returns
    -------
    similarity : ndarray of shape (n_texts, n_maps)
        Similarity of each text (row) with each map (column). If `X` and `y` contain the
        same studies in the same order, true pairs are on the diagonal.

    Raises
    ------
    TypeError
        If the estimator contains no model with a method ``similarity``, or if it is a
        hyperparameter search without the attribute ``best_estimator_``.

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
        with array_output(ignore_names=True):
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
        "as ContrastiveTextBrain or RidgeBaseline, a Pipeline that ends in such a "
        "model, or a fitted search over such a model."
    )


def _paired_similarity(estimator, X, y) -> np.ndarray:
    """Compute a square similarity matrix with true pairs on the diagonal."""
    matrix = check_similarity(similarity(estimator, X, y))
    check_enough_candidates(len(matrix))
    return matrix


@dataclass(frozen=True)
class ScalarRetrievalScorer:
    """Scorer that computes a single retrieval score; larger scores are better.

    Parameters
    ----------
    k : int or None, default=None
        If an int, compute recall at k. If None, compute mix&match. If k is greater than
        or equal to the number of candidates, the score is nan and a warning is issued.
    direction : {"text_to_brain", "brain_to_text"}, default="text_to_brain"
        ``"text_to_brain"`` retrieves maps for texts. ``"brain_to_text"`` retrieves
        texts for maps.

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
            check_k(self.k, np.inf)
            if self.k >= len(matrix):
                warnings.warn(
                    f"Recall at k={self.k} is nan, because there are only "
                    f"{len(matrix)} candidates. Score more studies at once, or use "
                    "ScalarRetrievalScorer with k less than the number of candidates.",
                    UserWarning,
                    stacklevel=2,
                )
                return np.nan
        if self.direction == "brain_to_text":
            matrix = matrix.T
        counts = count_greater_and_tied(matrix)
        if self.k is None:
            return mix_match_from_counts(*counts)
        return recall_from_counts(*counts, self.k)


@dataclass(frozen=True)
class DiceScorer:
    """Scorer that computes the mean Dice overlap; see `make_dice_scorer`."""

    masker: Any
    top: float | None = 0.1
    threshold: float | None = None

    def __call__(self, estimator, X, y) -> float:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        with array_output():
            predicted = np.asarray(estimator.predict(X))
        observed = np.asarray(y)
        if self.threshold is not None:
            # A threshold requires that both maps have the same unit.
            y_scaling = getattr(innermost_model(estimator), "y_scaling", None)
            observed = to_densities(normalize_studies(observed, y_scaling), y_scaling)
        return _mean_dice(self, predicted, observed)


def _check_masker(masker) -> None:
    """Check that the masker is fitted and can convert coefficients to voxels."""
    if not hasattr(masker, "coefficients_to_voxels"):
        raise TypeError(
            "masker must have a method coefficients_to_voxels; got "
            f"{type(masker).__name__}. Pass the fitted KDEDiFuMoMasker that computed y."
        )
    check_is_fitted(masker)


def _mean_dice(scorer: DiceScorer, predicted, observed) -> float:
    """Compute the mean Dice overlap of predicted and observed maps."""
    if len(predicted) != len(observed):
        raise ValueError(
            f"predict must return one map for each of {len(observed)} rows of y; got "
            f"{len(predicted)} maps. Pass X and y of the same studies."
        )
    total, start = 0.0, 0
    step = 1
    while start < len(observed):
        rows = slice(start, start + step)
        true, found = (
            select_voxels(
                np.asarray(scorer.masker.coefficients_to_voxels(one[rows])),
                scorer.threshold,
                scorer.top,
            )
            for one in (observed, predicted)
        )
        total += float(dice_of_rows(true, found).sum())
        start += step
        # After the first row, the number of voxels is known. The other rows are then
        # processed in blocks of at most _BLOCK_ELEMENTS voxels to limit memory.
        step = max(1, _BLOCK_ELEMENTS // true.shape[1])
    return total / len(observed)


def _default_top(threshold, top):
    """Return 0.1 if neither `threshold` nor `top` is given, else `top`."""
    top = 0.1 if threshold is None and top is None else top
    check_threshold_or_top(threshold, top)
    return top


def make_dice_scorer(
    masker, top: float | None = None, *, threshold: float | None = None
) -> DiceScorer:
    """Make a scorer of the mean Dice overlap of predicted and observed maps.

    The Dice overlap compares the selected voxels of two maps. In each map, either the
    voxels with the highest values (`top`) or the voxels above a threshold are selected.
    With `top`, the score of a study does not change if its coefficients are multiplied
    by a positive number. The score of a study is 0 if its observed map is zero in all
    voxels.

    Parameters
    ----------
    masker : KDEDiFuMoMasker
        The fitted masker that computed y.
    top : float or None, default=None
        Fraction of the voxels in the mask to select in each map, in (0, 1]; see
        `dice_score`. If both `top` and `threshold` are None, the fraction is 0.1.
    threshold : float or None, default=None
        If given, voxels whose value is greater than `threshold` are selected, as for
        the Dice overlap D_t of the NeuroConText paper. Observed maps are first
        converted to the unit of the predictions, as `scale_like_predictions` does. This
        unit depends on the `y_scaling` of the estimator. With ``y_scaling=None``, it is
        the unit of y.

    Returns
    -------
    scorer : callable
        Picklable callable ``(estimator, X, y) -> float`` in [0, 1].

    Raises
    ------
    TypeError
        If the masker cannot convert coefficients to voxels.
    ValueError
        If `top` is not in (0, 1], if `threshold` is not a finite number, or if both are
        given.
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
    >>> make_dice_scorer(masker, threshold=0.002).threshold
    0.002
    """
    _check_masker(masker)
    return DiceScorer(masker, _default_top(threshold, top), threshold)


@dataclass(frozen=True)
class RetrievalScorer:
    """Scorer that computes all retrieval scores; see `make_retrieval_scorer`."""

    ks: tuple[int, ...] = (10, 100)
    masker: Any = None
    top: float | None = 0.1
    threshold: float | None = None

    def __call__(self, estimator, X, y) -> dict[str, float]:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        matrix = _paired_similarity(estimator, X, y)
        scores = self.from_similarity(matrix)
        if self.masker is not None:
            dice = DiceScorer(self.masker, self.top, self.threshold)
            scores["dice"] = dice(estimator, X, y)
        return scores

    def from_similarity(self, similarity) -> dict[str, float]:
        """Score a similarity matrix.

        Parameters
        ----------
        similarity : array-like of shape (n, n)
            Similarity of each text (row) with each map (column). True pairs are on the
            diagonal.

        Returns
        -------
        scores : dict of str to float
            ``recall_at_<k>`` and ``mix_match`` score the retrieval of maps for texts.
            The same keys followed by ``_brain_to_text`` score the retrieval of texts
            for maps. ``n_candidates`` is the number of candidates.
        """
        matrix = check_similarity(similarity)
        n = len(matrix)
        check_enough_candidates(n)
        possible = [k for k in self.ks if k < n]
        if len(possible) < len(self.ks):
            keys = ", ".join(f"recall_at_{k}" for k in self.ks if k >= n)
            warnings.warn(
                f"{keys} omitted, because there are only {n} candidates. Score more "
                "studies at once, or use make_retrieval_scorer with each k less than "
                "the size of the smallest fold. If the keys differ between folds, "
                "cross_validate raises a KeyError.",
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
    ks=(10, 100),
    *,
    masker=None,
    top: float | None = None,
    threshold: float | None = None,
) -> RetrievalScorer:
    """Make a scorer that computes all retrieval scores and, optionally, Dice overlap.

    Parameters
    ----------
    ks : sequence of int, default=(10, 100)
        Values of k for recall at k. If k is greater than or equal to the number of
        candidates, recall at k is omitted and a warning is issued. ``cross_validate``
        requires the same keys for all folds. Therefore, choose only values of k that
        are less than the number of studies in the smallest test fold.
    masker : KDEDiFuMoMasker or None, default=None
        The fitted masker that computed y. If given, the scorer also computes the mean
        Dice overlap. The estimator must then have a method ``predict``. For example,
        ``ContrastiveTextBrain`` must have a decoder.
    top : float or None, default=None
        Fraction of voxels to select in each map for the Dice overlap, in (0, 1]. If
        both `top` and `threshold` are None, the fraction is 0.1.
    threshold : float or None, default=None
        If given, voxels whose value is greater than `threshold` are selected instead;
        see `make_dice_scorer`.

    Returns
    -------
    scorer : callable
        Picklable callable ``(estimator, X, y) -> dict``. Pass it as ``scoring`` to
        ``cross_validate``, or to ``GridSearchCV`` with ``refit="mix_match"``. Its
        method ``from_similarity`` scores a similarity matrix. The keys of the dict are:

        - ``recall_at_<k>`` and ``mix_match`` for the retrieval of maps for texts;
        - the same keys followed by ``_brain_to_text`` for the retrieval of texts for
          maps;
        - ``n_candidates``, the number of candidates;
        - ``dice``, the mean Dice overlap, if `masker` is given.

    Raises
    ------
    ValueError
        If a value in `ks` is not a positive integer, if `top` or `threshold` is out of
        range, or if both are given.
    TypeError
        If `ks` is not a sequence, or if the masker cannot convert coefficients to
        voxels.

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
    ks = tuple(int(k) for k in ks)
    if masker is not None:
        _check_masker(masker)
    return RetrievalScorer(ks, masker, _default_top(threshold, top), threshold)


retrieval_scores = RetrievalScorer()
recall_at_10_scorer = ScalarRetrievalScorer(k=10)
recall_at_100_scorer = ScalarRetrievalScorer(k=100)
mix_match_scorer = ScalarRetrievalScorer()
recall_at_10_brain_to_text_scorer = ScalarRetrievalScorer(10, "brain_to_text")
recall_at_100_brain_to_text_scorer = ScalarRetrievalScorer(100, "brain_to_text")
mix_match_brain_to_text_scorer = ScalarRetrievalScorer(None, "brain_to_text")
