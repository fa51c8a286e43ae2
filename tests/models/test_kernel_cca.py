"""Tests of KernelCCA and of its functions."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from sklearn_neurocontext import CCABaseline, KernelCCA
from sklearn_neurocontext._utils.volumes import unit_rows
from sklearn_neurocontext.models._kernel_cca import (
    canonical_rotation,
    correct_hubness,
    soft_maximum,
    whitening,
)
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    N_FEATURES,
    SCALINGS,
    check_latents,
    make_pairs,
)


def _linear(**params):
    return KernelCCA(kernel_width=None, hubness_weight=0, **params)


@SCALINGS
@pytest.mark.parametrize("power", [0.5, 1, 2.5])
def test_linear_kernel_cca_equals_cca_baseline(y_scaling, power, train, test):
    X, y = train
    shared = {"y_scaling": y_scaling, "correlation_power": power}
    dense = CCABaseline(alpha_text=0.3, alpha_brain=2.0, **shared).fit(X, y)
    # The ridge of CCABaseline is in units of the mean variance.
    n = len(X)
    model = _linear(
        alpha_text=0.3 * n / N_FEATURES, alpha_brain=2.0 * n / N_COMPONENTS, **shared
    ).fit(X, y)
    np.testing.assert_allclose(
        model.canonical_correlations_, dense.canonical_correlations_, atol=1e-9
    )
    np.testing.assert_allclose(
        model.similarity(*test), dense.similarity(*test), atol=1e-7
    )
    np.testing.assert_allclose(model.predict(test[0]), dense.predict(test[0]))


def test_whitened_features_have_unit_regularized_covariance(rng):
    features = rng.normal(size=(50, 4)) * [1, 2, 3, 4]
    features -= features.mean(axis=0)
    A = whitening(features, 3.0)
    ridge = 3.0 * (features**2).sum() / 50
    gram = features.T @ features + ridge * np.eye(4)
    np.testing.assert_allclose(A.T @ gram @ A / 50, np.eye(4), atol=1e-12)


def test_rotation_diagonalizes_the_predictions(rng):
    white = np.linalg.qr(rng.normal(size=(60, 5)))[0] * np.sqrt(60)
    shared = rng.normal(size=(5, 5))
    predicted = white @ (shared @ shared.T)
    rotation, correlations = canonical_rotation(white, predicted, 3)
    products = (white @ rotation).T @ (predicted @ rotation) / 60
    np.testing.assert_allclose(products, np.diag(correlations**2), atol=1e-9)
    assert (np.diff(correlations) < 0).all()


@pytest.mark.parametrize("n", [40, 240], ids=["wide", "tall"])
def test_sparse_features_equal_dense_features(n, rng):
    X = rng.poisson(0.3, size=(n, 100)).astype(float)
    X[:, :3] += 1  # dense columns
    y = X @ rng.random((100, N_COMPONENTS)) + rng.random((n, N_COMPONENTS))
    dense = KernelCCA(random_state=0).fit(X[:-20], y[:-20])
    sparse = KernelCCA(random_state=0).fit(csr_array(X[:-20]), y[:-20])
    np.testing.assert_allclose(
        sparse.similarity(csr_array(X[-20:]), y[-20:]),
        dense.similarity(X[-20:], y[-20:]),
        atol=1e-8,
    )
    np.testing.assert_allclose(
        sparse.predict(csr_array(X[-20:])), dense.predict(X[-20:]), atol=1e-8
    )


def test_kernel_finds_nonlinear_relations(rng):
    """Texts contain the distance between two coefficients but not its sign."""
    difference = rng.normal(size=(600, 1))
    y = np.hstack([1 + difference, 1 - difference, np.full_like(difference, 3)])
    X = np.exp(-4 * (np.abs(difference) - np.linspace(0, 3, 10)) ** 2)
    shared = {"y_scaling": "unit", "alpha_text": 0.01, "alpha_brain": 0.01}
    kernel = KernelCCA(kernel_width=0.1, random_state=0, **shared)
    linear = KernelCCA(kernel_width=None, **shared)
    scores = [
        model.fit(X[:400], y[:400]).score(X[400:], y[400:])
        for model in (kernel, linear)
    ]
    assert scores[0] > 0.95
    assert scores[1] < 0.8


@pytest.mark.parametrize("weight", [0, 0.5])
def test_entries_do_not_depend_on_other_candidates(weight, train, test):
    model = KernelCCA(hubness_weight=weight, random_state=0).fit(*train)
    X, y = test
    np.testing.assert_allclose(
        model.similarity(X[3:8], y[5:20]), model.similarity(X, y)[3:8, 5:20]
    )


def test_latents_without_hubness_correction(train, test):
    model = KernelCCA(3, hubness_weight=0, random_state=0).fit(*train)
    check_latents(model, test, latent_dim=3)
    assert not hasattr(model, "text_references_")


def test_references_are_the_latents_of_the_training_studies(train):
    X, y = train
    model = KernelCCA(random_state=0).fit(X, y)
    np.testing.assert_allclose(model.text_references_, model.transform(X), atol=1e-9)
    np.testing.assert_allclose(
        model.brain_references_, model.transform_brain(y), atol=1e-9
    )


@SCALINGS
def test_similarity_ignores_the_scale_of_X_and_y(y_scaling, train, test):
    X, y = train
    model = KernelCCA(y_scaling=y_scaling, random_state=0)
    similarity = model.fit(X, y).similarity(*test)
    larger = model.fit(1000 * X + 7, 50 * y).similarity(
        1000 * test[0] + 7, 50 * test[1]
    )
    np.testing.assert_allclose(larger, similarity, atol=1e-6)


def test_score_exceeds_chance(train, test):
    assert KernelCCA(random_state=0).fit(*train).score(*test) > 0.85


def test_random_state_selects_the_nystroem_components(train, test):
    def similarity(seed):
        model = KernelCCA(n_nystroem=50, random_state=seed).fit(*train)
        assert model.nystroem_components_.shape == (50, N_COMPONENTS)
        return model.similarity(*test)

    np.testing.assert_array_equal(similarity(0), similarity(0))
    assert not np.allclose(similarity(0), similarity(1))


def test_dtype_is_that_of_X(train, test):
    X, y = (side.astype(np.float32) for side in train)
    single = KernelCCA(random_state=0).fit(X, y.astype(np.float64))
    assert single.similarity(test[0].astype(np.float32), test[1]).dtype == np.float32
    double = KernelCCA(random_state=0).fit(*train)
    assert double.predict(test[0]).dtype == np.float64
    np.testing.assert_allclose(
        single.similarity(test[0].astype(np.float32), test[1]),
        double.similarity(*test),
        atol=0.02,
    )


def test_refit_removes_optional_attributes(train):
    model = KernelCCA(random_state=0).fit(*train)
    model.set_params(kernel_width=None, hubness_weight=0).fit(*train)
    assert not hasattr(model, "nystroem_components_")
    assert not hasattr(model, "text_references_")


def test_fitted_attributes(train):
    model = KernelCCA(random_state=0).fit(*train)
    assert model.latent_dim_ == N_FEATURES
    assert model.text_weights_.shape == (N_FEATURES, N_FEATURES)
    assert model.coef_.shape == (N_FEATURES, N_COMPONENTS)
    rho = model.canonical_correlations_
    assert (np.diff(rho) <= 0).all()
    assert 0 <= rho.min() <= rho.max() <= 1


def test_few_studies_and_zero_variance():
    X, y = make_pairs(4)
    assert np.isfinite(KernelCCA(random_state=0).fit(X, y).similarity(X, y)).all()
    constant = KernelCCA(random_state=0).fit(np.ones((5, 2)), np.ones((5, 3)))
    assert np.ptp(constant.similarity(np.ones((4, 2)), np.ones((4, 3)))) == 0


@pytest.mark.parametrize("weight", [0, 0.5, 2])
def test_similarity_is_in_the_documented_range(weight, train, test):
    model = KernelCCA(hubness_weight=weight, random_state=0).fit(*train)
    largest = np.abs(model.similarity(*test)).max()
    assert largest <= 1 + 2 * weight + 1e-9
    assert (largest > 1) == (weight > 0)


@pytest.mark.parametrize("kernel_width", [0.4, None])
@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_rounding_errors_are_not_amplified(power, kernel_width, rng):
    """X has rank 4, and its other directions contain only rounding errors."""
    latent = rng.normal(size=(400, 4))
    X = latent @ rng.normal(size=(4, 60))
    y = np.abs(latent @ rng.normal(size=(4, 20)) + rng.normal(size=(400, 20)))
    models = [
        KernelCCA(
            correlation_power=power, kernel_width=kernel_width, random_state=0
        ).fit(X[:300].astype(dtype), y[:300])
        for dtype in (np.float32, np.float64)
    ]
    single, double = (model.similarity(X[300:], y[300:]) for model in models)
    np.testing.assert_allclose(single, double, atol=2e-4)


@pytest.mark.parametrize("name", ["alpha_text", "alpha_brain"])
def test_too_small_ridge_raises(name):
    # Two equal columns of ±1: each pivot is exact, the second is zero.
    X = np.array([[1, 1], [-1, -1]] * 4, dtype=np.float32)
    model = KernelCCA(kernel_width=None, y_scaling=None, **{name: 1e-20})
    with pytest.raises(ValueError, match=rf"{name}=1e-20 .* in float32.*pass X in fl"):
        model.fit(np.vstack([X, -X]), np.vstack([X, -X]))


# The correction of hubness


@pytest.fixture
def latents(rng):
    return [unit_rows(rng.normal(size=(n, 3))) for n in (4, 6, 9, 9)]


def test_soft_maximum_lies_between_mean_and_maximum(rng):
    rows = rng.normal(size=(5, 8))
    np.testing.assert_allclose(soft_maximum(rows, 1e-4), rows.max(axis=1), atol=1e-3)
    np.testing.assert_allclose(soft_maximum(rows, 1e4), rows.mean(axis=1), atol=1e-3)
    middle = soft_maximum(rows, 0.5)
    assert (rows.mean(axis=1) < middle).all()
    assert (middle < rows.max(axis=1)).all()


def test_soft_maximum_does_not_overflow():
    np.testing.assert_allclose(
        soft_maximum(np.array([[1e6, 0.0]]), 1.0), 1e6, rtol=1e-6
    )


def test_hubness_correction_equals_the_formula(latents):
    text, brain, texts, brains = latents
    corrected = correct_hubness(text, brain, texts, brains, temperature=0.2, weight=0.7)

    def soft(one, references):
        return 0.2 * np.log(np.mean([np.exp(one @ r / 0.2) for r in references]))

    for i, t in enumerate(text):
        for j, b in enumerate(brain):
            expected = t @ b - 0.7 * soft(t, brains) - 0.7 * soft(b, texts)
            np.testing.assert_allclose(corrected[i, j], expected)


def test_hubness_correction_with_zero_weight(latents):
    text, brain, texts, brains = latents
    cosines = correct_hubness(text, brain, texts, brains, temperature=0.2, weight=0)
    np.testing.assert_allclose(cosines, text @ brain.T)


def test_hubness_correction_lowers_hubs():
    hub, rare = np.array([1.0, 0.0]), np.array([0.6, 0.8])
    texts = np.tile(hub, (5, 1))
    query = unit_rows(np.array([[1.0, 0.4]]))
    maps = np.stack([hub, rare])
    settings = {"temperature": 0.1}
    plain = correct_hubness(query, maps, texts, texts, weight=0, **settings)[0]
    corrected = correct_hubness(query, maps, texts, texts, weight=0.5, **settings)[0]
    assert plain[0] > plain[1]
    assert corrected[0] < corrected[1]
