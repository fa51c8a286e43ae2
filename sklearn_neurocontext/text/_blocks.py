"""A stream of texts, block by block: what is known, what is to be embedded, where."""

import copy
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from .._utils.validation import check_texts
from ._cache import open_cache, text_key

# A block ends with whichever comes first. That is enough to batch texts of similar
# length, and bounds memory over any stream; a text is never divided.
_MOST_TEXTS = 4096
_MOST_CHARACTERS = 500_000
# Blocks that each worker is given before the next ones are read.
_BLOCKS_PER_WORKER = 4


@dataclass(frozen=True, eq=False)
class EmbeddedBlock:
    """Embeddings of some consecutive texts of a stream.

    Parameters
    ----------
    first_row : int
        Row of the first text in the stream.
    vectors : ndarray of shape (n_texts, embedding_dim), float32
        One embedding per text, in the order of the stream.

    Examples
    --------
    >>> from sklearn_neurocontext import LLMChunkEmbedder
    >>> embedder = LLMChunkEmbedder().fit()
    >>> for block in embedder.embed_blocks(iter(["reading words", "finger tapping"])):
    ...     print(block.first_row, block.vectors.shape)
    0 (2, 384)
    """

    first_row: int
    vectors: np.ndarray


def cut_into_blocks(texts):
    """Gather texts of a stream until there are enough to be batched.

    Parameters
    ----------
    texts : iterable of str
        Read no further than to the end of the block that is given out.

    Yields
    ------
    first_row : int
        Row of the block's first text.
    block : list of str
        Texts that hold something, at least one.

    Raises
    ------
    TypeError, ValueError
        If a row is no string, or empty; the message names the rows.
    """
    # Iterating over these gives characters, column names or keys.
    if isinstance(texts, str | bytes | Mapping) or getattr(texts, "ndim", 1) != 1:
        check_texts(texts)
    first_row, block, n_characters = 0, [], 0
    for text in texts:
        block.append(text)
        n_characters += len(text) if isinstance(text, str) else 0
        if len(block) == _MOST_TEXTS or n_characters >= _MOST_CHARACTERS:
            yield first_row, check_texts(block, first_row=first_row)
            first_row, block, n_characters = first_row + len(block), [], 0
    if block:
        yield first_row, check_texts(block, first_row=first_row)


def stream_blocks(embedder, texts, on_progress):
    """Embed a stream of texts, here or wherever joblib's backend has its workers.

    Parameters
    ----------
    embedder : LLMChunkEmbedder
        Fitted.
    texts : iterable of str
        The stream.
    on_progress : callable
        See `LLMChunkEmbedder.embed_blocks`.

    Yields
    ------
    block : EmbeddedBlock
        In the order of the stream.
    """
    n_jobs = effective_n_jobs(embedder.n_jobs)
    settings = embedder.settings_key()
    blocks = cut_into_blocks(texts)
    size = 1 if n_jobs == 1 else n_jobs * _BLOCKS_PER_WORKER
    with open_cache(embedder.cache) as cache:
        while group := list(islice(blocks, size)):
            keys = [[text_key(text, settings) for text in part] for _, part in group]
            vectors = cache.get_many({key for part in keys for key in part})
            parts = _missing_parts(group, keys, vectors)
            n_missing = sum(_count_characters(part.values()) for part in parts)
            n_all = sum(_count_characters(part) for _, part in group)
            on_progress(0, n_all - n_missing)
            run = _embed_here if n_jobs == 1 else _embed_elsewhere
            for finished in run(embedder, parts, on_progress, n_jobs):
                cache.put_many(finished)
                vectors.update(finished)
            for (first_row, _), part in zip(group, keys, strict=True):
                yield EmbeddedBlock(first_row, np.stack([vectors[k] for k in part]))


def _missing_parts(group, keys, known) -> list:
    """Find the texts of each block that neither the cache nor an earlier block has."""
    seen, parts = set(known), []
    for (_, texts), part_keys in zip(group, keys, strict=True):
        part = {
            key: text
            for key, text in zip(part_keys, texts, strict=True)
            if key not in seen
        }
        seen.update(part)
        if part:
            parts.append(part)
    return parts


def _embed_here(embedder, parts, on_progress, n_jobs):
    """Embed in this process; give out texts as they finish."""
    for part in parts:
        keys, n_characters = list(part), _count_characters(part.values())
        for finished in embedder._embed(list(part.values())):
            on_progress(finished.n_tokens, finished.share * n_characters)
            rows = zip(finished.rows, finished.vectors, strict=True)
            yield {keys[row]: vector for row, vector in rows}


def _embed_elsewhere(embedder, parts, on_progress, n_jobs):
    """Embed in joblib's workers, a block each at a time."""
    settings = embedder.settings_key()
    # A worker computes in the precision that this process has put into the keys.
    worker = copy.copy(embedder).set_params(cache=None, n_jobs=1, dtype=embedder.dtype_)
    results = _parallel(embedder.n_jobs)(
        delayed(_embed_part)(worker, settings, number, list(part.values()))
        for number, part in enumerate(parts)
    )
    for number, vectors, n_tokens in results:
        part = parts[number]
        on_progress(n_tokens, _count_characters(part.values()))
        yield dict(zip(part, vectors, strict=True))


def _parallel(n_jobs):
    """Take results as they arrive; all at the end where the backend cannot do that."""
    backend, _ = get_active_backend()
    streams = getattr(backend, "supports_return_generator", False)
    return_as = "generator_unordered" if streams else "list"
    return Parallel(n_jobs=n_jobs, batch_size=1, return_as=return_as)


def _embed_part(embedder, settings, number, texts):
    """Embed texts in a worker, which loads the model once; keep them in its shard."""
    found = embedder.settings_key()
    if found != settings:
        raise ValueError(
            f"The worker on {socket.gethostname()} has the model and settings {found}; "
            f"expected those of the process that sent the texts, {settings}. Bring the "
            "same files of the model to every host."
        )
    embedder = copy.copy(embedder)
    if embedder.shards is not None:
        folder = Path(embedder.shards).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        embedder.cache = folder / f"{socket.gethostname()}.sqlite"
    n_tokens = 0

    def count(n_more, n_characters):
        nonlocal n_tokens
        n_tokens += n_more

    blocks = list(stream_blocks(embedder, texts, count))
    vectors = np.concatenate([block.vectors for block in blocks])
    return number, vectors, n_tokens


def _count_characters(texts) -> int:
    return sum(len(text) for text in texts)
