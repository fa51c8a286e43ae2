"""A trained model with all that it needs, called as NeuroQuery is."""

from ._neurocontext_model import NeuroContextModel

__all__ = ["NeuroContextModel"]
