"""Tests of splits into training and test studies."""

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import KFold, cross_val_score

from sklearn_neurocontext.model_selection import paper_splits, shuffled_folds

LARGE = {"n": 17_950}
SMALL = {"n": 3_000}
EXACT = {"n": 130, "n_splits": 3, "n_candidates": 40, "n_development": 10}


@pytest.mark.parametrize("arguments", [LARGE, SMALL, EXACT])
def test_training_and_test_parts_partition_the_corpus(arguments):
    splits = paper_splits(**arguments)
    assert len(splits) == arguments.get("n_splits", 15)
    for train, test in splits:
        both = np.sort(np.concatenate([train, test]))
        np.testing.assert_array_equal(both, np.arange(arguments["n"]))
        assert len(test) == arguments.get("n_candidates", 1000)
        assert np.isin(splits.development, train).all()


@pytest.mark.parametrize("arguments", [LARGE, EXACT])
def test_large_corpora_have_disjoint_test_parts(arguments):
    splits = paper_splits(**arguments)
    assert not splits.overlapping
    everything = np.concatenate([*splits.tests, splits.development])
    np.testing.assert_array_equal(np.sort(everything), np.arange(arguments["n"]))


@pytest.mark.parametrize("arguments", [SMALL, {**EXACT, "n": 129}])
def test_small_corpora_have_overlapping_test_parts(arguments):
    splits = paper_splits(**arguments)
    assert splits.overlapping
    assert len(splits.development) == arguments.get("n_development", 600)
    tested = np.concatenate(splits.tests)
    assert len(np.unique(tested)) < len(tested)
    assert not np.isin(tested, splits.development).any()
    assert all(len(np.unique(test)) == len(test) for test in splits.tests)


def test_random_state_determines_the_splits():
    first, same, other = (paper_splits(5000, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.tests, same.tests)
    assert not np.array_equal(first.tests[0], other.tests[0])


def test_test_parts_are_shuffled():
    train, test = paper_splits(**EXACT)[0]
    assert test.max() - test.min() > 40
    assert (np.diff(train) > 0).all()


def test_paper_splits_are_a_sequence():
    splits = paper_splits(**EXACT)
    np.testing.assert_array_equal(splits[-1][1], splits[2][1])
    assert len(splits[:2]) == 2
    with pytest.raises(IndexError):
        splits[3]
    X = np.zeros((130, 1))
    assert len(cross_val_score(DummyRegressor(), X, X[:, 0], cv=splits)) == 3


@pytest.mark.parametrize("n", [1600, 10])
def test_too_few_studies_raise(n):
    with pytest.raises(
        ValueError, match=f"{n} studies are too few .* Lower n_candidates"
    ):
        paper_splits(n)


@pytest.mark.parametrize(
    "arguments",
    [{"n": 0}, {"n": 5e3}, {"n_splits": 0}, {"n_candidates": 1}, {"n_development": -1}],
)
def test_invalid_counts_raise(arguments):
    with pytest.raises(ValueError, match="must be an integer, at least"):
        paper_splits(**{"n": 5000, **arguments})


def test_shuffled_folds_equal_kfold_if_rows_are_studies():
    groups = [f"study {row}" for row in range(40)]
    expected = KFold(15, shuffle=True, random_state=3).split(groups)
    for found, wanted in zip(shuffled_folds(groups, 15, 3), expected, strict=True):
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])


def test_shuffled_folds_keep_rows_of_a_study_together(rng):
    groups = rng.integers(30, size=200).astype(str)
    folds = shuffled_folds(groups, 5)
    tested = np.concatenate([test for _, test in folds])
    np.testing.assert_array_equal(np.sort(tested), np.arange(200))
    for train, test in folds:
        assert not np.intersect1d(groups[train], groups[test]).size


def test_more_folds_than_studies_raise():
    with pytest.raises(ValueError, match="2 studies are too few for 3 folds"):
        shuffled_folds(["a", "a", "b"], 3)
