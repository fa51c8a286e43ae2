"""Systems that the NeuroConText paper compares with, as estimators."""

from ._neurosynth import NeurosynthMaps, association_z, peak_indicators
from ._text2brain import Text2Brain

__all__ = [
    "NeurosynthMaps",
    "Text2Brain",
    "association_z",
    "peak_indicators",
]
