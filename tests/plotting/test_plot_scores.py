"""Tests of plot_scores: points, intervals, chance level, labels and errors."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_neurocontext.plotting import plot_scores

SCORES = {"ridge_$1$": 0.11, "CCA": 0.14}


def test_points_intervals_and_chance_level():
    ax = plot_scores(SCORES, intervals={"CCA": (0.12, 0.15)}, chance=0.01)
    chance, interval, points = ax.lines
    assert list(chance.get_xdata()) == [0.01, 0.01]
    np.testing.assert_array_equal(interval.get_xydata(), [[0.12, 1], [0.15, 1]])
    np.testing.assert_array_equal(points.get_xydata(), [[0.11, 0], [0.14, 1]])


def test_labels():
    ax = plot_scores(SCORES, label="recall@10 (1,000 candidates)")
    assert ax.get_xlabel() == "recall@10 (1,000 candidates)"
    labels = ax.get_yticklabels()
    assert [label.get_text() for label in labels] == list(SCORES)
    assert not any(label.get_parse_math() for label in labels)
    assert ax.yaxis_inverted()
    assert ax.xaxis.get_major_formatter()(0.1) == "10 %"


def test_given_axes():
    ax = Figure().add_subplot()
    assert plot_scores(SCORES, ax=ax) is ax


@pytest.mark.parametrize(
    ("scores", "intervals", "kind", "message"),
    [
        ([0.1], None, TypeError, "scores must be a dictionary"),
        ({}, None, ValueError, "scores is empty"),
        ({"a": 14.0}, None, ValueError, "score of 'a' must be in [0, 1]; got 14.0"),
        ({"a": float("nan")}, None, ValueError, "score of 'a' must be in [0, 1]"),
        ({"a": 0.1}, {"b": (0, 1)}, ValueError, "names among ['a']; got ['b']"),
        ({"a": 0.1}, {"a": (0.2, 0.1)}, ValueError, "low <= high in [0, 1]"),
    ],
)
def test_errors(scores, intervals, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plot_scores(scores, intervals=intervals)
