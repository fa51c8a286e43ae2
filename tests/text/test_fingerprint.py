"""What tells language models apart: weights, tokenizer and code."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertForMaskedLM, ByT5Tokenizer

from sklearn_neurocontext.text import _default_model
from sklearn_neurocontext.text._default_model import wheel_folder
from sklearn_neurocontext.text._language_model import ModelSource, load_language_model
from sklearn_neurocontext.text._model_facts import model_fingerprint
from tests.text.tiny_models import save_tiny_model


def test_a_folder_that_is_saved_again_is_loaded_again(tmp_path, monkeypatch):
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


def test_fingerprint_tells_weights_apart(load, tmp_path):
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
def test_copies_of_a_model_share_a_fingerprint(load, tmp_path, file, part, changes):
    folder = Path(save_tiny_model(tmp_path / "model", "bert"))
    first = load(folder).fingerprint
    copy = folder.rename(tmp_path / "copy")
    content = json.loads((copy / file).read_text()) | part
    (copy / file).write_text(json.dumps(content))
    assert (load(copy).fingerprint != first) == changes


def save_without(folder, left_out):
    """Save the weights of a masked-LM class without some of them."""
    model = BertForMaskedLM(AutoConfig.from_pretrained(folder))
    state = model.state_dict()
    kept = {key: state[key] for key in state if left_out not in key}
    model.save_pretrained(folder, state_dict=kept)


def test_a_model_without_pooler_has_one_fingerprint(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    save_without(folder, left_out="nothing")
    torch.manual_seed(0)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    first = load(folder)
    # The weights that were missing took no number of the caller's.
    assert torch.equal(torch.rand(1), drawn)
    assert load(folder).fingerprint == first.fingerprint


def test_a_model_that_lacks_a_layer_is_refused(load, tmp_path):
    folder = save_tiny_model(tmp_path, "bert")
    save_without(folder, left_out="layer.1.")
    with pytest.raises(ValueError, match=r"lack 16 of those .*'encoder\.layer\.1"):
        load(folder)


def test_fingerprint_takes_scalars_special_tokens_and_code(load, tmp_path):
    loaded = load(save_tiny_model(tmp_path, "bert"))
    model, tokenizer = loaded.model, loaded.tokenizer
    around = (loaded.before, loaded.after)
    plain = model_fingerprint(tokenizer, model, (), around)
    assert model_fingerprint(tokenizer, model, (), ([], [])) != plain
    model.register_buffer("scale", torch.tensor(2.0))
    assert model_fingerprint(tokenizer, model, (), around) != plain


def test_fingerprint_of_a_tokenizer_without_a_fast_one(load, tmp_path):
    model = load(save_tiny_model(tmp_path, "bert")).model
    first, same, other = (
        model_fingerprint(ByT5Tokenizer(extra_ids=0, do_lower_case=lower), model)
        for lower in (False, False, True)
    )
    assert first == same != other


def test_hash_of_the_wheel_is_the_published_one():
    assert wheel_folder() is not None
    assert len(_default_model.DEFAULT_REVISION) == 40
