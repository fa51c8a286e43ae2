"""Systems that the NeuroConText paper compares with, as estimators."""

from ._neuroquery import NeuroQuery
from ._neurosynth import NeurosynthMaps, association_z, peak_indicators

__all__ = [
    "NeuroQuery",
    "NeurosynthMaps",
    "association_z",
    "peak_indicators",
]
