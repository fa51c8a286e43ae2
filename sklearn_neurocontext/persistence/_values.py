"""Values of estimators as JSON and named arrays, and back.

JSON's own values stand for themselves. What JSON lacks is an object with one key, the
tag: ``tuple``, ``dict``, ``strings``, ``dtype``, ``array``, ``sparse``, ``module``,
``estimator``.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array, csr_matrix, issparse

from ._half import grow, halve

DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool")
_SPARSE_TYPES = {"csr_array": csr_array, "csr_matrix": csr_matrix}
_SPARSE_PARTS = ("data", "indices", "indptr")
_SPARSE_KEYS = {"type", "shape", *_SPARSE_PARTS}
# No number of float64 needs more.
_LARGEST_EXPONENT = 1100


@dataclass
class Writer:
    """Turns values into JSON and gathers their arrays.

    Attributes
    ----------
    half : bool
        Whether matrices of floats are kept with 16 bits, see `halve`.
    write_estimator : callable
        ``write_estimator(writer, estimator, where)`` gives JSON.
    arrays : dict of str to ndarray
        Gathered so far.
    """

    half: bool
    write_estimator: Callable
    arrays: dict = field(default_factory=dict)

    def write(self, value, where: str):
        """Turn a value into JSON; `where` names it in errors and names its array."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return _check_number(value, where)
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
        if hasattr(value, "get_params"):
            return {"estimator": self.write_estimator(self, value, where)}
        raise _unknown(value, where)

    def _write_dtype(self, value, where):
        name = value.name if isinstance(value, np.dtype) else value.__name__
        if name not in DTYPES:
            raise _unknown(value, where)
        return {"dtype": name}

    def _write_container(self, value, where):
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise TypeError(
                    f"{where} is a dictionary whose keys are not all strings, which "
                    "cannot be saved."
                )
            return {
                "dict": {k: self.write(v, f"{where}.{k}") for k, v in value.items()}
            }
        items = [self.write(item, f"{where}.{i}") for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items

    def _write_array(self, array, where):
        if array.dtype == object and all(isinstance(one, str) for one in array.flat):
            return {"strings": array.tolist()}
        if array.dtype.name not in DTYPES:
            raise TypeError(
                f"{where} is an array of {array.dtype}, which cannot be saved; "
                f"expected one of {', '.join(DTYPES)}."
            )
        # A product of matrices rounds differently when one of them lies the other way.
        by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
        stored = np.asarray(array.T if by_columns else array, order="C")
        if not np.isfinite(stored).all():
            raise ValueError(
                f"{where} holds NaN or infinity, and was not saved. Check the data "
                "that it was fitted to."
            )
        stored, exponent = halve(stored) if self.half else (stored, 0)
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

        weights = read_weights(module)
        return {
            "module": {
                name: self._write_array(weight, f"{where}.{name}")
                for name, weight in weights.items()
            }
        }


@dataclass
class Module:
    """Weights that still want their net."""

    weights: dict


@dataclass
class Reader:
    """Turns JSON and arrays into values; builds nothing but what is listed here.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Of the file; those that are used are taken out.
    read_estimator : callable
        ``read_estimator(reader, content, where)`` gives an estimator.
    """

    arrays: dict
    read_estimator: Callable

    def read(self, value, where: str):
        """Turn JSON into a value; `where` names it in errors."""
        if isinstance(value, list):
            return [self.read(item, f"{where}.{i}") for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        tag, content = next(iter(value.items()), (None, None))
        if tag == "array":
            return self._read_array(value, where)
        expected, read = _READERS.get(tag, (None, None))
        if len(value) != 1 or read is None or not isinstance(content, expected):
            raise _altered(where, f"an object with the keys {sorted(value)}")
        return read(self, content, where)

    def _read_array(self, value, where):
        described = set(value) - {"exponent"} == {"array", "dtype", "shape", "order"}
        exponent = value.get("exponent", 0)
        whole = type(exponent) is int and abs(exponent) <= _LARGEST_EXPONENT
        if not described or not whole or value["dtype"] not in DTYPES:
            raise _altered(where, f"an array described by {value!r}")
        array = self.arrays.pop(value["array"], None)
        if array is None:
            raise _altered(
                where, f"an array {value['array']!r} that is not in the file"
            )
        array = array.T if value["order"] == "F" else array
        dtype = np.dtype(value["dtype"])
        half = array.dtype == np.float16 and dtype.kind == "f"
        fits = half or (array.dtype == dtype and exponent == 0)
        if list(array.shape) != value["shape"] or not fits:
            raise _altered(
                where,
                f"an array of {array.dtype} and shape {array.shape}, described as "
                f"{value['dtype']} and {value['shape']}",
            )
        array = grow(array, exponent, dtype) if half else array.astype(dtype)
        if not np.isfinite(array).all():
            raise ValueError(
                f"{where} holds NaN or infinity, and the model was not loaded. Save it "
                "again, or train it again."
            )
        return array

    def _read_tuple(self, content, where):
        return tuple(self.read(content, where))

    def _read_dict(self, content, where):
        return {key: self.read(one, f"{where}.{key}") for key, one in content.items()}

    def _read_strings(self, content, where):
        if not all(isinstance(one, str) for one in content):
            raise _altered(where, "strings that are none")
        return np.array(content, dtype=object)

    def _read_sparse(self, content, where):
        sparse_type = _SPARSE_TYPES.get(str(content.get("type")))
        parts = [self.read(content.get(name), where) for name in _SPARSE_PARTS]
        arrays = all(isinstance(part, np.ndarray) for part in parts)
        if sparse_type is None or not arrays or set(content) != _SPARSE_KEYS:
            raise _altered(where, f"a sparse array with the keys {sorted(content)}")
        try:
            matrix = sparse_type(tuple(parts), shape=content["shape"])
            matrix.check_format(full_check=True)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise _altered(where, f"no sparse array ({error})") from error
        return matrix

    def _read_dtype(self, content, where):
        if content not in DTYPES:
            raise _altered(where, f"the type {content!r}")
        return np.dtype(content).type

    def _read_module(self, content, where):
        return Module(self._read_dict(content, where))

    def _read_estimator(self, content, where):
        return self.read_estimator(self, content, where)


_READERS = {
    "tuple": (list, Reader._read_tuple),
    "dict": (dict, Reader._read_dict),
    "strings": (list, Reader._read_strings),
    "dtype": (str, Reader._read_dtype),
    "sparse": (dict, Reader._read_sparse),
    "module": (dict, Reader._read_module),
    "estimator": (dict, Reader._read_estimator),
}


def _unknown(value, where: str) -> TypeError:
    return TypeError(
        f"{where} is a {type(value).__name__}, which cannot be saved. Expected "
        "numbers, strings, arrays or estimators that save_model knows; a random_state "
        "is saved as a whole number."
    )


def _check_number(value, where: str):
    if isinstance(value, float) and not np.isfinite(value):
        raise ValueError(f"{where} is {value}, and was not saved. Expected a number.")
    return value


def _altered(where: str, found: str) -> ValueError:
    return ValueError(
        f"The saved model was altered: {where} holds {found}. Save the model again."
    )
