"""Scores of predicted maps against observed ones, and their bootstrap intervals."""

import numpy as np
from sklearn.utils import check_random_state

from ._overlap import dice_score


def score_maps(
    predicted, observed, mean_map, *, top: float = 0.1, tops=(0.02, 0.05, 0.1, 0.2, 0.3)
) -> dict:
    """Compare predicted maps with observed ones, each with its own and with all others.

    Parameters
    ----------
    predicted, observed : ndarray of shape (n_maps, n_voxels)
        Row i of both is the same topic.
    mean_map : ndarray of shape (n_voxels,)
        Mean of the training studies' maps. Before ranking, its part is taken out of all
        maps, since every map resembles it.
    top : float, default=0.1
        Fraction of voxels that the main Dice compares.
    tops : sequence of float, default=(0.02, 0.05, 0.1, 0.2, 0.3)
        Fractions whose Dice is averaged.

    Returns
    -------
    scores : dict of str to ndarray of shape (n_maps,)
        ``dice`` at `top`, ``dice_mean`` over `tops`, ``correlation`` over voxels, and
        ``rank`` of the own observed map among all by correlation, the mean map removed:
        1 at best, ties counted half.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.metrics import score_maps
    >>> maps = np.random.default_rng(0).uniform(size=(5, 400))
    >>> score_maps(maps, maps, maps.mean(axis=0))["rank"]
    array([1., 1., 1., 1., 1.])
    """
    predicted, observed = (np.asarray(one, np.float64) for one in (predicted, observed))
    pairs = list(zip(observed, predicted, strict=True))
    every = np.array([[dice_score(*pair, top=one) for one in tops] for pair in pairs])
    similarity = (
        _unit(_remove(predicted, mean_map)) @ _unit(_remove(observed, mean_map)).T
    )
    own = np.diag(similarity)[:, None]
    greater, tied = (similarity > own).sum(axis=1), (similarity == own).sum(axis=1)
    return {
        "dice": np.array([dice_score(*pair, top=top) for pair in pairs]),
        "dice_mean": every.mean(axis=1),
        "correlation": (_unit(_centre(predicted)) * _unit(_centre(observed))).sum(1),
        "rank": 1 + greater + (tied - 1) / 2,
    }


def _centre(maps):
    return maps - maps.mean(axis=1, keepdims=True)


def _remove(maps, mean_map):
    """Take the part along the mean map, and the mean over voxels, out of each map."""
    direction = _unit(_centre(np.asarray(mean_map, np.float64)[None]))[0]
    maps = _centre(maps)
    rest = maps - np.outer(maps @ direction, direction)
    # Of the mean map itself only rounding is left: nothing.
    nothing = np.linalg.norm(rest, axis=1) <= 1e-9 * np.linalg.norm(maps, axis=1)
    rest[nothing] = 0
    return rest


def _unit(maps):
    norms = np.linalg.norm(maps, axis=1, keepdims=True)
    return maps / np.where(norms > 0, norms, 1)


def bootstrap_interval(
    values, *, level: float = 0.95, n_draws: int = 10_000, random_state=0
) -> tuple[float, float]:
    """Percentile interval of a mean, by drawing its values with replacement.

    Parameters
    ----------
    values : array-like of shape (n_values,)
        For example a score of each topic, or the difference of two methods.
    level : float, default=0.95
        Share of the draws' means inside the interval, in (0, 1).
    n_draws : int, default=10000
        Draws.
    random_state : int, RandomState instance or None, default=0
        Seed.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, or `level` or `n_draws` is out of its
        range.

    References
    ----------
    Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import bootstrap_interval
    >>> bootstrap_interval([0.5, 0.5, 0.5])
    (0.5, 0.5)
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"values has shape {values.shape}, {np.sum(~np.isfinite(values))} of them "
            "not finite; expected finite numbers, at least one. Leave out topics "
            "without a score."
        )
    if not (0 < level < 1 and n_draws >= 1):
        raise ValueError(
            f"level={level!r}, n_draws={n_draws!r}; expected a share in (0, 1), 0.95 "
            "for 95 %, and at least one draw."
        )
    drawn = check_random_state(random_state).randint(
        len(values), size=(n_draws, len(values))
    )
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(values[drawn].mean(axis=1), ends)
    return float(low), float(high)
