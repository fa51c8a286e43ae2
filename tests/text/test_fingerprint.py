"""Tests of fingerprints, which depend on weights, tokenizer and code only."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertForMaskedLM, ByT5Tokenizer

from sklearn_neurocontext.text._language_model import (
    ModelSource,
    load_language_model,
    model_fingerprint,
)
from tests.text.tiny_models import save_tiny_model


def test_changed_folder_is_loaded_again(tmp_path, monkeypatch):
    for folder, kind in (("a", "bert"), ("b", "llama")):
        save_tiny_model(tmp_path / folder / "model", kind)
    monkeypatch.chdir(tmp_path / "a")
    source = ModelSource("model")
    first = load_language_model(source)
    assert load_language_model(source) is first
    monkeypatch.chdir(tmp_path / "b")
    assert load_language_model(source).is_causal
    save_tiny_model(tmp_path / "b" / "model", "bert")
    assert not load_language_model(source).is_causal


def test_fingerprint_depends_on_weights(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    first = load(folder).fingerprint
    assert load(folder).fingerprint == first
    model = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[0, 0] += 1
    model.save_pretrained(folder)
    assert load(folder).fingerprint != first


@pytest.mark.parametrize(
    ("file", "part", "changes"),
    [
        ("config.json", {"layer_norm_eps": 0.1}, True),
        ("config.json", {"transformers_version": "4.8.2"}, False),
        ("tokenizer.json", {"pre_tokenizer": {"type": "WhitespaceSplit"}}, True),
        ("tokenizer.json", {"truncation": None, "padding": None}, False),
    ],
)
def test_fingerprint_of_edited_copies(load, tmp_path, file, part, changes):
    folder = Path(save_tiny_model(tmp_path / "model", "bert"))
    first = load(folder).fingerprint
    copy = folder.rename(tmp_path / "copy")
    content = json.loads((copy / file).read_text()) | part
    (copy / file).write_text(json.dumps(content))
    assert (load(copy).fingerprint != first) == changes


def save_without(folder, left_out):
    """Save the weights of a masked-LM class without those whose names match."""
    model = BertForMaskedLM(AutoConfig.from_pretrained(folder))
    state = model.state_dict()
    kept = {key: state[key] for key in state if left_out not in key}
    model.save_pretrained(folder, state_dict=kept)


def test_fingerprint_ignores_missing_pooler_weights(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    save_without(folder, left_out="nothing")
    torch.manual_seed(0)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    first = load(folder)
    # Drawing the missing weights leaves the caller's generator unchanged.
    assert torch.equal(torch.rand(1), drawn)
    assert load(folder).fingerprint == first.fingerprint


def test_missing_layer_weights_raise(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    save_without(folder, left_out="layer.1.")
    with pytest.raises(
        ValueError, match=r"16 weights are missing, .*'encoder\.layer\.1"
    ):
        load(folder)


def test_fingerprint_depends_on_buffers_special_tokens_and_code(load, tmp_path):
    loaded = load(save_tiny_model(tmp_path, "bert"))
    model, tokenizer = loaded.model, loaded.tokenizer
    around = (loaded.prefix_ids, loaded.suffix_ids)
    plain = model_fingerprint(tokenizer, model, (), around)
    assert model_fingerprint(tokenizer, model, (), ([], [])) != plain
    assert model_fingerprint(tokenizer, model, (), around, b"code") != plain
    model.register_buffer("scale", torch.tensor(2.0))
    assert model_fingerprint(tokenizer, model, (), around) != plain


def test_fingerprint_of_slow_tokenizer(load, tmp_path):
    model = load(save_tiny_model(tmp_path, "bert")).model
    first, same, other = (
        model_fingerprint(ByT5Tokenizer(extra_ids=0, do_lower_case=lower), model)
        for lower in (False, False, True)
    )
    assert first == same != other


CODE = """
from transformers import BertConfig, BertModel

class OwnConfig(BertConfig):
    model_type = "own"

class OwnModel(BertModel):
    config_class = OwnConfig
"""


def save_with_code(folder, repository=""):
    """Save a model whose configuration refers to code in its folder or a repository."""
    folder = Path(save_tiny_model(folder, "bert"))
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {
            "AutoConfig": f"{repository}own_code.OwnConfig",
            "AutoModel": f"{repository}own_code.OwnModel",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own_code.py").write_text(CODE)
    return folder


def test_fingerprint_depends_on_code_in_folder(load, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "cache")
    )
    monkeypatch.syspath_prepend(str(tmp_path / "cache"))
    folder = save_with_code(tmp_path / "model")
    loaded = load(folder, trust_remote_code=True)
    assert type(loaded.model).__name__ == "OwnModel"
    first = loaded.fingerprint
    assert load(folder, trust_remote_code=True).fingerprint == first
    (folder / "own_code.py").write_text(CODE + "\nSCALE = 2\n")
    assert load(folder, trust_remote_code=True).fingerprint != first


@pytest.mark.parametrize(
    ("revision", "code_revision"),
    [(None, "0" * 40), ("main", "0" * 40), ("0a" * 20, "0a" * 20)],
)
def test_code_of_another_repository_needs_commit(
    load, tmp_path, monkeypatch, revision, code_revision
):
    asked = []

    def cached_file(repository, file, revision=None, **options):
        asked.append((repository, file, revision))
        raise OSError("offline")

    monkeypatch.setattr("transformers.dynamic_module_utils.cached_file", cached_file)
    folder = save_with_code(tmp_path, "org/impl--")
    with pytest.raises(OSError, match="could not be loaded"):
        load(folder, trust_remote_code=True, revision=revision)
    assert asked == [("org/impl", "own_code.py", code_revision)]
