"""A model that is ready to use, called as NeuroQuery is."""

from ._neurocontext_model import NeuroContextModel

__all__ = ["NeuroContextModel"]
