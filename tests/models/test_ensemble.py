"""Tests of TextBrainEnsemble."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import InputTags, get_tags

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KernelCCA,
    RidgeBaseline,
    TextBrainEnsemble,
    similarity,
)
from sklearn_neurocontext.models._ensemble import wrong_pair_statistics
from sklearn_neurocontext.text import TermCounts
from tests.models.synthetic_pairs import make_pairs


def _estimators():
    return [
        ("cca", make_pipeline(StandardScaler(), CCABaseline())),
        ("ridge", RidgeBaseline()),
    ]


@pytest.fixture(scope="module")
def ensemble(train):
    return TextBrainEnsemble(_estimators(), weights=[2, 0.5]).fit(*train)


def test_similarity_is_the_weighted_sum(ensemble, train, test):
    expected = 0
    for weight, (_, estimator) in zip([2, 0.5], _estimators(), strict=True):
        estimator = estimator.fit(*train)
        # The scale is computed on all training studies, since there are few.
        wrong = similarity(estimator, *train)[~np.eye(240, dtype=bool)]
        matrix = similarity(estimator, *test)
        expected = expected + weight * (matrix - wrong.mean()) / wrong.std()
    np.testing.assert_allclose(ensemble.similarity(*test), expected)


def test_entries_do_not_depend_on_other_candidates(ensemble, test):
    X, y = test
    np.testing.assert_allclose(
        ensemble.similarity(X[3:8], y[5:20]), ensemble.similarity(X, y)[3:8, 5:20]
    )


def test_ensemble_of_one_ranks_as_its_estimator(train, test):
    alone = CCABaseline().fit(*train)
    ensemble = TextBrainEnsemble([("cca", CCABaseline())]).fit(*train)
    np.testing.assert_array_equal(
        ensemble.similarity(*test).argsort(axis=1),
        alone.similarity(*test).argsort(axis=1),
    )
    np.testing.assert_allclose(ensemble.score(*test), alone.score(*test))
    np.testing.assert_allclose(ensemble.predict(test[0]), alone.predict(test[0]))


def test_wrong_pair_statistics_exclude_the_diagonal(rng):
    matrix = rng.normal(size=(6, 6))
    mean, std = wrong_pair_statistics(matrix + 100 * np.eye(6))
    wrong = [matrix[i, j] for i in range(6) for j in range(6) if i != j]
    np.testing.assert_allclose([mean, std], [np.mean(wrong), np.std(wrong)])
    assert wrong_pair_statistics(np.full((3, 3), 2.0)) == (2.0, 1.0)


def test_nested_parameters(ensemble):
    other = clone(ensemble).set_params(
        ridge__alphas=[1.0], cca__ccabaseline__latent_dim=3
    )
    assert dict(other.estimators)["ridge"].alphas == [1.0]
    assert other.get_params()["cca__ccabaseline__latent_dim"] == 3
    assert dict(ensemble.estimators)["ridge"].alphas is None


def test_no_predict_if_an_estimator_has_none(train):
    net = ContrastiveTextBrain(4, 1, decoder=None)
    model = TextBrainEnsemble([("net", net), ("ridge", RidgeBaseline())])
    assert not hasattr(model, "predict")
    with pytest.raises(AttributeError, match="predict"):
        model.predict(train[0])


def test_predict_with_different_y_scalings_raises(train):
    estimators = [("a", CCABaseline()), ("b", CCABaseline(y_scaling="sqrt"))]
    model = TextBrainEnsemble(estimators).fit(*train)
    assert model.score(*train) > 0.85
    with pytest.raises(ValueError, match=r"same y_scaling.*\['sqrt', 'unit'\]"):
        model.predict(train[0])


@pytest.mark.parametrize(
    ("estimators", "weights", "message"),
    [
        ([], None, "must hold at least one estimator; got"),
        ([("a", CCABaseline()), ("a", CCABaseline())], None, "not unique"),
        ([("a__b", CCABaseline())], None, "must not contain __"),
        ([("weights", CCABaseline())], None, "conflict with constructor arguments"),
    ],
)
def test_invalid_names_raise(estimators, weights, message, train):
    with pytest.raises(ValueError, match=message):
        TextBrainEnsemble(estimators, weights=weights).fit(*train)


class _Unfittable(CCABaseline):
    def fit(self, X, y):
        raise AssertionError("fitted before validation")


@pytest.mark.parametrize(
    "weights",
    [
        [1],
        [1, 2, 3],
        ["1", "2"],
        [[1, 2]],
        [[1], [2]],
        [[1], [2, 3]],
        [1, np.nan],
        [np.inf, 1],
        [1, None],
        [1, -1],
        [0, 0],
    ],
)
def test_invalid_weights_raise_before_fitting(weights, train):
    model = TextBrainEnsemble([("a", _Unfittable()), ("b", CCABaseline())])
    with pytest.raises(
        ValueError, match=r"weights must be None or 2 finite numbers.*got \["
    ):
        model.set_params(weights=weights).fit(*train)


def test_weights_set_after_fit_are_checked(ensemble, test):
    ensemble = copy.copy(ensemble).set_params(weights=[1, -1])
    for call in (lambda: ensemble.similarity(*test), lambda: ensemble.predict(test[0])):
        with pytest.raises(ValueError, match="none is negative and at least one"):
            call()


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (CCABaseline(), r"estimators\[1\] must be a pair of a name .*got CCABaseline"),
        (("b", CCABaseline(), 1), r"estimators\[1\] must be a pair .*got tuple"),
        ((2, CCABaseline()), r"estimators\[1\] must be a pair .*got tuple"),
        ("drop", r"estimators\[1\] must be a pair .*got 'drop'"),
        (("b", "drop"), r"'b' must be an estimator; got 'drop'. To drop an"),
        (("b", None), "'b' must be an estimator; got None"),
        (("b", CCABaseline), "'b' must be an estimator; got type"),
        (("b", Ridge()), "'b' must be or end in a model .*similarity.*got Ridge"),
        (("b", make_pipeline(StandardScaler(), Ridge())), "end in a model .*got Ridge"),
        (("b", GridSearchCV(Ridge(), {"alpha": [1]})), "end in a model .*got Ridge"),
        (
            ("b", GridSearchCV(CCABaseline(), {"alpha_text": [1]}, refit=False)),
            "got GridSearchCV.*refit=True",
        ),
    ],
)
def test_invalid_estimators_raise_before_fitting(estimator, message, train):
    model = TextBrainEnsemble([("a", _Unfittable()), estimator])
    with pytest.raises(TypeError, match=message):
        model.fit(*train)


def _search(**params):
    return GridSearchCV(CCABaseline(**params), {"alpha_text": [0.1, 1.0]}, cv=2)


@pytest.mark.parametrize(
    "estimator",
    [
        _search(),
        make_pipeline(StandardScaler(), _search()),
        GridSearchCV(make_pipeline(CCABaseline()), {"ccabaseline__latent_dim": [3]}),
        TextBrainEnsemble([("cca", CCABaseline()), ("ridge", RidgeBaseline())]),
        make_pipeline(StandardScaler(), TextBrainEnsemble([("search", _search())])),
    ],
    ids=["search", "search in pipeline", "pipeline in search", "ensemble", "nested"],
)
def test_nested_models_predict_as_alone(estimator, train, test):
    model = TextBrainEnsemble([("ridge", RidgeBaseline()), ("m", estimator)]).fit(
        *train
    )
    alone = [
        m.fit(*train).predict(test[0]) for m in (RidgeBaseline(), clone(estimator))
    ]
    np.testing.assert_allclose(model.predict(test[0]), np.mean(alone, axis=0))
    assert model.score(*test) > 0.85


def test_nested_ensembles_with_different_y_scalings_raise(train):
    inner = TextBrainEnsemble([("search", _search(y_scaling="sqrt"))])
    model = TextBrainEnsemble([("cca", CCABaseline()), ("inner", inner)]).fit(*train)
    assert model.estimators_[1].y_scaling == "sqrt"
    with pytest.raises(ValueError, match=r"same y_scaling.*\['sqrt', 'unit'\]"):
        model.predict(train[0])


def test_feature_attributes_are_those_of_the_last_fit():
    frame, y = pd.DataFrame(np.eye(8), columns=list("abcdefgh")), np.eye(8)
    model = TextBrainEnsemble([("cca", CCABaseline())]).fit(frame, y)
    assert list(model.feature_names_in_) == list(frame)
    assert model.n_features_in_ == 8
    model.fit(frame.to_numpy()[:, :5], y)
    assert model.n_features_in_ == 5
    assert not hasattr(model, "feature_names_in_")
    words = make_pipeline(TfidfVectorizer(), KernelCCA())
    model.set_params(estimators=[("words", words)]).fit(["pain", "old fear"] * 4, y)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize(
    ("estimator", "sparse", "string", "two_d"),
    [
        (CCABaseline(), False, False, True),
        (KernelCCA(), True, False, True),
        (GridSearchCV(KernelCCA(), {}), True, False, True),
        (make_pipeline("passthrough", KernelCCA()), True, False, True),
        (make_pipeline(TfidfVectorizer(), KernelCCA()), False, True, False),
        (GridSearchCV(make_pipeline(TermCounts(), KernelCCA()), {}), True, True, False),
        (TextBrainEnsemble([("a", KernelCCA())]), True, False, True),
        (make_pipeline("passthrough"), False, False, True),
    ],
)
def test_input_tags_are_those_of_the_first_estimator(estimator, sparse, string, two_d):
    model = TextBrainEnsemble([("first", estimator), ("second", RidgeBaseline())])
    tags = get_tags(model).input_tags
    assert (tags.sparse, tags.string, tags.two_d_array) == (sparse, string, two_d)


@pytest.mark.parametrize("estimators", [[], [CCABaseline()], ["drop"], [("a", None)]])
def test_input_tags_of_invalid_estimators_are_the_default(estimators):
    assert get_tags(TextBrainEnsemble(estimators)).input_tags == InputTags()


def test_scales_are_computed_on_a_thousand_studies():
    X, y = make_pairs(1300)

    def fit(n_studies, seed):
        model = TextBrainEnsemble([("cca", CCABaseline())], random_state=seed)
        model.fit(X[:n_studies], y[:n_studies])
        return model.means_[0], model.stds_[0]

    assert fit(1300, 3) == fit(1300, 3)
    assert fit(1300, 3) != fit(1300, 4)
    np.testing.assert_allclose(fit(1000, 3), fit(1000, 4))
    seed = np.random.RandomState(3).randint(np.iinfo(np.int32).max)
    chosen = np.random.RandomState(seed).permutation(1300)[:1000]
    matrix = CCABaseline().fit(X, y).similarity(X[chosen], y[chosen])
    np.testing.assert_allclose(fit(1300, 3), wrong_pair_statistics(matrix))


class _Recorder(CCABaseline):
    """Model that records the first features of the studies passed to `similarity`."""

    recorded = ()

    def similarity(self, X, y):
        _Recorder.recorded = X[:, 0].astype(int)
        return super().similarity(X, y)


def test_scale_studies_differ_from_nystroem_components(rng, monkeypatch):
    monkeypatch.setattr("sklearn_neurocontext.models._ensemble._N_SCALE", 50)
    X, y = rng.normal(size=(300, 3)), rng.normal(size=(300, 6))
    X[:, 0] = np.arange(300)
    TextBrainEnsemble([("model", _Recorder())], random_state=7).fit(X, y)
    components = np.random.RandomState(7).choice(300, 50, replace=False)
    assert len(_Recorder.recorded) == 50
    # About 8 are expected by chance; the seed of the estimators would select all 50.
    assert len(set(_Recorder.recorded) & set(components)) < 20
