"""Tests of Dice overlap, scores of maps, and bootstrap intervals."""

import math

import nibabel
import numpy as np
import pytest

from sklearn_neurocontext.metrics import bootstrap_interval, dice_score, score_maps


def slow_selection(values, top):
    k = math.ceil(round(top * len(values), 6))
    cut = sorted(values, reverse=True)[k - 1]
    return {
        voxel
        for voxel, value in enumerate(values)
        if value > cut or (value == cut and cut > 0)
    }


def slow_dice(first, second):
    if not first and not second:
        return 0.0
    return 2 * len(first & second) / (len(first) + len(second))


@pytest.mark.parametrize("top", [0.01, 0.1, 0.25, 0.333, 1.0])
@pytest.mark.parametrize("digits", [0, 8])
def test_top_equals_loops_over_voxels(rng, top, digits):
    first, second = rng.normal(size=(2, 100)).round(digits)
    expected = slow_dice(slow_selection(first, top), slow_selection(second, top))
    assert dice_score(first, second, top=top) == pytest.approx(expected)


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 1.0, 99.0])
def test_threshold_equals_loops_over_voxels(rng, threshold):
    first, second = rng.normal(size=(2, 4, 5, 6)).round(1)
    sets = [set(np.flatnonzero(one > threshold)) for one in (first, second)]
    score = dice_score(first, second, threshold=threshold)
    assert score == pytest.approx(slow_dice(*sets))


def test_dice_of_equal_maps_is_one(rng):
    values = rng.normal(size=(5, 6, 7))
    assert dice_score(values, values, top=0.1) == 1.0
    assert dice_score(values, values, threshold=0.2) == 1.0


def test_dice_is_symmetric(rng):
    first, second = rng.normal(size=(2, 200))
    assert dice_score(first, second, top=0.2) == dice_score(second, first, top=0.2)


def test_top_ignores_positive_factors(rng):
    first, second = rng.normal(size=(2, 200))
    expected = dice_score(first, second, top=0.2)
    assert dice_score(7 * first, 0.01 * second, top=0.2) == expected


def test_top_never_selects_the_zero_background():
    sparse = np.zeros(100)
    sparse[:3] = 1.0
    other = np.zeros(100)
    other[2:8] = 1.0
    assert dice_score(sparse, other, top=0.5) == pytest.approx(2 * 1 / (3 + 6))


def test_dice_of_empty_selections_is_zero():
    assert dice_score(np.zeros(10), np.zeros(10), top=0.5) == 0.0
    assert dice_score(np.zeros(10), np.zeros(10), threshold=0.0) == 0.0


def test_top_is_robust_to_rounding():
    values = np.arange(1.0, 101.0)
    weights = np.where(values > 93, values, 0.0)  # the seven largest
    assert dice_score(values, weights, top=0.07) == 1.0


def test_images_and_arrays_have_equal_dice(rng):
    first, second = rng.normal(size=(2, 4, 5, 6))
    images = [nibabel.Nifti1Image(one, np.eye(4)) for one in (first, second)]
    expected = dice_score(first, second, top=0.3)
    assert dice_score(*images, top=0.3) == expected
    assert dice_score(images[0], second, top=0.3) == expected


def test_different_affines_raise(rng):
    values = rng.normal(size=(4, 5, 6))
    images = [nibabel.Nifti1Image(values, np.eye(4) * scale) for scale in (1, 2)]
    with pytest.raises(ValueError, match="the same affine"):
        dice_score(*images, top=0.3)


@pytest.mark.parametrize("cut", [{}, {"threshold": 0.5, "top": 0.1}])
def test_threshold_and_top_are_exclusive(cut):
    with pytest.raises(ValueError, match="exactly one of threshold and top"):
        dice_score([1.0], [1.0], **cut)


@pytest.mark.parametrize("top", [0, -0.1, 1.1, 10, np.nan, "0.1"])
def test_invalid_top_raises(top):
    with pytest.raises(ValueError, match="top must be a fraction"):
        dice_score([1.0], [1.0], top=top)


@pytest.mark.parametrize("threshold", [np.nan, "a"])
def test_invalid_threshold_raises(threshold):
    with pytest.raises(ValueError, match="threshold must be a finite number"):
        dice_score([1.0], [1.0], threshold=threshold)


@pytest.mark.parametrize("one", [["a", "b"], [[1.0], [1.0, 2.0]]])
def test_maps_without_numbers_raise(one):
    with pytest.raises(ValueError, match=r"A map cannot be read as numbers .* voxels"):
        dice_score(one, [1.0, 2.0], top=0.5)


@pytest.mark.parametrize("second", [np.ones(4), np.ones((3, 1))])
def test_different_shapes_raise(second):
    with pytest.raises(ValueError, match="must have the same shape"):
        dice_score(np.ones(3), second, top=0.5)


def test_empty_maps_raise():
    with pytest.raises(ValueError, match="not be empty"):
        dice_score([], [], top=0.5)


def test_nan_in_a_map_raises():
    with pytest.raises(ValueError, match="A map contains NaN or infinity"):
        dice_score([1.0, np.nan], [1.0, 2.0], top=0.5)


# Scores of several maps


def test_map_scores_follow_their_definitions(rng):
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
def test_mean_map_has_the_middle_rank(rng, dtype):
    observed = rng.uniform(size=(9, 300))
    mean_map = rng.uniform(size=300).astype(dtype)
    scores = score_maps(np.tile(2 * mean_map, (9, 1)), observed, mean_map)
    np.testing.assert_array_equal(scores["rank"], 5.0)


def test_map_scores_ignore_positive_factors(rng):
    observed, predicted = rng.uniform(size=(2, 5, 200))
    one = score_maps(predicted, observed, observed.mean(axis=0))
    scale = rng.uniform(1, 9, size=(5, 1))
    other = score_maps(scale * predicted, observed, 7 * observed.mean(axis=0))
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], err_msg=name)


# Bootstrap intervals


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([], {}, r"values must be .*got shape \(0,\) with 0 values"),
        ([1, np.nan], {}, r"values must be .*got shape \(2,\) with 1 values"),
        ([[[1.0]]], {}, r"values must be .*got shape \(1, 1, 1\)"),
        ([1.0, 2.0], {"groups": [0]}, r"each of 2 values; got shapes \(1,\)"),
        ([1.0, 2.0], {"weights": [1]}, r"each of 2 values; got .* \(1,\)"),
        ([1.0, 2.0], {"weights": [0, 1]}, "weights must be positive .*got 0.0"),
        ([1.0, 2.0], {"weights": [1, np.nan]}, "weights must be positive"),
        (
            [1.0],
            {"level": 95},
            r"level must be in \(0, 1\).*got level=95, n_draws=10000",
        ),
        ([1.0], {"level": np.nan}, "level=nan"),
        ([1.0], {"n_draws": 0}, "n_draws at least 1; got .*n_draws=0"),
    ],
)
def test_invalid_bootstrap_arguments_raise(values, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, **options)


def test_bootstrap_interval_matches_the_standard_error(rng):
    values = rng.normal(3.0, 2.0, size=400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)
    assert bootstrap_interval(values) == (low, high)
    narrow = bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_bootstrap_interval_of_groups_resamples_group_means(rng):
    means, sizes = rng.normal(size=50), rng.integers(1, 4, size=50)
    # Weights make all groups equally important, whatever their number of values.
    groups, values = np.repeat(np.arange(50), sizes), np.repeat(means, sizes)
    weights = np.repeat(1 / sizes, sizes)
    order = rng.permutation(len(values))
    found = bootstrap_interval(
        values[order], groups=groups[order], weights=weights[order]
    )
    assert found == pytest.approx(bootstrap_interval(means))


def test_bootstrap_interval_of_groups_equals_an_explicit_loop(rng):
    values, weights = rng.normal(size=30), rng.uniform(1, 2, size=30)
    names = rng.choice(["a", "b", "c", "d"], size=30)
    drawn = np.random.RandomState(3).randint(4, size=(200, 4))
    means = []
    for sample in np.unique(names)[drawn]:
        rows = np.concatenate([np.flatnonzero(names == name) for name in sample])
        means.append(np.average(values[rows], weights=weights[rows]))
    options = {"groups": names, "weights": weights, "n_draws": 200, "random_state": 3}
    found = bootstrap_interval(values, **options)
    assert found == pytest.approx(np.quantile(means, [0.025, 0.975]))


def test_bootstrap_interval_of_columns_and_of_blocks(rng, monkeypatch):
    values = rng.normal(size=(20, 3))
    low, high = bootstrap_interval(values, n_draws=100)
    alone = [bootstrap_interval(column, n_draws=100) for column in values.T]
    np.testing.assert_allclose(np.transpose([low, high]), alone)
    monkeypatch.setattr("sklearn_neurocontext.metrics._maps._BLOCK_ELEMENTS", 150)
    np.testing.assert_allclose(bootstrap_interval(values, n_draws=100), [low, high])


@pytest.mark.parametrize("factor", [1e-250, 1e-30, 1e20, 1e250])
def test_scores_do_not_depend_on_the_unit_of_the_maps(rng, factor):
    predicted, observed = rng.random((2, 6, 300))
    mean_map = observed.mean(axis=0)
    expected = score_maps(predicted, observed, mean_map)
    found = score_maps(predicted, factor * observed, factor * mean_map)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9)
