"""Code that comes with a language model."""

import json
from pathlib import Path

import pytest

from tests.text.tiny_models import save_tiny_model

CODE = """
from transformers import BertConfig, BertModel

class OwnConfig(BertConfig):
    model_type = "own"

class OwnModel(BertModel):
    config_class = OwnConfig
"""


def save_with_code(folder, repository=""):
    """Save a model whose configuration names code beside it, or in a repository."""
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


def test_code_of_another_repository_is_refused(load, tmp_path):
    folder = save_with_code(tmp_path, "org/impl--")
    with pytest.raises(ValueError, match=r"'org/impl--own_code.*take 'org/impl--' out"):
        load(folder, trust_remote_code=True)


def test_code_that_changes_is_another_model(load, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "cache")
    )
    monkeypatch.syspath_prepend(str(tmp_path / "cache"))
    folder = save_with_code(tmp_path / "model")
    first = load(folder, trust_remote_code=True).fingerprint
    assert load(folder, trust_remote_code=True).fingerprint == first
    (folder / "own_code.py").write_text(CODE + "\nSCALE = 2\n")
    assert load(folder, trust_remote_code=True).fingerprint != first
