"""Tests of ContrastiveTextBrain."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_neurocontext import ContrastiveTextBrain
from sklearn_neurocontext.metrics import mix_match_score, similarity
from sklearn_neurocontext.models import PAPER_SETTINGS
from sklearn_neurocontext.models._modules import Decoder, TwoTowers
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    QUICK_NET,
    check_latents,
    in_fitted_units,
    make_pairs,
)


def _quick(**params):
    return ContrastiveTextBrain(**QUICK_NET | params)


def test_defaults_are_the_paper_settings():
    defaults = ContrastiveTextBrain().get_params()
    different = {
        name: (value, PAPER_SETTINGS[name])
        for name, value in defaults.items()
        if PAPER_SETTINGS.get(name, value) != value
    }
    assert different == {
        "n_validation": (1000, 0),
        "patience": (5, None),
        "restore_best": (True, False),
        "y_scaling": ("unit", None),
    }
    assert PAPER_SETTINGS["batch_size"] == 128
    assert PAPER_SETTINGS["weight_decay"] == 0.1
    with pytest.raises(TypeError):
        PAPER_SETTINGS["lr"] = 1


def test_paper_recipe_equals_its_steps(train, test):
    """Rows are divided by their norms, then columns are standardized."""
    quick = QUICK_NET | {"max_epochs": 4}
    pipeline = ContrastiveTextBrain.paper(**quick).fit(*train)
    units = [X / np.linalg.norm(X, axis=1, keepdims=True) for X in (train[0], test[0])]
    mean, std = units[0].mean(axis=0), units[0].std(axis=0)
    X, X_test = ((rows - mean) / std for rows in units)
    model = ContrastiveTextBrain(
        **quick, n_validation=0, patience=None, restore_best=False, y_scaling=None
    ).fit(X, train[1])
    np.testing.assert_allclose(
        similarity(pipeline, *test), model.similarity(X_test, test[1]), atol=1e-5
    )
    np.testing.assert_allclose(pipeline.predict(test[0]), model.predict(X_test), 1e-3)
    assert pipeline.score(*test) > 0.6
    assert pipeline[-1].n_epochs_ == 4
    assert "valid_loss" not in pipeline[-1].history_[0]


def test_paper_recipe_in_a_pipeline_and_a_search(train, test):
    outer = make_pipeline(
        FunctionTransformer(), ContrastiveTextBrain.paper(**QUICK_NET)
    )
    name = "pipeline__contrastivetextbrain__max_epochs"
    search = GridSearchCV(outer, {name: [1, 12]}, cv=2).fit(*train)
    assert search.best_params_ == {name: 12}
    assert mix_match_score(similarity(search, *test)) > 0.7


def test_paper_recipe_takes_other_parameters():
    model = ContrastiveTextBrain.paper(decoder=None, lr=1e-4)[-1]
    assert (model.decoder, model.lr, model.max_epochs) == (None, 1e-4, 50)
    with pytest.raises(TypeError, match="epochs"):
        ContrastiveTextBrain.paper(epochs=3)


def test_weights_of_the_last_epoch_are_kept(train, test):
    options = {"lr": 3e-2, "patience": None, "dropout": 0.0}
    best = _quick(**options).fit(*train)
    assert best.best_epoch_ < best.n_epochs_ == 10
    last = _quick(**options, restore_best=False).fit(*train)
    assert last.best_epoch_ == best.best_epoch_
    assert np.abs(last.similarity(*test) - best.similarity(*test)).max() > 1e-3
    # After training only up to the best epoch, the last weights are the best weights.
    short = _quick(
        **options | {"max_epochs": best.best_epoch_}, restore_best=False
    ).fit(*train)
    np.testing.assert_array_equal(short.similarity(*test), best.similarity(*test))


def test_score_of_initial_weights_is_chance(test):
    """The mean over seeds is within 3 standard errors of 0.5."""
    X, y = make_pairs(100)
    scores = [
        _quick(lr=1e-12, max_epochs=1, decoder=None, random_state=seed)
        .fit(X, y)
        .score(*test)
        for seed in range(20)
    ]
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    assert np.mean(scores) == pytest.approx(0.5, abs=3 * error)


# The shared space


@pytest.mark.parametrize("latent_dim", [None, 4])
def test_latents(latent_dim, train, test):
    model = _quick(latent_dim=latent_dim, max_epochs=2).fit(*train)
    check_latents(model, test, latent_dim or N_COMPONENTS, rtol=1e-5, atol=1e-6)
    assert model.transform(test[0]).dtype == np.float32
    assert model.transform_brain(test[1]).dtype == np.float32


def test_fitted_modules(fits):
    model = fits["ContrastiveTextBrain"]
    assert isinstance(model.module_, TwoTowers)
    assert isinstance(model.decoder_, Decoder)
    assert not model.module_.training
    assert not model.decoder_.training


def test_temperature_is_learned(train):
    model = _quick(temperature=0.3).fit(*train)
    log_scale = model.module_.log_logit_scale.item()
    assert model.temperature_ == pytest.approx(np.exp(-log_scale))
    assert model.temperature_ != pytest.approx(0.3, rel=1e-3)
    initial = _quick(temperature=0.3, lr=1e-12, max_epochs=1).fit(*train)
    assert initial.temperature_ == pytest.approx(0.3, rel=1e-5)


def test_fitted_temperature_is_clamped(train):
    model = _quick(temperature=1e-3, max_epochs=1).fit(*train)
    assert model.temperature_ == pytest.approx(0.01, rel=1e-5)


def test_history_describes_the_encoders(train):
    model = _quick(decoder="ridge").fit(*train)
    assert model.history_[-1]["valid_loss"] < np.log(24)  # chance on 24 studies
    assert 0 <= model.history_[-1]["monitor"] < model.history_[0]["monitor"]


# The decoder


def test_encoders_do_not_depend_on_the_decoder(train, test):
    similarities = [
        _quick(decoder=decoder, max_epochs=3).fit(*train).similarity(*test)
        for decoder in ("residual", "ridge", None)
    ]
    np.testing.assert_array_equal(similarities[0], similarities[1])
    np.testing.assert_array_equal(similarities[0], similarities[2])


@pytest.mark.parametrize(
    ("decoder", "y_scaling"),
    [("residual", "unit"), ("residual", None), ("ridge", "unit"), ("ridge", "sqrt")],
)
def test_predictions_are_better_than_the_mean(decoder, y_scaling, train, test):
    model = _quick(decoder=decoder, y_scaling=y_scaling, max_epochs=15).fit(*train)
    predicted = in_fitted_units(model.predict(test[0]), y_scaling)
    predicted = (predicted - model.y_mean_) / model.y_scale_
    observed = model._standardize(test[1])
    assert ((predicted - observed) ** 2).mean() < 0.7 * (observed**2).mean()
    assert predicted.shape == (100, N_COMPONENTS)


def test_ridge_decoder_equals_ridge_cv_on_latents(train, test):
    model = _quick(decoder="ridge").fit(*train)
    oracle = RidgeCV(alphas=np.logspace(-3, 3, 13))
    oracle.fit(model.transform(train[0]), model._standardize(train[1]))
    assert isinstance(model.decoder_, RidgeCV)
    assert model.decoder_.alpha_ == oracle.alpha_
    expected = oracle.predict(model.transform(test[0])) * model.y_scale_ + model.y_mean_
    np.testing.assert_allclose(model.predict(test[0]), expected, rtol=1e-5)
    assert model.predict(test[0]).dtype == np.float32


def test_residual_decoder_takes_text_latents(fits, test):
    model = fits["ContrastiveTextBrain"]
    with torch.inference_mode():
        out = model.decoder_(torch.from_numpy(model.transform(test[0]))).numpy()
    np.testing.assert_allclose(
        model.predict(test[0]), out * model.y_scale_ + model.y_mean_, rtol=1e-5
    )


def test_no_predict_without_decoder(train, test):
    model = _quick(decoder=None).fit(*train)
    assert not hasattr(model, "predict")
    assert not hasattr(model, "decoder_")
    assert model.score(*test) > 0.8
    with pytest.raises(AttributeError) as raised:
        _ = model.predict
    reason = str(raised.value.__cause__)
    assert "has decoder=None, so it cannot predict maps. Fit it with" in reason


def test_decoder_set_after_fit_is_not_fitted(train, test):
    model = _quick(max_epochs=1).fit(*train)
    model.set_params(decoder=None).fit(*train)
    model.set_params(decoder="residual")
    with pytest.raises(NotFittedError):
        model.predict(test[0])


# The joint loss


def _similarities(train, test, **params):
    return _quick(**params).fit(*train).similarity(*test)


def test_joint_loss_without_weight_is_the_default(train, test):
    np.testing.assert_array_equal(
        _similarities(train, test, reconstruction_weight=0),
        _similarities(train, test),
    )


def test_joint_loss_of_small_weight_trains_the_same_encoders(train, test):
    """One batch per epoch and no dropout, since the decoder draws random numbers."""
    options = {"dropout": 0.0, "batch_size": 240, "restore_best": False}
    default = _similarities(train, test, **options)
    small = _similarities(train, test, **options, reconstruction_weight=1e-9)
    large = _similarities(train, test, **options, reconstruction_weight=10)
    np.testing.assert_allclose(small, default, atol=1e-3)
    assert np.abs(large - default).max() > 0.05


def test_joint_training_improves_predictions(train, test):
    model = _quick(reconstruction_weight=1.0, max_epochs=15).fit(*train)
    assert isinstance(model.decoder_, Decoder)
    assert not (model.module_.training or model.decoder_.training)
    predicted = (model.predict(test[0]) - model.y_mean_) / model.y_scale_
    observed = model._standardize(test[1])
    assert ((predicted - observed) ** 2).mean() < 0.7 * (observed**2).mean()
    assert model.score(*test) > 0.85


@pytest.mark.parametrize("decoder", ["ridge", None])
def test_joint_loss_needs_the_residual_decoder(decoder, train):
    model = _quick(decoder=decoder, reconstruction_weight=0.5)
    with pytest.raises(ValueError, match=r"reconstruction_weight=0\.5 and decoder="):
        model.fit(*train)


# Batches


def test_fit_with_a_last_batch_of_one_study(test):
    X, y = make_pairs(65)
    model = _quick(batch_size=32, n_validation=0).fit(X, y)
    assert model.score(*test) > 0.7
    assert all(np.isfinite(epoch["train_loss"]) for epoch in model.history_)


def test_fit_with_repeated_studies(test):
    X, y = (np.repeat(side, 3, axis=0) for side in make_pairs(60))
    assert _quick().fit(X, y).score(*test) > 0.7
