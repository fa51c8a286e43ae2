"""Embed texts chunk by chunk: windows of tokens, batches, pooled vectors, averages."""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

# A batch may hold chunks of one length only, without padding or mask, from this share
# of its token budget on.
_MIN_FULL_SHARE = 0.25
# Vectors stay on the device for this long: a GPU is not synchronized after each batch,
# and a killed run loses no more than this.
_SECONDS_BETWEEN_YIELDS = 2.0
_CHARACTERS_SHOWN = 60


@dataclass(frozen=True)
class ChunkSettings:
    """Parameters of the embedder; `window` and `overlap` exclude special tokens."""

    window: int
    overlap: int
    pooling: str
    normalize: bool
    weighting: str
    batch_tokens: int


@dataclass(frozen=True, eq=False)
class Chunks:
    """Windows of several texts in one array of tokens, without special tokens.

    All are int64, `tokens` of shape (n_tokens,), the others of shape (n_chunks,);
    `owners` are the rows of the texts.
    """

    tokens: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    owners: np.ndarray


class FinishedTexts(NamedTuple):
    """Rows and embeddings of finished texts.

    `n_tokens` and `share` (of all chunks) count the work since the last ones.
    """

    rows: np.ndarray
    vectors: np.ndarray
    n_tokens: int
    share: float


def choose_chunk_size(chunk_size, overlap: int, language_model) -> int:
    """Return the chunk size, special tokens included, and check that it can be used."""
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
            f"chunk_size={chosen} leaves {window} tokens beside the special ones; "
            f"expected more than chunk_overlap={overlap}. Raise chunk_size or lower "
            "chunk_overlap."
        )
    return chosen


def embed_texts(texts, language_model, settings: ChunkSettings):
    """Embed a list of texts and yield `FinishedTexts`, each row once."""
    chunks = make_chunks(texts, language_model, settings.window, settings.overlap)
    weights = weigh_chunks(chunks.sizes, chunks.owners, settings.weighting)
    n_chunks_left = np.bincount(chunks.owners)
    sums = np.zeros((len(texts), language_model.embedding_dim))
    for indices, vectors, n_tokens in _chunk_vectors(chunks, language_model, settings):
        owners = chunks.owners[indices]
        _check_finite(vectors, owners, texts, language_model.dtype)
        np.add.at(sums, owners, weights[indices, None] * vectors)
        n_chunks_left -= np.bincount(owners, minlength=len(texts))
        rows = np.unique(owners)
        rows = rows[n_chunks_left[rows] == 0]
        share = len(indices) / len(chunks.sizes)
        yield FinishedTexts(rows, sums[rows].astype(np.float32), n_tokens, share)


def make_chunks(texts, language_model, window: int, overlap: int) -> Chunks:
    """Tokenize texts and cut them into windows."""
    encoded = language_model.tokenizer(
        [_replace_surrogates(text) for text in texts],
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
    if not language_model.n_special:
        for text, tokens in zip(texts, encoded, strict=True):
            if not tokens:
                raise ValueError(
                    f"The tokenizer finds no token in the text {text!r}; expected at "
                    "least one. Drop this study, or fill in its text."
                )
    windows = [split_windows(len(tokens), window, overlap) for tokens in encoded]
    offsets = np.cumsum([0, *(len(tokens) for tokens in encoded)])[:-1]
    return Chunks(
        tokens=np.concatenate([np.asarray(tokens, np.int64) for tokens in encoded]),
        starts=np.concatenate(
            [
                starts + offset
                for (starts, _), offset in zip(windows, offsets, strict=True)
            ]
        ),
        sizes=np.concatenate([sizes for _, sizes in windows]),
        owners=np.repeat(np.arange(len(texts)), [len(sizes) for _, sizes in windows]),
    )


def _replace_surrogates(text):
    """Replace halves of surrogate pairs, which tokenizers do not take, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def split_windows(n_tokens: int, window: int, overlap: int = 0) -> tuple:
    """Return starts and sizes, both of shape (n_windows,), of the windows of a text.

    A text without tokens has one empty window.

    >>> from sklearn_neurocontext.text._chunking import split_windows
    >>> split_windows(5, 2)
    (array([0, 2, 4]), array([2, 2, 1]))
    >>> split_windows(5, 3, overlap=1)
    (array([0, 2]), array([3, 3]))
    """
    starts = np.arange(0, max(n_tokens - overlap, 1), window - overlap)
    return starts, np.minimum(window, n_tokens - starts)


def weigh_chunks(sizes, owners, weighting: str) -> np.ndarray:
    """Return the weights of chunks, shape (n_chunks,); those of a text sum to one.

    >>> from sklearn_neurocontext.text._chunking import weigh_chunks
    >>> weigh_chunks(np.array([3, 1, 2]), np.array([0, 0, 1]), "tokens")
    array([0.75, 0.25, 1.  ])
    """
    raw = np.ones(len(sizes)) if weighting == "uniform" else np.maximum(sizes, 1.0)
    return raw / np.bincount(owners, weights=raw)[owners]


def _chunk_vectors(chunks, language_model, settings):
    """Run all batches; yield indices of chunks, their vectors and number of tokens."""
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
    """Group chunks of similar length; return arrays of indices, the shortest first.

    A batch has at most `batch_tokens` tokens with padding, or is a single chunk.

    >>> from sklearn_neurocontext.text._chunking import batches_by_tokens
    >>> [batch.tolist() for batch in batches_by_tokens([2, 5, 3], 12)]
    [[0, 2], [1]]
    """
    lengths = np.asarray(lengths)
    # Stable: the full chunks of a long text stay side by side, so texts finish in turn.
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    ordered = lengths[order]
    while start < len(order):
        # Lengths ascend, so the last chunk of a batch determines its padding.
        padded = ordered[start:] * np.arange(1, len(order) - start + 1)
        size = max(1, int(np.searchsorted(padded, batch_tokens, side="right")))
        n_same = int(np.searchsorted(ordered[start:], ordered[start], side="right"))
        if n_same < size and n_same * ordered[start] >= _MIN_FULL_SHARE * batch_tokens:
            size = n_same
        batches.append(order[start : start + size])
        start += size
    return batches


@torch.inference_mode()
def _run_batch(chunks, batch, language_model, settings):
    """Return vectors (n_chunks, embedding_dim), float32, still on the device."""
    ids, lengths = pad_chunks(chunks, batch, language_model)
    ids = torch.from_numpy(ids).to(language_model.device)
    lengths = torch.from_numpy(lengths)
    # Attention is fastest without a mask, which is needed only if a token could attend
    # to padding: on the right of it, the tokens of a causal model cannot.
    mask = None
    if not language_model.is_causal and lengths.min() < lengths.max():
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        mask = mask.long().to(language_model.device)
    states = language_model.model(input_ids=ids, attention_mask=mask).last_hidden_state
    lengths = lengths.to(language_model.device)
    vectors = pool_states(states, lengths, settings.pooling).float()
    if settings.normalize:
        vectors = torch.nn.functional.normalize(vectors, dim=1)
    return vectors


def pad_chunks(chunks, batch, language_model):
    """Add special tokens and padding to a batch.

    Returns ids (n_chunks, n_tokens) and lengths (n_chunks,), both int64.
    """
    prefix, suffix = language_model.prefix_ids, language_model.suffix_ids
    sizes = chunks.sizes[batch][:, None]
    n_prefix = len(prefix)
    lengths = sizes[:, 0] + n_prefix + len(suffix)
    # Padding on the left would shift positions, depending on the batch.
    ids = np.full((len(batch), lengths.max()), language_model.pad_id, dtype=np.int64)
    ids[:, :n_prefix] = prefix
    rows, columns = np.nonzero(np.arange(sizes.max()) < sizes)
    places = chunks.starts[batch][rows] + columns
    ids[rows, n_prefix + columns] = chunks.tokens[places]
    for shift, token in enumerate(suffix):
        ids[np.arange(len(batch)), n_prefix + sizes[:, 0] + shift] = token
    return ids, lengths


def pool_states(states, lengths, pooling: str):
    """Reduce states (n_chunks, n_tokens, dim) to vectors (n_chunks, dim).

    Tokens from `lengths` (n_chunks,) on are padding.
    """
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[range(len(states)), lengths - 1]
    states = states.float()
    positions = lengths.new_ones(states.shape[1]).cumsum(0)
    # States of padding may be NaN, so they are replaced rather than weighted by zero.
    padding = positions > lengths[:, None]
    if padding.any():
        states = states.masked_fill(padding.unsqueeze(-1), 0)
    return states.sum(1) / lengths[:, None]


def _check_finite(vectors, owners, texts, dtype):
    """Refuse NaN and infinity, which a store would keep forever."""
    wrong = owners[~np.isfinite(vectors).all(axis=1)]
    if len(wrong):
        raise ValueError(
            f"The embedding of the text that begins with "
            f"{texts[wrong[0]][:_CHARACTERS_SHOWN]!r} must be finite; got NaN or "
            f"infinity in {dtype}. Try dtype='bfloat16' or 'float32', where the "
            "overflow of float16 does not occur; if it remains, the weights are "
            "corrupted."
        )
