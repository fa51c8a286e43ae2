"""Split texts into chunks, embed the chunks in batches, and average the vectors.

The hidden states of a chunk are pooled into one vector. The files of a model of
sentence-transformers specify its pooling.
"""

import hashlib
import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from safetensors.torch import load_file

from ._language_model import SENTENCE_CONFIG, find_file, loading_advice, read_json

# Chunks of equal length form a separate batch if their total number of tokens is at
# least this fraction of `batch_tokens`. Such a batch needs neither padding nor a mask.
_MIN_FILLED_SHARE = 0.25
# Interval at which vectors are copied from the device to the CPU. They are not copied
# after each batch, because waiting for a GPU after each batch is slow. An interrupted
# run loses only the work of one interval.
_SECONDS_BETWEEN_YIELDS = 2.0
_N_CHARACTERS_SHOWN = 60
_PROMPT_CONFIG = "config_sentence_transformers.json"
# Poolings in sentence-transformers, and the corresponding values of `pooling`.
_POOLINGS = {"cls": "cls", "max": "max", "mean": "mean", "lasttoken": "last"}
_ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")
# Pooling that the files of each loaded model specify. It is kept in memory, so that the
# files are read only once.
_OWN_POOLINGS = WeakKeyDictionary()


class Pooling(NamedTuple):
    """Steps that reduce the hidden states of a chunk to one vector."""

    mode: str  # "mean", "cls", "last" or "max"
    normalize: bool  # whether to scale the final vectors to norm one
    embedding_dim: int
    layers: tuple = ()  # functions that are applied to the pooled vectors
    layer_keys: tuple = ()  # names of the layers, with hashes of their weights

    @property
    def key(self) -> str:
        """Return the mode and the layers as a string."""
        return "+".join([self.mode, *self.layer_keys])


@dataclass(frozen=True)
class ChunkSettings:
    """Parameters of the embedder that determine chunks, batches and pooling."""

    window: int  # tokens in a chunk, without special tokens
    overlap: int  # tokens shared by neighboring windows
    pooling: str
    normalize: bool
    weighting: str
    batch_tokens: int
    layers: tuple = ()  # functions that are applied to the pooled vectors


@dataclass(frozen=True, eq=False)
class Chunks:
    """Windows of several texts, without special tokens."""

    tokens: np.ndarray  # (n_tokens,), int64; token ids of all texts
    starts: np.ndarray  # (n_chunks,), index in `tokens` of the first token of a window
    sizes: np.ndarray  # (n_chunks,), number of tokens in each window
    text_rows: np.ndarray  # (n_chunks,), row of the text of each chunk


class FinishedTexts(NamedTuple):
    """Embeddings of finished texts, and the work done since the previous yield."""

    rows: np.ndarray  # (n_finished,)
    vectors: np.ndarray  # (n_finished, embedding_dim), float32
    n_tokens: int  # tokens processed since the previous yield
    share: float  # chunks processed since the previous yield / all chunks


def choose_chunk_size(chunk_size, overlap: int, language_model) -> int:
    """Return the checked chunk size, or the limit of the model if the size is None."""
    limit = language_model.max_tokens
    chosen = chunk_size or limit
    if chosen > limit:
        raise ValueError(
            f"chunk_size must be at most {limit}, the limit of the model; got "
            f"{chunk_size}. Lower it, or pass None."
        )
    window = chosen - language_model.n_special
    if window < 1 or overlap >= window:
        raise ValueError(
            "chunk_size minus the number of special tokens must be positive and larger "
            f"than chunk_overlap={overlap}; got {window} with chunk_size={chosen}. "
            "Raise chunk_size or lower chunk_overlap."
        )
    return chosen


def embed_texts(texts, language_model, settings: ChunkSettings):
    """Embed a list of texts; yield `FinishedTexts` until all texts are finished."""
    chunks = make_chunks(texts, language_model, settings.window, settings.overlap)
    weights = weigh_chunks(chunks.sizes, chunks.text_rows, settings.weighting)
    n_chunks_left = np.bincount(chunks.text_rows)
    sums = None
    for indices, vectors, n_tokens in _chunk_vectors(chunks, language_model, settings):
        text_rows = chunks.text_rows[indices]
        _check_finite(vectors, text_rows, texts, language_model.dtype)
        if sums is None:
            sums = np.zeros((len(texts), vectors.shape[1]))
        np.add.at(sums, text_rows, weights[indices, None] * vectors)
        n_chunks_left -= np.bincount(text_rows, minlength=len(texts))
        rows = np.unique(text_rows)
        rows = rows[n_chunks_left[rows] == 0]
        share = len(indices) / len(chunks.sizes)
        yield FinishedTexts(rows, sums[rows].astype(np.float32), n_tokens, share)


def make_chunks(texts, language_model, window: int, overlap: int) -> Chunks:
    """Tokenize texts and split them into windows."""
    encoded = language_model.tokenizer(
        list(texts),
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
    if not language_model.n_special:
        for text, tokens in zip(texts, encoded, strict=True):
            if not tokens:
                raise ValueError(
                    "A text must have at least one token; the tokenizer finds no token "
                    f"in {text!r}. Drop this study, or fill in its text."
                )
    lengths = [len(tokens) for tokens in encoded]
    windows = [split_windows(length, window, overlap) for length in lengths]
    starts, sizes = zip(*windows, strict=True)
    n_windows = [len(part) for part in sizes]
    offsets = np.repeat(np.cumsum([0, *lengths])[:-1], n_windows)
    return Chunks(
        tokens=np.concatenate([np.asarray(tokens, np.int64) for tokens in encoded]),
        starts=np.concatenate(starts) + offsets,
        sizes=np.concatenate(sizes),
        text_rows=np.repeat(np.arange(len(texts)), n_windows),
    )


def split_windows(n_tokens: int, window: int, overlap: int = 0) -> tuple:
    """Return two arrays: the start and the size of each window of a text."""
    # A text without tokens has one empty window.
    starts = np.arange(0, max(n_tokens - overlap, 1), window - overlap)
    return starts, np.minimum(window, n_tokens - starts)


def weigh_chunks(sizes, text_rows, weighting: str) -> np.ndarray:
    """Return the weights (n_chunks,) of chunks; the weights of each text sum to one."""
    raw = np.ones(len(sizes)) if weighting == "uniform" else np.maximum(sizes, 1.0)
    return raw / np.bincount(text_rows, weights=raw)[text_rows]


def _chunk_vectors(chunks, language_model, settings):
    """Run all batches; yield chunk indices, chunk vectors and the number of tokens."""
    lengths = chunks.sizes + language_model.n_special
    batches = batches_by_tokens(lengths, settings.batch_tokens)
    waiting, last_yield = [], time.monotonic()
    for number, batch in enumerate(batches, 1):
        waiting.append((batch, _run_batch(chunks, batch, language_model, settings)))
        now = time.monotonic()
        if now - last_yield < _SECONDS_BETWEEN_YIELDS and number < len(batches):
            continue
        indices = np.concatenate([batch for batch, _ in waiting])
        vectors = torch.cat([vectors for _, vectors in waiting]).cpu().numpy()
        yield indices, vectors, int(chunks.sizes[indices].sum())
        waiting, last_yield = [], now


def batches_by_tokens(lengths, batch_tokens: int) -> list:
    """Divide chunks into batches of similar length, shortest chunks first.

    The returned list contains the chunk indices of each batch, as an array.
    """
    lengths = np.asarray(lengths)
    # A stable sort keeps chunks of equal length in the order of their texts. Therefore
    # the texts are finished one after another.
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    ordered = lengths[order]
    while start < len(order):
        # Lengths are in ascending order, so all chunks of a batch are padded to the
        # length of the last chunk of the batch.
        padded = ordered[start:] * np.arange(1, len(order) - start + 1)
        size = max(1, int(np.searchsorted(padded, batch_tokens, side="right")))
        n_equal = int(np.searchsorted(ordered[start:], ordered[start], side="right"))
        n_filled = n_equal * ordered[start]
        if n_equal < size and n_filled >= _MIN_FILLED_SHARE * batch_tokens:
            size = n_equal
        batches.append(order[start : start + size])
        start += size
    return batches


@torch.inference_mode()
def _run_batch(chunks, batch, language_model, settings):
    """Return the vectors (n_chunks, embedding_dim), float32, on the model's device."""
    ids, lengths = pad_chunks(chunks, batch, language_model)
    ids = torch.from_numpy(ids).to(language_model.device)
    lengths = torch.from_numpy(lengths)
    # Attention is fastest without a mask. A causal model needs no mask, because tokens
    # cannot attend to the padding on their right.
    mask = None
    if not language_model.is_causal and lengths.min() < lengths.max():
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        mask = mask.long().to(language_model.device)
    states = language_model.model(input_ids=ids, attention_mask=mask).last_hidden_state
    lengths = lengths.to(language_model.device)
    vectors = pool_states(states, lengths, settings.pooling).float()
    for layer in settings.layers:
        vectors = layer(vectors)
    if settings.normalize:
        vectors = torch.nn.functional.normalize(vectors, dim=1)
    return vectors


def pad_chunks(chunks, batch, language_model):
    """Return token ids (n_chunks, n_tokens) and lengths (n_chunks,), both int64."""
    prefix, suffix = language_model.prefix_ids, language_model.suffix_ids
    sizes = chunks.sizes[batch][:, None]
    n_prefix = len(prefix)
    lengths = sizes[:, 0] + n_prefix + len(suffix)
    # Padding is on the right. Padding on the left would shift the positions of the
    # tokens, and the shift would depend on the other chunks of the batch.
    ids = np.full((len(batch), lengths.max()), language_model.pad_id, dtype=np.int64)
    ids[:, :n_prefix] = prefix
    rows, columns = np.nonzero(np.arange(sizes.max()) < sizes)
    ids[rows, n_prefix + columns] = chunks.tokens[chunks.starts[batch][rows] + columns]
    for shift, token in enumerate(suffix):
        ids[np.arange(len(batch)), n_prefix + sizes[:, 0] + shift] = token
    return ids, lengths


def pool_states(states, lengths, pooling: str):
    """Return one vector per chunk, pooled from the states of its tokens."""
    # `states` has shape (n_chunks, n_tokens, dim). `lengths[i]` is the number of tokens
    # in chunk i, without padding. The vectors have shape (n_chunks, dim).
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[range(len(states)), lengths - 1]
    states = states.float()
    positions = lengths.new_ones(states.shape[1]).cumsum(0)
    # Padding must not contribute. The states of padding are replaced instead of
    # multiplied by zero, because they may be NaN, and NaN times zero is NaN.
    padding = positions > lengths[:, None]
    if padding.any():
        neutral = float("-inf") if pooling == "max" else 0
        states = states.masked_fill(padding.unsqueeze(-1), neutral)
    return states.amax(1) if pooling == "max" else states.sum(1) / lengths[:, None]


def choose_pooling(mode: str, normalize: bool, language_model) -> Pooling:
    """Return the pooling that the embedder's parameters specify.

    `mode` is the parameter `pooling`, and `normalize` is `normalize_chunks`.
    """
    if mode != "auto":
        return Pooling(mode, normalize, language_model.embedding_dim)
    if language_model not in _OWN_POOLINGS:
        _OWN_POOLINGS[language_model] = _read_pooling(language_model)
    own = _OWN_POOLINGS[language_model]
    return own._replace(normalize=normalize or own.normalize)


def _read_pooling(loaded) -> Pooling:
    """Return the pooling of a sentence-transformers model; "mean" for other models."""
    modules = _list_modules(loaded)
    plain = Pooling("mean", False, loaded.embedding_dim)
    kinds = [kind for kind, _ in modules]
    if kinds in ([], ["Transformer"]):
        return plain
    if kinds[:2] != ["Transformer", "Pooling"]:
        raise _unsupported(f"the modules {', '.join(kinds)}", loaded)
    if modules[0][1]:
        raise _unsupported(f"a Transformer in the folder {modules[0][1]}", loaded)
    _check_inputs(loaded)
    mode = _read_mode(loaded, modules[1][1])
    dim, layers, keys = loaded.embedding_dim, [], []
    for kind, folder in modules[2:]:
        if kind == "Dense":
            layer, key = _read_dense(loaded, folder, dim)
            dim = layer[0].out_features
        elif kind == "Normalize":
            layer, key = torch.nn.functional.normalize, "normalize"
        else:
            raise _unsupported(f"a module {kind}", loaded)
        layers.append(layer)
        keys.append(key)
    normalize = keys[-1:] == ["normalize"]
    n_kept = len(keys) - normalize
    return Pooling(mode, normalize, dim, tuple(layers[:n_kept]), tuple(keys[:n_kept]))


def _unsupported(what, loaded):
    """Return the error for a pooling that the embedder cannot compute."""
    return ValueError(
        "With pooling='auto', the modules of a sentence-transformers model must be a "
        f"Transformer, one Pooling ({', '.join(_POOLINGS)}), Dense and Normalize; got "
        f"{what} in {loaded.place!r}. Pass pooling='mean', 'cls', 'last' or 'max' to "
        "use only the hidden states of the model, or use another model."
    )


def _list_modules(loaded) -> list:
    """Return the type and the folder of each module of sentence-transformers."""
    place, name = loaded.place, "modules.json"
    with loading_advice(place, place):
        try:
            modules = read_json(place, name, loaded.options)
        except OSError as error:
            if Path(place).is_dir():
                raise
            warnings.warn(
                f"The {name} of {place!r} could not be read ({error}). It may state a "
                "pooling other than 'mean', the pooling that is now used. Pass "
                "pooling='mean' or another value, or try again later.",
                stacklevel=2,
            )
            return []
        if modules is None:
            if Path(place, "1_Pooling").is_dir():
                raise FileNotFoundError(
                    f"{name} is missing beside the folder 1_Pooling"
                )
            return []
        # Shorten names such as "sentence_transformers.models.Pooling" to "Pooling". The
        # names of other classes are not shortened.
        kinds = [
            re.sub(r"^sentence_transformers\..*\.", "", one["type"]) for one in modules
        ]
        return list(zip(kinds, [one["path"] for one in modules], strict=True))


def _check_inputs(loaded) -> None:
    """Raise an error if sentence-transformers would change texts before embedding."""
    place, options = loaded.place, loaded.options
    with loading_advice(place, place):
        prompts = read_json(place, _PROMPT_CONFIG, options) or {}
        prompt = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name"))
        lower = (read_json(place, SENTENCE_CONFIG, options) or {}).get("do_lower_case")
    if prompt:
        raise _unsupported(f"the default prompt {prompt!r}", loaded)
    encoded = loaded.tokenizer(["BRAIN", "brain"])["input_ids"]
    if lower and encoded[0] != encoded[1]:
        raise _unsupported(f"do_lower_case=True in {SENTENCE_CONFIG}", loaded)


def _read_config(loaded, folder) -> dict:
    """Return the configuration of a module of sentence-transformers."""
    config = read_json(loaded.place, f"{folder}/config.json", loaded.options)
    if config is None:
        raise FileNotFoundError(f"{folder}/config.json is missing")
    return dict(config)


def _read_mode(loaded, folder) -> str:
    """Return the value of `pooling` for a module Pooling of sentence-transformers."""
    with loading_advice(loaded.place, loaded.place):
        config = _read_config(loaded, folder)
    # Older files contain one entry per mode, such as "pooling_mode_mean_tokens": true.
    modes = config.get("pooling_mode") or [
        re.sub("_tokens?$", "", key.removeprefix("pooling_mode_"))
        for key, is_used in config.items()
        if key.startswith("pooling_mode_") and is_used
    ]
    modes = [modes] if isinstance(modes, str) else modes or ["mean"]
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise _unsupported(f"the pooling {' and '.join(map(str, modes))}", loaded)
    return _POOLINGS[modes[0]]


def _read_dense(loaded, folder, dim):
    """Return the layer of a module Dense for inputs of length `dim`, and its key."""
    with loading_advice(loaded.place, loaded.place):
        config = _read_config(loaded, folder)
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    function = activation.rpartition(".")[-1]
    is_known = activation.startswith("torch.nn.") and function in _ACTIVATIONS
    names = {config.get("module_input_name"), config.get("module_output_name")}
    if not is_known:
        raise _unsupported(f"a Dense with the activation {activation}", loaded)
    if config.get("use_residual") or names - {None, "sentence_embedding"}:
        raise _unsupported("a Dense with use_residual or other inputs", loaded)
    with loading_advice(loaded.place, loaded.place):
        weights = find_file(loaded.place, f"{folder}/model.safetensors", loaded.options)
        if weights is None:
            raise FileNotFoundError(f"{folder}/model.safetensors is missing")
        # On the meta device, a layer uses no memory and draws no random numbers.
        with torch.device("meta"):
            linear = torch.nn.Linear(
                dim, config["out_features"], bias=config.get("bias", True)
            )
        tensors = {
            key.removeprefix("linear."): tensor.float()
            for key, tensor in load_file(weights).items()
        }
        linear.load_state_dict(tensors, assign=True)
    digest = hashlib.sha256(function.encode())
    for key in sorted(tensors):
        digest.update(tensors[key].numpy().tobytes())
    layer = torch.nn.Sequential(linear, getattr(torch.nn, function)())
    return layer.to(loaded.device).eval(), f"dense-{digest.hexdigest()[:16]}"


def _check_finite(vectors, text_rows, texts, dtype):
    """Check that vectors are finite, because a store would save them permanently."""
    wrong = text_rows[~np.isfinite(vectors).all(axis=1)]
    if len(wrong):
        raise ValueError(
            f"The embedding of the text that begins with "
            f"{texts[wrong[0]][:_N_CHARACTERS_SHOWN]!r} must be finite; got NaN or "
            f"infinity with dtype {dtype}. If the dtype is float16, use 'bfloat16' or "
            "'float32', which have a larger range. If the error persists, the weights "
            "are corrupted."
        )
