"""A name for what a fitted model computes."""

import hashlib
import json

from .._utils.validation import check_is_fitted
from ._model import _write_estimator
from ._values import Writer


def fingerprint(model) -> str:
    """Hash what `save_model` would write of a fitted model.

    Parameters
    ----------
    model : estimator
        Fitted, of a type that `save_model` saves.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal: another model has another one. The same model may have
        another one on another machine, where its last digits differ.

    Raises
    ------
    TypeError
        If the model, a part of it or a parameter has a type that cannot be saved.
    """
    check_is_fitted(model)
    writer = Writer(half=False, write_estimator=_write_estimator)
    content = _write_estimator(writer, model, "model")
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(writer.arrays):
        digest.update(name.encode())
        digest.update(memoryview(writer.arrays[name]).cast("B"))
    return digest.hexdigest()
