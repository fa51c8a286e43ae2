"""Models that are fitted once, and a saved one to spoil."""

import warnings

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    MLPBaseline,
    RidgeBaseline,
    save_model,
)
from sklearn_neurocontext.datasets import make_studies

_NET = {"max_epochs": 2, "batch_size": 32, "random_state": 0}


def make_models():
    """Every type on the list that learns from studies, unfitted."""
    words = make_pipeline(
        TfidfVectorizer(min_df=2, ngram_range=(1, 2), dtype=np.float32),
        TruncatedSVD(6, random_state=0),
        Normalizer(),
    )
    letters = make_pipeline(TfidfVectorizer(analyzer="char"), TruncatedSVD(3))
    union = FeatureUnion(
        [("words", words), ("letters", letters)],
        transformer_weights={"words": 1.0, "letters": 0.5},
    )
    counted = make_pipeline(
        TfidfVectorizer(use_idf=False, norm=None, max_features=40),
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(5, random_state=0),
        "passthrough",
        StandardScaler(),
        RidgeBaseline(alphas=np.array([1.0, 10.0])),
    )
    return {
        "union, CCA": make_pipeline(union, CCABaseline(latent_dim=4)),
        "counts, ridge": counted,
        "perceptron": _text_to(MLPBaseline(hidden_dim=8, **_NET)),
        "contrastive": _text_to(ContrastiveTextBrain(latent_dim=5, **_NET)),
        "contrastive, ridge": _text_to(ContrastiveTextBrain(decoder="ridge", **_NET)),
        "contrastive, bare": _text_to(
            ContrastiveTextBrain(decoder=None, y_scaling=None, **_NET)
        ),
    }


def _text_to(estimator):
    scaled = make_pipeline(TfidfVectorizer(), TruncatedSVD(6, random_state=0))
    return make_pipeline(scaled, StandardScaler(with_mean=False), estimator)


@pytest.fixture(scope="session")
def studies():
    """Texts and coefficients of 80 studies."""
    corpus = make_studies(80, random_state=0)
    y = corpus.latent @ np.random.default_rng(0).normal(size=(8, 12))
    return corpus.studies["title"].tolist(), y


@pytest.fixture(scope="session", params=make_models())
def fitted(request, studies):
    """Each model, fitted; tests must not change it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_models()[request.param].fit(*studies)


@pytest.fixture
def saved(tmp_path):
    """A small saved model with all kinds of values."""
    rng = np.random.default_rng(0)
    model = make_pipeline(StandardScaler(), ContrastiveTextBrain(3, **_NET))
    model.fit(rng.normal(size=(30, 4)), rng.normal(size=(30, 5)))
    return save_model(model, tmp_path / "model")
