"""Tests of windows, batches, the forward pass and pooling."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_neurocontext.text import _chunking
from sklearn_neurocontext.text._chunking import (
    ChunkSettings,
    batches_by_tokens,
    embed_texts,
    make_chunks,
    pad_chunks,
    pool_states,
    split_windows,
    weigh_chunks,
)
from sklearn_neurocontext.text._language_model import ModelSource, load_language_model
from tests.text.tiny_models import KINDS, save_tiny_model


@pytest.mark.parametrize("n_tokens", [0, 1, 7, 8, 9, 1000])
def test_windows_without_overlap_contain_each_token_once(n_tokens):
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
def test_neighboring_windows_share_overlap(n_tokens, overlap):
    starts, sizes = split_windows(n_tokens, 8, overlap)
    ends = starts + sizes
    assert starts[0] == 0
    assert ends[-1] == n_tokens
    np.testing.assert_array_equal(ends[:-1] - starts[1:], overlap)
    # Each window has tokens that the one before it does not have.
    assert np.all(sizes[1:] > overlap)


def test_batches_contain_each_chunk_once_within_the_budget(rng):
    lengths = rng.integers(1, 60, size=200)
    batches = batches_by_tokens(lengths, 128)
    assert sorted(np.concatenate(batches)) == list(range(200))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= 128


def test_chunk_above_budget_has_its_own_batch():
    assert [batch.tolist() for batch in batches_by_tokens([5, 500], 100)] == [[0], [1]]


def test_many_chunks_of_one_length_are_batched_without_padding(rng):
    lengths = rng.permutation(np.repeat([9, 10, 11], 300))
    for batch in batches_by_tokens(lengths, 1000):
        assert len(set(lengths[batch])) == 1


def test_few_chunks_of_each_length_share_batches():
    assert len(batches_by_tokens(range(1, 21), 1000)) == 1


def test_full_chunks_are_last_and_in_text_order():
    lengths = [8, 8, 3, 8, 8, 8, 5]
    order = np.concatenate(batches_by_tokens(lengths, 16))
    assert order.tolist() == [2, 6, 0, 1, 3, 4, 5]


def test_pooling_ignores_nan_in_padding():
    states = torch.tensor([[[1.0], [3.0], [np.nan]], [[2.0], [4.0], [6.0]]])
    lengths = torch.tensor([2, 3])
    assert pool_states(states, lengths, "mean").tolist() == [[2.0], [4.0]]
    assert pool_states(states, lengths, "cls").tolist() == [[1.0], [2.0]]
    assert pool_states(states, lengths, "last").tolist() == [[3.0], [6.0]]


def test_means_of_half_precision_are_computed_in_float32():
    states = torch.full((1, 4096, 1), 1.0, dtype=torch.bfloat16)
    states[0, 0] = 3.0
    pooled = pool_states(states, torch.tensor([4096]), "mean")
    assert pooled.item() == pytest.approx(1 + 2 / 4096, abs=1e-6)


@pytest.mark.parametrize("weighting", ["uniform", "tokens"])
def test_weights_of_a_text_sum_to_one(rng, weighting):
    text_rows = np.sort(rng.integers(0, 5, size=50))
    text_rows = np.unique(text_rows, return_inverse=True)[1]
    sizes = rng.integers(0, 9, size=50)
    weights = weigh_chunks(sizes, text_rows, weighting)
    np.testing.assert_allclose(np.bincount(text_rows, weights=weights), 1)
    if weighting == "uniform":
        assert len(set(weights[text_rows == 0])) == 1


SETTINGS = ChunkSettings(
    window=14,
    overlap=0,
    pooling="mean",
    normalize=True,
    weighting="uniform",
    batch_tokens=64,
)


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    def load_kind(kind):
        folder = save_tiny_model(tmp_path_factory.mktemp(kind), kind)
        return load_language_model(ModelSource(folder))

    return load_kind


def test_special_tokens_and_padding_on_the_right(load):
    loaded = load("bert")
    chunks = make_chunks(["pain " * 5, "fear"], loaded, window=3, overlap=0)
    assert chunks.text_rows.tolist() == [0, 0, 1]
    pain, fear = chunks.tokens[0], chunks.tokens[-1]
    ids, lengths = pad_chunks(chunks, np.array([2, 0, 1]), loaded)
    assert lengths.tolist() == [3, 5, 4]
    pad = loaded.tokenizer.pad_token_id
    assert ids.tolist() == [
        [1, fear, 2, pad, pad],
        [1, pain, pain, pain, 2],
        [1, pain, pain, 2, pad],
    ]


def test_missing_padding_token_does_not_extend_vocabulary(load):
    loaded = load("mistral")
    assert loaded.tokenizer.pad_token_id is None
    assert loaded.pad_id == 0
    assert len(loaded.tokenizer) == loaded.model.config.vocab_size


def record_masks(loaded, texts, monkeypatch):
    masks = []
    real = type(loaded.model).forward

    def spy(self, input_ids, attention_mask=None, **options):
        masks.append(attention_mask)
        return real(self, input_ids=input_ids, attention_mask=attention_mask)

    monkeypatch.setattr(type(loaded.model), "forward", spy)
    list(embed_texts(texts, loaded, SETTINGS))
    return masks


@pytest.mark.parametrize("kind", KINDS)
def test_only_encoders_with_padding_get_masks(load, kind, monkeypatch):
    loaded = load(kind)
    assert loaded.is_causal == (kind not in ("bert", "roberta"))
    (mask,) = record_masks(loaded, ["pain fear", "pain"], monkeypatch)
    if loaded.is_causal:
        assert mask is None
    else:
        assert mask.sum(1).tolist() == [3, 4]
    assert record_masks(loaded, ["pain", "fear"], monkeypatch) == [None]


def test_finished_texts_are_yielded_once(load, monkeypatch):
    monkeypatch.setattr(_chunking, "_SECONDS_BETWEEN_YIELDS", 0)
    texts = ["pain " * 200, "fear", "brain " * 100, "words in"]
    finished = list(embed_texts(texts, load("bert"), SETTINGS))
    assert len(finished) > 3
    rows = np.concatenate([part.rows for part in finished])
    assert sorted(rows) == [0, 1, 2, 3]
    # Short texts first, then long ones one by one, in their order.
    assert rows.tolist()[-2:] == [0, 2]
    assert sum(part.n_tokens for part in finished) == 200 + 1 + 100 + 2
    assert sum(part.share for part in finished) == pytest.approx(1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_vectors_must_be_finite(load, monkeypatch, value):
    loaded = load("bert")
    monkeypatch.setattr(
        _chunking, "pool_states", lambda states, *rest: states[:, 0] * value
    )
    message = r"'pain fear' must be finite; got NaN .* float32.*use 'bfloat16'"
    with pytest.raises(ValueError, match=message):
        list(embed_texts(["pain fear"], loaded, SETTINGS))


def test_text_without_token_raises():
    tokenless = SimpleNamespace(
        tokenizer=lambda texts, **options: {"input_ids": [[] for _ in texts]},
        n_special=0,
    )
    with pytest.raises(ValueError, match=r"at least one token; .* no token in 'pain'"):
        make_chunks(["pain"], tokenless, window=8, overlap=0)


def test_inference_mode_is_off_between_yields(load):
    stream = embed_texts(["pain"], load("bert"), SETTINGS)
    next(stream)
    assert not torch.is_inference_mode_enabled()
