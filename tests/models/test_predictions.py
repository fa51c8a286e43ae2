"""Tests that predictions are coefficients of densities for each `y_scaling`."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import make_scorer, mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KDEDiFuMoMasker,
    KernelCCA,
    MLPBaseline,
    RidgeBaseline,
    TextBrainEnsemble,
    make_dice_scorer,
    make_retrieval_scorer,
    metrics,
)
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.models import scale_like_predictions
from tests.models.synthetic_pairs import SCALINGS

NET = {
    "batch_size": 120,
    "dropout": 0.0,
    "n_validation": 0,
    "patience": None,
    "random_state": 0,
}
INTERPOLATING = {
    "ridge": RidgeBaseline([1e-8]),
    "cca": CCABaseline(alpha_text=1e-8, alpha_brain=1e-8),
    "kernel": KernelCCA(alpha_text=1e-8, random_state=0),
    "linear kernel": KernelCCA(alpha_text=1e-8, kernel_width=None),
    "mlp": MLPBaseline(64, 600, lr=1e-2, **NET),
    "contrastive, ridge": ContrastiveTextBrain(
        16, 5, lr=1e-2, decoder="ridge", weight_decay=0.0, **NET
    ),
    "contrastive, residual": ContrastiveTextBrain(
        64, 400, lr=3e-3, weight_decay=0.0, **NET
    ),
}


def _copied_studies():
    """Return 20 copies of 6 studies with 12 features, which can be interpolated."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 12)), rng.normal(size=(6, 5))
    return np.tile(X, (20, 1)), np.tile(y, (20, 1))


def _densities(y, y_scaling):
    if y_scaling is None:
        return y
    order = {"unit": 2, "sqrt": 1}[y_scaling]
    return y / np.linalg.norm(y, ord=order, axis=1, keepdims=True)


@SCALINGS
@pytest.mark.parametrize("name", INTERPOLATING)
def test_interpolating_models_predict_densities(name, y_scaling):
    X, y = _copied_studies()
    model = clone(INTERPOLATING[name]).set_params(y_scaling=y_scaling).fit(X, y)
    expected = _densities(y, y_scaling)
    assert (expected < -0.01).any()
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-3)


@SCALINGS
@pytest.mark.parametrize("weights", [None, (3, 1)])
def test_interpolating_ensembles_predict_densities(weights, y_scaling):
    X, y = _copied_studies()
    ridge = RidgeBaseline([1e-8], y_scaling=y_scaling)
    search = GridSearchCV(ridge, {"alphas": [[1e-8]]}, cv=2)
    cca = make_pipeline(StandardScaler(), INTERPOLATING["cca"])
    cca = clone(cca).set_params(ccabaseline__y_scaling=y_scaling)
    model = TextBrainEnsemble([("ridge", search), ("cca", cca)], weights=weights)
    model.fit(X, y)
    assert model.y_scaling == y_scaling
    np.testing.assert_allclose(model.predict(X), _densities(y, y_scaling), atol=1e-3)


@SCALINGS
def test_ensembles_average_densities(y_scaling, train, test):
    estimators = [
        ("cca", CCABaseline(y_scaling=y_scaling)),
        ("ridge", RidgeBaseline([300.0], y_scaling=y_scaling)),
    ]
    model = TextBrainEnsemble(estimators, weights=[2, 0.5]).fit(*train)
    cca, ridge = (estimator.fit(*train).predict(test[0]) for _, estimator in estimators)
    np.testing.assert_allclose(model.predict(test[0]), (2 * cca + 0.5 * ridge) / 2.5)


@SCALINGS
def test_scale_like_predictions(y_scaling):
    X, y = _copied_studies()
    ridge = RidgeBaseline([1e-8], y_scaling=y_scaling)
    ensemble = TextBrainEnsemble([("ridge", ridge)]).fit(X, y)
    for model in (ridge, make_pipeline(StandardScaler(), ridge), ensemble):
        scaled = scale_like_predictions(model, y)
        np.testing.assert_allclose(scaled, _densities(y, y_scaling), rtol=1e-12)


@SCALINGS
def test_average_is_the_prediction_without_information(y_scaling, train):
    X, y = train
    model = RidgeBaseline([1e15], y_scaling=y_scaling).fit(X, y)
    average = scale_like_predictions(model, y, average=True)
    np.testing.assert_allclose(model.predict(X[:1]), average[None], atol=1e-9)


@pytest.fixture(scope="module")
def overlapping():
    """Masker whose maps overlap, features of texts and coefficients of 200 studies."""
    masker = KDEDiFuMoMasker("geometric-soft", 128, target_affine=8)
    corpus = make_studies(n_studies=200, random_state=0)
    return masker, corpus.latent, masker.fit_transform(corpus.peaks)


@pytest.mark.parametrize("estimator", [KernelCCA(random_state=0), CCABaseline()])
def test_ensemble_of_copies_scores_as_its_estimator(estimator, overlapping):
    masker, X, y = overlapping
    train, test = slice(60, None), slice(60)
    alone = clone(estimator).fit(X[train], y[train])
    copies = TextBrainEnsemble([("one", clone(estimator)), ("two", clone(estimator))])
    copies.fit(X[train], y[train])
    names = [n for n in metrics.__all__ if n.endswith("_scorer") and n[:5] != "make_"]
    scorers = [getattr(metrics, name) for name in names if "100" not in name]
    scorers += [make_dice_scorer(masker), make_dice_scorer(masker, top=0.02)]
    scorers.append(make_retrieval_scorer(ks=(1, 10), masker=masker))
    for scorer in scorers:
        assert scorer(copies, X[test], y[test]) == scorer(alone, X[test], y[test])
    assert copies.score(X[test], y[test]) == alone.score(X[test], y[test])


# Metrics of scikit-learn


_SCORED = pytest.mark.parametrize(
    "model",
    [
        RidgeBaseline(),
        MLPBaseline(16, 3, random_state=0),
        CCABaseline(),
        KernelCCA(random_state=0),
        ContrastiveTextBrain(max_epochs=2, random_state=0),
        make_pipeline(StandardScaler(), RidgeBaseline()),
    ],
    ids=lambda model: type(model).__name__,
)


def _with_scaling(model, y_scaling):
    name = "ridgebaseline__y_scaling" if hasattr(model, "steps") else "y_scaling"
    return clone(model).set_params(**{name: y_scaling})


@_SCORED
def test_r2_without_scaling_is_in_the_unit_of_y(model, train):
    X, y = train[0], 5 + 3 * train[1]
    folds = [(np.arange(160), np.arange(160, 240))]
    model = _with_scaling(model, None)
    score = cross_val_score(model, X, y, cv=folds, scoring="r2", error_score="raise")
    predicted = clone(model).fit(X[:160], y[:160]).predict(X[160:])
    error = ((y[160:] - predicted) ** 2).sum(axis=0)
    variance = ((y[160:] - y[160:].mean(axis=0)) ** 2).sum(axis=0)
    assert score[0] == pytest.approx((1 - error / variance).mean(), abs=1e-4)


@pytest.mark.parametrize("y_scaling", ["unit", "sqrt"])
@_SCORED
def test_r2_in_another_unit_raises(model, y_scaling, train):
    model = _with_scaling(model, y_scaling)
    with pytest.raises(ValueError, match=f"r2_score needs .* y_scaling='{y_scaling}'"):
        cross_val_score(model, *train, cv=2, scoring="r2", error_score="raise")


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("neg_mean_squared_error", "mean_squared_error"),
        ("explained_variance", "explained_variance_score"),
        ({"fit": "r2"}, "r2_score"),
        (make_scorer(mean_squared_error, greater_is_better=False), "mean_squared"),
    ],
)
def test_other_metrics_in_another_unit_raise(scoring, metric, train):
    ensemble = TextBrainEnsemble([("cca", CCABaseline()), ("r", RidgeBaseline())])
    for model in (RidgeBaseline(), ensemble):
        search = GridSearchCV(
            model, {}, scoring=scoring, cv=2, refit=False, error_score="raise"
        )
        with pytest.raises(ValueError, match=f"{metric}.* needs predictions that"):
            search.fit(*train)


def test_metric_in_another_unit_gives_nan_and_a_warning(train):
    """By default, scikit-learn turns errors of scorers into warnings."""
    with pytest.warns(UserWarning, match="y_scaling must be None"):
        scores = cross_val_score(RidgeBaseline(), *train, cv=2, scoring="r2")
    assert np.isnan(scores).all()


def test_metrics_of_any_unit_are_computed(train, test):
    """Metrics that are called by users, and metrics other than regression metrics."""

    def correlation(y, predicted):
        return np.corrcoef(y.ravel(), predicted.ravel())[0, 1]

    scorer = make_scorer(correlation)
    assert (cross_val_score(RidgeBaseline(), *train, cv=2, scoring=scorer) > 0.3).all()
    model = RidgeBaseline().fit(*train)
    observed = scale_like_predictions(model, test[1])
    assert 0.3 < r2_score(observed, model.predict(test[0])) < 1
