"""Plot recall curves, scores, paired differences of scores, and Dice overlaps."""

import numpy as np

from .._utils.volumes import check_top
from ._checks import check_intervals, check_mapping
from ._style import (
    ABOVE,
    BESIDE,
    COLORS,
    GRAY,
    LABEL_SIZE,
    TITLE_SIZE,
    axes_or_new,
    draw_legend,
    line_style,
    set_axes_title,
    wrap,
)


def plot_recall_curves(curves, *, title=None, ax=None):
    """Plot recall@k against k, with standard deviations and the chance level.

    The line of an estimator shows the mean over splits. If there are several splits, a
    band around the line shows the mean plus and minus the standard deviation over
    splits (``ddof=1``). The chance level is ``k / n_candidates``. The label of the x
    axis states the number of candidates, because recall cannot be interpreted without
    this number.

    Parameters
    ----------
    curves : dict of str to array-like of shape (n_splits, n_candidates)
        Dictionary from the name of an estimator to its recall@k in [0, 1] for
        k = 1 … n_candidates, as returned by
        :func:`~sklearn_neurocontext.metrics.recall_curve`. The array of a single split
        may have shape (n_candidates,). The legend lists estimators in descending order
        of their mean recall.
    title : str or None, default=None
        Title of the axes. It is wrapped, and ``$`` is printed literally.
    ax : matplotlib Axes or None, default=None
        Axes to draw on. If None, a new figure is created.

    Returns
    -------
    ax : matplotlib Axes
        Axes of the plot. ``ax.lines[0]`` shows the chance level, and each further line
        shows an estimator.

    Raises
    ------
    TypeError
        If `curves` is not a dictionary.
    ValueError
        If `curves` is empty, if the curves have different numbers of candidates, or if
        a curve has a wrong shape, contains NaN or values outside [0, 1], decreases, or
        does not reach 1.

    See Also
    --------
    sklearn_neurocontext.metrics.recall_curve : Compute the curve of one split.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.metrics import recall_curve
    >>> from sklearn_neurocontext.plotting import plot_recall_curves
    >>> rng = np.random.default_rng(0)
    >>> splits = [rng.normal(size=(50, 50)) + np.eye(50) for _ in range(3)]
    >>> ax = plot_recall_curves({"model": [recall_curve(one) for one in splits]})
    >>> ax.get_xlabel()
    'k (of 50 candidates)'
    """
    from matplotlib.patches import Patch

    curves = _check_curves(curves)
    n_candidates = next(iter(curves.values())).shape[1]
    k = np.arange(1, n_candidates + 1)
    # On a new figure, the legend is placed beside the axes, because the curves may fill
    # the axes.
    legend_place = BESIDE if ax is None else {"loc": "best"}
    ax = axes_or_new(ax, figsize=(10.0, 5.0))
    chance = ax.plot(k, k / n_candidates, color=GRAY, linestyle="--", zorder=1)
    lines = {
        name: _draw_curve(ax, k, splits, line_style(position))
        for position, (name, splits) in enumerate(curves.items())
    }
    order = sorted(curves, key=lambda name: -curves[name].mean())
    has_band = any(len(splits) > 1 for splits in curves.values())
    band = [Patch(color=GRAY, alpha=0.2, linewidth=0)] if has_band else []
    draw_legend(
        ax,
        [*(lines[name] for name in order), *chance, *band],
        [
            *(wrap(str(name), 24, max_lines=2) for name in order),
            "chance level",
            *("± standard deviation over splits" for _ in band),
        ],
        **legend_place,
    )
    _label_axes(ax, n_candidates)
    set_axes_title(ax, title)
    return ax


def _draw_curve(ax, k, splits, style):
    mean = splits.mean(axis=0)
    (line,) = ax.plot(k, mean, linewidth=2.5, **style)
    if len(splits) > 1:
        std = splits.std(axis=0, ddof=1)
        options = {"color": style["color"], "alpha": 0.2, "linewidth": 0}
        ax.fill_between(k, mean - std, mean + std, **options)
    return line


def _label_axes(ax, n_candidates):
    from matplotlib.ticker import LogLocator, PercentFormatter, StrMethodFormatter

    ax.set_xscale("log")
    # With many candidates, only powers of ten are labeled, because more labels would
    # overlap.
    multiples = (1.0, 2.0, 5.0) if n_candidates <= 1000 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=multiples, numticks=20))
    ax.minorticks_off()
    ax.set_xlim(1, n_candidates)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=" %"))
    ax.set_xlabel(f"k (of {n_candidates:,} candidates)", fontsize=LABEL_SIZE)
    ax.set_ylabel("recall@k", fontsize=LABEL_SIZE)


def _check_curves(curves) -> dict:
    """Return the curves as arrays of shape (n_splits, n_candidates)."""
    curves = check_mapping(curves, "curves", "array (n_splits, n_candidates)")
    checked = {name: _check_curve(name, one) for name, one in curves.items()}
    numbers = {name: one.shape[1] for name, one in checked.items()}
    if len(set(numbers.values())) > 1:
        raise ValueError(
            f"All curves must have the same number of candidates; got {numbers}. Score "
            "all estimators on the same splits."
        )
    return checked


def _check_curve(name, curve) -> np.ndarray:
    try:
        curve = np.atleast_2d(np.asarray(curve, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The curve of {name!r} must be an array ({error}). Splits must have the "
            "same number of candidates; use BenchmarkResult.recall_curves."
        ) from error
    if curve.ndim != 2 or len(curve) == 0 or curve.shape[1] < 2:
        raise ValueError(
            f"The curve of {name!r} must have shape (n_splits, n_candidates) with at "
            f"least one split and two candidates; got {curve.shape}."
        )
    if not np.isfinite(curve).all():
        raise ValueError(
            f"The curve of {name!r} contains NaN or infinity. Omit such splits."
        )
    if curve.min() < 0 or curve.max() > 1:
        raise ValueError(
            f"The curve of {name!r} must be in [0, 1]; got values from "
            f"{curve.min():g} to {curve.max():g}. Divide percentages by 100."
        )
    # The chance level k / n_candidates assumes that the curve covers all candidates.
    if (np.diff(curve, axis=1) < -1e-9).any() or curve[:, -1].min() < 1 - 1e-6:
        raise ValueError(
            f"The curve of {name!r} must not decrease and must end at 1; it ends at "
            f"{curve[:, -1].min():g}. Pass recall@k for all k from 1 to "
            "n_candidates, as returned by recall_curve."
        )
    return curve


def plot_paired_differences(
    differences, *, intervals=None, unit="points", reference="the reference", ax=None
):
    """Plot the score difference between each estimator and a reference on each split.

    Each row shows one estimator: a small dot for each split, a large diamond for the
    mean over splits and, if given, the confidence interval. The function does not
    compute intervals from the differences, because splits are not independent if they
    share studies.

    Parameters
    ----------
    differences : dict of str to array-like of shape (n_splits,)
        Dictionary from the name of an estimator to its differences: on each split, the
        score of the estimator minus the score of the reference.
    intervals : dict of str to (float, float) or None, default=None
        Dictionary from the name of an estimator to the lower and upper end of a
        confidence interval of its mean difference. Estimators without an interval may
        be omitted.
    unit : str, default="points"
        Unit of the differences, shown in the label of the x axis. The default stands
        for percentage points.
    reference : str, default="the reference"
        Name of the reference, shown in the label of the x axis.
    ax : matplotlib Axes or None, default=None
        Axes to draw on. If None, a new figure is created.

    Returns
    -------
    ax : matplotlib Axes
        Axes with the first estimator at the top.

    Raises
    ------
    TypeError
        If `differences` or `intervals` is not a dictionary.
    ValueError
        If `differences` is empty; if an entry is not one-dimensional, is empty or
        contains NaN; or if `intervals` has unknown names or an interval whose upper end
        is below its lower end.

    Examples
    --------
    >>> from sklearn_neurocontext.plotting import plot_paired_differences
    >>> ax = plot_paired_differences(
    ...     {"ridge": [-4.1, -3.2, -5.0], "CCA": [0.3, -0.4, 0.9]},
    ...     intervals={"ridge": (-6.3, -1.9)},
    ...     reference="contrastive",
    ... )
    >>> ax.get_xlabel()
    'difference to contrastive (points)'
    """
    differences = _check_differences(differences)
    intervals = check_intervals(intervals, differences)
    ax = axes_or_new(ax, figsize=(8.0, 1.9 + 0.7 * len(differences)), grid="x")
    ax.axvline(0, color=GRAY, linestyle="--", zorder=1)
    for row, (name, values) in enumerate(differences.items()):
        marks = _draw_row(ax, row, values, intervals.get(name))
    labels = ["one split", "mean and interval" if intervals else "mean"]
    draw_legend(ax, marks, labels, **ABOVE)
    names = [wrap(str(name), 24, max_lines=2) for name in differences]
    ax.set_yticks(range(len(names)), names, fontsize=LABEL_SIZE, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(
        f"difference to {reference} ({unit})", fontsize=LABEL_SIZE, parse_math=False
    )
    return ax


def _draw_row(ax, row, values, interval):
    # The dots of the splits are placed above the diamond of the mean, so that they do
    # not overlap it.
    splits = ax.plot(
        values,
        np.full(len(values), row - 0.2),
        linestyle="",
        marker="o",
        markersize=6,
        markeredgewidth=0,
        color=COLORS[0],
        alpha=0.5,
    )
    if interval is not None:
        ax.plot(interval, [row, row], color=COLORS[1], linewidth=3)
    mean = ax.plot(
        [values.mean()],
        [row],
        linestyle="",
        marker="D",
        markersize=9,
        color=COLORS[1],
    )
    return splits + mean


def _check_differences(differences) -> dict:
    checked = check_mapping(differences, "differences", "array (n_splits,)")
    for name, values in checked.items():
        checked[name] = np.asarray(values, dtype=np.float64)
        if checked[name].ndim != 1 or checked[name].size == 0:
            raise ValueError(
                f"The differences of {name!r} must have shape (n_splits,); got "
                f"{checked[name].shape}."
            )
        if not np.isfinite(checked[name]).all():
            raise ValueError(
                f"The differences of {name!r} contain NaN or infinity. Omit "
                "splits that were not scored for both estimators."
            )
    return checked


def plot_scores(scores, *, intervals=None, chance=None, title=None):
    """Plot scores of estimators with confidence intervals, one panel per score.

    Parameters
    ----------
    scores : dict of str to dict of str to float
        Dictionary from the label of a panel to the scores of the panel. These scores
        are a dictionary from the name of an estimator to its score in [0, 1]. The
        estimators must be the same in all panels. For recall, state the number of
        candidates in the label.
    intervals : dict of str to dict of str to (float, float) or None, default=None
        Dictionary from the label of a panel to the intervals of the panel. These
        intervals are a dictionary from the name of an estimator to the lower and upper
        end of a confidence interval of its score. Panels and estimators without an
        interval may be omitted.
    chance : dict of str to float or None, default=None
        Dictionary from the label of a panel to the chance level, which a dashed line
        shows. Panels without a chance level may be omitted.
    title : str or None, default=None
        Title of the figure.

    Returns
    -------
    figure : matplotlib Figure
        Figure with the first estimator at the top.

    Raises
    ------
    TypeError
        If `scores`, or an entry of `scores` or `intervals`, is not a dictionary.
    ValueError
        If `scores` is empty or contains values outside [0, 1], if panels have different
        estimators, if `intervals` or `chance` has unknown names, or if the upper end of
        an interval is below its lower end.

    See Also
    --------
    plot_paired_differences : Plot differences between estimators.

    Examples
    --------
    >>> from sklearn_neurocontext.plotting import plot_scores
    >>> label = "recall@10 (1,000 candidates)"
    >>> figure = plot_scores(
    ...     {label: {"ridge": 0.11, "CCA": 0.14}},
    ...     intervals={label: {"ridge": (0.10, 0.12)}},
    ...     chance={label: 0.01},
    ... )
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['ridge', 'CCA']
    """
    from matplotlib.figure import Figure

    scores = _check_panels(scores)
    intervals, chance = intervals or {}, chance or {}
    for argument, labels in (("intervals", intervals), ("chance", chance)):
        unknown = sorted(set(labels) - set(scores))
        if unknown:
            raise ValueError(
                f"{argument} must have labels among {list(scores)}; got {unknown}."
            )
    n_rows = len(next(iter(scores.values())))
    # The names of the estimators need about as much space as a panel.
    size = (4.0 * (1 + len(scores)), 1.8 + 0.45 * n_rows)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for ax, (label, of_panel) in zip(axes, scores.items(), strict=True):
        axes_or_new(ax, figsize=None, grid="x")
        checked = check_intervals(intervals.get(label), of_panel, fractions=True)
        _draw_panel(ax, of_panel, checked, chance.get(label))
        ax.set_xlabel(label, fontsize=LABEL_SIZE, parse_math=False)
    if title is not None:
        figure.suptitle(title, fontsize=TITLE_SIZE, parse_math=False)
    return figure


def _check_panels(scores) -> dict:
    """Check the scores of all panels."""
    scores = check_mapping(scores, "scores", "dictionary of estimators")
    names = None
    for label, of_panel in scores.items():
        of_panel = check_mapping(of_panel, f"scores[{label!r}]", "number in [0, 1]")
        if names is not None and list(of_panel) != names:
            raise ValueError(
                f"All panels must have the same estimators; got {names} and "
                f"{list(of_panel)}."
            )
        names = list(of_panel)
        for name, value in of_panel.items():
            if not 0 <= value <= 1:
                raise ValueError(
                    f"The score of {name!r} must be in [0, 1]; got {value!r}. Divide "
                    "percentages by 100."
                )
    return scores


def _draw_panel(ax, scores, intervals, chance):
    """Draw the scores of all estimators as dots; the first estimator is at the top."""
    from matplotlib.ticker import PercentFormatter

    if chance is not None:
        ax.axvline(chance, color=GRAY, linestyle="--", zorder=1)
    for row, name in enumerate(scores):
        if name in intervals:
            ax.plot(intervals[name], [row, row], color=COLORS[0], linewidth=3)
    marker = {"linestyle": "", "marker": "o", "markersize": 8, "color": COLORS[0]}
    ax.plot(list(scores.values()), range(len(scores)), **marker)
    names = [wrap(str(name), 40, max_lines=2) for name in scores]
    ax.set_yticks(range(len(scores)), names, fontsize=LABEL_SIZE, parse_math=False)
    ax.set_ylim(len(scores) - 0.5, -0.5)
    ax.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=" %"))


def plot_dice_bars(scores, *, intervals=None, top=0.1, title=None, ax=None):
    """Plot the mean Dice overlap of each method and the Dice overlap of each map.

    All methods must be scored on the same maps. A bar shows the mean Dice overlap of a
    method. A dot shows the Dice overlap of one map with one method, and a line joins
    all dots of the same map. Compare methods by the slopes of these lines. Do not
    compare methods by whether their intervals overlap.

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_maps,)
        Dictionary from the name of a method to the Dice overlap of each map, in [0, 1].
        The maps and their order must be the same for all methods.
    intervals : dict of str to (float, float) or None, default=None
        Dictionary from the name of a method to the lower and upper end of a confidence
        interval of its mean Dice overlap. Methods without an interval may be omitted.
    top : float, default=0.1
        Fraction of voxels that were selected in each map to compute the Dice overlap,
        in (0, 1]. It is shown in the label of the y axis.
    title : str or None, default=None
        Title of the axes. It is wrapped, and ``$`` is printed literally.
    ax : matplotlib Axes or None, default=None
        Axes to draw on. If None, a new figure is created.

    Returns
    -------
    ax : matplotlib Axes
        Axes with the methods from left to right, in the order of `scores`.

    Raises
    ------
    TypeError
        If `scores` or `intervals` is not a dictionary.
    ValueError
        If `scores` is empty; if methods have different numbers of maps; if a score, an
        end of an interval or `top` is out of range; or if `intervals` has unknown
        names.

    See Also
    --------
    sklearn_neurocontext.metrics.dice_score : Compute the Dice overlap of two maps.

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
                f"The scores of {name!r} must be in [0, 1], one per map; got an "
                "empty list, NaN or numbers outside [0, 1]. Divide percentages by 100."
            )
    return scores
