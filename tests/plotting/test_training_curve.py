"""Tests of plot_training_curve: losses, monitor, best epoch and errors."""

import math
import re

import pytest
from matplotlib.figure import Figure

from sklearn_neurocontext.plotting import plot_training_curve

HISTORY = [
    {
        "epoch": epoch,
        "train_loss": 5.0 / epoch,
        "valid_loss": 4.0 + epoch,
        "monitor": abs(epoch - 3) + 0.5,
        "dur": 0.25,
    }
    for epoch in range(1, 7)
]


def _select_keys(*keys):
    return [{key: epoch[key] for key in ("epoch", *keys)} for epoch in HISTORY]


def _legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_lines_and_legend():
    ax = plot_training_curve(HISTORY)
    train, valid = ax.lines
    (monitor,) = next(one for one in ax.figure.axes if one is not ax).lines
    for line, key in ((train, "train_loss"), (valid, "valid_loss")):
        assert list(line.get_xdata()) == [epoch["epoch"] for epoch in HISTORY]
        assert list(line.get_ydata()) == [epoch[key] for epoch in HISTORY]
    assert list(monitor.get_ydata()) == [epoch["monitor"] for epoch in HISTORY]
    assert _legend(ax) == ["training loss", "validation loss", "monitor (right axis)"]


def test_best_epoch_is_marked():
    ax = plot_training_curve(HISTORY, best_epoch=3)
    assert list(ax.lines[-1].get_xdata()) == [3, 3]
    assert _legend(ax)[-1] == "best epoch: 3"


def test_optional_keys_may_be_missing():
    ax = plot_training_curve(_select_keys("train_loss"))
    assert len(ax.lines) == 1
    assert ax.figure.axes == [ax]
    assert _legend(ax) == ["training loss"]
    assert ax.get_xlabel() == "epoch"


def test_epochs_without_a_value_are_skipped():
    history = _select_keys("train_loss")
    history[2]["valid_loss"] = 4.5
    valid = plot_training_curve(history).lines[1]
    assert (list(valid.get_xdata()), list(valid.get_ydata())) == ([3], [4.5])


def test_total_duration():
    assert plot_training_curve(HISTORY).get_xlabel() == "epoch (total 1.5 s)"


def test_given_axes():
    ax = Figure().add_subplot()
    assert plot_training_curve(iter(HISTORY), ax=ax) is ax


@pytest.mark.parametrize(
    ("history", "best_epoch", "message"),
    [
        ([], None, "history is empty"),
        ([{"epoch": 1}], None, "Entry 0 of history must have train_loss; it has"),
        (
            [{"epoch": 1, "train_loss": math.nan}],
            None,
            "train_loss must be finite; got nan at epoch 1",
        ),
        (HISTORY, 7, "best_epoch must be an epoch of history, 1 to 6; got 7"),
    ],
)
def test_errors(history, best_epoch, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_training_curve(history, best_epoch=best_epoch)
