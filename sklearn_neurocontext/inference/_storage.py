"""Write and read the folder of a saved `NeuroContextModel`."""

from importlib.resources import files
from pathlib import Path

from .._utils.files import atomic_folder, check_new_folder, expand_path
from ..persistence import (
    SAVED_FILES,
    hash_folder,
    load_model,
    load_values,
    save_model,
    save_values,
)

# Models that come with the package.
_SHIPPED = ("minilm",)
_PARTS = ("model", "masker")
_INDEX = "index"
_SETTINGS = {
    "smoothing_fwhm",
    "terms",
    "quadratic_coef",
    "z_threshold",
    "unit_maps",
    "card",
}
# Arguments that a folder may lack.
_OPTIONAL = {
    "mean",
    "mean_map",
    "null_std",
    "null_std_difference",
    "null_scale",
    "word_counts",
    "n_studies",
    "support_threshold",
    "reference",
    "term_features",
}


def write_folder(directory, model, masker, *, half, overwrite, statistics) -> Path:
    """Write the constructor arguments of a `NeuroContextModel` to a folder.

    If `half` is True, matrices of floats are saved with 16 bits per value. `statistics`
    contains all arguments except the model and the masker.
    """
    check = check_overwritable if overwrite else check_new_folder
    known = {name: value for name, value in statistics.items() if value is not None}
    with atomic_folder(directory, check=check) as folder:
        save_model(model, folder / "model", half=half)
        save_model(masker, folder / "masker")
        hashes = {name: hash_folder(folder / name) for name in _PARTS}
        save_values({"hashes": hashes, **known}, folder / _INDEX, half=half)
    return expand_path(directory)


def check_overwritable(directory) -> None:
    """Check that a folder does not exist, is empty, or contains only a saved model.

    Parameters
    ----------
    directory : path-like
        The folder.

    Raises
    ------
    FileExistsError
        If the folder contains other files, or if it is a file or a symbolic link.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import check_overwritable
    >>> check_overwritable("a_new_folder")
    """
    directory = expand_path(directory)
    is_model = _holds_only(directory, {_INDEX, *_PARTS}) and all(
        _holds_only(directory / name, set(SAVED_FILES)) for name in (_INDEX, *_PARTS)
    )
    if is_model:
        return
    try:
        check_new_folder(directory)
    except FileExistsError as error:
        raise FileExistsError(
            f"{str(directory)!r} is not a saved model or contains other files. It was "
            "not replaced. Choose another folder."
        ) from error


def _holds_only(folder, names) -> bool:
    """Return whether a path is a folder, not a link, that contains exactly `names`."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return {path.name for path in folder.iterdir()} == names


def find_folder(name_or_directory) -> Path:
    """Return the folder of a model, from the name of a shipped model or from a path.

    The path may also be the output folder of ``neurocontext fit``. In this case, the
    subfolder ``model`` is returned.
    """
    # A local folder with the same name as a shipped model can be passed as "./minilm".
    if name_or_directory in _SHIPPED:
        return Path(files(__package__) / "data" / name_or_directory)
    folder = expand_path(name_or_directory)
    inside = folder / "model"
    is_inside = not (folder / _INDEX).is_dir() and (inside / _INDEX).is_dir()
    return inside if is_inside else folder


def read_folder(directory, device, *, allow_download=False) -> dict:
    """Read the constructor arguments of a `NeuroContextModel` from a folder."""
    directory = expand_path(directory)
    if not (directory / _INDEX).is_dir():
        raise FileNotFoundError(
            f"{str(directory)!r} is not the folder of a saved model. Pass the name of "
            f"a shipped model ({', '.join(_SHIPPED)}), or a folder written by "
            "NeuroContextModel.save or by neurocontext fit CORPUS --output FOLDER."
        )
    index = load_values(directory / _INDEX)
    if set(index) - _OPTIONAL != {"hashes", *_SETTINGS}:
        raise ValueError(
            f"The model in {directory.name!r} was written by another version of this "
            f"package. Its index has the entries {', '.join(sorted(index))}. Save the "
            "model again with this version."
        )
    hashes = index.pop("hashes")
    for name in _PARTS:
        if hash_folder(directory / name) != hashes.get(name):
            raise ValueError(
                f"The {name} in {directory.name!r} does not match the index in this "
                "folder. Copy the whole folder again, or save the model again."
            )
    options = {"allow_download": allow_download}
    return {
        "model": load_model(directory / "model", device=device, **options),
        "masker": load_model(directory / "masker", **options),
        **index,
    }
