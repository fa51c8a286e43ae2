"""Plot of paired differences to a reference estimator."""

from collections.abc import Mapping

import numpy as np

from ._style import COLOURS, GREY, LABEL_SIZE, axes_or_new, draw_legend, wrap


def plot_paired_differences(
    differences, *, intervals=None, unit="points", reference="the reference", ax=None
):
    """Plot differences between estimators and a reference, on each split.

    Each row shows one estimator: a small point per split, a large one for their mean,
    and the confidence interval if given. This function estimates no interval, because
    splits that share studies are not independent.

    Parameters
    ----------
    differences : dict of str to array-like of shape (n_splits,)
        Score minus that of the reference on each split, by name of the estimator.
    intervals : dict of str to (float, float) or None, default=None
        Lower and upper end of a confidence interval of the mean, for some or all
        estimators.
    unit : str, default="points"
        Unit of the differences; shown on the axis.
    reference : str, default="the reference"
        Name of the reference; shown on the axis.
    ax : matplotlib Axes or None, default=None
        Axes to draw on; None creates a figure.

    Returns
    -------
    ax : matplotlib Axes
        The first estimator is at the top.

    Raises
    ------
    TypeError
        If `differences` is not a dictionary.
    ValueError
        If `differences` is empty, an entry is not one-dimensional, is empty or contains
        NaN, or `intervals` has unknown names or its upper end first.

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
    intervals = _check_intervals(intervals, differences)
    ax = axes_or_new(ax, figsize=(8.0, 1.9 + 0.7 * len(differences)))
    ax.axvline(0, color=GREY, linestyle="--", zorder=1)
    for row, (name, values) in enumerate(differences.items()):
        marks = _draw_row(ax, row, values, intervals.get(name))
    draw_legend(
        ax,
        marks,
        ["one split", "mean and interval" if intervals else "mean"],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
    )
    names = [wrap(str(name), 24, max_lines=2) for name in differences]
    ax.set_yticks(range(len(names)), names, fontsize=LABEL_SIZE, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(
        f"difference to {reference} ({unit})", fontsize=LABEL_SIZE, parse_math=False
    )
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    return ax


def _draw_row(ax, row, values, interval):
    # The points of splits are above the mean, so that neither hides the other.
    splits = ax.plot(
        values,
        np.full(len(values), row - 0.2),
        linestyle="",
        marker="o",
        markersize=6,
        markeredgewidth=0,
        color=COLOURS[0],
        alpha=0.5,
    )
    if interval is not None:
        ax.plot(interval, [row, row], color=COLOURS[1], linewidth=3)
    mean = ax.plot(
        [values.mean()],
        [row],
        linestyle="",
        marker="D",
        markersize=9,
        color=COLOURS[1],
    )
    return splits + mean


def _check_differences(differences) -> dict:
    if not isinstance(differences, Mapping):
        raise TypeError(
            "differences must be a dictionary of name to array (n_splits,); got "
            f"{type(differences).__name__}. For one estimator write {{'name': array}}."
        )
    if not differences:
        raise ValueError("differences is empty; expected at least one estimator.")
    checked = {}
    for name, values in differences.items():
        checked[name] = np.asarray(values, dtype=np.float64)
        if checked[name].ndim != 1 or checked[name].size == 0:
            raise ValueError(
                f"The differences of {name!r} must have shape (n_splits,); got "
                f"{checked[name].shape}."
            )
        if not np.isfinite(checked[name]).all():
            raise ValueError(
                f"The differences of {name!r} contain NaN or infinity. Leave out "
                "splits that one of the two estimators lacks."
            )
    return checked


def _check_intervals(intervals, differences) -> dict:
    intervals = dict(intervals or {})
    unknown = sorted(set(intervals) - set(differences))
    if unknown:
        raise ValueError(
            f"intervals must have names of differences, {sorted(differences)}; got "
            f"{unknown}."
        )
    for name, interval in intervals.items():
        ends = np.asarray(interval, dtype=np.float64)
        if ends.shape != (2,) or not ends[0] <= ends[1]:
            raise ValueError(
                f"The interval of {name!r} must be (low, high) with low <= high; got "
                f"{interval!r}. Leave it out if it is unknown."
            )
    return intervals
