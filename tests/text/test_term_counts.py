"""Tests of TermCounts."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix, isspmatrix_csr, random_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_neurocontext.text import TermCounts

TEXTS = ["pain and fear", "fear of pain", "pain pain", "memory 1999 7b"]


@pytest.mark.parametrize("X", [TEXTS, np.eye(4)], ids=["texts", "counts"])
def test_pickle_and_unfitted_transformer(X):
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
def test_counts_equal_scikit_learn(ngram_range, stop_words):
    settings = {"ngram_range": ngram_range, "stop_words": stop_words}
    ours = TermCounts(min_df=2, **settings).fit(TEXTS)
    theirs = CountVectorizer(min_df=2, **settings).fit(TEXTS)
    assert ours.n_terms_ == len(theirs.vocabulary_)
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
    np.testing.assert_array_equal(
        ours.transform(TEXTS).toarray(), theirs.transform(TEXTS).toarray()
    )


def test_numbers_are_not_terms():
    terms = TermCounts(min_df=1).fit(["x 46 or 4mm", "b7 46"]).get_feature_names_out()
    assert list(terms) == ["b7", "or"]


def test_terms_selected_from_counts_equal_those_of_texts():
    counted = TermCounts(min_df=1).fit_transform(TEXTS)
    np.testing.assert_array_equal(
        TermCounts(min_df=2).fit_transform(counted).toarray(),
        TermCounts(min_df=2).fit_transform(TEXTS).toarray(),
    )


def test_explicit_zeros_are_not_occurrences():
    counts = csr_array(np.array([[9.0, 1, 0], [0, 1, 0], [1, 0, 2]]))
    counts.data[counts.data == 9] = 0
    model = TermCounts(min_df=2).fit(counts)
    np.testing.assert_array_equal(model.columns_, [1])
    assert isspmatrix_csr(model.transform(counts))
    assert TermCounts(min_df=1).fit_transform(counts).nnz == 4


def test_duplicate_entries_are_summed():
    parts = (np.array([1, 2, 1, 3, -3], dtype=np.float32), [0, 0, 1, 1, 1], [0, 3, 5])
    counts = csr_matrix(parts, shape=(2, 2))
    with pytest.raises(ValueError, match="lower min_df"):
        TermCounts(min_df=2).fit(counts)
    counted = TermCounts(min_df=1).fit_transform(counts)
    np.testing.assert_array_equal(counted.toarray(), [[3, 1], [0, 0]])
    assert counted.nnz == 2
    assert counts.nnz == 5


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_input_is_unchanged(kind):
    counts = kind(np.array([[0.0, 1], [2, 0]], dtype=np.float32))
    counts.data[0] = 0
    TermCounts(min_df=1).fit_transform(counts)
    assert counts.nnz == 2


def _peak_memory(call):
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("kind", [list, tuple, pd.Series])
def test_long_text_does_not_pad_other_texts(kind):
    texts = kind(["pain and fear"] * 300 + ["pain " * 40_000])
    model = TermCounts(min_df=2)
    peak = _peak_memory(lambda: model.fit(texts).transform(texts))
    assert peak < 40e6  # an array that pads each text takes 240 MB


def test_transform_does_not_copy_all_counts():
    counts = random_array((2000, 500), density=0.5, format="csr", dtype=np.float32)
    model = TermCounts(min_df=1).fit(counts)
    model.columns_ = model.columns_[:5]
    peak = _peak_memory(lambda: model.transform(counts))
    assert peak < counts.data.nbytes / 2


def test_refit_to_other_input_kind():
    model = TermCounts(min_df=1).fit(TEXTS)
    frame = pd.DataFrame(np.ones((3, 2)), columns=["pain", "fear"])
    model.fit(frame)
    assert not hasattr(model, "vectorizer_")
    assert list(model.feature_names_in_) == ["pain", "fear"]
    assert model.transform(frame).shape == (3, 2)
    assert model.fit(TEXTS).transform(["pain"]).sum() == 1
    for name in ("columns_", "n_features_in_", "feature_names_in_"):
        assert not hasattr(model, name)


@pytest.mark.parametrize(
    ("fitted_with", "given", "message"),
    [
        (TEXTS, np.ones((1, 2)), "must be texts, as in fit; got counts"),
        (np.ones((3, 2)), TEXTS, "must be counts, as in fit; got texts"),
    ],
)
def test_transform_of_other_input_kind_raises(fitted_with, given, message):
    model = TermCounts(min_df=1).fit(fitted_with)
    with pytest.raises(TypeError, match=message):
        model.transform(given)


@pytest.mark.parametrize("X", [TEXTS, np.eye(3)])
def test_min_df_above_all_frequencies_raises(X):
    with pytest.raises(
        ValueError, match=r"No term occurs in at least min_df=4.*lower min_df"
    ):
        clone(TermCounts(min_df=4)).fit(X)


@pytest.mark.parametrize("texts", [["1999 46 7", "a 2"], ["and of", "the"]])
def test_texts_without_terms_raise(texts):
    with pytest.raises(
        ValueError, match=r"The texts contain no term\. A term is a word"
    ):
        TermCounts(min_df=1, stop_words="english").fit(texts)


@pytest.mark.parametrize(
    "ngram_range", [(2, 1), (1,), (), (0, 1), (1, 2, 3), (1.0, 2), ("1", "2")]
)
@pytest.mark.parametrize("X", [TEXTS, np.eye(3)], ids=["texts", "counts"])
def test_invalid_ngram_range_raises(ngram_range, X):
    with pytest.raises(ValueError, match=r"ngram_range must be .* got \("):
        TermCounts(min_df=1, ngram_range=ngram_range).fit(X)


def test_lists_of_counts_and_empty_lists():
    model = TermCounts(min_df=1).fit([[1, 0], (0, 2)])
    assert list(model.columns_) == [0, 1]
    with pytest.raises(ValueError, match="texts is empty"):
        TermCounts(min_df=1).fit([])


def test_british_spellings_are_counted_as_american_ones():
    british = ["Tumours and haemodynamic ageing", "tumours", "oedema", "tumor"]
    american = ["tumors and hemodynamic aging", "tumors", "edema", "tumor"]
    model = TermCounts(min_df=1).fit(british)
    names = model.get_feature_names_out()
    assert list(names) == ["aging", "and", "edema", "hemodynamic", "tumor", "tumors"]
    np.testing.assert_array_equal(
        model.transform(british).toarray(), model.transform(american).toarray()
    )
    assert TermCounts(min_df=2).fit(["tumour", "tumor"]).n_terms_ == 1
    columns = pd.DataFrame({"tumour": [1, 1], "tumor": [1, 1]})
    names = TermCounts(min_df=2).fit(columns).get_feature_names_out()
    assert list(names) == ["tumour", "tumor"]
