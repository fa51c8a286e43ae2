"""Systems that the NeuroConText paper compares with, as estimators."""

from ._neurosynth import NeurosynthMaps, association_z, peak_indicators

__all__ = [
    "NeurosynthMaps",
    "association_z",
    "peak_indicators",
]
