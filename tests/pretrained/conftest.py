"""A small model from text to map, fitted once."""

import numpy as np
import pytest
from known_terms import TERMS
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_neurocontext import CCABaseline, KDEDiFuMoMasker, NeuroContextModel
from sklearn_neurocontext.datasets import make_studies


@pytest.fixture(scope="session")
def corpus():
    """150 synthetic studies."""
    return make_studies(150, random_state=0)


@pytest.fixture(scope="session")
def parts(corpus):
    """Model, masker and statistics, as the constructor takes them."""
    masker = KDEDiFuMoMasker("geometric", 128).fit()
    y = masker.transform(corpus.peaks)
    vectorizer = TfidfVectorizer()
    model = make_pipeline(vectorizer, TruncatedSVD(8, random_state=0), CCABaseline())
    texts = (corpus.studies["title"] + " " + corpus.studies["abstract"]).tolist()
    model.fit(texts, y)
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    residual = masker.coefficients_to_voxels(unit - model.predict(texts))
    return {
        "model": model,
        "masker": masker,
        "terms": TERMS,
        "mean": unit.mean(axis=0),
        "z_scale": residual.std(axis=0),
        "reference": y[:60],
        "card": {"n_studies": 150},
    }


@pytest.fixture
def model(parts):
    """A new model on the same parts."""
    return NeuroContextModel(**parts)
