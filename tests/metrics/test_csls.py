"""Tests of the transductive hubness correction."""

import numpy as np
import pytest

from sklearn_neurocontext.metrics import csls, mix_match_score


def test_equals_the_formula_entry_by_entry(rng):
    matrix = rng.normal(size=(5, 7))
    corrected = csls(matrix, k=3)
    for i in range(5):
        for j in range(7):
            row = np.sort(matrix[i])[-3:].mean()
            column = np.sort(matrix[:, j])[-3:].mean()
            np.testing.assert_allclose(corrected[i, j], 2 * matrix[i, j] - row - column)


def test_transposing_commutes(rng):
    matrix = rng.normal(size=(6, 6))
    np.testing.assert_allclose(csls(matrix.T, k=2), csls(matrix, k=2).T)


def test_removes_a_hub(rng):
    matrix = np.eye(30) + 0.1 * rng.normal(size=(30, 30))
    matrix[:, 4] += 2
    assert mix_match_score(matrix) < 0.97
    assert mix_match_score(csls(matrix)) > 0.98


def test_identity_stays_perfect_and_a_constant_constant():
    assert mix_match_score(csls(np.eye(20))) == 1
    assert np.ptp(csls(np.full((20, 20), 0.3))) == 0


@pytest.mark.parametrize("k", [0, 5, 1.5, True])
def test_wrong_k(k):
    with pytest.raises(ValueError, match=r"k must be an integer from 1 to 4; got"):
        csls(np.ones((4, 6)), k=k)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([1.0, 2.0], r"shape \(2,\); expected \(n_texts, n_maps\) with at least one"),
        (np.ones((0, 3)), r"similarity has shape \(0, 3\); expected"),
        ([["a", "b"]], "similarity cannot be read as numbers"),
        ([[1.0], [1.0, 2.0]], "similarity cannot be read as numbers"),
        ([[1.0, np.nan]], "similarity holds NaN or infinity"),
    ],
)
def test_wrong_similarity(matrix, message):
    with pytest.raises(ValueError, match=message):
        csls(matrix, k=1)


def test_single_precision_is_corrected_in_double(rng):
    matrix = rng.normal(size=(5, 7)).astype(np.float32)
    corrected = csls(matrix, k=3)
    assert corrected.dtype == np.float64
    np.testing.assert_array_equal(corrected, csls(matrix.astype(np.float64), k=3))
