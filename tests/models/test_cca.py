"""Tests of CCABaseline."""

import numpy as np
import pytest
from scipy.linalg import block_diag, eigh

from sklearn_neurocontext import CCABaseline
from sklearn_neurocontext.models._cca import solve_cca
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    N_FEATURES,
    SCALINGS,
    check_latents,
    cosines_by_hand,
    in_fitted_units,
    make_pairs,
    standardize_by_hand,
)


def _ridged(centered, alpha):
    covariance = centered.T @ centered / len(centered)
    return covariance + alpha * np.diag(covariance).mean() * np.eye(len(covariance))


def _cca_dense(X, Z, alpha_text, alpha_brain):
    """Solve the regularized problem as one generalized eigenvalue problem.

    [0 Cxz; Czx 0] w = ρ [Cxx + αx 0; 0 Czz + αz] w, eigenvectors stacked [a; b].
    """
    p, q = X.shape[1], Z.shape[1]
    cross = X.T @ Z / len(X)
    left = np.block([[np.zeros((p, p)), cross], [cross.T, np.zeros((q, q))]])
    right = block_diag(_ridged(X, alpha_text), _ridged(Z, alpha_brain))
    values, vectors = eigh(left, right)
    top = np.argsort(values)[::-1][: min(p, q)]
    # eigh scales the sum aᵀCa + bᵀDb to one; the problem scales each term to one.
    return values[top], vectors[:p, top] * np.sqrt(2), vectors[p:, top] * np.sqrt(2)


@pytest.fixture
def centered():
    X, y = make_pairs(200)
    return X - X.mean(axis=0), y - y.mean(axis=0)


@pytest.mark.parametrize("alphas", [(1e-6, 1e-6), (0.1, 1.0), (5.0, 0.01)])
def test_solution_equals_the_dense_eigenvalue_problem(centered, alphas):
    X, Z = centered
    correlations, text, brain = _cca_dense(X, Z, *alphas)
    a, b, rho, _ = solve_cca(X, Z, alpha_text=alphas[0], alpha_brain=alphas[1])
    np.testing.assert_allclose(rho, correlations, atol=1e-9)
    signs = np.sign((a * text).sum(axis=0))
    np.testing.assert_allclose(a, text * signs, atol=1e-6)
    np.testing.assert_allclose(b, brain * signs, atol=1e-6)


def test_variates_satisfy_the_constraints(centered):
    X, Z = centered
    a, b, rho, _ = solve_cca(X, Z, alpha_text=0.1, alpha_brain=1.0)
    identity = np.eye(N_FEATURES)
    np.testing.assert_allclose(a.T @ _ridged(X, 0.1) @ a, identity, atol=1e-9)
    np.testing.assert_allclose(b.T @ _ridged(Z, 1.0) @ b, identity, atol=1e-9)
    np.testing.assert_allclose(a.T @ X.T @ Z @ b / len(X), np.diag(rho), atol=1e-9)


def test_loadings_compute_the_ridge_prediction(centered):
    X, Z = centered
    a, _, rho, loadings = solve_cca(X, Z, alpha_text=0.3, alpha_brain=1.0)
    ridge = np.linalg.solve(_ridged(X, 0.3), X.T @ Z / len(X))
    np.testing.assert_allclose((a * rho) @ loadings, ridge, atol=1e-9)


def test_correlation_of_two_columns_is_pearson():
    X, y = (side[:, :1] for side in make_pairs(50))
    model = CCABaseline(alpha_text=1e-12, alpha_brain=1e-12, y_scaling=None).fit(X, y)
    pearson = np.corrcoef(X[:, 0], y[:, 0])[0, 1]
    np.testing.assert_allclose(model.canonical_correlations_, [abs(pearson)])


@SCALINGS
@pytest.mark.parametrize("power", [0, 1, 2.5])
def test_similarity_equals_the_dense_solution(y_scaling, power, train, test):
    X, y = train
    model = CCABaseline(4, y_scaling=y_scaling, correlation_power=power).fit(X, y)
    Z, _, _ = standardize_by_hand(y, y, y_scaling)
    rho, text, brain = _cca_dense(X - X.mean(axis=0), Z, 0.1, 1.0)
    observed, _, _ = standardize_by_hand(y, test[1], y_scaling)
    expected = cosines_by_hand(
        (test[0] - X.mean(axis=0)) @ text[:, :4] * rho[:4] ** power,
        observed @ brain[:, :4] * rho[:4] ** power,
    )
    np.testing.assert_allclose(model.similarity(*test), expected, atol=1e-6)


@SCALINGS
def test_predictions_with_all_pairs_equal_ridge(y_scaling, train, test):
    X, y = train
    model = CCABaseline(y_scaling=y_scaling, alpha_text=0.3).fit(X, y)
    Z, mean, scale = standardize_by_hand(y, y, y_scaling)
    centered = X - X.mean(axis=0)
    weights = np.linalg.solve(_ridged(centered, 0.3), centered.T @ Z / len(X))
    expected = (test[0] - X.mean(axis=0)) @ weights * scale + mean
    predicted = in_fitted_units(model.predict(test[0]), y_scaling)
    np.testing.assert_allclose(predicted, expected, atol=1e-9)


def test_larger_ridge_lowers_the_correlations(train):
    correlations = [
        CCABaseline(alpha_text=alpha).fit(*train).canonical_correlations_
        for alpha in (0.01, 0.1, 1, 10)
    ]
    assert (np.diff(correlations, axis=0) < 0).all()


def test_similarity_ignores_the_scale_of_embeddings(train, test):
    X, y = train
    model, larger = CCABaseline().fit(X, y), CCABaseline().fit(1000 * X + 7, y)
    np.testing.assert_allclose(
        larger.similarity(1000 * test[0] + 7, test[1]),
        model.similarity(*test),
        atol=1e-8,
    )


def test_latents(train, test):
    check_latents(CCABaseline(3).fit(*train), test, latent_dim=3)


def test_fitted_attributes(train):
    model = CCABaseline().fit(*train)
    assert model.latent_dim_ == min(N_FEATURES, N_COMPONENTS)
    assert model.text_weights_.shape == (N_FEATURES, model.latent_dim_)
    assert model.brain_weights_.shape == (N_COMPONENTS, model.latent_dim_)
    assert model.brain_loadings_.shape == (model.latent_dim_, N_COMPONENTS)
    rho = model.canonical_correlations_
    assert (np.diff(rho) <= 0).all()
    assert 0 <= rho.min() <= rho.max() <= 1


def test_correlations_reveal_the_shared_dimensions():
    X, y = make_pairs(2000, noise=0.01)
    model = CCABaseline(alpha_text=1e-6, alpha_brain=1e-6, y_scaling=None).fit(X, y)
    rho = model.canonical_correlations_
    assert (rho[:4] > 0.99).all()
    assert (rho[4:] < 0.2).all()


def test_more_features_than_studies(train):
    X, y = (side[:4] for side in train)
    assert np.isfinite(CCABaseline().fit(X, y).predict(X)).all()


def test_too_large_latent_dim_raises(train):
    message = r"latent_dim must be at most 6, .*n_features.*got 7. Lower latent_dim, or"
    with pytest.raises(ValueError, match=message):
        CCABaseline(7).fit(*train)


@pytest.mark.parametrize("name", ["alpha_text", "alpha_brain"])
def test_too_small_ridge_raises(name):
    # Two equal columns of ±1: each pivot is exact, the second is zero.
    X = np.array([[1.0, 1], [-1, -1]] * 4)
    message = rf"{name}=1e-18 is too small: .*float64 .*\. Increase {name}\.$"
    with pytest.raises(ValueError, match=message):
        CCABaseline(y_scaling=None, **{name: 1e-18}).fit(X, X)
