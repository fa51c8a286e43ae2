"""Plot of losses and of the monitor against the epoch."""

import math

from ._style import COLOURS, GREY, LABEL_SIZE, TICK_SIZE, axes_or_new, draw_legend

# Key of the history, name in the legend, colour.
_LOSSES = (
    ("train_loss", "training loss", COLOURS[0]),
    ("valid_loss", "validation loss", COLOURS[1]),
)
_MONITOR_COLOUR = COLOURS[2]


def plot_training_curve(history, *, best_epoch=None, ax=None):
    """Plot the training of a neural network against the epoch.

    The left axis shows the losses, the right axis the monitor that selects the best
    epoch.

    Parameters
    ----------
    history : list of dict
        One dictionary per epoch with the keys ``epoch`` (from 1) and ``train_loss``,
        and optionally ``valid_loss``, ``monitor`` and ``dur`` (seconds), as in
        ``history_`` of
        :class:`~sklearn_neurocontext.ContrastiveTextBrain`.
    best_epoch : int or None, default=None
        Epoch whose weights were restored; marked by a vertical line.
    ax : matplotlib Axes or None, default=None
        Axes to draw on; None creates a figure.

    Returns
    -------
    ax : matplotlib Axes
        The axes of the losses.

    Raises
    ------
    ValueError
        If `history` is empty, an epoch lacks its number or its training loss, a value
        is NaN or infinite, or `best_epoch` is not one of the epochs.

    Examples
    --------
    >>> from sklearn_neurocontext.plotting import plot_training_curve
    >>> history = [
    ...     {"epoch": 1, "train_loss": 5.2, "monitor": 0.71, "dur": 0.4},
    ...     {"epoch": 2, "train_loss": 4.1, "monitor": 0.78, "dur": 0.4},
    ... ]
    >>> ax = plot_training_curve(history, best_epoch=2)
    >>> ax.get_xlabel()
    'epoch (total 0.8 s)'
    """
    history = list(history)
    _check_history(history, best_epoch)
    ax = axes_or_new(ax)
    lines, names = [], []
    for key, name, colour in _LOSSES:
        if any(key in epoch for epoch in history):
            lines += ax.plot(*_series(history, key), **_line(colour))
            names.append(name)
    if any("monitor" in epoch for epoch in history):
        lines += _draw_monitor(ax, history)
        names.append("monitor (right axis)")
    if best_epoch is not None:
        mark = ax.axvline(best_epoch, color=GREY, linestyle="--", zorder=1)
        lines.append(mark)
        names.append(f"best epoch: {best_epoch}")
    _label_axes(ax, history)
    draw_legend(
        ax, lines, names, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2
    )
    return ax


def _line(colour):
    return {"color": colour, "linewidth": 2.5, "marker": "o", "markersize": 5}


def _series(history, key):
    epochs = [epoch for epoch in history if key in epoch]
    return [one["epoch"] for one in epochs], [one[key] for one in epochs]


def _draw_monitor(ax, history):
    right = ax.twinx()
    right.spines["top"].set_visible(False)
    right.tick_params(labelsize=TICK_SIZE, colors=_MONITOR_COLOUR)
    right.set_ylabel(
        "monitor (lower is better)", fontsize=LABEL_SIZE, color=_MONITOR_COLOUR
    )
    return right.plot(*_series(history, "monitor"), **_line(_MONITOR_COLOUR))


def _label_axes(ax, history):
    from matplotlib.ticker import MaxNLocator

    label = "epoch"
    if all("dur" in epoch for epoch in history):
        label += f" (total {sum(epoch['dur'] for epoch in history):.1f} s)"
    ax.set_xlabel(label, fontsize=LABEL_SIZE)
    ax.set_ylabel("loss", fontsize=LABEL_SIZE)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(axis="y", color="0.9")


def _check_history(history, best_epoch) -> None:
    if not history:
        raise ValueError("history is empty; expected one dictionary per epoch.")
    for position, epoch in enumerate(history):
        missing = [key for key in ("epoch", "train_loss") if key not in epoch]
        if missing:
            raise ValueError(
                f"Entry {position} of history must have {' and '.join(missing)}; got "
                f"the keys {sorted(epoch)}. Pass history_ of a fitted estimator."
            )
        for key in ("train_loss", "valid_loss", "monitor", "dur"):
            if not math.isfinite(epoch.get(key, 0.0)):
                raise ValueError(
                    f"{key} must be finite; got {epoch[key]} at epoch "
                    f"{epoch['epoch']}. Leave out the epochs after a divergence."
                )
    epochs = [epoch["epoch"] for epoch in history]
    if best_epoch is not None and best_epoch not in epochs:
        raise ValueError(
            f"best_epoch must be an epoch of history, {min(epochs)} to {max(epochs)}; "
            f"got {best_epoch!r}."
        )
