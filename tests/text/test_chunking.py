"""Windows hold every token; batches keep to their budget; pooling minds padding."""

import numpy as np
import pytest
import torch

from sklearn_neurocontext.text._chunking import (
    batches_by_tokens,
    pool_states,
    split_windows,
    weigh_chunks,
)


@pytest.mark.parametrize("n_tokens", [0, 1, 7, 8, 9, 1000])
def test_windows_without_overlap_hold_each_token_once(n_tokens):
    starts, sizes = split_windows(n_tokens, 8)
    held = [
        start + i
        for start, size in zip(starts, sizes, strict=True)
        for i in range(size)
    ]
    assert held == list(range(n_tokens))
    assert len(starts) == max(1, -(-n_tokens // 8))
    assert sizes.max() <= 8


@pytest.mark.parametrize("overlap", [1, 3, 7])
@pytest.mark.parametrize("n_tokens", [1, 8, 9, 100])
def test_neighbouring_windows_share_the_overlap(n_tokens, overlap):
    starts, sizes = split_windows(n_tokens, 8, overlap)
    ends = starts + sizes
    assert starts[0] == 0
    assert ends[-1] == n_tokens
    np.testing.assert_array_equal(ends[:-1] - starts[1:], overlap)
    # No window repeats what the one before it holds already.
    assert np.all(sizes[1:] > overlap)


def test_batches_hold_each_chunk_once_and_keep_to_the_budget(rng):
    lengths = rng.integers(1, 60, size=200)
    batches = batches_by_tokens(lengths, 128)
    assert sorted(np.concatenate(batches)) == list(range(200))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= 128


def test_a_chunk_above_the_budget_is_a_batch_by_itself():
    assert [batch.tolist() for batch in batches_by_tokens([5, 500], 100)] == [[0], [1]]


def test_many_chunks_of_one_length_stay_among_themselves(rng):
    lengths = rng.permutation(np.repeat([9, 10, 11], 300))
    for batch in batches_by_tokens(lengths, 1000):
        assert len(set(lengths[batch])) == 1


def test_few_chunks_of_each_length_share_batches():
    assert len(batches_by_tokens(range(1, 21), 1000)) == 1


def test_full_chunks_come_last_in_the_order_of_their_texts():
    lengths = [8, 8, 3, 8, 8, 8, 5]
    order = np.concatenate(batches_by_tokens(lengths, 16))
    assert order.tolist() == [2, 6, 0, 1, 3, 4, 5]


def test_pooling_ignores_padding_whatever_it_holds():
    states = torch.tensor([[[1.0], [3.0], [np.nan]], [[2.0], [4.0], [6.0]]])
    lengths = torch.tensor([2, 3])
    assert pool_states(states, lengths, "mean").tolist() == [[2.0], [4.0]]
    assert pool_states(states, lengths, "cls").tolist() == [[1.0], [2.0]]
    assert pool_states(states, lengths, "last").tolist() == [[3.0], [6.0]]


def test_means_of_half_precision_are_taken_in_single():
    states = torch.full((1, 4096, 1), 1.0, dtype=torch.bfloat16)
    states[0, 0] = 3.0
    pooled = pool_states(states, torch.tensor([4096]), "mean")
    assert pooled.item() == pytest.approx(1 + 2 / 4096, abs=1e-6)


@pytest.mark.parametrize("weighting", ["uniform", "tokens"])
def test_weights_of_a_text_add_up_to_one(rng, weighting):
    owners = np.sort(rng.integers(0, 5, size=50))
    owners = np.unique(owners, return_inverse=True)[1]
    sizes = rng.integers(0, 9, size=50)
    weights = weigh_chunks(sizes, owners, weighting)
    np.testing.assert_allclose(np.bincount(owners, weights=weights), 1)
    if weighting == "uniform":
        assert len(set(weights[owners == 0])) == 1
