"""Fixtures: fitted models, and saved models that tests may change."""

import warnings

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import ContrastiveTextBrain, save_model
from sklearn_neurocontext.datasets import make_studies
from tests.persistence.persisted_models import NET, make_ensemble, make_models


@pytest.fixture(scope="session")
def studies():
    """Texts and coefficients of 80 studies."""
    corpus = make_studies(80, random_state=0)
    y = corpus.latent @ np.random.default_rng(0).normal(size=(8, 12))
    return corpus.studies["title"].tolist(), y


@pytest.fixture(scope="session", params=make_models())
def fitted(request, studies):
    """Each model of `make_models`, fitted; tests must not change it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_models()[request.param].fit(*studies)


@pytest.fixture
def saved_ensemble(tmp_path, studies):
    """A saved ensemble with words, kernels and reference studies."""
    return save_model(make_ensemble().fit(*studies), tmp_path / "ensemble")


@pytest.fixture
def saved(tmp_path):
    """A small saved pipeline with a network."""
    rng = np.random.default_rng(0)
    model = make_pipeline(StandardScaler(), ContrastiveTextBrain(3, **NET))
    model.fit(rng.normal(size=(30, 4)), rng.normal(size=(30, 5)))
    return save_model(model, tmp_path / "model")
