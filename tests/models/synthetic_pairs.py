"""Synthetic pairs of embeddings and coefficients, and helpers of tests of models."""

import numpy as np
import pytest

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    MLPBaseline,
    RidgeBaseline,
)

N_FEATURES, N_COMPONENTS, N_LATENT = 6, 10, 4
QUICK_NET = {"max_epochs": 10, "batch_size": 32, "lr": 3e-3, "random_state": 0}
SCALINGS = pytest.mark.parametrize("y_scaling", ["unit", "sqrt", None])


def make_pairs(n_studies, seed=0, noise=0.5):
    """Draw X and y as fixed linear functions of one latent, plus noise."""
    views = np.random.default_rng(12345)
    to_text = views.normal(size=(N_LATENT, N_FEATURES))
    to_brain = views.normal(size=(N_LATENT, N_COMPONENTS))
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n_studies, N_LATENT))
    X = latent @ to_text + noise * rng.normal(size=(n_studies, N_FEATURES))
    y = latent @ to_brain + noise * rng.normal(size=(n_studies, N_COMPONENTS))
    return X, y


def quick_estimators(**params):
    """Make the estimators of dense X, trained within a second each."""
    return [
        CCABaseline(**params),
        RidgeBaseline(**params),
        MLPBaseline(hidden_dim=32, **QUICK_NET, **params),
        ContrastiveTextBrain(**QUICK_NET, **params),
    ]


def name_of(estimator):
    """Return the name of the class, for test ids."""
    return type(estimator).__name__


def standardize_by_hand(y_train, y_any, y_scaling):
    """Standardize with loops over studies; return also mean and scale."""

    def normalize(y):
        if y_scaling is None:
            return y
        rows = []
        for row in y:
            if y_scaling == "sqrt":
                row = np.array([np.copysign(abs(c) ** 0.5, c) for c in row])
            rows.append(row / np.sqrt((row**2).sum()))
        return np.array(rows)

    trained = normalize(y_train)
    mean = trained.mean(axis=0)
    scale = np.ones_like(mean) if y_scaling is None else trained.std(axis=0)
    return (normalize(y_any) - mean) / scale, mean, scale


def in_fitted_units(densities, y_scaling):
    """Return the signed square roots of predictions if `y_scaling` is "sqrt"."""
    if y_scaling == "sqrt":
        return np.copysign(np.sqrt(np.abs(densities)), densities)
    return densities


def cosines_by_hand(left, right):
    """Compute the cosine of each row of `left` with each row of `right` in loops."""
    return np.array(
        [
            [a @ b / np.sqrt((a @ a) * (b @ b)) for b in np.asarray(right, float)]
            for a in np.asarray(left, float)
        ]
    )


def check_latents(model, test, latent_dim, *, rtol=1e-7, atol=0.0):
    """Check that latents are unit rows whose products are the similarity."""
    text, brain = model.transform(test[0]), model.transform_brain(test[1])
    assert model.latent_dim_ == latent_dim
    assert text.shape == brain.shape == (100, latent_dim)
    np.testing.assert_allclose(np.linalg.norm(text, axis=1), 1, rtol=rtol)
    np.testing.assert_allclose(np.linalg.norm(brain, axis=1), 1, rtol=rtol)
    np.testing.assert_allclose(text @ brain.T, model.similarity(*test), rtol, atol)
    names = model.get_feature_names_out()
    assert list(names) == [f"{name_of(model).lower()}{i}" for i in range(latent_dim)]
