"""Calibration of the shipped model: its permuted fits and its counts of words."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.utils import Bunch

from sklearn_neurocontext.models import solve_ridge
from training.calibrate import PermutedRidge, check_weights, count_words
from training.recipe import Rows, targets


@pytest.fixture
def problem(rng):
    """Rows of texts, their sparse and dense features, and maps of studies."""
    n_texts, n_studies = 30, 12
    shares = rng.random((n_texts, n_studies)) * (rng.random((n_texts, n_studies)) < 0.3)
    shares /= np.maximum(1, 1.5 * shares.sum(axis=1, keepdims=True))
    rows = Rows(
        texts=[f"text {row}" for row in range(n_texts)],
        copies=rng.integers(1, 4, n_texts),
        shares=sparse.csr_array(shares),
    )
    words = rng.random((n_texts, 5)) * (rng.random((n_texts, 5)) < 0.6)
    embedded = rng.normal(size=(n_texts, 3)).astype(np.float32)
    maps = rng.normal(size=(n_studies, 4))
    return rows, sparse.csr_array(words, dtype=np.float32), embedded, maps


def test_permuted_ridge_is_the_ridge_of_copied_rows(problem, rng):
    rows, words, embedded, maps = problem
    ridge = PermutedRidge(words, embedded, rows, maps, 0.1)
    X = np.hstack([words.toarray(), embedded]).astype(np.float64)
    copied = np.repeat(np.arange(len(rows.texts)), rows.copies)
    for order in (np.arange(len(maps)), rng.permutation(len(maps))):
        y = targets(rows, maps[order])[copied]
        weights, intercept = solve_ridge(X[copied], y, 0.1)
        found, of_found = ridge.solve(order)
        np.testing.assert_allclose(found, weights, rtol=1e-3, atol=1e-5)
        expected = intercept - maps.mean(axis=0)
        np.testing.assert_allclose(of_found, expected, rtol=1e-3, atol=1e-5)


def test_weights_of_another_training_raise():
    check_weights(np.array([1.04, -2.0]), np.array([1.0, -2.0]))
    with pytest.raises(ValueError, match=r"up to 5% of the largest.*got .* of 20%"):
        check_weights(np.array([1.4, -2.0]), np.array([1.0, -2.0]))


def test_studies_with_a_word_in_title_or_terms_are_counted():
    vocabulary = ["pain", "heat pain", "working memory"]
    counts = sparse.csr_array([[2, 0, 0], [0, 1, 0], [0, 0, 3], [9, 9, 9]])
    corpus = Bunch(vocabulary=vocabulary, term_counts={"title": counts})
    titles = ["The pain", "Memory of pains", "Tumours", "not counted"]
    found = count_words(corpus, titles, np.arange(3))
    expected = {"pain": 2, "heat": 1, "working": 1, "memory": 2}
    assert found == expected | {"pains": 1, "tumors": 1}
