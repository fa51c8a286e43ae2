"""Tests of RidgeBaseline."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from sklearn_neurocontext import RidgeBaseline
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    N_FEATURES,
    in_fitted_units,
    make_pairs,
    standardize_by_hand,
)

SCALINGS = pytest.mark.parametrize("y_scaling", ["unit", "sqrt", None])


@SCALINGS
def test_equals_ridge_cv_by_hand(y_scaling, train, test):
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


def test_one_alpha_solves_the_stated_objective(train, test):
    """Stationary point of ‖Z − XW‖² + α‖W‖², with X and Z centred."""
    X, y = train
    model = RidgeBaseline(alphas=[30.0], y_scaling=None).fit(X, y)
    centred, target = X - X.mean(axis=0), y - y.mean(axis=0)
    gram = centred.T @ centred + 30 * np.eye(N_FEATURES)
    np.testing.assert_allclose(model.coef_.T, np.linalg.solve(gram, centred.T @ target))


def test_the_penalty_grows_with_the_noise():
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


def test_no_latents():
    assert not hasattr(RidgeBaseline(), "transform")
    assert not hasattr(RidgeBaseline(), "transform_brain")


def test_penalties_must_be_positive(train):
    with pytest.raises(ValueError, match="alphas"):
        RidgeBaseline(alphas=[-1.0]).fit(*train)
