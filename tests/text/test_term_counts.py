"""Tests of TermCounts."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_neurocontext.text import TermCounts

TEXTS = ["pain and fear", "fear of pain", "pain pain", "memory 1999 7b"]


@pytest.mark.parametrize("X", [TEXTS, np.eye(4)], ids=["texts", "counts"])
def test_pickled_it_gives_the_same_and_unfitted_it_refuses(X):
    model = TermCounts(min_df=1)
    with pytest.raises(NotFittedError):
        model.transform(X)
    expected = model.fit(X).transform(X).toarray()
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.transform(X).toarray(), expected)
    assert len(model.get_feature_names_out()) == model.n_terms_ == expected.shape[1]


def test_columns_of_counts_keep_their_names():
    frame = pd.DataFrame({"pain": [1, 1], "fear": [0, 1]})
    model = TermCounts(min_df=2).fit(frame)
    assert list(model.get_feature_names_out()) == ["pain"]


@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2)])
@pytest.mark.parametrize("stop_words", ["english", None])
def test_texts_are_counted_as_scikit_learn_does(ngram_range, stop_words):
    settings = {"ngram_range": ngram_range, "stop_words": stop_words}
    ours = TermCounts(min_df=2, **settings).fit(TEXTS)
    theirs = CountVectorizer(min_df=2, **settings).fit(TEXTS)
    assert ours.n_terms_ == len(theirs.vocabulary_)
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
    np.testing.assert_array_equal(
        ours.transform(TEXTS).toarray(), theirs.transform(TEXTS).toarray()
    )


def test_numbers_are_no_terms():
    terms = TermCounts(min_df=1).fit(["x 46 or 4mm", "b7 46"]).get_feature_names_out()
    assert list(terms) == ["b7", "or"]


def test_counts_first_then_terms_is_the_same_as_terms_of_texts():
    counted = TermCounts(min_df=1).fit_transform(TEXTS)
    np.testing.assert_array_equal(
        TermCounts(min_df=2).fit_transform(counted).toarray(),
        TermCounts(min_df=2).fit_transform(TEXTS).toarray(),
    )


def test_frequency_counts_studies_that_have_the_term_now():
    """Explicit zeros of a sparse array are no occurrence."""
    counts = csr_array(np.array([[9.0, 1, 0], [0, 1, 0], [1, 0, 2]]))
    counts.data[counts.data == 9] = 0
    model = TermCounts(min_df=2).fit(counts)
    np.testing.assert_array_equal(model.columns_, [1])
    assert issparse(model.transform(counts))


def test_input_is_left_as_it_is():
    counts = csr_array(np.array([[0.0, 1], [2, 0]], dtype=np.float32))
    counts.data[0] = 0
    TermCounts(min_df=1).fit_transform(counts)
    assert counts.nnz == 2


def test_a_second_fit_may_be_with_the_other_kind():
    model = TermCounts(min_df=1).fit(TEXTS)
    model.fit(np.ones((3, 2)))
    assert not hasattr(model, "vectorizer_")
    assert model.transform(np.ones((1, 2))).shape == (1, 2)
    assert model.fit(TEXTS).transform(["pain"]).sum() == 1
    assert not hasattr(model, "columns_")


@pytest.mark.parametrize(
    ("fitted_with", "given", "message"),
    [
        (TEXTS, np.ones((1, 2)), "got counts and was fitted with texts"),
        (np.ones((3, 2)), TEXTS, "got texts and was fitted with counts"),
    ],
)
def test_the_other_kind_is_refused(fitted_with, given, message):
    model = TermCounts(min_df=1).fit(fitted_with)
    with pytest.raises(TypeError, match=message):
        model.transform(given)


@pytest.mark.parametrize("X", [TEXTS, np.eye(3)])
def test_no_term_is_frequent_enough(X):
    with pytest.raises(ValueError, match=r"No term occurs in min_df=4.*Lower min_df"):
        clone(TermCounts(min_df=4)).fit(X)
