"""Texts to embeddings and term counts, and a store that caches embeddings on disk."""

from ._chunk_embedder import LLMChunkEmbedder
from ._store import EmbeddingStore, StoreWarning
from ._strip_coordinates import strip_coordinates
from ._term_counts import TermCounts

__all__ = [
    "EmbeddingStore",
    "LLMChunkEmbedder",
    "StoreWarning",
    "TermCounts",
    "strip_coordinates",
]
