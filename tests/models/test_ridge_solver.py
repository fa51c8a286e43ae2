"""Tests of the ridge solver that takes sparse features."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge

from sklearn_neurocontext.models._ridge_solver import (
    column_means,
    column_products,
    mean_squared_norm,
    solve_ridge,
)


@pytest.fixture(params=[20, 200], ids=["wide", "tall"])
def features(request, rng):
    X = rng.poisson(0.2, size=(request.param, 60)).astype(float)
    X[:, [5, 50]] += rng.normal(size=(request.param, 2))
    return X


@pytest.mark.parametrize("as_kind", [np.asarray, csr_array])
@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_equals_scikit_learns_ridge(features, as_kind, alpha, rng):
    targets = rng.normal(size=(len(features), 3)) + 5
    weights, intercept = solve_ridge(as_kind(features), targets, alpha)
    centred = features - features.mean(axis=0)
    penalty = alpha * (centred**2).sum() / len(features)
    expected = Ridge(alpha=penalty).fit(features, targets)
    np.testing.assert_allclose(weights, expected.coef_.T, atol=1e-9)
    np.testing.assert_allclose(intercept, expected.intercept_, atol=1e-9)


@pytest.mark.parametrize("as_kind", [np.asarray, csr_array])
def test_moments(features, as_kind):
    X = as_kind(features)
    np.testing.assert_allclose(column_means(X), features.mean(axis=0))
    np.testing.assert_allclose(column_products(X), features.T @ features, atol=1e-9)
    centred = features - features.mean(axis=0)
    np.testing.assert_allclose(
        mean_squared_norm(X), (centred**2).sum(axis=1).mean(), rtol=1e-9
    )


def test_features_without_variance_predict_the_mean():
    targets = np.array([[1.0], [3.0]])
    weights, intercept = solve_ridge(np.ones((2, 4)), targets, 1.0)
    np.testing.assert_allclose(np.ones((1, 4)) @ weights + intercept, [[2.0]])


@pytest.mark.parametrize("n_columns", [2, 9], ids=["tall", "wide"])
def test_a_ridge_that_is_lost_in_rounding_is_named(n_columns):
    # Equal columns of ±1: each pivot is exact, the second is zero.
    X = np.repeat(np.array([[1], [-1]] * 2, dtype=np.float32), n_columns, axis=1)
    message = r"penalty=1e-20 is too small: in float32 .*Raise penalty, or pass X in fl"
    with pytest.raises(ValueError, match=message):
        solve_ridge(X, np.ones((4, 1)), 1e-20, "penalty")
