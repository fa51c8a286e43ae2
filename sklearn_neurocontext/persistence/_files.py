"""The three files of a saved model: written at once, read only if unaltered.

``model.json`` describes the model, ``model.safetensors`` holds its arrays, and
``SHA256SUMS`` the hashes of both, as ``sha256sum --check`` reads them.
"""

import hashlib
import json
from pathlib import Path

from .._utils.files import atomic_folder

DESCRIPTION = "model.json"
ARRAYS = "model.safetensors"
HASHES = "SHA256SUMS"
SAVED_FILES = (HASHES, DESCRIPTION, ARRAYS)
_FORMAT = "sklearn_neurocontext model"
_FORMAT_VERSION = 1


def write_files(directory, description: dict, arrays: dict) -> Path:
    """Write a description as JSON and its arrays into a new or empty folder."""
    from safetensors.numpy import save

    description = {"format": _FORMAT, "format_version": _FORMAT_VERSION, **description}
    text = json.dumps(description, indent=1, allow_nan=False, ensure_ascii=False)
    files = {DESCRIPTION: (text + "\n").encode("utf-8"), ARRAYS: save(arrays)}
    hashes = [
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in files.items()
    ]
    with atomic_folder(directory) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / HASHES).write_text("".join(hashes), encoding="ascii")
    return Path(directory).expanduser()


def read_files(directory) -> tuple[dict, dict]:
    """Return the description and the arrays of a folder whose hashes are right."""
    from safetensors.numpy import load

    directory = Path(directory).expanduser()
    hashes = _read_hashes(directory)
    for name in (DESCRIPTION, ARRAYS):
        found = _hash_file(directory, name)
        if found != hashes[name]:
            raise ValueError(
                f"{name} in {str(directory)!r} was altered or cut off: it has SHA-256 "
                f"{found}; expected {hashes[name]}. Save or copy the model again."
            )
    description = json.loads((directory / DESCRIPTION).read_bytes())
    found = description.get("format"), description.get("format_version")
    if found != (_FORMAT, _FORMAT_VERSION):
        raise ValueError(
            f"{DESCRIPTION} in {str(directory)!r} has the format and version {found}, "
            f"written by {description.get('versions')}; expected "
            f"{(_FORMAT, _FORMAT_VERSION)}. Install the version that wrote it, or "
            "train the model again."
        )
    return description, load((directory / ARRAYS).read_bytes())


def hash_folder(directory) -> str:
    """Return a hash of the hashes of a saved model's files.

    Parameters
    ----------
    directory : path-like
        A folder that `save_model` or `save_values` wrote.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal.

    Raises
    ------
    FileNotFoundError
        If the folder holds no saved model.
    """
    return _hash_file(Path(directory).expanduser(), HASHES)


def _read_hashes(directory) -> dict:
    """Return the hash of each file named in ``SHA256SUMS``."""
    path = _find(directory, HASHES)
    # latin-1 reads any bytes, hence also those of an altered file.
    lines = [line.split() for line in path.read_text(encoding="latin-1").splitlines()]
    hashes = {line[1]: line[0] for line in lines if len(line) == 2}
    if set(hashes) != {DESCRIPTION, ARRAYS}:
        raise ValueError(
            f"{HASHES} in {str(directory)!r} was altered or cut off: it does not hold "
            f"the hashes of {DESCRIPTION} and {ARRAYS}. Save or copy the model again."
        )
    return hashes


def _hash_file(directory, name) -> str:
    """Return the SHA-256 of a file, read in blocks whatever its size."""
    with _find(directory, name).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _find(directory, name) -> Path:
    path = directory / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(directory)!r} holds no {name}; expected a folder that save_model "
            "wrote."
        )
    return path
