"""Tests of retrieval scores and of CSLS against slow loops."""

import numpy as np
import pytest

from sklearn_neurocontext.metrics import (
    _retrieval,
    csls,
    mix_match_score,
    recall_at_k,
    recall_curve,
    recall_curve_auc,
    true_ranks,
)


def slow_recall(similarity, k):
    """Compute recall at k as the average over all orders of tied candidates."""
    total = 0.0
    for i, row in enumerate(similarity):
        n_greater = sum(1 for value in row if value > row[i])
        n_tied = sum(1 for value in row if value == row[i])
        places = range(n_greater, n_greater + n_tied)
        total += sum(1 for place in places if place < k) / n_tied
    return total / len(similarity)


def slow_mix_match(similarity):
    total, n = 0.0, len(similarity)
    for i in range(n):
        won = 0.0
        for j in range(n):
            if j != i and similarity[i][i] > similarity[i][j]:
                won += 1.0
            elif j != i and similarity[i][i] == similarity[i][j]:
                won += 0.5
        total += won / (n - 1)
    return total / n


def make_similarity(rng, kind, n=37):
    similarity = rng.normal(size=(n, n)) + 0.8 * np.eye(n)
    return {
        "float64": similarity,
        "float32": similarity.astype(np.float32),
        "tied": similarity.round(0),
        "integers": similarity.round(0).astype(int),
    }[kind]


KINDS = ("float64", "float32", "tied", "integers")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 5, 36])
def test_recall_equals_slow_loops(rng, kind, k):
    similarity = make_similarity(rng, kind)
    assert recall_at_k(similarity, k) == pytest.approx(slow_recall(similarity, k))


@pytest.mark.parametrize("kind", KINDS)
def test_mix_match_equals_slow_loops(rng, kind):
    similarity = make_similarity(rng, kind)
    assert mix_match_score(similarity) == pytest.approx(slow_mix_match(similarity))


@pytest.mark.parametrize("kind", KINDS)
def test_recall_curve_equals_recall_at_every_k(rng, kind):
    similarity = make_similarity(rng, kind)
    curve = recall_curve(similarity)
    expected = [recall_at_k(similarity, k) for k in range(1, len(similarity))]
    np.testing.assert_allclose(curve[:-1], expected, atol=1e-12)
    assert curve[-1] == 1.0
    assert (np.diff(curve) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_true_ranks_are_positions_in_a_sorted_row(rng, kind):
    similarity = make_similarity(rng, kind)
    for i, (best, worst) in enumerate(true_ranks(similarity)):
        in_order = sorted(similarity[i], reverse=True)
        assert in_order.index(similarity[i, i]) + 1 == best
        assert len(in_order) - in_order[::-1].index(similarity[i, i]) == worst


@pytest.mark.parametrize("n", [2, 3, 49, 1000])
def test_constant_similarity_scores_exactly_chance(n):
    similarity = np.full((n, n), 0.3, dtype=np.float32)
    assert mix_match_score(similarity) == 0.5
    for k in {1, n // 2, n - 1}:
        assert recall_at_k(similarity, k) == k / n
    np.testing.assert_array_equal(recall_curve(similarity), np.arange(1, n + 1) / n)


def test_identity_scores_one():
    assert recall_at_k(np.eye(30), 1) == 1.0
    assert mix_match_score(np.eye(30)) == 1.0
    assert (recall_curve(np.eye(30)) == 1.0).all()


def test_negative_identity_scores_zero():
    assert recall_at_k(-np.eye(30), 29) == 0.0
    assert mix_match_score(-np.eye(30)) == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_scores_ignore_the_order_of_pairs(rng, kind):
    similarity = make_similarity(rng, kind)
    order = rng.permutation(len(similarity))
    shuffled = similarity[np.ix_(order, order)]
    assert recall_at_k(shuffled, 5) == pytest.approx(recall_at_k(similarity, 5))
    assert mix_match_score(shuffled) == pytest.approx(mix_match_score(similarity))


def test_scores_ignore_increasing_functions_of_rows(rng):
    similarity = make_similarity(rng, "tied")
    changed = np.exp(similarity) * rng.uniform(1, 2, size=(len(similarity), 1))
    assert recall_at_k(changed, 5) == pytest.approx(recall_at_k(similarity, 5))
    assert mix_match_score(changed) == pytest.approx(mix_match_score(similarity))


def test_mix_match_is_the_mean_of_recall_over_k(rng):
    similarity = make_similarity(rng, "tied")
    n, score = len(similarity), mix_match_score(similarity)
    curve = recall_curve(similarity)
    assert curve[:-1].mean() == pytest.approx(score)
    area = recall_curve_auc(curve)
    assert area == pytest.approx(((n - 1) * score + 0.5) / n)
    assert area == pytest.approx(np.trapezoid(np.r_[0.0, curve], dx=1 / n))


def test_scores_do_not_depend_on_the_block_size(rng, monkeypatch):
    similarity = make_similarity(rng, "tied")
    expected = recall_curve(similarity)
    monkeypatch.setattr(_retrieval, "_BLOCK_ELEMENTS", 5 * len(similarity))
    np.testing.assert_array_equal(recall_curve(similarity), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("score", [recall_at_k, mix_match_score, recall_curve])
def test_nan_and_infinity_raise(value, score):
    similarity = np.eye(20)
    similarity[3, 4] = value
    with pytest.raises(ValueError, match="similarity holds NaN or infinity"):
        score(similarity)


@pytest.mark.parametrize("k", [20, 21])
def test_k_not_below_the_number_of_candidates_raises(k):
    with pytest.raises(ValueError, match=f"k must be less than .*, 20; got {k}"):
        recall_at_k(np.eye(20), k)


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "10"])
def test_invalid_k_raises(k):
    with pytest.raises(ValueError, match="k must be a positive integer"):
        recall_at_k(np.eye(20), k)


def test_non_square_similarity_raises():
    with pytest.raises(ValueError, match="expected a square matrix"):
        mix_match_score(np.ones((3, 4)))


def test_one_candidate_raises():
    with pytest.raises(ValueError, match="at least 2 candidates; got 1"):
        mix_match_score([[1.0]])


@pytest.mark.parametrize("recall", [[], np.ones((2, 2))])
def test_invalid_recall_curve_raises(recall):
    with pytest.raises(ValueError, match=r"recall must have shape \(n_candidates,\)"):
        recall_curve_auc(recall)


# CSLS


def test_csls_equals_the_formula(rng):
    matrix = rng.normal(size=(5, 7))
    corrected = csls(matrix, k=3)
    for i in range(5):
        for j in range(7):
            row = np.sort(matrix[i])[-3:].mean()
            column = np.sort(matrix[:, j])[-3:].mean()
            np.testing.assert_allclose(corrected[i, j], 2 * matrix[i, j] - row - column)


def test_csls_commutes_with_transposition(rng):
    matrix = rng.normal(size=(6, 6))
    np.testing.assert_allclose(csls(matrix.T, k=2), csls(matrix, k=2).T)


def test_csls_removes_a_hub(rng):
    matrix = np.eye(30) + 0.1 * rng.normal(size=(30, 30))
    matrix[:, 4] += 2
    assert mix_match_score(matrix) < 0.97
    assert mix_match_score(csls(matrix)) > 0.98


def test_csls_of_identity_and_of_constant_similarity():
    assert mix_match_score(csls(np.eye(20))) == 1
    assert np.ptp(csls(np.full((20, 20), 0.3))) == 0


@pytest.mark.parametrize("k", [0, 5, 1.5, True])
def test_csls_with_invalid_k_raises(k):
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
def test_csls_of_invalid_similarity_raises(matrix, message):
    with pytest.raises(ValueError, match=message):
        csls(matrix, k=1)


def test_csls_is_computed_in_float64(rng):
    matrix = rng.normal(size=(5, 7)).astype(np.float32)
    corrected = csls(matrix, k=3)
    assert corrected.dtype == np.float64
    np.testing.assert_array_equal(corrected, csls(matrix.astype(np.float64), k=3))
