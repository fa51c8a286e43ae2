"""Save and load models as safetensors and JSON, never as pickles."""

from ._format import SAVED_FILES, hash_folder
from ._model import fingerprint, load_model, load_values, save_model, save_values

__all__ = [
    "SAVED_FILES",
    "fingerprint",
    "hash_folder",
    "load_model",
    "load_values",
    "save_model",
    "save_values",
]
