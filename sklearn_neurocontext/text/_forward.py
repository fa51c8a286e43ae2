"""Chunks of many texts through the model, batched by length."""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ._chunking import batches_by_tokens, pool_states, split_windows, weigh_chunks

# Vectors stay on the device and finished texts wait for this long: a GPU is not held
# up after each batch, and a run that is killed loses no more than this.
_SECONDS_BETWEEN_YIELDS = 2.0
_CHARACTERS_SHOWN = 60


@dataclass(frozen=True)
class ChunkSettings:
    """What is done with a text's tokens, as the embedder's parameters have it."""

    window: int
    overlap: int
    pooling: str
    normalize: bool
    weighting: str
    batch_tokens: int


@dataclass(frozen=True, eq=False)
class Chunks:
    """Windows of the texts of one block: where each lies in one array of tokens."""

    tokens: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    owners: np.ndarray


class Finished(NamedTuple):
    """Texts that are done, and what went through the model since the last ones."""

    rows: np.ndarray
    vectors: np.ndarray
    n_tokens: int
    share: float


def make_chunks(texts, language_model, window, overlap) -> Chunks:
    """Cut texts into windows of tokens, special tokens not included.

    Parameters
    ----------
    texts : list of str
        The texts.
    language_model : LanguageModel
        Its tokenizer and special tokens.
    window, overlap : int
        Tokens without the special ones.

    Returns
    -------
    chunks : Chunks
        Owners are rows of `texts`, rising.

    Raises
    ------
    ValueError
        If the tokenizer finds no token in a text and has no special ones.
    """
    encoded = language_model.tokenizer(
        [_valid(text) for text in texts],
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
    if not language_model.before and not language_model.after:
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
                starts + first
                for (starts, _), first in zip(windows, offsets, strict=True)
            ]
        ),
        sizes=np.concatenate([sizes for _, sizes in windows]),
        owners=np.repeat(np.arange(len(texts)), [len(sizes) for _, sizes in windows]),
    )


def _valid(text):
    """Put U+FFFD for halves of surrogate pairs, which tokenizers do not take."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def embed_texts(texts, language_model, settings):
    """Embed texts, and give them out as they finish.

    Parameters
    ----------
    texts : list of str
        All different.
    language_model : LanguageModel
        Tokenizer and model.
    settings : ChunkSettings
        What changes numbers, and the size of batches.

    Yields
    ------
    finished : Finished
        Rows of `texts` that are done since the last time, maybe none, their
        embeddings, tokens embedded and their share of all. Each row comes once.

    Raises
    ------
    ValueError
        If the model gives NaN or infinity for a text, or the tokenizer no token.
    """
    chunks = make_chunks(texts, language_model, settings.window, settings.overlap)
    weights = weigh_chunks(chunks.sizes, chunks.owners, settings.weighting)
    chunks_left = np.bincount(chunks.owners)
    sums = np.zeros((len(texts), language_model.embedding_dim))
    for indices, vectors, n_tokens in _chunk_vectors(chunks, language_model, settings):
        owners = chunks.owners[indices]
        _check_finite(vectors, owners, texts, language_model.dtype)
        np.add.at(sums, owners, weights[indices, None] * vectors)
        chunks_left -= np.bincount(owners, minlength=len(texts))
        rows = np.unique(owners)
        rows = rows[chunks_left[rows] == 0]
        share = len(indices) / len(chunks.sizes)
        yield Finished(rows, sums[rows].astype(np.float32), n_tokens, share)


def _check_finite(vectors, owners, texts, dtype):
    """Refuse what overflowed: a store would keep it forever."""
    wrong = owners[~np.isfinite(vectors).all(axis=1)]
    if len(wrong):
        raise ValueError(
            f"The text that begins with {texts[wrong[0]][:_CHARACTERS_SHOWN]!r} gives, "
            f"in {dtype}, NaN or infinity; expected finite numbers. Numbers that "
            "overflow in float16 fit into dtype='bfloat16' or 'float32'; if they are "
            "wrong there, too, the weights are damaged."
        )


def _chunk_vectors(chunks, language_model, settings):
    """Run batches; now and then yield their chunks, vectors and tokens."""
    n_special = language_model.n_special
    batches = batches_by_tokens(chunks.sizes + n_special, settings.batch_tokens)
    waiting, started = [], time.monotonic()
    for number, batch in enumerate(batches, 1):
        waiting.append((batch, _run_batch(chunks, batch, language_model, settings)))
        now = time.monotonic()
        if now - started < _SECONDS_BETWEEN_YIELDS and number < len(batches):
            continue
        indices = np.concatenate([batch for batch, _ in waiting])
        vectors = torch.cat([vectors for _, vectors in waiting]).cpu().numpy()
        yield indices, vectors, int(chunks.sizes[indices].sum())
        waiting, started = [], now


@torch.inference_mode()
def _run_batch(chunks, batch, language_model, settings):
    """Give the vectors of one batch of chunks, float32, still on the device."""
    ids, lengths = pad_chunks(chunks, batch, language_model)
    ids = torch.from_numpy(ids).to(language_model.device)
    lengths = torch.from_numpy(lengths)
    # Without a mask, attention takes its fastest way. It is needed only where a token
    # could look at padding: on the right, a causal model never does.
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
    """Wrap chunks into special tokens and pad them on the right.

    On the left, positions would shift with the neighbours.

    Parameters
    ----------
    chunks : Chunks
        All chunks of a block.
    batch : ndarray of shape (n_chunks,), int
        Those to take.
    language_model : LanguageModel
        Its special tokens.

    Returns
    -------
    ids : ndarray of shape (n_chunks, n_tokens), int64
        Token numbers.
    lengths : ndarray of shape (n_chunks,), int64
        Tokens of each, special ones included.
    """
    before, after = language_model.before, language_model.after
    sizes = chunks.sizes[batch][:, None]
    n_before = len(before)
    lengths = sizes[:, 0] + n_before + len(after)
    ids = np.full((len(batch), lengths.max()), language_model.pad_id, dtype=np.int64)
    ids[:, :n_before] = before
    places = np.arange(sizes.max())
    inside = places < sizes
    rows, columns = np.nonzero(inside)
    found = chunks.starts[batch][rows] + columns
    ids[rows, n_before + columns] = chunks.tokens[found]
    for shift, token in enumerate(after):
        ids[np.arange(len(batch)), n_before + sizes[:, 0] + shift] = token
    return ids, lengths
