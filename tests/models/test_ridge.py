"""Tests of RidgeBaseline and of the ridge solver for sparse features."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge, RidgeCV

from sklearn_neurocontext import RidgeBaseline
from sklearn_neurocontext.models import solve_ridge
from sklearn_neurocontext.models._ridge import (
    column_means,
    column_products,
    mean_squared_norm,
)
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    N_FEATURES,
    SCALINGS,
    in_fitted_units,
    make_pairs,
    standardize_by_hand,
)


@SCALINGS
def test_ridge_baseline_equals_ridge_cv(y_scaling, train, test):
    X, y = train
    model = RidgeBaseline(y_scaling=y_scaling).fit(X, y)
    standardized, mean, scale = standardize_by_hand(y, y, y_scaling)
    oracle = RidgeCV(alphas=np.logspace(-1, 5, 13)).fit(X, standardized)
    assert model.alpha_ == oracle.alpha_
    np.testing.assert_allclose(model.coef_, oracle.coef_)
    np.testing.assert_allclose(model.intercept_, oracle.intercept_, atol=1e-12)
    np.testing.assert_allclose(
        in_fitted_units(model.predict(test[0]), y_scaling),
        oracle.predict(test[0]) * scale + mean,
    )


def test_weights_minimize_the_objective(train, test):
    """The gradient of ‖Z − XW‖² + α‖W‖² is zero for centered X and Z."""
    X, y = train
    model = RidgeBaseline(alphas=[30.0], y_scaling=None).fit(X, y)
    centered, target = X - X.mean(axis=0), y - y.mean(axis=0)
    gram = centered.T @ centered + 30 * np.eye(N_FEATURES)
    np.testing.assert_allclose(
        model.coef_.T, np.linalg.solve(gram, centered.T @ target)
    )


def test_penalty_increases_with_noise():
    quiet, loud = (
        RidgeBaseline().fit(*make_pairs(60, noise=noise)) for noise in (0.1, 10)
    )
    assert quiet.alpha_ < loud.alpha_


def test_shapes_and_dtypes(train):
    model = RidgeBaseline().fit(*train)
    assert model.coef_.shape == (N_COMPONENTS, N_FEATURES)
    assert model.intercept_.shape == (N_COMPONENTS,)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64
    assert isinstance(model.alpha_, float)


def test_no_transform():
    assert not hasattr(RidgeBaseline(), "transform")
    assert not hasattr(RidgeBaseline(), "transform_brain")


def test_negative_alphas_raise(train):
    with pytest.raises(ValueError, match="alphas"):
        RidgeBaseline(alphas=[-1.0]).fit(*train)


# The solver


@pytest.fixture(params=[20, 200], ids=["wide", "tall"])
def features(request, rng):
    X = rng.poisson(0.2, size=(request.param, 60)).astype(float)
    X[:, [5, 50]] += rng.normal(size=(request.param, 2))
    return X


@pytest.mark.parametrize("as_kind", [np.asarray, csr_array])
@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_solve_ridge_equals_ridge(features, as_kind, alpha, rng):
    targets = rng.normal(size=(len(features), 3)) + 5
    weights, intercept = solve_ridge(as_kind(features), targets, alpha)
    centered = features - features.mean(axis=0)
    penalty = alpha * (centered**2).sum() / len(features)
    expected = Ridge(alpha=penalty).fit(features, targets)
    np.testing.assert_allclose(weights, expected.coef_.T, atol=1e-9)
    np.testing.assert_allclose(intercept, expected.intercept_, atol=1e-9)


@pytest.mark.parametrize("as_kind", [np.asarray, csr_array])
def test_column_statistics(features, as_kind):
    X = as_kind(features)
    np.testing.assert_allclose(column_means(X), features.mean(axis=0))
    np.testing.assert_allclose(column_products(X), features.T @ features, atol=1e-9)
    centered = features - features.mean(axis=0)
    np.testing.assert_allclose(
        mean_squared_norm(X), (centered**2).sum(axis=1).mean(), rtol=1e-9
    )


def test_constant_features_predict_the_mean():
    targets = np.array([[1.0], [3.0]])
    weights, intercept = solve_ridge(np.ones((2, 4)), targets, 1.0)
    np.testing.assert_allclose(np.ones((1, 4)) @ weights + intercept, [[2.0]])


@pytest.mark.parametrize("n_columns", [2, 9], ids=["tall", "wide"])
def test_too_small_ridge_raises(n_columns):
    # Equal columns of ±1: each pivot is exact, the second is zero.
    X = np.repeat(np.array([[1], [-1]] * 2, dtype=np.float32), n_columns, axis=1)
    message = (
        r"penalty=1e-20 is too small: .*float32 .*Increase penalty, or pass X in fl"
    )
    with pytest.raises(ValueError, match=message):
        solve_ridge(X, np.ones((4, 1)), 1e-20, "penalty")
