"""Tests of the choice of the best epoch."""

import math

import numpy as np
import pytest
import torch

from sklearn_neurocontext.models._selection import (
    mean_log_rank,
    rank_of_latents,
    rank_of_predictions,
    split_validation,
    squared_error,
)
from tests.models.synthetic_pairs import cosines_by_hand


@pytest.mark.parametrize(
    ("n_studies", "n_validation", "size"),
    [(20_000, 1000, 1000), (500, 1000, 50), (20, 1000, 2), (19, 1000, 0), (500, 0, 0)],
)
def test_validation_part_is_disjoint_and_bounded(n_studies, n_validation, size):
    train, validation = split_validation(n_studies, n_validation, seed=0)
    assert len(validation) == size
    np.testing.assert_array_equal(
        np.sort(np.concatenate([train, validation])), np.arange(n_studies)
    )


def test_one_study_cannot_be_ranked_so_none_is_put_aside():
    train, validation = split_validation(500, 1, seed=0)
    assert len(train) == 500
    assert len(validation) == 0


def test_split_depends_on_the_seed_alone():
    first, again, other = (split_validation(200, 50, seed=s)[1] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def _mean_log_rank_slow(similarity):
    logs = []
    for i, row in enumerate(similarity):
        greater = sum(value > row[i] for value in row)
        tied = sum(value == row[i] for value in row) - 1
        logs.append(math.log(1 + greater + tied / 2))
    return sum(logs) / len(logs)


def test_mean_log_rank_equals_the_double_loop(rng):
    similarity = rng.integers(0, 5, size=(12, 12)).astype(float)
    assert mean_log_rank(torch.tensor(similarity)) == pytest.approx(
        _mean_log_rank_slow(similarity)
    )


def test_mean_log_rank_of_extremes():
    assert mean_log_rank(torch.eye(9)) == 0
    assert mean_log_rank(-torch.eye(9)) == pytest.approx(math.log(9))
    assert mean_log_rank(torch.ones(9, 9)) == pytest.approx(math.log(5))


def test_monitors_rank_by_cosine(rng):
    left, right = (torch.tensor(rng.normal(size=(8, 3))) for _ in range(2))
    expected = _mean_log_rank_slow(cosines_by_hand(left, right))
    assert rank_of_predictions(left, right) == pytest.approx(expected)
    units = (torch.nn.functional.normalize(side, dim=1) for side in (left, right))
    assert rank_of_latents((*units, None), None) == pytest.approx(expected)


def test_squared_error():
    predicted, target = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 5.0]])
    assert squared_error(predicted, target) == pytest.approx(4.5)
