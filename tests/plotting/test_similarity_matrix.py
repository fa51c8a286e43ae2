"""Tests of plot_similarity_matrix: values, rings, names and errors."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_neurocontext.plotting import plot_similarity_matrix


def test_values_and_rings(rng):
    similarity = rng.normal(size=(4, 4)) + 9 * np.eye(4)[[0, 1, 3, 2]]
    ax = plot_similarity_matrix(similarity, paired=True)
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), similarity)
    assert image.norm.vmax == -image.norm.vmin == np.abs(similarity).max()
    (rings,) = ax.lines
    np.testing.assert_array_equal(rings.get_xdata(), [0, 1, 3, 2])
    assert ax.get_xlabel() == "map (own map most similar: 2 of 4)"


def test_names_without_mathtext():
    texts, maps = ["a_$b$", "c"], ["one", "two", "three"]
    ax = plot_similarity_matrix(
        [[1, 0, 0], [0, 1, 0]], texts=texts, maps=maps, title="$x$ and"
    )
    for labels, names in ((ax.get_yticklabels(), texts), (ax.get_xticklabels(), maps)):
        assert [label.get_text() for label in labels] == names
        assert not any(label.get_parse_math() for label in labels)
    assert ax.get_xlabel() == "map"
    assert ax.get_title() == "$x$ and"


def test_ties_have_no_rings_and_do_not_count():
    similarity = np.eye(4)
    similarity[0, 2] = 1
    ax = plot_similarity_matrix(similarity, paired=True)
    assert ax.get_xlabel() == "map (own map most similar: 3 of 4)"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [np.nan, 1, 2, 3])
    ax = plot_similarity_matrix(np.ones((4, 4)), paired=True)
    assert ax.get_xlabel() == "map (own map most similar: 0 of 4)"


def test_square_matrix_is_not_paired_by_default():
    assert plot_similarity_matrix(np.eye(4)).get_xlabel() == "map"


def test_large_matrix_has_neither_names_nor_rings(rng):
    names = [str(i) for i in range(40)]
    ax = plot_similarity_matrix(rng.normal(size=(40, 40)), texts=names, maps=names)
    assert len(ax.lines) == 0
    assert len(ax.get_yticklabels()) < 40
    assert plot_similarity_matrix(np.zeros((2, 2))).images[0].norm.vmax == 1


def test_given_axes():
    ax = Figure().add_subplot()
    assert plot_similarity_matrix(np.eye(2), ax=ax) is ax


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"similarity": [[np.nan]]}, "similarity holds NaN"),
        (
            {"similarity": np.zeros((2, 3)), "paired": True},
            "similarity has shape (2, 3)",
        ),
        ({"similarity": []}, "expected (n_texts, n_maps)"),
        (
            {"similarity": np.eye(2), "texts": ["a"]},
            "texts must have one name per row (2); got 1",
        ),
        (
            {"similarity": np.eye(2), "maps": "abc"},
            "maps must have one name per column (2); got 3",
        ),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_similarity_matrix(**arguments)
