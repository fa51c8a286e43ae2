"""The table that makes coefficients a sum of rows.

The density of a study is the sum of Gaussians at its peaks, and its coefficients are
linear in the density. So with the grid's Gaussian G, the mask M and the atlas A fixed,
``T = G·MA(AᵀMA)⁻¹`` holds one row of coefficients for each voxel, and a study's
coefficients are the sum of the rows of T at its peaks.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter
from sklearn.utils import gen_batches

from .._utils.volumes import FWHM_TO_SIGMA
from ._kde import KERNELS, reach, smooth_map
from ._npy_writer import NpyWriter

# Rows of the table computed at a time.
_BLOCK = 8192


@dataclass(frozen=True)
class Table:
    """Coefficients of a unit peak at each voxel whose peaks count.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,), int
        Flat indices on the grid: voxels in the mask or within the reach of a peak.
    values : ndarray of shape (n_rows, n_components), float32
        Coefficients of a unit peak there.
    """

    rows: np.ndarray
    values: np.ndarray

    def sum_rows(self, weights) -> np.ndarray:
        """Sum the rows at weighted voxels: (n_studies, n_components), float32."""
        return weights[:, self.rows] @ self.values


def open_table(entry) -> Table:
    """Take the table out of an entry that `build_table` wrote."""
    return Table(np.asarray(entry.arrays["rows"]), np.asarray(entry.arrays["table"]))


def build_table(folder: Path, blocks, read, mix, inside, *, fwhm, voxel_mm, kernel):
    """Build the table from voxels to coefficients, in bounded memory.

    Maps are smoothed one by one onto disk, then rows of the result, a block of voxels
    at a time, multiplied with what turns inner products into coefficients.

    Parameters
    ----------
    folder : Path
        To write ``table.npy`` and ``rows.npy`` to.
    blocks, read : list of slice and callable
        The atlas, from `read_blocks`.
    mix : ndarray of shape (n_components, n_components) or (n_components,), float64
        Inverse of AᵀMA for least squares, or of each map's mass for means.
    inside : ndarray of shape (nx, ny, nz), bool
        The mask.
    fwhm : float
        Full width at half maximum of the Gaussian, in mm; positive.
    voxel_mm : ndarray of shape (3,)
        Voxel sizes, in mm.
    kernel : {"endless", "reflected"}
        The Gaussian of `gaussian_matrix`, or NeuroQuery's.
    """
    sigma = fwhm * FWHM_TO_SIGMA / voxel_mm
    matrices = [
        KERNELS[kernel](*axis) for axis in zip(inside.shape, sigma, strict=True)
    ]
    near = maximum_filter(inside, size=2 * reach(kernel, sigma) + 1, mode="constant")
    rows = np.flatnonzero(near)
    np.save(folder / "rows.npy", rows)
    scratch = folder / "smooth.bin"
    voxels = np.argwhere(inside)
    with scratch.open("wb") as stream:
        for block in blocks:
            _smooth_block(read(block), voxels, matrices, rows, stream)
    with NpyWriter(folder / "table.npy", np.float32, (len(mix),)) as table:
        for batch in gen_batches(len(rows), _BLOCK):
            part = _read_rows(scratch, batch, len(rows), len(mix))
            table.append(part * mix if mix.ndim == 1 else part @ mix)
    scratch.unlink()


def _smooth_block(maps, voxels, matrices, rows, stream):
    """Write maps, smoothed, at the rows of the table: one map after the other."""
    for component in range(maps.shape[1]):
        held = slice(*maps.indptr[component : component + 2])
        smooth = smooth_map(voxels[maps.indices[held]], maps.data[held], matrices)
        smooth.ravel()[rows].tofile(stream)


def _read_rows(scratch: Path, batch, n_rows, n_components):
    """Read a batch of rows of every smoothed map: (n_in_batch, n_components)."""
    part = np.empty((n_components, batch.stop - batch.start))
    with scratch.open("rb") as stream:
        for component, row in enumerate(part):
            stream.seek((component * n_rows + batch.start) * part.itemsize)
            stream.readinto(row)
    return part.T
