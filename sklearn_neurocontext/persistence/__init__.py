"""Save and load models as safetensors and JSON, never as pickles."""

from ._model import load_model, save_model

__all__ = ["load_model", "save_model"]
