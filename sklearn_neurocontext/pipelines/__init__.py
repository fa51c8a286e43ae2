"""Named pipelines from raw text to the shared space: the best settings known."""

from ._best import best_text_brain

__all__ = ["best_text_brain"]
