"""Embeddings and coefficients that share a known latent."""

import numpy as np

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    MLPBaseline,
    RidgeBaseline,
)

N_FEATURES, N_COMPONENTS, N_LATENT = 6, 10, 4
QUICK_NET = {"max_epochs": 10, "batch_size": 32, "lr": 3e-3, "random_state": 0}


def make_pairs(n_studies, seed=0, noise=0.5):
    """Draw X and y as two noisy linear views of one latent; the views never change."""
    views = np.random.default_rng(12345)
    to_text = views.normal(size=(N_LATENT, N_FEATURES))
    to_brain = views.normal(size=(N_LATENT, N_COMPONENTS))
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n_studies, N_LATENT))
    X = latent @ to_text + noise * rng.normal(size=(n_studies, N_FEATURES))
    y = latent @ to_brain + noise * rng.normal(size=(n_studies, N_COMPONENTS))
    return X, y


def quick_estimators(**params):
    """Make the estimators of dense X, small enough to train in a moment."""
    return [
        CCABaseline(**params),
        RidgeBaseline(**params),
        MLPBaseline(hidden_dim=32, **QUICK_NET, **params),
        ContrastiveTextBrain(**QUICK_NET, **params),
    ]


def name_of(estimator):
    """Name the class, for test ids."""
    return type(estimator).__name__


def standardize_by_hand(y_train, y_any, y_scaling):
    """Follow the words of `y_scaling` with plain loops over studies."""

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
    """Take the signed square roots of predictions where `y_scaling` is "sqrt"."""
    if y_scaling == "sqrt":
        return np.copysign(np.sqrt(np.abs(densities)), densities)
    return densities


def cosines_by_hand(left, right):
    """Cosine of each row of `left` with each row of `right`, one pair at a time."""
    return np.array(
        [
            [a @ b / np.sqrt((a @ a) * (b @ b)) for b in np.asarray(right, float)]
            for a in np.asarray(left, float)
        ]
    )
