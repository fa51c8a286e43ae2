"""Transformers from texts to embeddings, and the store that keeps these."""

from ._chunk_embedder import LLMChunkEmbedder
from ._coordinates import strip_coordinates
from ._store import EmbeddingStore, StoreWarning
from ._term_counts import TermCounts

__all__ = [
    "EmbeddingStore",
    "LLMChunkEmbedder",
    "StoreWarning",
    "TermCounts",
    "strip_coordinates",
]
