"""Tests of MLPBaseline."""

import numpy as np
import torch

from sklearn_neurocontext import MLPBaseline
from sklearn_neurocontext.models._modules import Perceptron
from tests.models.synthetic_pairs import make_pairs, standardize_by_hand

QUICK = {"hidden_dim": 32, "lr": 3e-3, "batch_size": 32, "random_state": 0}


def test_defaults_are_the_paper_settings():
    model = MLPBaseline()
    assert (model.hidden_dim, model.max_epochs) == (512, 50)
    assert (model.lr, model.dropout, model.batch_size) == (5e-4, 0.5, 128)


def test_predictions_equal_rescaled_module_outputs(train, test):
    model = MLPBaseline(max_epochs=3, **QUICK).fit(*train)
    assert isinstance(model.module_, Perceptron)
    _, mean, scale = standardize_by_hand(train[1], train[1], "unit")
    with torch.inference_mode():
        out = model.module_(torch.tensor(test[0], dtype=torch.float32)).numpy()
    np.testing.assert_allclose(model.predict(test[0]), out * scale + mean, atol=1e-5)


def test_fits_nonlinear_functions():
    X, _ = make_pairs(600)
    y = np.stack([np.abs(X[:, 0]), np.abs(X[:, 1]), X[:, 0] * X[:, 1]], axis=1)
    y -= y.mean(axis=0)
    settings = QUICK | {"y_scaling": None, "dropout": 0.0, "max_epochs": 40}
    model = MLPBaseline(**settings, patience=None).fit(X[:500], y[:500])
    error = ((model.predict(X[500:]) - y[500:]) ** 2).sum()
    assert error < 0.3 * (y[500:] ** 2).sum()


def test_dropout_is_off_in_predictions(train, test):
    model = MLPBaseline(dropout=0.9, max_epochs=1, **QUICK).fit(*train)
    np.testing.assert_array_equal(model.predict(test[0]), model.predict(test[0]))


def test_no_transform():
    assert not hasattr(MLPBaseline(), "transform")
