"""Tests of make_estimators, make_masker and make_embedder."""

import pytest
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import experiments
from sklearn_neurocontext.experiments import make_embedder, make_estimators, make_masker


def test_estimators_follow_a_scaler():
    estimators = make_estimators(random_state=3)
    assert tuple(estimators) == experiments.ESTIMATORS
    for pipeline in estimators.values():
        assert isinstance(pipeline[0], StandardScaler)
        assert hasattr(pipeline[-1], "similarity")
    assert estimators["contrastive"][-1].decoder is None
    assert estimators["contrastive"][-1].random_state == 3
    assert estimators["mlp"][-1].random_state == 3
    with_decoder = make_estimators(["contrastive"], decoder="ridge")
    assert with_decoder["contrastive"][-1].decoder == "ridge"


def test_unknown_name_raises():
    with pytest.raises(ValueError, match=r"estimators must be among .* got 'svm'"):
        make_estimators(["ridge", "svm"])


def test_parameters_of_masker_and_embedder():
    masker = make_masker("difumo", 64)
    assert (masker.atlas, masker.n_components) == ("difumo", 64)
    assert make_embedder("some/model").model_name == "some/model"
    default = make_embedder()
    assert default.model_name == type(default)().model_name
