"""Tests of plot_recall_curves: lines, bands, labels and errors."""

import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sklearn_neurocontext.metrics import recall_curve
from sklearn_neurocontext.plotting import plot_recall_curves

N = 40


@pytest.fixture
def splits(rng):
    """Recall of a weak model on three splits."""
    noise = rng.normal(size=(3, N, N))
    return np.array([recall_curve(one + np.eye(N)) for one in noise])


def _legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_lines_are_chance_level_and_means(splits):
    ax = plot_recall_curves({"a": splits, "b": splits[:1]})
    chance, a, b = ax.lines
    k = np.arange(1, N + 1)
    for line in (chance, a, b):
        np.testing.assert_array_equal(line.get_xdata(), k)
    np.testing.assert_allclose(chance.get_ydata(), k / N)
    np.testing.assert_allclose(a.get_ydata(), splits.mean(axis=0))
    np.testing.assert_allclose(b.get_ydata(), splits[0])


def test_constant_similarity_is_at_chance_level():
    curve = recall_curve(np.zeros((N, N)))
    chance, line = plot_recall_curves({"constant": curve}).lines
    np.testing.assert_allclose(line.get_ydata(), chance.get_ydata())


def test_band_is_one_standard_deviation(splits):
    (band,) = plot_recall_curves({"a": splits}).collections
    vertices = band.get_paths()[0].vertices
    for position in (0, 9, N // 2):
        at_k = vertices[vertices[:, 0] == position + 1, 1]
        column = splits[:, position]
        spread = np.sqrt(((column - column.mean()) ** 2).sum() / 2)
        assert at_k.min() == pytest.approx(column.mean() - spread)
        assert at_k.max() == pytest.approx(column.mean() + spread)


@pytest.mark.parametrize("shape", [(N,), (1, N)])
def test_one_split_has_no_band(splits, shape):
    ax = plot_recall_curves({"a": splits[0].reshape(shape)})
    assert not ax.collections
    assert len(ax.lines) == 2


def test_labels_and_scales_of_the_axes(splits):
    ax = plot_recall_curves({"a": splits})
    assert ax.get_xlabel() == f"k (of {N} candidates)"
    assert ax.get_xscale() == "log"
    assert ax.yaxis.get_major_formatter()(0.2) == "20 %"
    assert ax.xaxis.get_major_formatter()(10) == "10"


def test_tick_labels_of_many_candidates_do_not_overlap():
    n = 20_000
    ax = plot_recall_curves({"a": np.linspace(1 / n, 1, n)})
    ax.figure.draw_without_rendering()
    boxes = [
        label.get_window_extent()
        for label in ax.get_xticklabels()
        if label.get_text() and 1 <= label.get_position()[0] <= n
    ]
    boxes.sort(key=lambda box: box.x0)
    assert len(boxes) >= 4
    assert all(one.x1 < two.x0 for one, two in pairwise(boxes))


def test_legend_lists_the_best_estimator_first(splits):
    chance = recall_curve(np.zeros((N, N)))
    ax = plot_recall_curves({"_weak $x$": chance, "strong": splits})
    names = ["strong", "_weak $x$", "chance level"]
    assert _legend(ax) == [*names, "± standard deviation over splits"]
    assert _legend(plot_recall_curves({"a": splits[0]})) == ["a", "chance level"]
    assert not any(text.get_parse_math() for text in ax.get_legend().get_texts())
    *lines, _ = ax.get_legend().legend_handles
    colors = [handle.get_color() for handle in lines]
    assert colors == [ax.lines[i].get_color() for i in (2, 1, 0)]


def test_lines_of_many_estimators_differ(splits):
    ax = plot_recall_curves({str(i): splits[0] for i in range(16)})
    styles = {(line.get_color(), line.get_linestyle()) for line in ax.lines[1:]}
    dashes = {(line.get_color(), str(line._dash_pattern)) for line in ax.lines[1:]}
    assert len(styles | dashes) >= 16
    assert len(dashes) == 16


def test_title_is_wrapped_without_mathtext(splits):
    title = "Bodies of $n_1$ studies, " * 6
    ax = plot_recall_curves({"a": splits}, title=title)
    assert ax.get_title().replace("\n", " ") == title.strip()
    assert "\n" in ax.get_title()
    assert not ax.title.get_parse_math()
    ax.figure.draw_without_rendering()
    box = ax.title.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= ax.figure.bbox.width
    assert box.y1 <= ax.figure.bbox.height


def test_given_axes(splits):
    ax = Figure().add_subplot()
    assert plot_recall_curves({"a": splits}, ax=ax) is ax
    assert isinstance(ax, Axes)


@pytest.mark.parametrize(
    ("curves", "kind", "message"),
    [
        ([0.5, 1.0], TypeError, "must be a dictionary from name to array"),
        ({}, ValueError, "curves is empty"),
        (
            {"a": [0.5, 1.0], "b": [0.2, 0.5, 1.0]},
            ValueError,
            "same number of candidates; got {'a': 2, 'b': 3}",
        ),
        ({"a": [[0.5, 1.0], [1.0]]}, ValueError, "'a' must be an array"),
        ({"a": np.ones((2, 2, 2))}, ValueError, "two candidates; got (2, 2, 2)"),
        ({"a": [1.0]}, ValueError, "at least one split and two candidates"),
        ({"a": [np.nan, 1.0]}, ValueError, "'a' contains NaN or infinity"),
        ({"a": [20.0, 100.0]}, ValueError, "Divide percentages by 100"),
        ({"a": [-0.1, 1.0]}, ValueError, "values from -0.1 to 1"),
        ({"a": [0.1, 0.2, 0.3]}, ValueError, "it ends at 0.3"),
        ({"a": [0.5, 0.2, 1.0]}, ValueError, "must not decrease"),
    ],
)
def test_errors(curves, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plot_recall_curves(curves)
