"""Pure functions: peaks to voxels, and the table that makes coefficients a sum of rows.

The density of a study is the sum of Gaussians at its peaks, and its coefficients are
linear in the density. So with the grid's Gaussian G and the atlas A at the voxels of
the mask fixed, ``T = G·A(AᵀA)⁻¹`` holds one row of coefficients for each voxel, and a
study's coefficients are the sum of the rows of T at its peaks.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, pinvh
from scipy.ndimage import binary_dilation
from scipy.sparse import csr_array
from sklearn.utils import gen_batches

FWHM_TO_SIGMA = 1 / math.sqrt(8 * math.log(2))
# A map whose share that the others cannot explain is below this (squared norm) counts
# as their combination. Maps are float32, whose rounding leaves about 1e-14.
_MIN_OWN_SHARE = 1e-12
# Rows of the table computed at a time.
_BLOCK = 4096


@dataclass(frozen=True)
class Table:
    """Coefficients of a unit peak at each voxel that a peak of the mask can touch.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,), int
        Flat indices on the grid of the voxels in the mask or beside it.
    values : ndarray of shape (n_rows, n_components), float32
        Coefficients of a unit peak there.
    unique : bool
        Whether no map is a combination of the others.
    """

    rows: np.ndarray
    values: np.ndarray
    unique: bool

    def sum_rows(self, weights) -> np.ndarray:
        """Sum the rows at weighted voxels: (n_studies, n_components), float32."""
        return weights[:, self.rows] @ self.values


def peaks_to_weights(peaks, affine, inside, *, voxelization="nearest"):
    """Write the peaks of each study as weights of voxels.

    Parameters
    ----------
    peaks : list of ndarray of shape (n_peaks_i, 3)
        In mm, in the space of the grid.
    affine : ndarray of shape (4, 4)
        Of the grid, voxel to mm.
    inside : ndarray of shape (nx, ny, nz), bool
        The mask. A peak counts if its nearest voxel lies inside.
    voxelization : {"nearest", "linear"}, default="nearest"
        ``"nearest"`` moves a peak to the centre of its voxel; ``"linear"`` shares it
        among the eight voxels around it.

    Returns
    -------
    weights : csr_array of shape (n_studies, nx * ny * nz), float32
        Each kept peak has total weight one; duplicates count.
    n_off_grid, n_off_mask : int
        Peaks that were dropped because they lie outside the field of view, or inside
        it but outside the mask.
    """
    study = np.repeat(np.arange(len(peaks)), [len(rows) for rows in peaks])
    xyz = np.concatenate([*peaks, np.zeros((0, 3))])
    linear, offset = np.linalg.inv(affine)[:3, :3], np.linalg.inv(affine)[:3, 3]
    positions = xyz @ linear.T + offset
    nearest = np.floor(positions + 0.5)
    # Compared before they become integers, which would wrap around for huge values.
    on_grid = ((nearest >= 0) & (nearest < inside.shape)).all(axis=1)
    kept = on_grid.copy()
    kept[on_grid] = inside[tuple(nearest[on_grid].astype(np.int64).T)]
    rows, positions, nearest = study[kept], positions[kept], nearest[kept]
    if voxelization == "nearest":
        corners, shares = nearest.astype(np.int64)[None], np.ones((1, len(nearest)))
    else:
        corners, shares = _linear_corners(positions, inside.shape)
    columns = np.ravel_multi_index(tuple(corners.reshape(-1, 3).T), inside.shape)
    weights = csr_array(
        (
            shares.ravel().astype(np.float32),
            (np.tile(rows, len(corners)), columns),
        ),
        shape=(len(peaks), inside.size),
    )
    weights.sum_duplicates()
    return weights, int((~on_grid).sum()), int((on_grid & ~kept).sum())


def _linear_corners(positions, shape):
    """Give the eight voxels around each position, and the share of each."""
    low = np.floor(positions).astype(np.int64)
    fraction = positions - low
    corners, shares = [], []
    for corner in np.ndindex(2, 2, 2):
        step = np.array(corner)
        share = np.where(step, fraction, 1 - fraction).prod(axis=1)
        # A corner beyond the border has its share moved to the border voxel.
        corners.append(np.clip(low + step, 0, np.array(shape) - 1))
        shares.append(share)
    return np.stack(corners), np.stack(shares)


def build_table(maps, inside, *, fwhm, voxel_mm, strategy="lstsq") -> Table:
    """Build the table from voxels to coefficients.

    Parameters
    ----------
    maps : csc_array of shape (n_voxels, n_components), float32
        The atlas at the voxels of the mask.
    inside : ndarray of shape (nx, ny, nz), bool
        The mask, with `n_voxels` true voxels.
    fwhm : float
        Full width at half maximum of the Gaussian, in mm; positive.
    voxel_mm : ndarray of shape (3,)
        Voxel sizes, in mm.
    strategy : {"lstsq", "mean"}, default="lstsq"
        Least squares on the maps, or the mean density in each map.

    Returns
    -------
    table : Table
        Its rows are the voxels of the mask and their neighbours, which share the peaks
        of the mask's outermost voxels under ``voxelization="linear"``.
    """
    rows = np.flatnonzero(binary_dilation(inside, np.ones((3, 3, 3))))
    smooth = _smooth_maps(maps, inside, rows, fwhm * FWHM_TO_SIGMA / voxel_mm)
    if strategy == "mean":
        mass = maps.sum(axis=0, dtype=np.float64)
        solution, unique = 1 / np.where(mass > 0, mass, 1), True
    else:
        solution, unique = _solve_gram(maps)
    values = np.empty(smooth.shape, dtype=np.float32)
    for block in gen_batches(len(rows), _BLOCK):
        part = smooth[block]
        values[block] = part * solution if solution.ndim == 1 else part @ solution
    return Table(rows, values, unique)


def gaussian_matrix(n: int, sigma: float) -> np.ndarray:
    """Weights between the points of a line under a Gaussian that is never cut off.

    Parameters
    ----------
    n : int
        Number of points, one apart.
    sigma : float
        Standard deviation, in points; positive.

    Returns
    -------
    weights : ndarray of shape (n, n), float64
        Symmetric; a row sums to one, less what falls beyond the ends of the line.
    """
    steps = np.arange(n + math.ceil(10 * sigma))
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel[0] + 2 * kernel[1:].sum()
    return kernel[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]


def _smooth_maps(maps, inside, rows, sigma):
    """Smooth each map and read it at `rows`: (n_rows, n_components), float64.

    A Gaussian is one matrix for each axis, and of these only the columns at the box
    around a map are needed.
    """
    x, y, z = (gaussian_matrix(*axis) for axis in zip(inside.shape, sigma, strict=True))
    voxels = np.argwhere(inside)
    smooth = np.empty((maps.shape[1], len(rows)))
    for component in range(maps.shape[1]):
        held = slice(*maps.indptr[component : component + 2])
        where = voxels[maps.indices[held]]
        if len(where) == 0:
            smooth[component] = 0
            continue
        low, high = where.min(axis=0), where.max(axis=0) + 1
        box = np.zeros(high - low)
        box[tuple((where - low).T)] = maps.data[held]
        box = np.tensordot(x[:, low[0] : high[0]], box, axes=(1, 0))
        box = y[:, low[1] : high[1]] @ box
        box = box @ z[low[2] : high[2]]
        smooth[component] = box.ravel()[rows]
    return smooth.T


def _solve_gram(maps):
    """Give (AᵀA)⁻¹ and whether it exists; of a diagonal matrix only the diagonal."""
    maps = maps.astype(np.float64)
    gram = (maps.T @ maps).tocoo()
    norm = np.sqrt(gram.diagonal())
    # An empty map has no density, hence the coefficient zero, whatever stands here.
    norm[norm == 0] = 1
    if (gram.row == gram.col).all():
        return norm**-2, True
    scaled = gram.toarray() / norm / norm[:, None]
    np.fill_diagonal(scaled, 1)
    inverse, unique = _invert(scaled)
    return inverse / norm / norm[:, None], unique


def _invert(matrix):
    """Invert a symmetric matrix with unit diagonal, if need be on its range only."""
    try:
        factor = cho_factor(matrix, lower=True)
        if np.diag(factor[0]).min() ** 2 > _MIN_OWN_SHARE:
            return cho_solve(factor, np.eye(len(matrix))), True
    except LinAlgError:
        pass
    return pinvh(matrix, rtol=_MIN_OWN_SHARE), False
