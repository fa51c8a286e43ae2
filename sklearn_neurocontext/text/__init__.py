"""Transformers from texts to embeddings."""

from ._chunk_embedder import LLMChunkEmbedder
from ._coordinates import strip_coordinates
from ._term_counts import TermCounts

__all__ = ["LLMChunkEmbedder", "TermCounts", "strip_coordinates"]
