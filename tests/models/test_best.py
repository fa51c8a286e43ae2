"""Tests of best_text_brain."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from sklearn_neurocontext import (
    KDEDiFuMoMasker,
    TermCounts,
    best_text_brain,
    make_retrieval_scorer,
    mix_match_score,
    similarity,
)
from sklearn_neurocontext.datasets import make_studies, study_texts

FIELDS = pytest.mark.parametrize("text_field", ["title", "abstract", "body"])


@pytest.fixture(scope="module")
def studies():
    corpus = make_studies(n_studies=160, random_state=0)
    y = KDEDiFuMoMasker(atlas="geometric", n_components=64).fit_transform(corpus.peaks)
    texts = {field: study_texts(corpus, field) for field in ("title", "abstract")}
    return {**texts, "body": texts["abstract"]}, y


@pytest.mark.filterwarnings("error")
@FIELDS
def test_score_from_raw_texts_exceeds_chance(text_field, studies):
    texts, y = studies[0][text_field], studies[1]
    model = best_text_brain(text_field, random_state=0).fit(texts[:120], y[:120])
    matrix = similarity(model, texts[120:], y[120:])
    assert mix_match_score(matrix) > 0.7
    assert model.predict(texts[120:]).shape == (40, 64)
    some = similarity(model, texts[120:125], y[130:150])
    np.testing.assert_allclose(some, matrix[:5, 10:30], atol=1e-4)


@pytest.mark.parametrize("text_field", ["abstract", "body"])
def test_counts_equal_texts(text_field, studies):
    texts, y = studies[0][text_field], studies[1]
    model = best_text_brain(text_field, random_state=0)
    terms = clone(model.named_steps["termcounts"]).set_params(min_df=1)
    counts = terms.fit_transform(texts)
    from_texts = clone(model).fit(texts[:120], y[:120])
    from_counts = clone(model).fit(counts[:120], y[:120])
    np.testing.assert_allclose(
        similarity(from_counts, counts[120:], y[120:]),
        similarity(from_texts, texts[120:], y[120:]),
        atol=1e-4,
    )


def test_in_cross_validate(studies):
    texts, y = studies[0]["abstract"], studies[1]
    scores = cross_validate(
        best_text_brain("abstract", random_state=0),
        texts,
        y,
        cv=2,
        scoring=make_retrieval_scorer(ks=(10,)),
    )
    assert (scores["test_recall_at_10"] > 2 * 10 / 80).all()


@FIELDS
def test_random_state_is_set_in_all_steps(text_field):
    model = best_text_brain(text_field, random_state=7)
    params = clone(model).get_params()
    seeds = {v for name, v in params.items() if name.endswith("random_state")}
    assert seeds == {7}
    assert any(isinstance(value, TermCounts) for value in params.values())


def test_unknown_text_field_raises():
    with pytest.raises(
        ValueError, match=r"text_field must be one of .*; got 'keywords'"
    ):
        best_text_brain("keywords")


def test_each_language_model_adds_two_estimators():
    one = best_text_brain("title", 0)
    assert one.weights == (1.0, 1.0, 0.5, 0.5)
    two = best_text_brain("title", 0, model_names=("first", "second"))
    names = [name for name, _ in two.estimators]
    assert names == [
        "words",
        "language_model_1",
        "language_model_2",
        "neighbors_by_words",
        "neighbors_by_language_model_1",
        "neighbors_by_language_model_2",
    ]
    assert two.weights == pytest.approx(
        (1, 0.5**0.5, 0.5**0.5, 0.5, 0.125**0.5, 0.125**0.5)
    )
    params = two.get_params()
    for name, model_name in (("_1", "first"), ("_2", "second")):
        for kind in ("language_model", "neighbors_by_language_model"):
            key = f"{kind}{name}__llmchunkembedder__model_name"
            assert params[key] == model_name


@pytest.mark.parametrize("model_names", [(), "minilm"])
def test_model_names_must_be_a_sequence(model_names):
    with pytest.raises(ValueError, match="model_names must be a sequence"):
        best_text_brain("title", model_names=model_names)
