"""Transformers from texts to embeddings, and the store that keeps these."""

from ._chunk_embedder import LLMChunkEmbedder
from ._store import EmbeddingStore, StoreWarning

__all__ = ["EmbeddingStore", "LLMChunkEmbedder", "StoreWarning"]
