"""A .npy file that grows row by row."""

from pathlib import Path

import numpy as np


class NpyWriter:
    """Append rows to a new .npy file, their number unknown until the end.

    Parameters
    ----------
    path : Path
        Created, or written anew.
    dtype : dtype
        Of the elements.
    row_shape : tuple of int, default=()
        Shape of one row.
    """

    def __init__(self, path: Path, dtype, row_shape=()):
        self._path = path
        self._dtype, self._row_shape = np.dtype(dtype), tuple(row_shape)
        self.n_rows = 0

    def __enter__(self):
        self._stream = self._path.open("wb")
        self._write_header()
        return self

    def append(self, rows) -> None:
        """Write rows of shape (n, *row_shape) behind those that are there."""
        np.ascontiguousarray(rows, dtype=self._dtype).tofile(self._stream)
        self.n_rows += len(rows)

    def __exit__(self, kind, error, trace):
        # NumPy pads the header so that the first number of the shape may grow.
        if kind is None:
            self._stream.seek(0)
            self._write_header()
        self._stream.close()

    def _write_header(self):
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.n_rows, *self._row_shape),
        }
        np.lib.format.write_array_header_1_0(self._stream, header)
