"""Write and read the files of a saved model: JSON, arrays and SHA-256 hashes."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, csr_matrix, issparse

from .._utils.files import atomic_folder, expand_path

_DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool")
_SPARSE_TYPES = {"csr_array": csr_array, "csr_matrix": csr_matrix}
_SPARSE_PARTS = ("data", "indices", "indptr")
# A float16 number has 11 significant bits if its absolute value is at least 2**-14.
# Rounding to float16 therefore changes such a number by at most 2**-11 of its absolute
# value.
_ROUNDING = 2.0**-11
# If a matrix must be scaled to fit the range of float16, the scaled absolute values are
# less than 2**15.
_LARGEST_EXPONENT = 15
DESCRIPTION = "model.json"
ARRAYS = "model.safetensors"
HASHES = "SHA256SUMS"
# Names of the files that `save_model` writes.
SAVED_FILES = (HASHES, DESCRIPTION, ARRAYS)
_FORMAT = "sklearn_neurocontext model"
_FORMAT_VERSION = 1


@dataclass
class Writer:
    """Convert values to JSON, and collect the arrays that the values contain.

    Attributes
    ----------
    half : bool
        Whether to save matrices of floats with 16 bits per value (see `to_half`).
    write_estimator : callable or None
        ``write_estimator(writer, estimator, where)`` returns an estimator as JSON. If
        None, estimators cannot be saved.
    arrays : dict of str to ndarray
        Arrays collected so far.
    """

    half: bool
    write_estimator: Callable | None = None
    arrays: dict = field(default_factory=dict)

    def write(self, value, where: str):
        """Return a value as JSON; `where` is its name in errors and in `arrays`."""
        value = _simplify(value)
        if value is None or isinstance(value, bool | int | float | str):
            return _check_finite(value, where)
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        for kinds, method in (
            ((list, tuple, dict), self._write_container),
            (np.ndarray, self._write_array),
            ((np.dtype, type), self._write_dtype),
        ):
            if isinstance(value, kinds):
                return method(value, where)
        if issparse(value) and value.format == "csr":
            return self._write_sparse(value, where)
        if hasattr(value, "state_dict"):
            return self._write_module(value, where)
        if hasattr(value, "get_params") and self.write_estimator is not None:
            return {"estimator": self.write_estimator(self, value, where)}
        raise _unknown(value, where)

    def _write_dtype(self, value, where):
        name = value.name if isinstance(value, np.dtype) else value.__name__
        if name not in _DTYPES:
            raise _unknown(value, where)
        return {"dtype": name}

    def _write_container(self, value, where):
        if not isinstance(value, dict):
            items = [self.write(item, f"{where}.{i}") for i, item in enumerate(value)]
            return {"tuple": items} if isinstance(value, tuple) else items
        if not all(isinstance(key, str) for key in value):
            raise TypeError(
                f"{where} is a dictionary that cannot be saved; its keys must be "
                "strings."
            )
        return {"dict": {k: self.write(v, f"{where}.{k}") for k, v in value.items()}}

    def _write_array(self, array, where):
        if array.dtype == object and all(isinstance(one, str) for one in array.flat):
            return {"strings": array.tolist()}
        if array.dtype.name not in _DTYPES:
            raise TypeError(
                f"{where} is an array of {array.dtype}, which cannot be saved; "
                f"expected one of {', '.join(_DTYPES)}."
            )
        # The memory order is saved, because it affects the rounding of matrix products.
        by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
        stored = np.asarray(array.T if by_columns else array, order="C")
        if not np.isfinite(stored).all():
            raise ValueError(
                f"{where} holds NaN or infinity and was not saved. Check the data to "
                "which the model was fitted."
            )
        stored, exponent = to_half(stored) if self.half else (stored, 0)
        self.arrays[where] = stored
        described = {
            "array": where,
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "order": "F" if by_columns else "C",
        }
        return {**described, "exponent": exponent} if exponent else described

    def _write_sparse(self, matrix, where):
        parts = {name: getattr(matrix, name) for name in _SPARSE_PARTS}
        written = {name: self.write(v, f"{where}.{name}") for name, v in parts.items()}
        written["shape"] = [int(size) for size in matrix.shape]
        return {"sparse": {"type": type(matrix).__name__, **written}}

    def _write_module(self, module, where):
        from ..models import read_weights

        return {
            "module": {
                name: self._write_array(weight, f"{where}.{name}")
                for name, weight in read_weights(module).items()
            }
        }


@dataclass
class Module:
    """Weights of a neural network that is built after all other values are read."""

    weights: dict


@dataclass
class Reader:
    """Convert JSON and arrays to values.

    If the JSON contains a type that the method `read` does not handle, an error is
    raised.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Arrays of ``model.safetensors``.
    read_estimator : callable or None
        ``read_estimator(reader, content, where)`` returns an estimator. If None,
        estimators cannot be loaded.
    """

    arrays: dict
    read_estimator: Callable | None = None

    def read(self, value, where: str):
        """Convert JSON to a value; `where` is the name of the value in errors."""
        if isinstance(value, list):
            return [self.read(item, f"{where}.{i}") for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if "array" in value:
            return self._read_array(value, where)
        ((tag, content),) = value.items()
        if tag in ("dict", "module"):
            read = {k: self.read(one, f"{where}.{k}") for k, one in content.items()}
            return Module(read) if tag == "module" else read
        if tag == "tuple":
            return tuple(self.read(content, where))
        if tag == "strings":
            return np.array(content, dtype=object)
        if tag == "dtype" and content in _DTYPES:
            return np.dtype(content).type
        if tag == "sparse":
            parts = [self.read(content[name], where) for name in _SPARSE_PARTS]
            return _SPARSE_TYPES[content["type"]](tuple(parts), shape=content["shape"])
        if tag == "estimator" and self.read_estimator is not None:
            return self.read_estimator(self, content, where)
        raise ValueError(f"{where} has the unknown type {tag} {content!r:.50}")

    def _read_array(self, value, where):
        array = self.arrays[value["array"]]
        array = array.T if value["order"] == "F" else array
        dtype = np.dtype(value["dtype"])
        is_half = array.dtype == np.float16 and dtype.kind == "f"
        if list(array.shape) != value["shape"] or not (is_half or array.dtype == dtype):
            raise ValueError(
                f"{where} is an array of {array.dtype} and shape {array.shape}; "
                f"expected {dtype} and {value['shape']}"
            )
        if is_half:
            return from_half(array, value.get("exponent", 0), dtype)
        return array.astype(dtype)


def to_half(array: np.ndarray) -> tuple[np.ndarray, int]:
    r"""Return a matrix as 16-bit floats, and the exponent e of its scale.

    The returned matrix times :math:`2^e` approximates the given matrix. The error of
    the entry :math:`a_{ij}` is at most :math:`2^{-11}` times the smaller of two values:
    the largest absolute value in row i and the largest absolute value in column j. If
    the error of any entry would be larger, the matrix is returned unchanged, with
    e = 0. Vectors, and arrays whose type is not float32 or float64, are also returned
    unchanged, with e = 0.
    """
    if array.ndim < 2 or array.dtype.kind != "f" or array.itemsize <= 2:
        return array, 0
    if not array.any():
        return array.astype(np.float16), 0
    magnitudes = np.abs(array, dtype=np.float64).reshape(len(array), -1)
    bound = _ROUNDING * np.minimum(
        magnitudes.max(axis=1, keepdims=True), magnitudes.max(axis=0)
    )
    for exponent in (0, int(np.frexp(magnitudes.max())[1]) - _LARGEST_EXPONENT):
        with np.errstate(over="ignore"):
            kept = np.ldexp(array.astype(np.float64), -exponent).astype(np.float16)
            error = np.abs(from_half(kept, exponent, np.float64) - array)
        if (error.reshape(bound.shape) <= bound).all():
            return kept, exponent
    return array, 0


def from_half(array: np.ndarray, exponent: int, dtype) -> np.ndarray:
    """Convert the output of `to_half` back to an array of type `dtype`."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(array.astype(dtype), exponent).astype(dtype)


def _unknown(value, where: str) -> TypeError:
    return TypeError(
        f"{where} is of type {type(value).__name__}, which cannot be saved. Expected "
        "numbers, strings, arrays or estimators that save_model supports. If it is a "
        "random_state, set it to an integer."
    )


def _simplify(value):
    """Convert NumPy scalars, ranges and pandas objects; keep all other values."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, range):
        return list(value)
    return value.to_numpy() if hasattr(value, "to_numpy") else value


def _check_finite(value, where: str):
    if isinstance(value, float) and not np.isfinite(value):
        raise ValueError(
            f"{where} is {value} and was not saved; it must be a finite number."
        )
    return value


def write_files(directory, description: dict, arrays: dict) -> Path:
    """Write the JSON description and the arrays of a model to a new or empty folder."""
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
    return expand_path(directory)


def read_files(directory) -> tuple[dict, dict]:
    """Check the hashes of the files in a folder; return its description and arrays."""
    from safetensors.numpy import load

    directory = expand_path(directory)
    hashes = _read_hashes(directory)
    for name in (DESCRIPTION, ARRAYS):
        found = _hash_file(directory, name)
        if found != hashes[name]:
            raise ValueError(
                f"{name} in {str(directory)!r} was altered or cut off: it has SHA-256 "
                f"{found}; expected {hashes[name]}. Save or copy the model again."
            )
    try:
        description = json.loads((directory / DESCRIPTION).read_bytes())
    except (ValueError, RecursionError):
        description = None
    if not isinstance(description, dict):
        raise ValueError(
            f"{DESCRIPTION} in {str(directory)!r} does not hold the description of a "
            "model. Save or copy the model again."
        )
    found = description.get("format"), description.get("format_version")
    if found != (_FORMAT, _FORMAT_VERSION):
        raise ValueError(
            f"{DESCRIPTION} in {str(directory)!r} has the format and version {found}; "
            f"expected {(_FORMAT, _FORMAT_VERSION)}. It was written by "
            f"{description.get('versions')}. Install these versions, or train the "
            "model again."
        )
    return description, load((directory / ARRAYS).read_bytes())


def hash_folder(directory) -> str:
    """Return the hash of a saved model, which is the hash of its file ``SHA256SUMS``.

    Parameters
    ----------
    directory : path-like
        Folder written by `save_model` or `save_values`.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal.

    Raises
    ------
    FileNotFoundError
        If the folder does not contain a saved model.
    """
    return _hash_file(expand_path(directory), HASHES)


def _read_hashes(directory) -> dict:
    """Read the hash of each file from ``SHA256SUMS``."""
    path = _find(directory, HASHES)
    # An altered file may contain any bytes. latin-1 can decode all of them.
    lines = [line.split() for line in path.read_text(encoding="latin-1").splitlines()]
    hashes = {line[1]: line[0] for line in lines if len(line) == 2}
    if set(hashes) != {DESCRIPTION, ARRAYS}:
        raise ValueError(
            f"{HASHES} in {str(directory)!r} was altered or cut off: it does not hold "
            f"the hashes of {DESCRIPTION} and {ARRAYS}. Save or copy the model again."
        )
    return hashes


def _hash_file(directory, name) -> str:
    """Return the SHA-256 hash of a file; the file is read in blocks."""
    with _find(directory, name).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _find(directory, name) -> Path:
    path = directory / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(directory)!r} holds no {name}; expected a folder written by "
            "save_model."
        )
    return path
