"""A small model from text to map, made once for all tests that only read it."""

from functools import lru_cache

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_neurocontext import CCABaseline, KDEDiFuMoMasker
from sklearn_neurocontext.datasets import make_studies

TERMS = {"finger": 40, "motor grip": 7, "pain": 30, "heat": 12, "faces": 25, "a": 1}


@lru_cache(1)
def make_corpus():
    """150 synthetic studies."""
    return make_studies(150, random_state=0)


@lru_cache(1)
def make_parts():
    """Model, masker and statistics, as NeuroContextModel takes them."""
    corpus = make_corpus()
    masker = KDEDiFuMoMasker("geometric", 128).fit()
    y = masker.transform(corpus.peaks)
    svd = TruncatedSVD(8, random_state=0)
    model = make_pipeline(TfidfVectorizer(), svd, CCABaseline())
    texts = (corpus.studies["title"] + " " + corpus.studies["abstract"]).tolist()
    model.fit(texts, y)
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    residual = masker.coefficients_to_voxels(unit - model.predict(texts))
    return {
        "model": model,
        "masker": masker,
        "terms": TERMS,
        "mean": unit.mean(axis=0),
        "null_std": residual.std(axis=0),
        "reference": y[:60],
        "card": {"n_studies": 150},
    }
