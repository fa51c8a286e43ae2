"""A scorer of predicted maps: mean Dice overlap with the observed ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._utils.validation import check_is_fitted
from .._utils.volumes import check_top, select_top
from ._overlap import dice_of_rows

_BLOCK_ELEMENTS = 8_000_000


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
        check_masker(self.masker)
        check_top(self.top)

    def __call__(self, estimator, X, y) -> float:
        """Score a fitted estimator on texts `X` and coefficients `y`."""
        predicted = np.asarray(estimator.predict(X))
        return _mean_dice(self.masker, self.top, predicted, np.asarray(y))


def check_masker(masker) -> None:
    """Check that the masker is fitted and turns coefficients into voxels."""
    if not hasattr(masker, "coefficients_to_voxels"):
        raise TypeError(
            f"masker must turn coefficients into voxels; got {type(masker).__name__}. "
            "Pass the fitted KDEDiFuMoMasker that made y."
        )
    check_is_fitted(masker)


def make_dice_scorer(masker, top: float = 0.1) -> DiceScorer:
    """Make a scorer of the mean Dice overlap of predicted and observed maps.

    Both maps are cut at their strongest `top` voxels, which no positive factor per
    study changes: predictions are of studies scaled to norm one while y need not be.
    A study whose observed map is empty scores 0.

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
