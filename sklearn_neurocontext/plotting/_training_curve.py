"""Plot the training curve of a neural network: losses and monitor of each epoch."""

import math

from ._style import ABOVE, COLORS, GRAY, LABEL_SIZE, TICK_SIZE, axes_or_new, draw_legend

# For each loss: its key in the history, its name in the legend and its color.
_LOSSES = (
    ("train_loss", "training loss", COLORS[0]),
    ("valid_loss", "validation loss", COLORS[1]),
)
_MONITOR_COLOR = COLORS[2]


def plot_training_curve(history, *, best_epoch=None, ax=None):
    """Plot the losses of a neural network and its monitor against the epoch.

    The left axis shows the training loss and the validation loss. The right axis shows
    the monitor, that is, the value by which the estimator selects the best epoch. The
    best epoch is the epoch with the lowest monitor.

    Parameters
    ----------
    history : list of dict
        One dictionary per epoch, for example ``history_`` of a fitted
        :class:`~sklearn_neurocontext.ContrastiveTextBrain`. The keys ``epoch`` (from 1)
        and ``train_loss`` are required; ``valid_loss``, ``monitor`` and ``dur``
        (duration in seconds) are optional.
    best_epoch : int or None, default=None
        Epoch whose weights the estimator keeps. A vertical line marks this epoch.
    ax : matplotlib Axes or None, default=None
        Axes to draw on. If None, a new figure is created.

    Returns
    -------
    ax : matplotlib Axes
        The axes of the losses.

    Raises
    ------
    ValueError
        If `history` is empty; if an entry has no epoch or no training loss; if a value
        is NaN or infinite; or if `best_epoch` is not an epoch of `history`.

    Examples
    --------
    >>> from sklearn_neurocontext.plotting import plot_training_curve
    >>> history = [
    ...     {"epoch": 1, "train_loss": 5.2, "monitor": 0.78, "dur": 0.4},
    ...     {"epoch": 2, "train_loss": 4.1, "monitor": 0.71, "dur": 0.4},
    ... ]
    >>> ax = plot_training_curve(history, best_epoch=2)
    >>> ax.get_xlabel()
    'epoch (total 0.8 s)'
    """
    history = list(history)
    _check_history(history, best_epoch)
    ax = axes_or_new(ax, figsize=(8.0, 5.0), grid="y")
    lines, names = [], []
    for key, name, color in _LOSSES:
        if any(key in epoch for epoch in history):
            lines += ax.plot(*_series(history, key), **_line_options(color))
            names.append(name)
    if any("monitor" in epoch for epoch in history):
        lines += _draw_monitor(ax, history)
        names.append("monitor (right axis)")
    if best_epoch is not None:
        lines.append(ax.axvline(best_epoch, color=GRAY, linestyle="--", zorder=1))
        names.append(f"best epoch: {best_epoch}")
    _label_axes(ax, history)
    draw_legend(ax, lines, names, **ABOVE)
    return ax


def _line_options(color):
    return {"color": color, "linewidth": 2.5, "marker": "o", "markersize": 5}


def _series(history, key):
    known = [epoch for epoch in history if key in epoch]
    return [epoch["epoch"] for epoch in known], [epoch[key] for epoch in known]


def _draw_monitor(ax, history):
    right = ax.twinx()
    right.spines["top"].set_visible(False)
    right.tick_params(labelsize=TICK_SIZE, colors=_MONITOR_COLOR)
    label = "monitor (lower is better)"
    right.set_ylabel(label, fontsize=LABEL_SIZE, color=_MONITOR_COLOR)
    return right.plot(*_series(history, "monitor"), **_line_options(_MONITOR_COLOR))


def _label_axes(ax, history):
    from matplotlib.ticker import MaxNLocator

    label = "epoch"
    if all("dur" in epoch for epoch in history):
        label += f" (total {sum(epoch['dur'] for epoch in history):.1f} s)"
    ax.set_xlabel(label, fontsize=LABEL_SIZE)
    ax.set_ylabel("loss", fontsize=LABEL_SIZE)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _check_history(history, best_epoch) -> None:
    if not history:
        raise ValueError("history is empty; expected one dictionary per epoch.")
    for position, epoch in enumerate(history):
        missing = [key for key in ("epoch", "train_loss") if key not in epoch]
        if missing:
            raise ValueError(
                f"Entry {position} of history must have {' and '.join(missing)}; it "
                f"has {sorted(epoch)}. Pass history_ of a fitted estimator."
            )
        for key in ("train_loss", "valid_loss", "monitor", "dur"):
            if not math.isfinite(epoch.get(key, 0.0)):
                raise ValueError(
                    f"{key} must be finite; got {epoch[key]} at epoch "
                    f"{epoch['epoch']}. Omit this epoch and all later epochs."
                )
    epochs = [epoch["epoch"] for epoch in history]
    if best_epoch is not None and best_epoch not in epochs:
        raise ValueError(
            f"best_epoch must be an epoch of history, {min(epochs)} to {max(epochs)}; "
            f"got {best_epoch!r}."
        )
