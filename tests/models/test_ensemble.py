"""Tests of TextBrainEnsemble."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    RidgeBaseline,
    TextBrainEnsemble,
    similarity,
)
from sklearn_neurocontext.models._ensemble import spread_of_wrong_pairs


def _members():
    return [
        ("cca", make_pipeline(StandardScaler(), CCABaseline())),
        ("ridge", RidgeBaseline()),
    ]


@pytest.fixture(scope="module")
def ensemble(train):
    return TextBrainEnsemble(_members(), weights=[2, 0.5]).fit(*train)


def test_similarity_is_the_weighted_sum_of_standardised_members(ensemble, train, test):
    expected = 0
    for weight, (_, member) in zip([2, 0.5], _members(), strict=True):
        member = member.fit(*train)
        # Fewer than 1,000 training studies: all of them give the scale.
        wrong = similarity(member, *train)[~np.eye(240, dtype=bool)]
        matrix = similarity(member, *test)
        expected = expected + weight * (matrix - wrong.mean()) / wrong.std()
    np.testing.assert_allclose(ensemble.similarity(*test), expected)


def test_an_entry_depends_on_no_other_candidate(ensemble, test):
    X, y = test
    np.testing.assert_allclose(
        ensemble.similarity(X[3:8], y[5:20]), ensemble.similarity(X, y)[3:8, 5:20]
    )


def test_one_member_ranks_as_it_does_alone(train, test):
    alone = CCABaseline().fit(*train)
    ensemble = TextBrainEnsemble([("cca", CCABaseline())]).fit(*train)
    np.testing.assert_array_equal(
        ensemble.similarity(*test).argsort(axis=1),
        alone.similarity(*test).argsort(axis=1),
    )
    np.testing.assert_allclose(ensemble.score(*test), alone.score(*test))
    np.testing.assert_allclose(ensemble.predict(test[0]), alone.predict(test[0]))


def test_prediction_is_the_weighted_mean(ensemble, train, test):
    cca, ridge = (member.fit(*train).predict(test[0]) for _, member in _members())
    np.testing.assert_allclose(ensemble.predict(test[0]), (2 * cca + 0.5 * ridge) / 2.5)


def test_wrong_pairs_leave_out_the_diagonal(rng):
    matrix = rng.normal(size=(6, 6))
    mean, deviation = spread_of_wrong_pairs(matrix + 100 * np.eye(6))
    wrong = [matrix[i, j] for i in range(6) for j in range(6) if i != j]
    np.testing.assert_allclose([mean, deviation], [np.mean(wrong), np.std(wrong)])
    assert spread_of_wrong_pairs(np.full((3, 3), 2.0)) == (2.0, 1.0)


def test_parameters_of_members_are_reached_by_name(ensemble):
    other = clone(ensemble).set_params(
        ridge__alphas=[1.0], cca__ccabaseline__latent_dim=3
    )
    assert dict(other.estimators)["ridge"].alphas == [1.0]
    assert other.get_params()["cca__ccabaseline__latent_dim"] == 3
    assert dict(ensemble.estimators)["ridge"].alphas is None


def test_only_models_that_predict_make_an_ensemble_that_does(train):
    silent = ContrastiveTextBrain(4, 1, decoder=None)
    model = TextBrainEnsemble([("net", silent), ("ridge", RidgeBaseline())])
    assert not hasattr(model, "predict")
    with pytest.raises(AttributeError, match="predict"):
        model.predict(train[0])


def test_members_of_other_units_are_not_averaged(train):
    members = [("a", CCABaseline()), ("b", CCABaseline(y_scaling="sqrt"))]
    model = TextBrainEnsemble(members).fit(*train)
    with pytest.raises(ValueError, match=r"different units, y_scaling is one of.*Give"):
        model.predict(train[0])


@pytest.mark.parametrize(
    ("estimators", "weights", "message"),
    [
        ([], None, "got no estimator; expected some"),
        ([("a", CCABaseline()), ("a", CCABaseline())], None, "not unique"),
        ([("a", CCABaseline())], [1, 2], "weights has 2 entries for 1 estimators"),
    ],
)
def test_wrong_members(estimators, weights, message, train):
    with pytest.raises(ValueError, match=message):
        TextBrainEnsemble(estimators, weights=weights).fit(*train)


class _Recorder(CCABaseline):
    """Notes the studies that it is asked about, by their first feature."""

    asked = ()

    def similarity(self, X, y):
        _Recorder.asked = X[:, 0].astype(int)
        return super().similarity(X, y)


def test_scale_is_not_measured_at_the_landmarks_of_members(rng, monkeypatch):
    monkeypatch.setattr("sklearn_neurocontext.models._ensemble._N_SCALE", 50)
    X, y = rng.normal(size=(300, 3)), rng.normal(size=(300, 6))
    X[:, 0] = np.arange(300)
    TextBrainEnsemble([("model", _Recorder())], random_state=7).fit(X, y)
    landmarks = np.random.RandomState(7).choice(300, 50, replace=False)
    assert len(_Recorder.asked) == 50
    # By chance it is eight of them; with the members' own numbers it was all.
    assert len(set(_Recorder.asked) & set(landmarks)) < 20
