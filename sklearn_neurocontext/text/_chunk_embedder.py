"""Texts of any length to embeddings."""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from .._validation import (
    Integral,
    Interval,
    Options,
    StrOptions,
    check_is_fitted,
    check_texts,
    fit_context,
)
from ._cache import PROCESS_CACHE, text_key
from ._default_model import DEFAULT_MODEL

# Texts that are tokenized and sorted together: bounds memory over any corpus.
_LOOK_AHEAD = 4096


class LLMChunkEmbedder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Embeddings of texts of any length: chunks through a language model, averaged.

    A text's tokens are cut into windows without losing one; each window, wrapped in the
    tokenizer's special tokens, gives the pooled last hidden states, brought to norm
    one; a text's embedding is the mean over its windows.

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
        How hidden states become one vector per chunk.
    normalize_chunks : bool, default=True
        Whether chunk vectors are brought to norm one before averaging, as in the
        published code.
    batch_tokens : int, default=4096
        Tokens in a padded batch at most.
    device : str, default="cpu"
        Torch device.
    dtype : {"float32", "bfloat16", "float16"}, default="float32"
        Precision of the model.
    revision : str or None, default=None
        Commit of the model on the hub.
    trust_remote_code : bool, default=False
        Whether code that comes with a model may run.
    cache : None or False, default=None
        None keeps the embeddings of this process by content, so that folds and
        searches never embed a text twice; False keeps none.

    Attributes
    ----------
    chunk_size_ : int
        Tokens in a chunk, special tokens included.
    embedding_dim_ : int
        Length of an embedding.

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
        "batch_tokens": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "dtype": [StrOptions({"float32", "bfloat16", "float16"})],
        "revision": [str, None],
        "trust_remote_code": ["boolean"],
        "cache": [Options(bool, {False}), None],
    }

    def __init__(
        self,
        model_name=DEFAULT_MODEL,
        chunk_size=None,
        *,
        chunk_overlap=0,
        pooling="mean",
        normalize_chunks=True,
        batch_tokens=4096,
        device="cpu",
        dtype="float32",
        revision=None,
        trust_remote_code=False,
        cache=None,
    ):
        self.model_name = model_name
        self.chunk_size = chunk_size
        self.chunk_overlap = chunk_overlap
        self.pooling = pooling
        self.normalize_chunks = normalize_chunks
        self.batch_tokens = batch_tokens
        self.device = device
        self.dtype = dtype
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self.cache = cache

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, texts, y=None):
        """Load the model and fix the chunk size; nothing is learned from the texts.

        Parameters
        ----------
        texts : sequence of str
            Checked only.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : LLMChunkEmbedder
            The fitted embedder.
        """
        check_texts(texts)
        language_model = self._language_model()
        limit = language_model.max_tokens
        self.chunk_size_ = self.chunk_size or limit
        if self.chunk_size_ > limit:
            raise ValueError(
                f"chunk_size={self.chunk_size} is more than the {limit} tokens that "
                f"{self.model_name} takes. Lower it, or pass None."
            )
        window = self._window(language_model)
        if window < 1 or self.chunk_overlap >= window:
            raise ValueError(
                f"chunk_size={self.chunk_size_} leaves {window} tokens beside the "
                f"special ones; expected more than chunk_overlap={self.chunk_overlap}. "
                "Raise chunk_size or lower chunk_overlap."
            )
        self.embedding_dim_ = int(language_model.model.config.hidden_size)
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
        settings = self._settings()
        keys = [text_key(text, settings) for text in texts]
        known = {}
        if self.cache is None:
            known = {key: PROCESS_CACHE.get(key) for key in keys}
            known = {key: vector for key, vector in known.items() if vector is not None}
        missing = dict(zip(keys, texts, strict=True))
        missing = [(key, text) for key, text in missing.items() if key not in known]
        for start in range(0, len(missing), _LOOK_AHEAD):
            part = missing[start : start + _LOOK_AHEAD]
            vectors = self._embed([text for _, text in part])
            for (key, _), vector in zip(part, vectors, strict=True):
                known[key] = vector
                if self.cache is None:
                    PROCESS_CACHE.put(key, vector)
        return np.stack([known[key] for key in keys])

    def _embed(self, texts):
        """Embed texts that are all different and not in the cache."""
        from ._forward import embed_chunks, make_chunks

        language_model = self._language_model()
        chunks, owners = make_chunks(
            texts,
            language_model,
            self._window(language_model),
            self.chunk_overlap,
        )
        vectors = embed_chunks(
            chunks,
            language_model,
            pooling=self.pooling,
            normalize=self.normalize_chunks,
            batch_tokens=self.batch_tokens,
            device=self.device,
        )
        sums = np.zeros((len(texts), vectors.shape[1]), dtype=np.float64)
        np.add.at(sums, owners, vectors)
        return (sums / np.bincount(owners)[:, None]).astype(np.float32)

    def _language_model(self):
        from ._language_model import load_language_model

        return load_language_model(
            self.model_name,
            self.revision,
            self.device,
            self.dtype,
            self.trust_remote_code,
        )

    def _window(self, language_model):
        """Count the tokens of a chunk beside the special ones."""
        n_special = len(language_model.before) + len(language_model.after)
        return self.chunk_size_ - n_special

    def _settings(self):
        """Write down all that changes numbers, for the key of the cache."""
        return "|".join(
            str(fact)
            for fact in (
                self._language_model().fingerprint,
                self.chunk_size_,
                self.chunk_overlap,
                self.pooling,
                self.normalize_chunks,
                self.dtype,
            )
        )

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
