"""Systems that the NeuroConText paper compares with, as estimators."""

from ._text2brain import Text2Brain

__all__ = [
    "Text2Brain",
]
