"""Padding is on the right; masks are given only where they matter."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_neurocontext.text import _forward
from sklearn_neurocontext.text._forward import (
    ChunkSettings,
    embed_texts,
    make_chunks,
    pad_chunks,
)
from sklearn_neurocontext.text._language_model import ModelSource, load_language_model
from tests.text.tiny_models import KINDS, save_tiny_model

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


def test_chunks_are_wrapped_and_padded_on_the_right(load):
    loaded = load("bert")
    chunks = make_chunks(["pain " * 5, "fear"], loaded, window=3, overlap=0)
    assert chunks.owners.tolist() == [0, 0, 1]
    pain, fear = chunks.tokens[0], chunks.tokens[-1]
    ids, lengths = pad_chunks(chunks, np.array([2, 0, 1]), loaded)
    assert lengths.tolist() == [3, 5, 4]
    pad = loaded.tokenizer.pad_token_id
    assert ids.tolist() == [
        [1, fear, 2, pad, pad],
        [1, pain, pain, pain, 2],
        [1, pain, pain, 2, pad],
    ]


def test_a_model_without_padding_token_keeps_its_vocabulary(load):
    loaded = load("mistral")
    assert loaded.tokenizer.pad_token_id is None
    assert loaded.pad_id == 0
    assert len(loaded.tokenizer) == loaded.model.config.vocab_size


def masks_given(loaded, texts, monkeypatch):
    given = []
    real = type(loaded.model).forward

    def spy(self, input_ids, attention_mask=None, **options):
        given.append(attention_mask)
        return real(self, input_ids=input_ids, attention_mask=attention_mask)

    monkeypatch.setattr(type(loaded.model), "forward", spy)
    list(embed_texts(texts, loaded, SETTINGS))
    return given


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_given_to_encoders_only_and_only_with_padding(
    load, kind, monkeypatch
):
    loaded = load(kind)
    assert loaded.is_causal == (kind not in ("bert", "roberta"))
    (mask,) = masks_given(loaded, ["pain fear", "pain"], monkeypatch)
    if loaded.is_causal:
        assert mask is None
    else:
        assert mask.sum(1).tolist() == [3, 4]
    assert masks_given(loaded, ["pain", "fear"], monkeypatch) == [None]


def test_texts_come_out_as_they_finish_each_once(load, monkeypatch):
    monkeypatch.setattr(_forward, "_SECONDS_BETWEEN_YIELDS", 0)
    texts = ["pain " * 200, "fear", "brain " * 100, "words in"]
    finished = list(embed_texts(texts, load("bert"), SETTINGS))
    assert len(finished) > 3
    rows = np.concatenate([part.rows for part in finished])
    assert sorted(rows) == [0, 1, 2, 3]
    # Short ones first, then long ones one by one, in their order.
    assert rows.tolist()[-2:] == [0, 2]
    assert sum(part.n_tokens for part in finished) == 200 + 1 + 100 + 2
    assert sum(part.share for part in finished) == pytest.approx(1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_vectors_that_are_no_numbers_are_refused(load, monkeypatch, value):
    loaded = load("bert")
    monkeypatch.setattr(
        _forward, "pool_states", lambda states, *rest: states[:, 0] * value
    )
    wanted = r"'pain fear' gives, in float32, NaN or infinity.*dtype='bfloat16'"
    with pytest.raises(ValueError, match=wanted):
        list(embed_texts(["pain fear"], loaded, SETTINGS))


def test_text_without_any_token_is_an_error():
    blind = SimpleNamespace(
        tokenizer=lambda texts, **options: {"input_ids": [[] for _ in texts]},
        before=[],
        after=[],
    )
    with pytest.raises(ValueError, match="finds no token in the text 'pain'"):
        make_chunks(["pain"], blind, window=8, overlap=0)


def test_nothing_leaks_into_the_caller_between_batches(load):
    stream = embed_texts(["pain"], load("bert"), SETTINGS)
    next(stream)
    assert not torch.is_inference_mode_enabled()
