"""The three files of a saved model: written at once, read only when unaltered.

``model.json`` describes the model, ``model.safetensors`` holds its arrays, and
``SHA256SUMS`` the hashes of both, as ``sha256sum --check`` reads them.
"""

import hashlib
import json
import math
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

DESCRIPTION = "model.json"
ARRAYS = "model.safetensors"
HASHES = "SHA256SUMS"
FORMAT = "sklearn_neurocontext model"
FORMAT_VERSION = 1
# Vocabularies of hundreds of thousands of words take a few MB.
_MAX_DESCRIPTION_BYTES = 64 * 2**20
_MAX_HASHES_BYTES = 1024


def write_files(directory, description: dict, arrays: dict) -> Path:
    """Write a saved model; its folder appears complete, or not at all.

    Parameters
    ----------
    directory : path-like
        Must not exist, or be empty.
    description : dict
        JSON values.
    arrays : dict of str to ndarray
        Numbers.

    Returns
    -------
    directory : Path
        The folder.

    Raises
    ------
    FileExistsError
        If something is there.
    """
    from safetensors.numpy import save

    packed = save(arrays)
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "array_bytes": len(packed),
        **description,
    }
    text = json.dumps(description, indent=1, allow_nan=False, ensure_ascii=False)
    files = {DESCRIPTION: (text + "\n").encode("utf-8"), ARRAYS: packed}
    sums = "".join(f"{_hash(content)}  {name}\n" for name, content in files.items())
    files[HASHES] = sums.encode("ascii")
    with new_folder(directory) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return Path(directory).expanduser()


@contextmanager
def new_folder(directory):
    """Give a folder to write into, which appears under its name complete, or never.

    Parameters
    ----------
    directory : path-like
        Must not exist, or be empty.

    Yields
    ------
    folder : Path
        Beside `directory`; takes its place at the end, and is removed after an error.

    Raises
    ------
    FileExistsError
        If something is there.
    """
    directory = Path(directory).expanduser()
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise FileExistsError(
            f"{str(directory)!r} exists and is not an empty folder; nothing was saved. "
            "Name a new folder, or remove this one first."
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Not mkdtemp, whose folders are for the owner alone whatever the umask says.
    folder = directory.parent / f".{directory.name}-{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
        if directory.is_dir():
            directory.rmdir()
        folder.replace(directory)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_files(directory) -> tuple[dict, dict]:
    """Read a saved model whose files are whole and unaltered.

    Parameters
    ----------
    directory : path-like
        What `write_files` wrote.

    Returns
    -------
    description : dict
        JSON values.
    arrays : dict of str to ndarray
        Numbers.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is missing.
    ValueError
        If a file was cut off, altered or is larger than it may be, or the format is
        unknown.
    """
    directory = Path(directory).expanduser()
    sums = _parse_sums(_read(directory, HASHES, _MAX_HASHES_BYTES))
    text = _read(directory, DESCRIPTION, _MAX_DESCRIPTION_BYTES)
    _check_hash(DESCRIPTION, text, sums)
    description = _parse_description(text)
    packed = _read(directory, ARRAYS, description["array_bytes"], exactly=True)
    _check_hash(ARRAYS, packed, sums)
    return description, _parse_arrays(packed)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def hash_of_sums(directory) -> str:
    """Hash the hashes of a saved model's files: what tells the model from any other."""
    return _hash(_read(Path(directory).expanduser(), HASHES, _MAX_HASHES_BYTES))


def _read(directory: Path, name: str, max_bytes: int, *, exactly=False) -> bytes:
    path = directory / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(directory)!r} holds no {name}; expected a folder that save_model "
            "wrote."
        )
    with path.open("rb") as stream:
        n_bytes = path.stat().st_size
        if n_bytes > max_bytes:
            raise ValueError(
                f"{name} has {n_bytes:,} bytes, more than the {max_bytes:,} that it "
                "may have, and was not read. Save the model again."
            )
        if exactly and n_bytes < max_bytes:
            raise ValueError(
                f"{name} has {n_bytes:,} bytes; expected {max_bytes:,}. It was altered "
                "or cut off, and was not read. Save or copy the model again."
            )
        return stream.read(n_bytes)


def _parse_sums(content: bytes) -> dict:
    lines = [line.split() for line in content.decode("latin-1").splitlines()]
    if sorted(line[-1] for line in lines if len(line) == 2) != [DESCRIPTION, ARRAYS]:
        raise ValueError(
            f"{HASHES} does not hold the hashes of {DESCRIPTION} and {ARRAYS}: it was "
            "altered or cut off. Save the model again."
        )
    return {name: digest for digest, name in lines}


def _check_hash(name: str, content: bytes, sums: dict) -> None:
    if _hash(content) != sums[name]:
        raise ValueError(
            f"{name} has SHA-256 {_hash(content)}; expected {sums[name]}. It was "
            "altered or cut off, and nothing was loaded. Save or copy the model again."
        )


def _parse_description(text: bytes) -> dict:
    try:
        description = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite_float
        )
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{DESCRIPTION} cannot be read ({error}). Save the model again."
        ) from error
    found = description.get("format") if isinstance(description, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"{DESCRIPTION} states the format {found!r}; expected {FORMAT!r}."
        )
    version = description.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        versions = description.get("versions")
        raise ValueError(
            f"The model has format version {version!r}, written by {versions!r}; this "
            f"package reads {FORMAT_VERSION}. Install the version that wrote it, or "
            "train the model again."
        )
    n_bytes = description.get("array_bytes")
    if type(n_bytes) is not int or n_bytes < 0:
        raise ValueError(
            f"{DESCRIPTION} states array_bytes={n_bytes!r}; expected a number of bytes."
        )
    return description


def _refuse_constant(name):
    raise ValueError(f"it holds {name}, which is no number")


def _finite_float(digits):
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"it holds {digits[:40]}, beyond the range of numbers")
    return number


def _parse_arrays(packed: bytes) -> dict:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(packed)
    except (SafetensorError, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise ValueError(
            f"{ARRAYS} is no safetensors file ({error}). Save the model again."
        ) from error
