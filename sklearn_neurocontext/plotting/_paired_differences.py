"""Plot of paired differences to a reference estimator."""

import numpy as np

from ._checks import check_intervals, check_mapping
from ._style import ABOVE, COLORS, GRAY, LABEL_SIZE, axes_or_new, draw_legend, wrap


def plot_paired_differences(
    differences, *, intervals=None, unit="points", reference="the reference", ax=None
):
    """Plot the difference of each estimator to a reference, on each split.

    Each row shows one estimator: a small point per split, a large one for their mean,
    and the confidence interval, if given. Intervals are not estimated here, because
    splits that share studies are not independent.

    Parameters
    ----------
    differences : dict of str to array-like of shape (n_splits,)
        Score of an estimator minus the score of the reference on each split, by name.
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
        If `differences` or `intervals` is not a dictionary.
    ValueError
        If `differences` is empty, an entry is not one-dimensional, is empty or contains
        NaN, or `intervals` has unknown names or an upper end below the lower end.

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
    # Points of splits lie above the row of the mean, so that neither hides the other.
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
                f"The differences of {name!r} contain NaN or infinity. Leave out "
                "splits that were not scored for both estimators."
            )
    return checked
