"""Matrices with 16 bits, where that costs no more than rounding."""

import numpy as np

# Float16 has 11 bits, and is at its full precision from 2**-14 to 2**16.
_ROUNDING = 2.0**-11
_LARGEST_EXPONENT = 15


def halve(array: np.ndarray) -> tuple[np.ndarray, int]:
    r"""Round a matrix to 16 bits, scaled by a power of two where its range wants it.

    With :math:`u = 2^{-11}`, no value :math:`a_{ij}` changes by more than
    :math:`u \min(\max_j |a_{ij}|, \max_i |a_{ij}|)`: by more than the largest value of
    its row, or of its column, may.

    Parameters
    ----------
    array : ndarray of float
        Finite.

    Returns
    -------
    kept : ndarray
        Of float16, or `array` itself where it has fewer than two axes, or where 16 bits
        would change a value by more.
    exponent : int
        ``kept * 2.0**exponent`` is the array; 0 for most.
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
            error = np.abs(grow(kept, exponent, np.float64) - array)
        if (error.reshape(bound.shape) <= bound).all():
            return kept, exponent
    return array, 0


def grow(array: np.ndarray, exponent: int, dtype) -> np.ndarray:
    """Undo `halve`, up to its rounding."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(array.astype(dtype), exponent).astype(dtype)
