"""Bar plot of the Dice overlap of predicted and observed maps."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from ._style import (
    COLOURS,
    GREY,
    LABEL_SIZE,
    axes_or_new,
    draw_legend,
    set_axes_title,
    wrap,
)


def plot_dice_bars(scores, *, intervals=None, top=0.1, title=None, ax=None):
    """Plot the mean Dice overlap of each method, and the Dice of each map.

    Lines join the points of one map, because all methods are scored on the same maps:
    compare methods by the slopes of the lines rather than by the overlap of intervals.

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_maps,)
        Dice of each map, in [0, 1], by name of the method; the same maps in the same
        order for all methods.
    intervals : dict of str to (float, float) or None, default=None
        Lower and upper end of a confidence interval of the mean, for some or all
        methods.
    top : float, default=0.1
        Fraction of voxels used for Dice, in (0, 1]; shown on the axis.
    title : str or None, default=None
        Wrapped; mathtext is not interpreted.
    ax : matplotlib Axes or None, default=None
        Axes to draw on; None creates a figure.

    Returns
    -------
    ax : matplotlib Axes
        Methods from left to right in the order of `scores`.

    Raises
    ------
    TypeError
        If `scores` or `intervals` is not a dictionary.
    ValueError
        If `scores` is empty, methods have different numbers of maps, a score, an end of
        an interval or `top` is not in [0, 1], or `intervals` has unknown names.

    See Also
    --------
    sklearn_neurocontext.metrics.dice_score : Dice of one map.

    Examples
    --------
    >>> from sklearn_neurocontext.plotting import plot_dice_bars
    >>> ax = plot_dice_bars({"mean map": [0.21, 0.3], "model": [0.42, 0.38]})
    >>> ax.get_ylabel()
    'Dice, top 10 % of voxels'
    """
    scores = _check_scores(scores)
    intervals = _check_intervals({} if intervals is None else intervals, scores)
    if not (isinstance(top, Real) and 0 < top <= 1):
        raise ValueError(
            f"top must be a fraction of voxels in (0, 1]; got {top!r}. Pass 0.1 for "
            "the top 10 %."
        )
    # A new figure has room beside the bars.
    place = {"loc": "best"}
    if ax is None:
        place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    ax = axes_or_new(ax, figsize=(3.5 + 1.4 * len(scores), 5.0))
    matrix = np.stack(list(scores.values()))
    places = np.arange(len(scores))
    bars = ax.bar(places, matrix.mean(axis=1), width=0.6, color=COLOURS[5], zorder=1)
    ax.plot(places, matrix, color=GREY, linewidth=0.7, alpha=0.5, zorder=2)
    points = ax.plot(
        np.repeat(places, matrix.shape[1]),
        matrix.ravel(),
        linestyle="",
        marker="o",
        markersize=5,
        color=GREY,
        alpha=0.7,
        zorder=3,
    )
    handles, words = [bars, *points], ["mean", "one map"]
    for x, name in enumerate(scores):
        if name in intervals:
            ends = ax.plot(
                [x, x], intervals[name], color=COLOURS[1], linewidth=4, zorder=4
            )
            handles, words = [bars, *points, *ends], ["mean", "one map", "interval"]
    draw_legend(ax, handles, words, **place)
    _label_axes(ax, scores, top)
    if title is not None:
        set_axes_title(ax, title)
    return ax


def _label_axes(ax, scores, top):
    names = [wrap(str(name), 16, max_lines=3) for name in scores]
    ax.set_xticks(range(len(names)), names, fontsize=LABEL_SIZE, parse_math=False)
    ax.set_ylim(0, None)
    ax.set_ylabel(f"Dice, top {100 * top:g} % of voxels", fontsize=LABEL_SIZE)
    ax.grid(axis="y", color="0.9")
    ax.set_axisbelow(True)


def _check_intervals(intervals, scores) -> dict:
    if not isinstance(intervals, Mapping):
        raise TypeError(
            "intervals must be a dictionary of name to (low, high); got "
            f"{type(intervals).__name__}."
        )
    unknown = sorted(set(intervals) - set(scores))
    if unknown:
        raise ValueError(
            f"intervals must have names of scores, {sorted(scores)}; got {unknown}."
        )
    checked = {n: np.asarray(one, dtype=np.float64) for n, one in intervals.items()}
    for name, ends in checked.items():
        if ends.shape != (2,) or not 0 <= ends[0] <= ends[1] <= 1:
            raise ValueError(
                f"The interval of {name!r} must be two fractions, the lower first; got "
                f"{intervals[name]!r}. Divide percentages by 100."
            )
    return checked


def _check_scores(scores) -> dict:
    if not isinstance(scores, Mapping):
        raise TypeError(
            "scores must be a dictionary of name to array (n_maps,); got "
            f"{type(scores).__name__}. For one method write {{'name': array}}."
        )
    checked = {n: np.asarray(one, dtype=np.float64) for n, one in scores.items()}
    shapes = {name: one.shape for name, one in checked.items()}
    if (
        not checked
        or len(set(shapes.values())) > 1
        or len(shapes[next(iter(shapes))]) != 1
    ):
        raise ValueError(
            "scores must have one number per method and map, for the same maps in the "
            f"same order; got the shapes {shapes}."
        )
    for name, one in checked.items():
        if not one.size or not ((one >= 0) & (one <= 1)).all():
            raise ValueError(
                f"The scores of {name!r} must be in [0, 1], one per map; some are not, "
                "or there are none. Divide percentages by 100."
            )
    return checked
