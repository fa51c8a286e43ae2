"""Plot of recall@k against k."""

import numpy as np

from ._checks import check_mapping
from ._style import (
    BESIDE,
    GRAY,
    LABEL_SIZE,
    axes_or_new,
    draw_legend,
    line_style,
    set_axes_title,
    wrap,
)


def plot_recall_curves(curves, *, title=None, ax=None):
    """Plot recall@k against k, with standard deviations and the chance level.

    Each line is the mean over splits. With several splits, a band shows one standard
    deviation over splits (``ddof=1``) to each side. The chance level is
    ``k / n_candidates``. Recall cannot be interpreted without the number of candidates,
    which the x axis states.

    Parameters
    ----------
    curves : dict of str to array-like of shape (n_splits, n_candidates)
        Recall@k for k = 1 … n_candidates, in [0, 1], by name of the estimator, as
        returned by :func:`~sklearn_neurocontext.metrics.recall_curve`. A single split
        may have shape (n_candidates,). The legend lists the best estimator first.
    title : str or None, default=None
        Wrapped; mathtext is not interpreted.
    ax : matplotlib Axes or None, default=None
        Axes to draw on; None creates a figure.

    Returns
    -------
    ax : matplotlib Axes
        The first line is the chance level, the others are the estimators.

    Raises
    ------
    TypeError
        If `curves` is not a dictionary.
    ValueError
        If `curves` is empty, curves have different numbers of candidates, or a curve
        has a wrong shape, contains NaN or values outside [0, 1], decreases, or does not
        reach 1.

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
    # With few candidates the curves fill the axes: place the legend beside them.
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
    # With many candidates, labels of ticks between powers of ten would overlap.
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
            f"The curve of {name!r} contains NaN or infinity. Leave out such splits."
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
            f"{curve[:, -1].min():g}. Pass all k from 1 to n_candidates, as "
            "recall_curve returns."
        )
    return curve
