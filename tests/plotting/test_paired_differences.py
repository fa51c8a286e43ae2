"""Tests of plot_paired_differences: points, intervals, labels and errors."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_neurocontext.plotting import plot_paired_differences

DIFFERENCES = {"ridge_$1$": [-4.0, -3.0, -5.0], "CCA": [0.5, -0.5, 0.9]}


def _lines(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker]


def test_points_are_splits_and_their_mean():
    ax = plot_paired_differences(DIFFERENCES)
    for splits, mean, values in zip(
        _lines(ax, "o"), _lines(ax, "D"), DIFFERENCES.values(), strict=True
    ):
        np.testing.assert_array_equal(splits.get_xdata(), values)
        assert mean.get_xdata() == pytest.approx(np.mean(values))
    assert list(ax.lines[0].get_xdata()) == [0, 0]


def test_first_estimator_is_at_the_top():
    ax = plot_paired_differences(DIFFERENCES)
    labels = ax.get_yticklabels()
    assert [label.get_text() for label in labels] == list(DIFFERENCES)
    assert not any(label.get_parse_math() for label in labels)
    assert ax.yaxis_inverted()


def test_interval():
    ax = plot_paired_differences(DIFFERENCES, intervals={"CCA": (-0.7, 1.3)})
    (interval,) = [line for line in _lines(ax, "None") if line is not ax.lines[0]]
    np.testing.assert_array_equal(interval.get_xydata(), [[-0.7, 1], [1.3, 1]])
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["one split", "mean and interval"]


def test_label_of_the_axis():
    ax = plot_paired_differences(DIFFERENCES, unit="s", reference="a_$b$")
    assert ax.get_xlabel() == "difference to a_$b$ (s)"
    assert not ax.xaxis.label.get_parse_math()


def test_given_axes():
    ax = Figure().add_subplot()
    assert plot_paired_differences(DIFFERENCES, ax=ax) is ax


@pytest.mark.parametrize(
    ("differences", "intervals", "kind", "message"),
    [
        ([1.0], None, TypeError, "differences must be a dictionary"),
        ({}, None, ValueError, "differences is empty"),
        ({"a": [[1.0]]}, None, ValueError, "must have shape (n_splits,); got (1, 1)"),
        ({"a": []}, None, ValueError, "must have shape (n_splits,); got (0,)"),
        ({"a": [np.nan]}, None, ValueError, "'a' contain NaN"),
        ({"a": [1.0]}, [(0, 1)], TypeError, "intervals must be a dictionary"),
        ({"a": [1.0]}, {"b": (0, 1)}, ValueError, "got ['b']"),
        ({"a": [1.0]}, {"a": (2, 0)}, ValueError, "low <= high; got (2, 0)"),
        ({"a": [1.0]}, {"a": (np.nan, 1)}, ValueError, "got (nan, 1)"),
    ],
)
def test_errors(differences, intervals, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plot_paired_differences(differences, intervals=intervals)
