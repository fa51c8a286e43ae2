"""Tests of pooling="auto", which follows the modules of sentence-transformers."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.text import _language_model
from tests.text.tiny_models import save_tiny_model

TEXTS = ["brain memory pain", "reading words of the finger", "fear", "pain " * 12]
OLD, NEW = "sentence_transformers.models.", "sentence_transformers.base.modules.new."
MODES = {
    "mean": lambda states: states.mean(0),
    "cls": lambda states: states[0],
    "lasttoken": lambda states: states[-1],
    "max": lambda states: states.amax(0),
}
NORMALIZE = {"type": OLD + "Normalize"}


def write_json(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def save_modules(folder, pooling, *others):
    """Add modules to the folder of a model; `pooling` is the file of the pooling."""
    modules = [{"type": OLD + "Transformer"}, {"type": NEW + "Pooling"}, *others]
    for number, module in enumerate(modules):
        kind = module["type"].rpartition(".")[-1]
        path = f"{number}_{kind}" if number else ""
        modules[number] = {"idx": number, "path": path, "type": module["type"]}
        if "weights" in module:
            (folder / path).mkdir()
            write_json(folder / path / "config.json", module["config"])
            save_file(module["weights"], folder / path / "model.safetensors")
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling" / "config.json", pooling)
    return str(folder)


def make_dense(n_in, n_out, activation="activation.Tanh", bias=True, **config):
    generator = torch.Generator().manual_seed(n_out)
    weights = {"linear.weight": torch.randn((n_out, n_in), generator=generator)}
    if bias:
        weights["linear.bias"] = torch.randn(n_out, generator=generator)
    config |= {"in_features": n_in, "out_features": n_out, "bias": bias}
    config["activation_function"] = f"torch.nn.modules.{activation}"
    return {"type": OLD + "Dense", "config": config, "weights": weights}


@pytest.fixture
def folder(tmp_path):
    return Path(save_tiny_model(tmp_path, "bert"))


def embed_by_hand(folder, mode, *layers):
    """Embed one text at a time with the plain model."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            encoded = tokenizer(text, return_tensors="pt")
            vector = MODES[mode](model(**encoded).last_hidden_state[0])
        for layer in layers:
            vector = layer(vector)
        rows.append(vector.numpy())
    return np.stack(rows)


def assert_embeds(folder, expected, **parameters):
    embedder = LLMChunkEmbedder(
        str(folder), cache=None, normalize_chunks=False, **parameters
    )
    found = embedder.fit_transform(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert embedder.embedding_dim_ == expected.shape[1]
    # Scaling the chunks to norm one does not change the direction.
    found = embedder.set_params(normalize_chunks=True).fit_transform(TEXTS)
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit, rtol=0, atol=1e-5)


unit = partial(torch.nn.functional.normalize, dim=0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layers", [[], [unit]])
@pytest.mark.parametrize("is_new", [True, False])
def test_own_pooling_is_used(folder, mode, layers, is_new):
    names = {"cls": "cls_token", "lasttoken": "lasttoken"}
    stated = {f"pooling_mode_{names.get(one, one + '_tokens')}": False for one in MODES}
    stated[f"pooling_mode_{names.get(mode, mode + '_tokens')}"] = True
    others = [NORMALIZE] * len(layers)
    save_modules(folder, {"pooling_mode": mode} if is_new else stated, *others)
    assert_embeds(folder, embed_by_hand(folder, mode, *layers))


def test_own_dense_layers_are_used(folder):
    first = make_dense(16, 24, "activation.ReLU")
    second = make_dense(24, 5, "linear.Identity", bias=False)
    others = [NORMALIZE, first, second, NORMALIZE]
    save_modules(folder, {"pooling_mode": ["mean"]}, *others)

    def apply_both(vector):
        weights, bias = (first["weights"][f"linear.{x}"] for x in ("weight", "bias"))
        return second["weights"]["linear.weight"] @ torch.relu(weights @ vector + bias)

    assert_embeds(folder, embed_by_hand(folder, "mean", unit, apply_both, unit))
    # A stated pooling uses only the hidden states.
    assert_embeds(folder, embed_by_hand(folder, "mean"), pooling="mean")


@pytest.mark.parametrize("modules", [None, [{"type": OLD + "Transformer", "path": ""}]])
def test_model_without_pooling_uses_mean(folder, modules):
    if modules is not None:
        write_json(folder / "modules.json", modules)
    assert_embeds(folder, embed_by_hand(folder, "mean"))
    assert LLMChunkEmbedder(str(folder)).fit().pooling_ == "mean"


REFUSED = {
    "pooling weightedmean": [{"pooling_mode_weightedmean_tokens": True}],
    "pooling mean_sqrt_len_tokens": [{"pooling_mode": "mean_sqrt_len_tokens"}],
    "pooling mean and max": [{"pooling_mode": ["mean", "max"]}],
    "module LayerNorm": [{}, {"type": OLD + "LayerNorm"}],
    "module my_code.Normalize": [{}, {"type": "my_code.Normalize"}],
    "module Pooling": [{}, {"type": OLD + "Pooling"}],
    "activation torch.nn.modules.activation.PReLU": [
        *({}, make_dense(16, 4, "activation.PReLU"))
    ],
    "use_residual": [{}, make_dense(16, 4, use_residual=True)],
}


@pytest.mark.parametrize("named", REFUSED)
def test_unsupported_modules_are_refused(folder, named):
    save_modules(folder, *REFUSED[named])
    with pytest.raises(ValueError, match=f"got .*{named}.*Pass pooling='mean'"):
        LLMChunkEmbedder(str(folder)).fit()
    assert_embeds(folder, embed_by_hand(folder, "cls"), pooling="cls")


def test_models_that_change_texts_are_refused(folder):
    save_modules(folder, {"pooling_mode": "cls"})
    prompts = {"default_prompt_name": "doc", "prompts": {"doc": "passage: "}}
    write_json(folder / "config_sentence_transformers.json", prompts)
    with pytest.raises(ValueError, match="got the default prompt 'passage: '"):
        LLMChunkEmbedder(str(folder)).fit()
    write_json(folder / "config_sentence_transformers.json", {"prompts": {"doc": ""}})
    assert LLMChunkEmbedder(str(folder)).fit().pooling_ == "cls"
    write_json(folder / "sentence_bert_config.json", {"do_lower_case": True})
    with pytest.raises(ValueError, match="got do_lower_case=True"):
        LLMChunkEmbedder(str(folder)).fit()


def test_other_sequences_of_modules_are_refused(folder):
    modules = [{"type": OLD + "CLIPModel", "path": ""}]
    write_json(folder / "modules.json", modules)
    with pytest.raises(ValueError, match="got the modules CLIPModel in"):
        LLMChunkEmbedder(str(folder)).fit()


@pytest.mark.parametrize(
    ("damaged", "content", "message"),
    [
        ("1_Pooling/config.json", None, "1_Pooling/config.json is missing"),
        ("1_Pooling/config.json", "{", "1_Pooling/config.json must be a JSON file"),
        ("modules.json", None, "modules.json is missing beside the folder 1_Pooling"),
        ("modules.json", "", "modules.json must be a JSON file"),
        ("modules.json", '{"type": "x"}', "Download the files of the model again"),
        ("2_Dense/model.safetensors", None, "2_Dense/model.safetensors is missing"),
        ("2_Dense/model.safetensors", "\0" * 99, "corrupted or cut off"),
        ("2_Dense/model.safetensors", "version https://git-lfs", "'git lfs pull'"),
        ("2_Dense/config.json", '{"out_features": 9}', "size mismatch"),
    ],
)
def test_damaged_modules_raise(folder, damaged, content, message):
    save_modules(folder, {"pooling_mode": "cls"}, make_dense(16, 4))
    assert LLMChunkEmbedder(str(folder)).fit().embedding_dim_ == 4
    (folder / damaged).unlink()
    if content is not None:
        (folder / damaged).write_text(content)
    with pytest.raises(OSError, match=message):
        LLMChunkEmbedder(str(folder)).fit()


def test_settings_key_contains_resolved_pooling(folder):
    embedder = LLMChunkEmbedder(str(folder)).fit()
    keys = [embedder.settings_key(), embedder.set_params(pooling="mean").settings_key()]
    assert keys[0] == keys[1]
    for weights in (make_dense(16, 4), make_dense(16, 8)):
        save_modules(folder, {"pooling_mode": "mean"}, weights)
        keys.append(LLMChunkEmbedder(str(folder)).fit().settings_key())
        for path in (folder / "2_Dense").iterdir():
            path.unlink()
        (folder / "2_Dense").rmdir()
    assert len(set(keys)) == 3


def test_default_model_keeps_its_settings_key():
    # Stores of embeddings that were computed with pooling="mean" remain valid.
    embedder = LLMChunkEmbedder().fit()
    assert embedder.pooling == "auto"
    key = embedder.settings_key()
    assert key.endswith("|float32|256|0|mean|True|uniform")
    assert embedder.set_params(pooling="mean").settings_key() == key


@pytest.fixture
def hub(load, folder, monkeypatch):
    """Return the files of a model of the Hub, which are requested from a folder."""
    files = {}

    def download(place, name, **options):
        if name not in files:
            raise LocalEntryNotFoundError("offline")
        return files[name]

    loaded = load(folder)
    object.__setattr__(loaded, "place", "some/model")
    monkeypatch.setattr(_language_model, "hf_hub_download", download)
    monkeypatch.setattr(LLMChunkEmbedder, "_language_model", lambda self: loaded)
    save_modules(folder, {"pooling_mode": "max"})
    for name in ("modules.json", "1_Pooling/config.json"):
        files[name] = str(folder / name)
    for name in ("config_sentence_transformers.json", "sentence_bert_config.json"):
        write_json(folder / name, {})
        files[name] = str(folder / name)
    return files


def test_pooling_is_read_from_hub(hub):
    assert LLMChunkEmbedder("some/model").fit().pooling_ == "max"


def test_unreadable_modules_of_hub_warn(hub):
    hub.clear()
    with pytest.warns(UserWarning, match=r"modules\.json .*offline.*pooling='mean'"):
        assert LLMChunkEmbedder("some/model").fit().pooling_ == "mean"


def test_unreadable_pooling_of_hub_raises(hub):
    del hub["1_Pooling/config.json"]
    with pytest.raises(OSError, match="offline"):
        LLMChunkEmbedder("some/model").fit()


def test_modules_that_hub_does_not_have_use_mean(hub, monkeypatch):
    hub.clear()
    monkeypatch.setattr(
        _language_model,
        "try_to_load_from_cache",
        lambda *names, **options: _language_model._CACHED_NO_EXIST,
    )
    assert LLMChunkEmbedder("some/model").fit().pooling_ == "mean"
