"""Windows hold every token; batches keep to their budget; pooling minds padding."""

import itertools

import numpy as np
import pytest
import torch

from sklearn_neurocontext.text._chunking import (
    batches_by_tokens,
    pool_states,
    split_tokens,
)


@pytest.mark.parametrize("n_tokens", [0, 1, 7, 8, 9, 1000])
def test_windows_without_overlap_hold_each_token_once(n_tokens):
    tokens = list(range(n_tokens))
    windows = split_tokens(tokens, 8)
    assert [token for window in windows for token in window] == tokens
    assert len(windows) == max(1, -(-n_tokens // 8))
    assert all(len(window) <= 8 for window in windows)


@pytest.mark.parametrize("overlap", [1, 3, 7])
@pytest.mark.parametrize("n_tokens", [1, 8, 9, 100])
def test_neighbouring_windows_share_the_overlap(n_tokens, overlap):
    windows = split_tokens(list(range(n_tokens)), 8, overlap)
    assert {token for window in windows for token in window} == set(range(n_tokens))
    for left, right in itertools.pairwise(windows):
        assert left[-overlap:] == right[:overlap]
    # No window repeats what the one before it holds already.
    assert all(len(window) > overlap for window in windows[1:])


def test_batches_hold_each_chunk_once_and_keep_to_the_budget(rng):
    lengths = rng.integers(1, 60, size=200)
    batches = batches_by_tokens(lengths, 128)
    assert sorted(np.concatenate(batches)) == list(range(200))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= 128


def test_a_chunk_above_the_budget_is_a_batch_by_itself():
    assert [batch.tolist() for batch in batches_by_tokens([5, 500], 100)] == [[1], [0]]


def test_pooling_ignores_padding():
    states = torch.tensor([[[1.0], [3.0], [99.0]], [[2.0], [4.0], [6.0]]])
    attention = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert pool_states(states, attention, "mean").tolist() == [[2.0], [4.0]]
    assert pool_states(states, attention, "cls").tolist() == [[1.0], [2.0]]
    assert pool_states(states, attention, "last").tolist() == [[3.0], [6.0]]
