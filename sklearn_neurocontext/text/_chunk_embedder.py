"""Texts of any length to embeddings."""

import os

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from .._utils.validation import (
    Integral,
    Interval,
    StrOptions,
    check_is_fitted,
    check_texts,
    fit_context,
)
from ._blocks import stream_blocks
from ._chunking import choose_chunk_size
from ._default_model import DEFAULT_MODEL


class LLMChunkEmbedder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Embeddings of texts of any length: chunks through a language model, averaged.

    A text's tokens are cut into windows without losing one; each window, wrapped in the
    tokenizer's special tokens, gives the pooled last hidden states, brought to norm
    one; a text's embedding is the weighted mean over its windows.

    Parameters
    ----------
    model_name : str, default="sentence-transformers/all-MiniLM-L6-v2"
        Hugging Face name or local folder, encoder or decoder, with safetensors weights.
        The default comes with the extra ``[minilm]`` and needs no network.
    chunk_size : int or None, default=None
        Tokens in a chunk, special tokens included; None takes the smallest limit that
        the model states.
    chunk_overlap : int, default=0
        Tokens that neighbouring chunks share.
    pooling : {"mean", "cls", "last"}, default="mean"
        How hidden states become one vector per chunk: their mean, the first one, or the
        last one. Special tokens count.
    normalize_chunks : bool, default=True
        Whether chunk vectors are brought to norm one before averaging, as in the
        published code.
    chunk_weighting : {"uniform", "tokens"}, default="uniform"
        Whether the chunks of a text count alike, as in the article, or in proportion to
        their tokens, so that a short last chunk counts less.
    batch_tokens : int, default=2048
        Tokens in a padded batch at most. The default is the fastest for MiniLM on two
        cores; GPUs want more.
    device : str, default="cpu"
        Torch device; ``"auto"`` takes a GPU where there is one.
    dtype : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the model. ``"auto"`` is bfloat16 on CUDA cards that compute in it,
        float32 elsewhere.
    revision : str or None, default=None
        Commit, tag or branch of the model on the hub.
    trust_remote_code : bool, default=False
        Whether code that comes with a model may run; from the hub only together with a
        commit as `revision`.
    token_env_variable : str or None, default=None
        Name of the environment variable that holds a token of the hub, for models
        behind one. The token itself is never stored.
    cache : "memory", path-like or None, default="memory"
        Where embeddings are kept by content, so that folds, shuffles and searches never
        embed a text twice: ``"memory"`` is this process's, up to 512 MiB; a path is
        a store on this host's disk, see `EmbeddingStore`, which outlives the process
        and lets a run that was killed go on; None keeps nothing.
    n_jobs : int or None, default=None
        Workers of joblib that embed blocks of texts; None is one, this process, unless
        ``joblib.parallel_config`` says otherwise, for example ``backend="dask"``.
    shards : path-like or None, default=None
        Folder on each worker's own disk where it keeps what it has embedded, in a store
        of its own, beside giving it back; ``neurocontext embed --merge`` joins them.

    Attributes
    ----------
    chunk_size_ : int
        Tokens in a chunk, special tokens included.
    embedding_dim_ : int
        Length of an embedding.
    dtype_ : str
        Precision of the model.

    See Also
    --------
    sklearn_neurocontext.text.EmbeddingStore : What a path given as `cache` becomes.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024, section 2: embeddings of chunks,
    averaged.

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
        "pooling": [StrOptions({"mean", "cls", "last"})],
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
        model_name=DEFAULT_MODEL,
        chunk_size=None,
        *,
        chunk_overlap=0,
        pooling="mean",
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
        """Load the model and fix the chunk size; nothing is learned from the texts.

        Parameters
        ----------
        texts : sequence of str or None, default=None
            Checked only.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : LLMChunkEmbedder
            The fitted embedder.

        Raises
        ------
        OSError
            If the model cannot be had; the message names both ways to get it.
        ValueError
            If chunk size, overlap, device or token cannot be used.
        """
        if texts is not None:
            check_texts(texts)
        language_model = self._language_model()
        self.chunk_size_ = choose_chunk_size(
            self.chunk_size, self.chunk_overlap, language_model
        )
        self.embedding_dim_ = language_model.embedding_dim
        self.dtype_ = language_model.dtype
        return self

    def transform(self, texts):
        """Embed texts.

        Parameters
        ----------
        texts : sequence of str
            None of them empty.

        Returns
        -------
        embeddings : ndarray of shape (n_texts, embedding_dim_), float32
            In the order of the texts.

        Raises
        ------
        TypeError, ValueError
            If a row is no string, or empty; the message names the rows.
        """
        check_is_fitted(self)
        texts = check_texts(texts)
        places = {}
        rows = [places.setdefault(text, len(places)) for text in texts]
        embeddings = np.empty((len(places), self.embedding_dim_), dtype=np.float32)
        for block in self.embed_blocks(list(places)):
            last_row = block.first_row + len(block.vectors)
            embeddings[block.first_row : last_row] = block.vectors
        return embeddings if len(places) == len(texts) else embeddings[rows]

    def embed_blocks(self, texts, on_progress=None):
        """Embed a stream of texts of any length in little memory.

        Parameters
        ----------
        texts : iterable of str
            A generator, for example. It is read block by block, no further than is
            needed to batch texts of similar length. Texts that repeat are embedded once
            as long as the cache keeps them.
        on_progress : callable or None, default=None
            Called as ``on_progress(n_tokens, n_characters)``: tokens that went through
            the model and characters that are done, known texts included, both since the
            last call.

        Yields
        ------
        block : EmbeddedBlock
            Embeddings of consecutive texts, in their order. With a store as `cache`,
            these are on the disk when the block comes out.

        Raises
        ------
        TypeError, ValueError
            As `transform`; blocks before the row came out.
        """
        check_is_fitted(self)
        yield from stream_blocks(self, texts, on_progress or (lambda *done: None))

    def settings_key(self) -> str:
        """Write down all that changes numbers: with a text, the key of its embedding.

        Returns
        -------
        settings : str
            Hash of weights and tokenizer, precision, and how chunks are made, pooled
            and averaged. Device, batch size and the model's name are not part of it.
        """
        check_is_fitted(self)
        language_model = self._language_model()
        facts = [language_model.fingerprint, language_model.dtype, self.chunk_size_]
        facts += [self.chunk_overlap, self.pooling, self.normalize_chunks]
        return "|".join(str(fact) for fact in [*facts, self.chunk_weighting])

    def _embed(self, texts):
        """Embed texts that are all different and not in the cache, as they finish."""
        from ._forward import ChunkSettings, embed_texts

        language_model = self._language_model()
        settings = ChunkSettings(
            window=self.chunk_size_ - language_model.n_special,
            overlap=self.chunk_overlap,
            pooling=self.pooling,
            normalize=self.normalize_chunks,
            weighting=self.chunk_weighting,
            batch_tokens=self.batch_tokens,
        )
        return embed_texts(texts, language_model, settings)

    def _language_model(self):
        from ._language_model import ModelSource, load_language_model

        source = {field: getattr(self, field) for field in ModelSource._fields}
        return load_language_model(ModelSource(**source))

    @property
    def _n_features_out(self):
        """Number of columns, for `get_feature_names_out`."""
        return self.embedding_dim_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedding_dim_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
