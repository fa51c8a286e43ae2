"""The folder of a pretrained model: model, masker, and what was measured on studies."""

from importlib.resources import files
from pathlib import Path

import numpy as np

from ..persistence import load_model, save_model
from ..persistence._files import read_files, write_files

# Folders of models that come with the package.
SHIPPED = ("minilm",)
_FACTS = {
    "smoothing_fwhm": (int, float),
    "terms": dict,
    "unit_maps": bool,
    "card": dict,
}
_ARRAYS = ("mean", "z_scale", "reference", "term_features")


def write_folder(directory, model, masker, *, half, facts, arrays) -> Path:
    """Write a pretrained model into a new folder.

    Parameters
    ----------
    directory : path-like
        Must not exist, or be empty.
    model, masker : estimator
        Fitted.
    half : bool
        Whether floats are kept with 16 bits.
    facts : dict
        JSON values, by the names in `_FACTS`.
    arrays : dict of str to ndarray or None
        By the names in `_ARRAYS`.

    Returns
    -------
    directory : Path
        The folder.
    """
    directory = Path(directory).expanduser()
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(
            f"{str(directory)!r} is not empty; nothing was saved. Name a new folder."
        )
    dtype = np.float16 if half else np.float32
    kept = {
        name: np.ascontiguousarray(array, dtype=dtype)
        for name, array in arrays.items()
        if array is not None
    }
    save_model(model, directory / "model", half=half)
    save_model(masker, directory / "masker")
    write_files(directory / "index", facts, kept)
    return directory


def find_folder(name_or_directory) -> Path:
    """Give the folder of a model that comes with the package, or the one named.

    Parameters
    ----------
    name_or_directory : str or path-like
        One of `SHIPPED`, or a folder. A folder of the same name as a shipped model is
        reached as ``./name``.

    Returns
    -------
    directory : Path
        Not checked.
    """
    if name_or_directory in SHIPPED:
        return Path(files(__package__) / "data" / name_or_directory)
    return Path(name_or_directory).expanduser()


def read_folder(directory, device) -> dict:
    """Read what `write_folder` wrote, checked, as arguments of the constructor.

    Parameters
    ----------
    directory : path-like
        The folder.
    device : str or None
        Torch device of the model.

    Returns
    -------
    parts : dict
        ``model``, ``masker``, what `_FACTS` names and the arrays, float32.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file was altered, or arrays do not fit each other.
    """
    directory = Path(directory).expanduser()
    if not (directory / "index").is_dir():
        raise FileNotFoundError(
            f"{str(directory)!r} is no folder of a pretrained model. Expected one that "
            "NeuroContextModel.save wrote, or the name of a model that comes with the "
            f"package: {', '.join(SHIPPED)}."
        )
    description, arrays = read_files(directory / "index")
    facts = {name: description.get(name) for name in _FACTS}
    whole = all(isinstance(facts[name], kinds) for name, kinds in _FACTS.items())
    if not whole or set(arrays) - set(_ARRAYS):
        raise ValueError(
            f"The index in {directory.name!r} was altered: expected "
            f"{', '.join(_FACTS)} and no arrays but {', '.join(_ARRAYS)}. Save the "
            "model again."
        )
    for name, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(
                f"{name} in {directory.name!r} holds NaN, infinity or no floats. Save "
                "the model again."
            )
    return {
        "model": load_model(directory / "model", device=device),
        "masker": load_model(directory / "masker"),
        **facts,
        **{name: array.astype(np.float32) for name, array in arrays.items()},
    }
