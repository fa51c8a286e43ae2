"""Bar plot of the Dice overlap of predicted and observed maps."""

import numpy as np

from .._utils.volumes import check_top
from ._checks import check_intervals, check_mapping
from ._style import (
    BESIDE,
    COLORS,
    GRAY,
    LABEL_SIZE,
    axes_or_new,
    draw_legend,
    set_axes_title,
    wrap,
)


def plot_dice_bars(scores, *, intervals=None, top=0.1, title=None, ax=None):
    """Plot the mean Dice overlap of each method, and the Dice of each map.

    All methods are scored on the same maps, so a line joins the points of each map.
    Compare methods by the slopes of these lines, not by the overlap of intervals.

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_maps,)
        Dice of each map, in [0, 1], by name of the method. All methods must have the
        same maps in the same order.
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
        an interval or `top` is out of range, or `intervals` has unknown names.

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
    intervals = check_intervals(intervals, scores, fractions=True)
    check_top(top)
    legend_place = BESIDE if ax is None else {"loc": "best"}
    ax = axes_or_new(ax, figsize=(3.5 + 1.4 * len(scores), 5.0), grid="y")
    matrix = np.stack(list(scores.values()))
    places = np.arange(len(scores))
    bars = ax.bar(places, matrix.mean(axis=1), width=0.6, color=COLORS[5], zorder=1)
    ax.plot(places, matrix, color=GRAY, linewidth=0.7, alpha=0.5, zorder=2)
    points = ax.plot(
        np.repeat(places, matrix.shape[1]),
        matrix.ravel(),
        linestyle="",
        marker="o",
        markersize=5,
        color=GRAY,
        alpha=0.7,
        zorder=3,
    )
    handles, labels = [bars, *points], ["mean", "one map", "interval"]
    for x, name in enumerate(scores):
        if name in intervals:
            ends = intervals[name]
            line = ax.plot([x, x], ends, color=COLORS[1], linewidth=4, zorder=4)
            handles = [bars, *points, *line]
    draw_legend(ax, handles, labels[: len(handles)], **legend_place)
    names = [wrap(str(name), 16, max_lines=3) for name in scores]
    ax.set_xticks(range(len(names)), names, fontsize=LABEL_SIZE, parse_math=False)
    ax.set_ylim(0, None)
    ax.set_ylabel(f"Dice, top {100 * top:g} % of voxels", fontsize=LABEL_SIZE)
    set_axes_title(ax, title)
    return ax


def _check_scores(scores) -> dict:
    scores = check_mapping(scores, "scores", "array (n_maps,)")
    scores = {name: np.asarray(one, np.float64) for name, one in scores.items()}
    shapes = {name: one.shape for name, one in scores.items()}
    if len(set(shapes.values())) > 1 or any(one.ndim != 1 for one in scores.values()):
        raise ValueError(
            "scores must have one number per method and map, for the same maps in the "
            f"same order; got the shapes {shapes}."
        )
    for name, one in scores.items():
        if not one.size or not ((one >= 0) & (one <= 1)).all():
            raise ValueError(
                f"The scores of {name!r} must be in [0, 1], one per map; some are not, "
                "or there are none. Divide percentages by 100."
            )
    return scores
