"""Transformers from texts to embeddings."""

from ._chunk_embedder import LLMChunkEmbedder

__all__ = ["LLMChunkEmbedder"]
