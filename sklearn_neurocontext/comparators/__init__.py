"""Estimators for the systems with which the NeuroConText paper compares its model."""

from ._neuroquery import NeuroQuery
from ._neurosynth import NeurosynthMaps, association_z, peak_indicators
from ._text2brain import Text2Brain

__all__ = [
    "NeuroQuery",
    "NeurosynthMaps",
    "Text2Brain",
    "association_z",
    "peak_indicators",
]
