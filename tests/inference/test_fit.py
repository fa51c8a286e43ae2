"""`fit_model` returns a model with its embedder and training statistics."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_neurocontext import RidgeBaseline
from sklearn_neurocontext.experiments import PreparedStudies
from sklearn_neurocontext.inference import fit_model, training_statistics
from tests.text_model import make_corpus, make_parts


@pytest.fixture(scope="module")
def studies():
    corpus = make_corpus()
    texts = corpus.studies["title"].tolist()
    y = make_parts()["masker"].transform(corpus.peaks)
    return PreparedStudies(np.arange(len(y)), texts, None, y, corpus.groups, {})


@pytest.mark.parametrize("is_embedded", [False, True])
def test_fit_model_includes_training_statistics(studies, is_embedded):
    masker, texts = make_parts()["masker"], np.array(studies.texts, dtype=object)
    svd = TruncatedSVD(8, random_state=0)
    embedder = make_pipeline(TfidfVectorizer(), svd).fit(texts)
    if is_embedded:
        estimator, X = RidgeBaseline(), embedder.transform(texts)
    else:
        estimator, X = make_pipeline(embedder, RidgeBaseline()), texts
    model = fit_model(
        estimator,
        X,
        studies.y,
        masker,
        texts=studies.texts,
        embedder=embedder if is_embedded else None,
        n_permutations=1,
        card={"version": 2},
    )
    fitted = estimator.fit(X, studies.y)
    expected = training_statistics(
        fitted,
        X,
        studies.y,
        masker,
        texts=studies.texts,
        groups=studies.groups,
        smoothing_fwhm=14.0,
        n_permutations=1,
    )
    np.testing.assert_allclose(
        model.model.predict(texts[:3]), fitted.predict(X[:3]), atol=1e-6
    )
    np.testing.assert_allclose(model._null_std, expected.null_std, rtol=1e-5)
    np.testing.assert_array_equal(model._mean, expected.mean)
    np.testing.assert_array_equal(model._reference, expected.reference)
    assert model.terms == expected.terms
    assert model.smoothing_fwhm == 14
    assert model.card == {
        "version": 2,
        "n_studies": 150,
        "n_reference": 150,
        "n_permutations": 1,
    }
