"""Embeddings and term counts of texts, and a store of embeddings on disk."""

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
