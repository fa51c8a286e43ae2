"""The folder of a pretrained model: model, masker, and what was measured on studies."""

import secrets
import shutil
from contextlib import contextmanager, nullcontext
from importlib.resources import files
from pathlib import Path

import numpy as np

from ..persistence import load_model, save_model
from ..persistence._files import (
    ARRAYS,
    DESCRIPTION,
    HASHES,
    hash_of_sums,
    new_folder,
    read_files,
    write_files,
)
from ..persistence._values import Reader, Writer

# Folders of models that come with the package.
SHIPPED = ("minilm",)
# Folder of the model in the folder that neurocontext fit writes.
INSIDE = "model"
_FACTS = {
    "smoothing_fwhm": (int, float),
    "terms": dict,
    "curvature": (int, float),
    "z_threshold": (int, float),
    "unit_maps": bool,
    "card": dict,
}
_ARRAYS = ("mean", "mean_map", "z_scale", "reference", "term_features")
_PARTS = ("model", "masker")


def write_folder(directory, model, masker, *, half, overwrite, facts, arrays) -> Path:
    """Write a pretrained model; its folder appears complete, or not at all.

    Parameters
    ----------
    directory : path-like
        Must not exist, or be empty; with `overwrite`, it may hold a saved model.
    model, masker : estimator
        Fitted.
    half : bool
        Whether matrices of floats are kept with 16 bits.
    overwrite : bool
        Whether to replace a saved model, see `check_overwritable`.
    facts : dict
        What JSON can hold, by the names in `_FACTS`.
    arrays : dict of str to ndarray or None
        By the names in `_ARRAYS`.

    Returns
    -------
    directory : Path
        The folder.

    Raises
    ------
    FileExistsError
        If `directory` holds anything that must not be replaced.
    TypeError, ValueError
        If a value cannot be saved; the message names it.
    """
    directory = Path(directory).expanduser()
    arrays = {
        name: np.ascontiguousarray(array, dtype=np.float32)
        for name, array in arrays.items()
        if array is not None
    }
    writer = Writer(half, _refuse_estimator)
    index = writer.write({**facts, **arrays}, "index")
    replacing = _replacing(directory) if overwrite else nullcontext(directory)
    with replacing as place, new_folder(place) as folder:
        save_model(model, folder / "model", half=half)
        save_model(masker, folder / "masker")
        sums = {name: hash_of_sums(folder / name) for name in _PARTS}
        write_files(folder / "index", {"sums": sums, "index": index}, writer.arrays)
    return directory


def check_overwritable(directory) -> None:
    """Check that a folder is new, empty, or holds a saved model and nothing else.

    Parameters
    ----------
    directory : path-like
        The folder.

    Raises
    ------
    FileExistsError
        If it holds anything else, or is a file or a symbolic link.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import check_overwritable
    >>> check_overwritable("a_new_folder")
    """
    directory = Path(directory).expanduser()
    is_new = not directory.exists() and not directory.is_symlink()
    if is_new or _holds_only(directory, set()):
        return
    is_model = _holds_only(directory, {"index", *_PARTS}) and all(
        _holds_only(directory / name, {ARRAYS, DESCRIPTION, HASHES})
        for name in ("index", *_PARTS)
    )
    if not is_model:
        raise FileExistsError(
            f"{str(directory)!r} is not a saved model, or holds other files too, and "
            "is not replaced. Name another folder."
        )


def _holds_only(folder, names) -> bool:
    """Return whether a folder, not a link, holds these names and no others."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return {path.name for path in folder.iterdir()} == names


@contextmanager
def _replacing(directory):
    """Yield a new folder that takes the place of a saved model once it is complete."""
    check_overwritable(directory)
    directory = directory.absolute()
    new, old = (
        directory.with_name(f".{directory.name}-{secrets.token_hex(8)}")
        for _ in range(2)
    )
    try:
        yield new
        check_overwritable(directory)  # again: saving takes time
        try:
            if directory.exists():
                directory.rename(old)
            new.rename(directory)
        except BaseException:
            if old.exists() and not directory.exists():
                old.rename(directory)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _refuse_estimator(_, content, where):
    raise TypeError(f"{where} is {type(content).__name__}; expected no estimator there")


def find_folder(name_or_directory) -> Path:
    """Give the folder of a model that comes with the package, or the one named.

    Parameters
    ----------
    name_or_directory : str or path-like
        One of `SHIPPED`, a model's own folder, or what ``neurocontext fit`` wrote,
        which has it inside. A folder of the same name as a shipped model is reached as
        ``./name``.

    Returns
    -------
    directory : Path
        Not checked.
    """
    if name_or_directory in SHIPPED:
        return Path(files(__package__) / "data" / name_or_directory)
    folder = Path(name_or_directory).expanduser()
    is_inside = not (folder / "index").is_dir() and (folder / INSIDE / "index").is_dir()
    return folder / INSIDE if is_inside else folder


def read_folder(directory, device, *, allow_download=False) -> dict:
    """Read what `write_folder` wrote, checked, as arguments of the constructor.

    Parameters
    ----------
    directory : path-like
        The folder.
    device : str or None
        Torch device of the model.
    allow_download : bool, default=False
        As for `load_model`.

    Returns
    -------
    parts : dict
        ``model``, ``masker``, what `_FACTS` names and the arrays, float32.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file was altered, or model, masker and index are not of one folder.
    """
    directory = Path(directory).expanduser()
    if not (directory / "index").is_dir():
        raise FileNotFoundError(
            f"{str(directory)!r} is no folder of a pretrained model. Expected one that "
            "NeuroContextModel.save or neurocontext fit CORPUS --output FOLDER wrote, "
            "or the name of a model that comes with the package: "
            f"{', '.join(SHIPPED)}."
        )
    description, arrays = read_files(directory / "index")
    index = _read_index(description.get("index"), arrays, directory.name)
    sums = description.get("sums")
    for name in _PARTS:
        found = hash_of_sums(directory / name)
        if not isinstance(sums, dict) or sums.get(name) != found:
            raise ValueError(
                f"The {name} in {directory.name!r} is not the one that its index was "
                "saved with. Copy the whole folder again, or save the model again."
            )
    options = {"allow_download": allow_download}
    return {
        "model": load_model(directory / "model", device=device, **options),
        "masker": load_model(directory / "masker", **options),
        **index,
    }


def _read_index(content, arrays, folder_name) -> dict:
    reader = Reader(arrays, _refuse_estimator)
    index = reader.read(content, "index")
    held = set(index) if isinstance(index, dict) else set()
    whole = all(isinstance(index[n], kinds) for n, kinds in _FACTS.items() if n in held)
    names = [name for name in _ARRAYS if name in held]
    whole &= all(getattr(index[name], "dtype", None) == np.float32 for name in names)
    if not whole or arrays or held - set(names) != set(_FACTS):
        raise ValueError(
            f"The index in {folder_name!r} was altered, or an older version wrote it: "
            f"expected {', '.join(_FACTS)} and no arrays but {', '.join(_ARRAYS)}. "
            "Save the model again."
        )
    return index
