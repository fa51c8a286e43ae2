"""Dice overlap, correlation and rank of predicted maps, and bootstrap intervals."""

import math
from numbers import Real

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils import check_random_state

from .._utils.volumes import check_top, moderate_rows, select_top, unit_rows
from ._retrieval import count_greater_and_tied

_BLOCK_ELEMENTS = 4_000_000


def dice_score(true_map, predicted_map, *, threshold=None, top=None) -> float:
    r"""Compute the Dice overlap of two maps after thresholding both.

    Let :math:`A` be the set of selected voxels of the true map. Let :math:`B` be the
    set of selected voxels of the predicted map. The Dice overlap is

    .. math:: D = \frac{2 |A \cap B|}{|A| + |B|}.

    The Dice overlap is 0 if both sets are empty. Use `top` to select the voxels with
    the highest values in each map. The two maps may then have different units. Use
    `threshold` only for maps with the same unit.

    Parameters
    ----------
    true_map, predicted_map : array-like of equal shape, or 3D Nifti image
        Maps with finite values. Arrays may have any number of dimensions. Pass only
        voxels inside the mask, because `top` is a fraction of all values.
    threshold : float or None, default=None
        Select the voxels whose value is greater than `threshold`.
    top : float or None, default=None
        Fraction of the voxels to select, in (0, 1]. The cut is the k-th largest value,
        where k is `top` times the number of voxels, rounded up. Voxels above the cut
        are selected. Voxels equal to the cut are selected only if the cut is positive.
        This rule excludes the zero background of a sparse map.

    Returns
    -------
    dice : float
        Fraction in [0, 1].

    Raises
    ------
    ValueError
        If both `threshold` and `top` are given, if both are None, or if the given value
        is out of range. The error is also raised if the maps differ in shape or affine,
        are empty, or contain NaN or infinity.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import dice_score
    >>> dice_score([3.0, 2.0, 0.0, 0.0], [3.0, 0.0, 2.0, 0.0], top=0.5)
    0.5
    >>> dice_score([0.9, 0.8, 0.1], [0.7, 0.2, 0.1], threshold=0.5)
    0.6666666666666666
    """
    check_threshold_or_top(threshold, top)
    maps = _check_maps(true_map, predicted_map)
    selected = [select_voxels(one, threshold, top) for one in maps]
    return float(dice_of_rows(*selected)[0])


def check_threshold_or_top(threshold, top) -> None:
    """Check that exactly one of `threshold` and `top` is given and that it is valid."""
    if (threshold is None) == (top is None):
        raise ValueError(
            "Pass exactly one of threshold and top; got "
            f"threshold={threshold!r}, top={top!r}."
        )
    if top is not None:
        check_top(top)
    elif not isinstance(threshold, Real) or not math.isfinite(threshold):
        raise ValueError(f"threshold must be a finite number; got {threshold!r}.")


def select_voxels(maps, threshold, top) -> np.ndarray:
    """Return a boolean array of the selected voxels; see `dice_score`."""
    if top is not None:
        return select_top(maps, top)
    # NumPy would round a Python float to the dtype of the maps before the comparison.
    return maps > np.float64(threshold)


def _check_maps(true_map, predicted_map) -> tuple[np.ndarray, np.ndarray]:
    """Check two maps and return them as arrays of shape (1, n_voxels)."""
    affines = [getattr(one, "affine", None) for one in (true_map, predicted_map)]
    true_map, predicted_map = (_read_map(one) for one in (true_map, predicted_map))
    if true_map.shape != predicted_map.shape or true_map.size == 0:
        raise ValueError(
            "The maps must have the same shape and must not be empty; got shapes "
            f"{true_map.shape} and {predicted_map.shape}. Resample one to the other "
            "first."
        )
    if all(one is not None for one in affines) and not np.allclose(*affines):
        raise ValueError(
            "The two images must have the same affine; got different ones. Resample "
            "one to the other first, for example with nilearn.image.resample_to_img."
        )
    if not (np.isfinite(true_map).all() and np.isfinite(predicted_map).all()):
        raise ValueError(
            "A map contains NaN or infinity. Mask these voxels or set them to 0 first."
        )
    return true_map.reshape(1, -1), predicted_map.reshape(1, -1)


def _read_map(one) -> np.ndarray:
    """Return the values of an array or image as float64."""
    try:
        values = one.get_fdata() if hasattr(one, "get_fdata") else one
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"A map cannot be read as numbers ({error}). Expected an array of values "
            "at voxels, or a Nifti image."
        ) from error


def dice_of_rows(true, predicted) -> np.ndarray:
    """Compute the Dice overlap of each pair of boolean rows.

    If all values of both rows are False, the Dice overlap is 0.
    """
    both = np.count_nonzero(true & predicted, axis=1)
    sizes = np.count_nonzero(true, axis=1) + np.count_nonzero(predicted, axis=1)
    return 2.0 * both / np.maximum(sizes, 1)


def score_maps(
    predicted, observed, mean_map, *, top: float = 0.1, tops=(0.02, 0.05, 0.1, 0.2, 0.3)
) -> dict:
    """Score predicted maps by their similarity to observed maps.

    Parameters
    ----------
    predicted, observed : ndarray of shape (n_maps, n_voxels)
        Voxel values. Row i of `observed` is the true map for row i of `predicted`.
    mean_map : ndarray of shape (n_voxels,)
        Mean of the maps of the training studies. It is used only to compute ``rank``.
    top : float, default=0.1
        Fraction of voxels that are selected in each map to compute ``dice``.
    tops : sequence of float, default=(0.02, 0.05, 0.1, 0.2, 0.3)
        Fractions of voxels. ``dice_mean`` is the mean Dice overlap over these
        fractions.

    Returns
    -------
    scores : dict of str to ndarray of shape (n_maps,)
        The keys are:

        - ``dice``: Dice overlap of the predicted and the true map, for the fraction
          `top`;
        - ``dice_mean``: mean of this Dice overlap over the fractions `tops`;
        - ``correlation``: Pearson correlation of the predicted and the true map over
          voxels;
        - ``rank``: rank of the true map if all observed maps are sorted by their
          correlation with the predicted map, in descending order. The mean map is first
          projected out of all maps, because all maps resemble the mean map. The best
          rank is 1. Each other map that has the same correlation as the true map adds
          one half to the rank.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.metrics import score_maps
    >>> maps = np.random.default_rng(0).uniform(size=(5, 400))
    >>> score_maps(maps, maps, maps.mean(axis=0))["rank"]
    array([1., 1., 1., 1., 1.])
    """
    predicted, observed, mean_map = (
        moderate_rows(np.asarray(one, np.float64))
        for one in (predicted, observed, mean_map)
    )
    pairs = list(zip(observed, predicted, strict=True))
    dices = np.array([[dice_score(*pair, top=one) for one in tops] for pair in pairs])
    left, right = (
        unit_rows(_project_out(maps, mean_map)) for maps in (predicted, observed)
    )
    n_greater, n_tied = count_greater_and_tied(left @ right.T)
    return {
        "dice": np.array([dice_score(*pair, top=top) for pair in pairs]),
        "dice_mean": dices.mean(axis=1),
        "correlation": (
            unit_rows(_center(predicted)) * unit_rows(_center(observed))
        ).sum(1),
        "rank": 1 + n_greater + (n_tied - 1) / 2,
    }


def _center(maps):
    """Subtract the mean over voxels from each map."""
    return maps - maps.mean(axis=1, keepdims=True)


def _project_out(maps, mean_map):
    """Center each map and remove its projection on the centered mean map."""
    direction = unit_rows(_center(mean_map[None]))[0]
    maps = _center(maps)
    rest = maps - np.outer(maps @ direction, direction)
    # If a centered map is a multiple of the direction, only rounding errors remain when
    # its projection is removed. They are set to zero.
    rounding = np.linalg.norm(rest, axis=1) <= 1e-9 * np.linalg.norm(maps, axis=1)
    rest[rounding] = 0
    return rest


def bootstrap_interval(
    values,
    *,
    groups=None,
    weights=None,
    level: float = 0.95,
    n_draws: int = 10_000,
    random_state=0,
):
    """Compute a bootstrap percentile interval of the mean.

    The values are divided into groups. For each bootstrap sample, groups are drawn with
    replacement. The number of draws equals the number of groups in the data. The sample
    contains all values of each drawn group. The ends of the interval are two
    percentiles of the means of the bootstrap samples. Without `groups`, each value is a
    group of its own.

    Parameters
    ----------
    values : array-like of shape (n_values,) or (n_values, n_columns)
        Values to average, for example the score of each map, or the difference between
        the scores of two methods on each map. All columns are averaged over the same
        bootstrap samples.
    groups : array-like of shape (n_values,) or None, default=None
        Group of each value. Values of the same group may depend on each other. Values
        of different groups must be independent. For example, a study that is in several
        test sets has several scores, which form a group.
    weights : array-like of shape (n_values,) or None, default=None
        Positive weight of each value in the mean. If None, all weights are equal.
    level : float, default=0.95
        Fraction of the bootstrap means that lie inside the interval, in (0, 1).
    n_draws : int, default=10000
        Number of bootstrap samples.
    random_state : int, RandomState instance or None, default=0
        Controls the bootstrap samples.

    Returns
    -------
    low, high : float or ndarray of shape (n_columns,)
        Lower and upper end of the interval. If `values` has two dimensions, each column
        has its own interval.

    Raises
    ------
    ValueError
        If `values` is empty or contains NaN or infinity, if `groups` or `weights` do
        not have one entry per value, if a weight is not positive, or if `level` or
        `n_draws` is out of range.

    References
    ----------
    Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import bootstrap_interval
    >>> bootstrap_interval([0.5, 0.5, 0.5])
    (0.5, 0.5)
    >>> bootstrap_interval([0.0, 1.0, 0.0, 1.0], groups=["a", "a", "b", "b"])
    (0.5, 0.5)
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim not in (1, 2) or not values.size or not np.isfinite(values).all():
        raise ValueError(
            "values must be a non-empty sequence of finite numbers; got shape "
            f"{values.shape} with {np.sum(~np.isfinite(values))} values that are NaN "
            "or infinite. Remove these values first."
        )
    if not (0 < level < 1 and n_draws >= 1):
        raise ValueError(
            "level must be in (0, 1), for example 0.95, and n_draws at least 1; got "
            f"level={level!r}, n_draws={n_draws!r}."
        )
    sums, sizes = _sum_over_groups(values, groups, weights)
    rng = check_random_state(random_state)
    n_groups = len(sizes)
    means = np.empty((n_draws, sums.shape[1]))
    # Samples are drawn in blocks to limit memory.
    step = max(1, _BLOCK_ELEMENTS // n_groups)
    for start in range(0, n_draws, step):
        block = means[start : start + step]
        drawn = rng.randint(n_groups, size=(len(block), n_groups))
        # counts[i, j] is the number of times that sample i contains group j.
        drawn += n_groups * np.arange(len(block))[:, np.newaxis]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).astype(np.float64)
        counts = counts.reshape(drawn.shape)
        block[:] = (counts @ sums) / (counts @ sizes)[:, np.newaxis]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (low, high) if values.ndim == 2 else (float(low[0]), float(high[0]))


def _sum_over_groups(values, groups, weights) -> tuple[np.ndarray, np.ndarray]:
    """Compute the weighted sum of values and the sum of weights in each group."""
    n = len(values)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    weights = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    if groups.shape != (n,) or weights.shape != (n,):
        raise ValueError(
            f"groups and weights must have one entry for each of {n} values; got "
            f"shapes {groups.shape} and {weights.shape}."
        )
    if not (np.isfinite(weights).all() and weights.min() > 0):
        raise ValueError(
            f"weights must be positive and finite; got {weights.min()} as smallest and "
            f"{weights.max()} as largest weight. Remove other values first."
        )
    codes = np.unique(groups, return_inverse=True)[1]
    belongs = csr_array((weights, (codes, np.arange(n))))
    return belongs @ values.reshape(n, -1), np.bincount(codes, weights)
