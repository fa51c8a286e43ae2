"""Tests of plot_dice_bars: means, points, intervals and errors."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_neurocontext.plotting import plot_dice_bars

SCORES = {"mean_$map$": [0.1, 0.2, 0.3], "model": [0.3, 0.5, 0.4]}


def test_bars_are_means_and_points_are_maps():
    ax = plot_dice_bars(SCORES)
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, [0.2, 0.4])
    (points,) = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(points.get_xdata(), [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(
        points.get_ydata(), [*SCORES["mean_$map$"], 0.3, 0.5, 0.4]
    )
    joined = [line for line in ax.lines if len(line.get_xdata()) == 2]
    np.testing.assert_array_equal(
        [line.get_ydata() for line in joined], [[0.1, 0.3], [0.2, 0.5], [0.3, 0.4]]
    )


def test_labels_without_mathtext():
    ax = plot_dice_bars(SCORES, top=0.05, title="a_$b$")
    labels = ax.get_xticklabels()
    assert [label.get_text() for label in labels] == list(SCORES)
    assert not any(label.get_parse_math() for label in labels)
    assert ax.get_ylabel() == "Dice, top 5 % of voxels"
    assert ax.get_title() == "a_$b$"


def test_intervals():
    ax = plot_dice_bars(SCORES, intervals={"model": (0.35, 0.47)})
    (interval,) = [line for line in ax.lines if line.get_linewidth() == 4]
    np.testing.assert_array_equal(interval.get_xydata(), [[1, 0.35], [1, 0.47]])
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["mean", "one map", "interval"]


def test_given_axes():
    ax = Figure().add_subplot()
    assert plot_dice_bars(SCORES, ax=ax) is ax


@pytest.mark.parametrize(
    ("scores", "intervals", "kind", "message"),
    [
        ([0.1], None, TypeError, "scores must be a dictionary"),
        ({}, None, ValueError, "scores is empty"),
        ({"a": [0.1], "b": [0.1, 0.2]}, None, ValueError, "for the same maps in"),
        ({"a": 0.1}, None, ValueError, "one number per method and map"),
        ({"a": [10.0]}, None, ValueError, "'a' must be in [0, 1]"),
        ({"a": [np.nan]}, None, ValueError, "'a' must be in [0, 1]"),
        ({"a": [0.1]}, {"b": (0, 1)}, ValueError, "got ['b']"),
        ({"a": [0.1]}, [(0, 1)], TypeError, "intervals must be a dictionary from name"),
        ({"a": [0.1]}, {"a": (20, 50)}, ValueError, "in [0, 1]; got (20, 50)"),
        ({"a": [0.1]}, {"a": (0.2, 0.1)}, ValueError, "low <= high in [0, 1]; got"),
        ({"a": [0.1]}, {"a": (0.1, np.nan)}, ValueError, "got (0.1, nan)"),
        ({"a": [0.1]}, {"a": (0.1, 0.2, 0.3)}, ValueError, "must be (low, high)"),
    ],
)
def test_errors(scores, intervals, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plot_dice_bars(scores, intervals=intervals)


@pytest.mark.parametrize("top", [10, 0, -0.1, np.nan, "0.1"])
def test_top_must_be_a_fraction(top):
    message = rf"^top must be .* got {re.escape(repr(top))}\."
    with pytest.raises(ValueError, match=message):
        plot_dice_bars(SCORES, top=top)
