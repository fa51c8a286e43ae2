"""Tests of plot_scores: points, intervals, chance levels, labels and errors."""

import re

import numpy as np
import pytest

from sklearn_neurocontext.plotting import plot_scores

SCORES = {
    "recall@10 (1,000 candidates)": {"ridge_$1$": 0.11, "CCA": 0.14},
    "mix&match": {"ridge_$1$": 0.78, "CCA": 0.79},
}


def test_points_intervals_and_chance_level():
    figure = plot_scores(
        SCORES, intervals={"mix&match": {"CCA": (0.7, 0.8)}}, chance={"mix&match": 0.5}
    )
    recall, mix_match = figure.axes
    [points] = recall.lines
    np.testing.assert_array_equal(points.get_xydata(), [[0.11, 0], [0.14, 1]])
    chance, interval, points = mix_match.lines
    assert list(chance.get_xdata()) == [0.5, 0.5]
    np.testing.assert_array_equal(interval.get_xydata(), [[0.7, 1], [0.8, 1]])
    np.testing.assert_array_equal(points.get_xydata(), [[0.78, 0], [0.79, 1]])


def test_labels():
    figure = plot_scores(SCORES, title="titles_$2$")
    assert [ax.get_xlabel() for ax in figure.axes] == list(SCORES)
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["ridge_$1$", "CCA"]
    assert not any(label.get_parse_math() for label in labels)
    assert figure.axes[0].yaxis_inverted()
    assert figure.axes[0].xaxis.get_major_formatter()(0.1) == "10 %"
    assert figure.get_suptitle() == "titles_$2$"


@pytest.mark.parametrize(
    ("scores", "intervals", "kind", "message"),
    [
        ([0.1], None, TypeError, "scores must be a dictionary"),
        ({}, None, ValueError, "scores is empty"),
        ({"a": 0.1}, None, TypeError, "scores['a'] must be a dictionary"),
        ({"r": {"a": 14.0}}, None, ValueError, "'a' must be in [0, 1]; got 14.0"),
        ({"r": {"a": float("nan")}}, None, ValueError, "'a' must be in [0, 1]"),
        (
            {"r": {"a": 0.1}, "m": {"b": 0.1}},
            None,
            ValueError,
            "same estimators; got ['a'] and ['b']",
        ),
        (
            {"r": {"a": 0.1}},
            {"r": {"b": (0, 1)}},
            ValueError,
            "names among ['a']; got ['b']",
        ),
        (
            {"r": {"a": 0.1}},
            {"r": {"a": (0.2, 0.1)}},
            ValueError,
            "low <= high in [0, 1]",
        ),
    ],
)
def test_errors(scores, intervals, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plot_scores(scores, intervals=intervals)


@pytest.mark.parametrize(
    ("option", "value"), [("intervals", {"CCA": (0, 1)}), ("chance", 0.5)]
)
def test_unknown_panels(option, value):
    message = f"{option} must have labels among .*; got ['other']"
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        plot_scores(SCORES, **{option: {"other": value}})
