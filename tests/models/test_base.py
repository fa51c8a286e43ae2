"""Tests of the properties that the estimators of dense X share."""

import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import ContrastiveTextBrain, MLPBaseline
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    N_FEATURES,
    SCALINGS,
    cosines_by_hand,
    in_fitted_units,
    make_pairs,
    name_of,
    quick_estimators,
    standardize_by_hand,
)

ALL = pytest.mark.parametrize("estimator", quick_estimators(), ids=name_of)
_REGRESSORS = [one for one in quick_estimators() if not hasattr(one, "transform")]
REGRESSORS = pytest.mark.parametrize("estimator", _REGRESSORS, ids=name_of)


def _chance_error(n_candidates):
    """Standard error of mix&match over independent ranks."""
    return 1 / np.sqrt(12 * n_candidates)


# Learning


def test_score_of_test_studies_exceeds_chance(fitted, test):
    assert fitted.score(*test) > 0.85


@SCALINGS
@ALL
def test_score_exceeds_chance_for_each_scaling(estimator, y_scaling, train, test):
    estimator = clone(estimator).set_params(y_scaling=y_scaling)
    assert estimator.fit(*train).score(*test) > 0.8


def test_score_of_permuted_pairs_is_chance(fitted, test):
    X, y = test
    order = np.random.default_rng(3).permutation(len(y))
    assert fitted.score(X, y[order]) == pytest.approx(
        0.5, abs=3 * _chance_error(len(y))
    )


@ALL
def test_score_after_fit_to_unrelated_pairs_is_chance(estimator):
    """The mean over fits to unrelated X and y is within 3 standard errors of 0.5."""
    estimator = clone(estimator)
    if "max_epochs" in estimator.get_params():
        estimator.set_params(max_epochs=4)
    scores = []
    for seed in range(12):
        X, _ = make_pairs(80, seed=100 + seed)
        _, y = make_pairs(80, seed=200 + seed)
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=seed)
        scores.append(clone(estimator).fit(X, y).score(*make_pairs(60, 300 + seed)))
    error = np.std(scores, ddof=1) / np.sqrt(12)
    assert np.mean(scores) == pytest.approx(0.5, abs=3 * error)


@ALL
def test_score_of_constant_maps_is_chance(estimator, train, test):
    model = clone(estimator).fit(train[0], np.ones((240, N_COMPONENTS)))
    same = np.ones((100, N_COMPONENTS))
    matrix = model.similarity(test[0], same)
    # Rounding of the matrix product may make equal columns differ.
    np.testing.assert_allclose(matrix, matrix[:, :1].repeat(100, axis=1), atol=1e-6)
    chance = pytest.approx(0.5, abs=3 * _chance_error(100))
    assert model.score(test[0], same) == chance


# Similarity and predictions


def test_similarity_entries_depend_only_on_their_pair(fitted, test):
    X, y = test
    matrix = fitted.similarity(X[:7], y)
    assert matrix.shape == (7, 100)
    assert np.abs(matrix).max() <= 1 + 1e-5
    np.testing.assert_allclose(matrix, fitted.similarity(X, y)[:7], atol=1e-5)
    permuted = fitted.similarity(X[:7], y[::-1])
    np.testing.assert_allclose(permuted, matrix[:, ::-1], atol=1e-5)


@SCALINGS
@REGRESSORS
def test_regressor_similarity_is_cosine_of_standardized_maps(
    estimator, y_scaling, train, test
):
    """Predicted and observed coefficients are both standardized before the cosine."""
    X, y = test[0][:9], test[1][:9]
    model = clone(estimator).set_params(y_scaling=y_scaling).fit(*train)
    observed, mean, scale = standardize_by_hand(train[1], y, y_scaling)
    predicted = (in_fitted_units(model.predict(X), y_scaling) - mean) / scale
    np.testing.assert_allclose(
        model.similarity(X, y), cosines_by_hand(predicted, observed), atol=1e-4
    )


@SCALINGS
@ALL
def test_predictions_have_the_mean_of_training_studies(estimator, y_scaling, train):
    """The means are equal in the units that the estimator is fitted to."""
    X, y = train
    model = clone(estimator).set_params(y_scaling=y_scaling).fit(X, y)
    _, mean, scale = standardize_by_hand(y, y, y_scaling)
    predicted = in_fitted_units(model.predict(X), y_scaling)
    assert predicted.shape == y.shape
    np.testing.assert_allclose((predicted.mean(axis=0) - mean) / scale, 0, atol=0.2)


def test_score_is_mix_match(fitted, test):
    matrix = fitted.similarity(*test)
    wins = [
        (row[i] > value) + 0.5 * (row[i] == value)
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
        if i != j
    ]
    assert fitted.score(*test) == pytest.approx(np.mean(wins))


@ALL
def test_single_component_as_column_or_vector(estimator, train, test):
    X, y = train[0], train[1][:, 0]
    estimator = clone(estimator).set_params(y_scaling=None)
    flat, column = clone(estimator).fit(X, y), clone(estimator).fit(X, y[:, None])
    assert flat.predict(test[0]).shape == (100,)
    assert column.predict(test[0]).shape == (100, 1)
    np.testing.assert_allclose(flat.predict(test[0]), column.predict(test[0])[:, 0])
    np.testing.assert_allclose(
        flat.similarity(test[0], test[1][:, 0]),
        column.similarity(test[0], test[1][:, :1]),
    )


# Types


@pytest.mark.parametrize("dtype", [np.float32, int])
@ALL
def test_dtypes_are_as_documented(estimator, dtype, train, test):
    X, y = ((10 * side).astype(dtype) for side in train)
    model = clone(estimator).fit(X, y)
    net = isinstance(estimator, MLPBaseline | ContrastiveTextBrain)
    expected = np.float32 if net else np.float64
    assert model.predict(X).dtype == expected
    assert model.similarity(X, y).dtype == expected
    assert model.y_mean_.dtype == model.y_scale_.dtype == expected


@ALL
def test_frames_and_lists_equal_arrays(estimator, train, test):
    X, y = (side[:60] for side in train)
    expected = clone(estimator).fit(X, y).similarity(*test)
    frame = pd.DataFrame(X, columns=[f"e{i}" for i in range(N_FEATURES)])
    model = clone(estimator).fit(frame, pd.DataFrame(y))
    assert list(model.feature_names_in_) == list(frame.columns)
    test_frame = pd.DataFrame(test[0], columns=frame.columns)
    np.testing.assert_allclose(
        model.similarity(test_frame, test[1]), expected, atol=1e-5
    )
    model = clone(estimator).fit(X.tolist(), y.tolist())
    similarity = model.similarity(test[0].tolist(), test[1].tolist())
    np.testing.assert_allclose(similarity, expected, atol=1e-5)


@ALL
def test_input_is_not_modified(estimator):
    X, y = (side.astype(np.float32) for side in make_pairs(40))
    copies = X.copy(), y.copy()
    model = clone(estimator).fit(X, y)
    model.predict(X), model.similarity(X, y)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(y, copies[1])


# Copies and searches


def test_pickle_and_joblib_give_equal_predictions(fitted, test):
    stored = io.BytesIO()
    joblib.dump(fitted, stored)
    stored.seek(0)
    for copied in (pickle.loads(pickle.dumps(fitted)), joblib.load(stored)):
        np.testing.assert_array_equal(copied.predict(test[0]), fitted.predict(test[0]))
        np.testing.assert_array_equal(
            copied.similarity(*test), fitted.similarity(*test)
        )


def test_networks_are_pickled_on_cpu(monkeypatch, rng):
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 5))
    model = ContrastiveTextBrain(3, max_epochs=1).fit(X, y)
    moved = []
    monkeypatch.setattr("torch.nn.Module.cpu", lambda self: moved.append(self) or self)
    loaded = pickle.loads(pickle.dumps(model))
    assert [type(one).__name__ for one in moved] == ["TwoTowers", "Decoder"]
    # The networks of the pickled model stay on their device.
    assert model.module_ not in moved
    # Networks are moved to `device` before they are used.
    loaded.module_.to("meta")
    with pytest.raises(NotImplementedError, match="meta"):
        loaded.transform(X)


def test_clone_is_not_fitted(fitted, train, test):
    copied = clone(fitted)
    with pytest.raises(NotFittedError):
        copied.predict(test[0])
    copied.fit(*train)
    np.testing.assert_array_equal(copied.predict(test[0]), fitted.predict(test[0]))


@pytest.mark.slow
def test_grid_search_in_a_pipeline_with_two_workers(train, test):
    brain = ContrastiveTextBrain(max_epochs=4, batch_size=32, random_state=0)
    pipeline = make_pipeline(StandardScaler(), brain)
    grid = {"contrastivetextbrain__lr": [1e-12, 1e-2]}
    serial, parallel = (
        GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(*train)
        for n_jobs in (None, 2)
    )
    assert parallel.best_params_ == {"contrastivetextbrain__lr": 1e-2}
    np.testing.assert_allclose(
        parallel.cv_results_["mean_test_score"],
        serial.cv_results_["mean_test_score"],
        atol=1e-3,
    )
    assert parallel.score(*test) > 0.8


# Errors


@ALL
def test_unfitted_estimator_raises(estimator, test):
    for call in (lambda e: e.predict(test[0]), lambda e: e.similarity(*test)):
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            call(clone(estimator))
