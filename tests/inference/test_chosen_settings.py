"""Unfitted copies keep the settings that fitted estimators have chosen on the data."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KernelCCA,
    MLPBaseline,
    RidgeBaseline,
    TextBrainEnsemble,
    best_text_brain,
)
from sklearn_neurocontext.comparators import Text2Brain
from sklearn_neurocontext.inference import clone_with_chosen_settings

N_STUDIES = 60


@pytest.fixture(scope="module")
def problem():
    """Features, coefficients, and a permutation of the studies."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_STUDIES, 4))
    y = X @ rng.normal(size=(4, 6)) + 0.3 * rng.normal(size=(N_STUDIES, 6))
    return X, y, rng.permutation(N_STUDIES)


def test_ridge_keeps_penalty_in_permuted_fits(problem):
    X, y, order = problem
    model = RidgeBaseline().fit(X, y)
    assert RidgeBaseline().fit(X, y[order]).alpha_ != model.alpha_
    copy = clone_with_chosen_settings(model)
    assert not hasattr(copy, "coef_")
    assert copy.fit(X, y[order]).alpha_ == model.alpha_
    assert model.alphas is None


@pytest.mark.parametrize("per_target", [False, True])
def test_ridge_cv_keeps_penalties(problem, per_target):
    X, y, order = problem
    y = y * [1, 1, 1, 0.01, 0.01, 0.01] + np.random.default_rng(1).normal(size=y.shape)
    alphas = np.logspace(-2, 5, 8)
    model = RidgeCV(alphas, alpha_per_target=per_target).fit(X, y)
    assert np.size(model.alpha_) == (6 if per_target else 1)
    copy = clone_with_chosen_settings(model)
    np.testing.assert_allclose(copy.fit(X, y).coef_, model.coef_, rtol=1e-6)
    kept = copy.fit(X, y[order])
    used = kept.alpha if per_target else kept.alpha_
    np.testing.assert_array_equal(used, model.alpha_)


NETWORK = {"max_epochs": 6, "batch_size": 20, "random_state": 0}


@pytest.mark.parametrize(
    "model",
    [
        MLPBaseline(16, **NETWORK),
        ContrastiveTextBrain(4, **NETWORK),
        ContrastiveTextBrain(4, **NETWORK, patience=1, restore_best=False),
        ContrastiveTextBrain(4, **NETWORK, reconstruction_weight=1.0),
        ContrastiveTextBrain(4, **NETWORK, decoder="ridge"),
        ContrastiveTextBrain(4, **NETWORK, decoder=None),
    ],
    ids=["mlp", "contrastive", "last epoch", "joint", "ridge", "no decoder"],
)
def test_networks_keep_number_of_epochs(problem, model):
    X, y, order = problem
    model.fit(X, y)
    kept_last = getattr(model, "restore_best", True) is False
    n_epochs = model.n_epochs_ if kept_last else model.best_epoch_
    copy = clone_with_chosen_settings(model)
    assert not hasattr(copy, "module_")
    copy.fit(X, y[order])
    assert (copy.n_epochs_, copy.n_validation) == (n_epochs, 0)
    if model.get_params().get("decoder") == "ridge":
        assert copy.decoder_.alpha_ == model.decoder_.alpha_
        # Ensembles clone their estimators.
        again = clone_with_chosen_settings(
            TextBrainEnsemble([("one", model)]).fit(X, y)
        ).fit(X, y[order])
        assert again.estimators_[0].predict(X).shape == y.shape
    if getattr(model, "decoder", "") is not None:
        assert copy.predict(X).shape == y.shape


def test_text2brain_keeps_number_of_epochs():
    model = Text2Brain(max_epochs=10)
    model.best_epoch_ = 3
    copy = clone_with_chosen_settings(model)
    assert (copy.max_epochs, copy.patience, copy.n_validation) == (3, None, 0)


@pytest.mark.parametrize(
    "model", [KernelCCA(3), CCABaseline(2), KernelCCA(3, alpha_text=2)]
)
def test_models_without_chosen_settings_keep_parameters(problem, model):
    X, y, _ = problem
    copy = clone_with_chosen_settings(model.fit(X, y))
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coef_")


def test_nested_estimators_keep_settings(problem):
    X, y, order = problem
    search = GridSearchCV(KernelCCA(3), {"alpha_text": [1e-3, 1e3]}, cv=3)
    model = TextBrainEnsemble(
        [
            ("ridge", make_pipeline(StandardScaler(), "passthrough", RidgeBaseline())),
            ("search", make_pipeline(search)),
            ("inner", TextBrainEnsemble([("ridge", RidgeBaseline())])),
        ],
        weights=[1.0, 2.0, 1.0],
    ).fit(X, y)
    copy = clone_with_chosen_settings(model).fit(X, y[order])
    ridge, search, inner = copy.estimators_
    assert ridge[-1].alpha_ == model.estimators_[0][-1].alpha_
    best = model.estimators_[1][-1].best_params_["alpha_text"]
    assert search[-1].get_params()["alpha_text"] == best
    assert inner.estimators_[0].alpha_ == model.estimators_[2].estimators_[0].alpha_
    assert copy.weights == model.weights


def test_transformers_and_meta_estimators_keep_settings(problem):
    X, y, order = problem
    regressor = TransformedTargetRegressor(RidgeCV(np.logspace(-2, 5, 8)))
    copy = clone_with_chosen_settings(regressor.fit(X, y))
    assert copy.fit(X, y[order]).regressor_.alpha_ == regressor.regressor_.alpha_

    class Prediction(RidgeCV):
        """A transformer that predicts y by ridge regression."""

        def fit_transform(self, X, y):
            return self.fit(X, y).predict(X)

        def transform(self, X):
            return self.predict(X)

    for union in (
        FeatureUnion([("ridge", Prediction())]),
        ColumnTransformer([("ridge", Prediction(), [0, 1])]),
    ):
        union.fit_transform(X, y)
        copy = clone_with_chosen_settings(union)
        pairs = getattr(copy, "transformer_list", None) or copy.transformers
        fitted = getattr(union, "transformers_", None) or union.transformer_list
        assert pairs[0][1].alphas == [fitted[0][1].alpha_]


def test_best_text_brain_keeps_parameters():
    texts = [f"word{i % 5} other{i % 3} text" for i in range(40)]
    y = np.random.default_rng(0).normal(size=(40, 4))
    model = best_text_brain("body", random_state=0)
    model.set_params(termcounts__min_df=2).fit(texts, y)
    copy = clone_with_chosen_settings(model)
    expected = model.get_params()
    steps = {"steps", *model.named_steps}
    for name, value in copy.get_params().items():
        assert name in steps or value == expected[name]


def test_several_penalties_of_another_estimator_raise():
    class Other(BaseEstimator):
        def __init__(self, alphas=None):
            self.alphas = alphas

    model = Other()
    model.alpha_ = np.ones(3)
    with pytest.raises(TypeError, match=r"Only RidgeCV can have .* got Other"):
        clone_with_chosen_settings(model)
