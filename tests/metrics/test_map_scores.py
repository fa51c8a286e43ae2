"""Tests of scores of predicted maps and of bootstrap intervals."""

import numpy as np
import pytest

from sklearn_neurocontext.metrics import bootstrap_interval, score_maps

PEAKS = np.array([[-42.0, -22, 54], [4, 0, 60], [30, -80, 0], [0, 50, 10]])


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([], {}, r"values has shape \(0,\), 0 of them not finite"),
        ([1, np.nan], {}, r"values has shape \(2,\), 1 of them not finite"),
        ([[1.0]], {}, r"values has shape \(1, 1\), 0 of them"),
        (
            [1.0],
            {"level": 95},
            r"level=95, n_draws=10000; expected a share in \(0, 1\)",
        ),
        ([1.0], {"level": np.nan}, "level=nan"),
        ([1.0], {"n_draws": 0}, "n_draws=0; .* at least one draw"),
    ],
)
def test_intervals_of_nothing_are_refused(values, options, words):
    with pytest.raises(ValueError, match=words):
        bootstrap_interval(values, **options)


def test_scores_follow_their_definitions(rng):
    observed = rng.uniform(size=(4, 300))
    predicted = observed[[0, 1, 3, 2]] + 0.01 * rng.normal(size=(4, 300))
    scores = score_maps(predicted, observed, observed.mean(axis=0), tops=(0.1, 0.2))
    expected = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(predicted, observed, strict=True)
    ]
    np.testing.assert_allclose(scores["correlation"], expected)
    assert (scores["rank"][:2] == 1).all()
    assert (scores["rank"][2:] > 1).all()
    assert (scores["dice"][:2] > 0.9).all()
    half = score_maps(predicted, observed, observed.mean(axis=0), tops=(0.2,), top=0.2)
    both = (scores["dice"] + half["dice_mean"]) / 2
    np.testing.assert_allclose(scores["dice_mean"], both)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_map_ranks_by_chance(rng, dtype):
    observed = rng.uniform(size=(9, 300))
    mean_map = rng.uniform(size=300).astype(dtype)
    scores = score_maps(np.tile(2 * mean_map, (9, 1)), observed, mean_map)
    np.testing.assert_array_equal(scores["rank"], 5.0)


def test_units_do_not_matter(rng):
    observed, predicted = rng.uniform(size=(2, 5, 200))
    one = score_maps(predicted, observed, observed.mean(axis=0))
    scale = rng.uniform(1, 9, size=(5, 1))
    other = score_maps(scale * predicted, observed, 7 * observed.mean(axis=0))
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], err_msg=name)


def test_bootstrap_covers_the_standard_error(rng):
    values = rng.normal(3.0, 2.0, size=400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)
    assert bootstrap_interval(values) == (low, high)
    narrow = bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < narrow[1] < high
