"""`fit_model` returns a model with its embedder and training statistics."""

import re

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_neurocontext import RidgeBaseline
from sklearn_neurocontext.experiments import PreparedStudies
from sklearn_neurocontext.inference import (
    LowConfidenceWarning,
    fit_model,
    training_statistics,
)
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
        embedder=embedder if is_embedded else None,
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
    assert model.word_counts == expected.word_counts
    np.testing.assert_array_equal(model._null_scale, expected.null_scale)
    assert model.z_threshold == expected.z_threshold > 0
    assert (model.n_studies, model.support_threshold) == (150, 5)
    assert model.smoothing_fwhm == 14
    assert model.card == {
        "version": 2,
        "n_studies": 150,
        "n_reference": 150,
        "n_permutations": 1,
        "null": expected.null,
    }


def test_fitted_model_counts_words_and_warns_of_unknown_words(studies):
    texts = np.array(studies.texts, dtype=object)
    estimator = make_pipeline(TfidfVectorizer(), TruncatedSVD(8), RidgeBaseline())
    model = fit_model(estimator, texts, studies.y, make_parts()["masker"], texts=texts)
    for word, n_studies in list(model.word_counts.items())[::5]:
        pattern = re.compile(rf"\b{word}\b", re.IGNORECASE)
        assert n_studies == sum(bool(pattern.search(text)) for text in texts)
        assert model.support([word])[0] == n_studies
    assert "the" not in model.word_counts
    with pytest.warns(LowConfidenceWarning, match="about 0.5 training studies"):
        model.transform(["asdf qwerty"])
    null = model.card["null"]
    kinds = ("z_largest_quantile_0.95", "z_largest_of_words_quantile_0.95")
    assert model.z_threshold == max(null[kind] for kind in kinds)
    assert 0.2 < null["z_mean_square"] < 1.1
    assert null["z_quantile_0.99"] == pytest.approx(2.33, abs=0.4)


def test_model_without_permutations_has_no_thresholds_of_z(studies):
    texts = np.array(studies.texts, dtype=object)
    estimator = make_pipeline(TfidfVectorizer(), TruncatedSVD(8), RidgeBaseline())
    masker = make_parts()["masker"]
    model = fit_model(
        estimator, texts, studies.y, masker, texts=texts, n_permutations=0
    )
    assert (model.z_threshold, model._null_scale, model.card["null"]) == (0, None, {})
    assert model.support_threshold == 5
