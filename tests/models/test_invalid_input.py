"""Tests of the errors that estimators of dense X raise for invalid input."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    MLPBaseline,
    RidgeBaseline,
)
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    N_FEATURES,
    name_of,
    quick_estimators,
)


def test_sparse_features_raise(fitted, train):
    name = name_of(fitted)
    message = f"X of {name} must be dense; got sparse.*TruncatedSVD before {name}"
    with pytest.raises(TypeError, match=message):
        clone(fitted).fit(csr_array(train[0]), train[1])
    with pytest.raises(TypeError, match=message):
        fitted.predict(csr_array(train[0]))


def _replace_value(side, value, row=3):
    changed = side.astype(object) if isinstance(value, str) else side.copy()
    changed[row, 0] = value
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (_replace_value(X, np.nan), y), "X contains NaN"),
        (lambda X, y: (X, _replace_value(y, np.nan)), "y contains NaN"),
        (lambda X, y: (X, _replace_value(y, np.inf)), "y contains infinity"),
        (lambda X, y: (X, y[:-1]), r"inconsistent numbers of samples: \[240, 239\]"),
        (lambda X, y: (X[:1], y[:1]), "minimum of 2 is required"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: ([[0.0, 1.0], [2.0]], y[:2]), "inhomogeneous"),
        (lambda X, y: (X[:2], [[0.0, 1.0], [2.0]]), "inhomogeneous"),
        (lambda X, y: (_replace_value(X, "words"), y), "could not convert.*words"),
        (lambda X, y: (X, _replace_value(y, "words")), "could not convert.*words"),
        (lambda X, y: (X[0], y), "Expected 2D array, got 1D"),
        (lambda X, y: (X, y[:, :, None]), "dim 3"),
        (lambda X, y: (X, None), "requires y to be passed"),
    ],
)
def test_invalid_input_to_fit_raises(fitted, train, change, message):
    with pytest.raises(ValueError, match=message):
        clone(fitted).fit(*change(*train))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda X, y: (X[:, 1:], y),
            f"X has {N_FEATURES - 1} features, but .* is expecting {N_FEATURES}",
        ),
        (
            lambda X, y: (X, y[:, 1:]),
            rf"y must have shape \(n_studies, {N_COMPONENTS}\).*\(100, 9\).*masker",
        ),
        (lambda X, y: (X, y[0]), r"y must have shape \(n_studies, 10\).*got \(10,\)"),
        (
            lambda X, y: (X, _replace_value(y, np.nan)),
            "y contains NaN or infinity. Remove the studies",
        ),
        (
            lambda X, y: (X, _replace_value(y, "words")),
            r"y cannot be read as numbers \(.*words.*\). Expected coeff.*n_studies, 10",
        ),
        (lambda X, y: (X, [[0.0], [1.0, 2.0]]), "y cannot be read as numbers"),
        (lambda X, y: (_replace_value(X, np.inf), y), "X contains infinity"),
    ],
)
def test_invalid_input_to_similarity_raises(fitted, test, change, message):
    with pytest.raises(ValueError, match=message):
        fitted.similarity(*change(*test))


@pytest.mark.parametrize(
    "estimator",
    [
        RidgeBaseline(y_scaling="l2"),
        CCABaseline(alpha_text=0),
        CCABaseline(latent_dim=0),
        MLPBaseline(dropout=1),
        MLPBaseline(max_epochs=0),
        ContrastiveTextBrain(temperature=0),
        ContrastiveTextBrain(batch_size=1),
        ContrastiveTextBrain(decoder="linear"),
        ContrastiveTextBrain(patience=0),
    ],
    ids=repr,
)
def test_invalid_parameters_raise_in_fit(estimator, train):
    with pytest.raises(ValueError, match=r"parameter of .* must be"):
        estimator.fit(*train)


# Input of an earlier pipeline step


@pytest.mark.parametrize("estimator", quick_estimators(), ids=name_of)
@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_texts_and_peaks_raise(estimator, kind, train):
    X, y = train
    texts = kind(["finger tapping"] * len(X))
    with pytest.raises(
        TypeError, match=r"must be embeddings; got texts.* Put LLMChunkEmbedder"
    ):
        estimator.fit(texts, y)
    with pytest.raises(
        TypeError, match=r"must be coefficients; got .*peaks.* KDEDiFuMoMasker"
    ):
        estimator.fit(X, [np.zeros((3, 3))] * len(X))
    with pytest.raises(TypeError, match="got texts"):
        estimator.fit(X, y).predict(texts)
