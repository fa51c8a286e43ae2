"""Forged arrays, with hashes that fit, are refused."""

import re

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy import sparse

from sklearn_neurocontext import load_model, save_model
from sklearn_neurocontext.models import NeighborMaps
from sklearn_neurocontext.persistence import _files
from sklearn_neurocontext.text import TermCounts
from tests.persistence.forging import forge
from tests.persistence.persisted_models import make_ensemble


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("indices", lambda array: array + 100),
        ("indices", lambda array: -1 - array),
        ("indptr", lambda array: array[::-1].copy()),
        ("indptr", lambda array: array * 1000),
        ("data", lambda array: array[:-1]),
    ],
)
def test_sparse_arrays_that_point_elsewhere_are_refused(part, change, tmp_path, rng):
    X, y = sparse.csr_array(rng.poisson(0.5, (9, 20)) * 1.0), rng.random((9, 3))
    folder = save_model(NeighborMaps().fit(X, y), tmp_path / "neighbors")
    arrays = load((folder / _files.ARRAYS).read_bytes())
    name = next(name for name in arrays if name.endswith(f"texts_.{part}"))
    arrays[name] = np.ascontiguousarray(change(arrays[name]))
    (folder / _files.ARRAYS).write_bytes(save(arrays))

    def describe(description):
        content = description["model"]["facts"]["texts_"]["sparse"][part]
        content["shape"] = list(arrays[name].shape)
        description["array_bytes"] = (folder / _files.ARRAYS).stat().st_size

    forge(folder, describe)
    with pytest.raises(ValueError, match=r"texts_ holds no sparse array"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "spmatrix"}, "a sparse array with the keys"),
        ({"format": "csr"}, "a sparse array with the keys"),
        ({"shape": [9, 19]}, "texts_ has shape (9, 19)"),
        ({"shape": [9, -1]}, "holds no sparse array"),
        ({"shape": "many"}, "holds no sparse array"),
        ({"data": None}, "a sparse array with the keys"),
    ],
)
def test_forged_sparse_arrays_are_refused(change, words, tmp_path, rng):
    X, y = np.minimum(rng.poisson(0.5, (9, 20)), 1.0), rng.random((9, 3))
    X[:, -1] = 0
    model = NeighborMaps().fit(sparse.csr_array(X), y)
    folder = save_model(model, tmp_path / "neighbors")
    forge(folder, lambda d: d["model"]["facts"]["texts_"]["sparse"].update(change) or d)
    with pytest.raises(ValueError, match=re.escape(words)):
        load_model(folder)


@pytest.mark.parametrize("columns", [[3, 2], [-1, 4], [4, 30], [5, 5]])
def test_columns_that_point_elsewhere_are_refused(columns, tmp_path, rng):
    counter = TermCounts(min_df=1).fit(rng.poisson(5.0, size=(20, 30)))
    counter.columns_, counter.n_terms_ = np.array(columns), 2
    folder = save_model(counter, tmp_path / "counter")
    with pytest.raises(ValueError, match="do not rise from 0 to below n_features_in_"):
        load_model(folder)


def test_scales_of_nothing_are_refused(studies, tmp_path):
    ensemble = make_ensemble().fit(*studies)
    ensemble.stds_[1] = 0
    folder = save_model(ensemble, tmp_path / "ensemble")
    with pytest.raises(ValueError, match="stds_ are not all above zero"):
        load_model(folder)


def test_vocabularies_that_point_elsewhere_are_refused(tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer().fit(["reading words", "tapping fingers"])
    folder = save_model(vectorizer, tmp_path / "words")

    def point(column, word="words"):
        def change(description):
            vocabulary = description["model"]["facts"]["vocabulary_"]["dict"]
            vocabulary[word] = column

        return change

    for column in (10**9, -1, "3"):
        forge(folder, point(column))
        with pytest.raises(ValueError, match=r"TfidfVectorizer\) cannot be loaded"):
            load_model(folder)
    forge(folder, point(3))
    forge(folder, point(4, "more"))
    with pytest.raises(ValueError, match="has 5 words and idf_ 4 weights"):
        load_model(folder)


def test_lengths_that_are_not_stated_are_refused(tmp_path, rng):
    from sklearn_neurocontext import RidgeBaseline, save_model

    model = RidgeBaseline().fit(rng.normal(size=(20, 3)), rng.normal(size=(20, 4)))
    folder = save_model(model, tmp_path / "ridge")
    forge(folder, lambda d: d["model"]["facts"].pop("n_features_in_") and None)
    with pytest.raises(ValueError, match="lacks n_features_in_, a length of coef_"):
        load_model(folder)
