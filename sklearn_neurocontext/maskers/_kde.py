"""Pure functions: peaks to voxels, and the table that makes coefficients a sum of rows.

The density of a study is the sum of Gaussians at its peaks, and its coefficients are
linear in the density. So with the grid G (Gaussian), the mask M and the atlas A fixed,
``T = G·MA(AᵀMA)⁻¹`` holds one row of coefficients for each voxel, and a study's
coefficients are the sum of the rows of T at its peaks.
"""

import math
import warnings

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array

FWHM_TO_SIGMA = 1 / math.sqrt(8 * math.log(2))
# Beyond six deviations a Gaussian holds 2e-9 of its mass.
_TRUNCATE = 6.0


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
    nearest = np.floor(positions + 0.5).astype(np.int64)
    on_grid = ((nearest >= 0) & (nearest < inside.shape)).all(axis=1)
    kept = on_grid.copy()
    kept[on_grid] = inside[tuple(nearest[on_grid].T)]
    rows, positions, nearest = study[kept], positions[kept], nearest[kept]
    if voxelization == "nearest":
        corners, shares = nearest[None], np.ones((1, len(nearest)))
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


def build_table(maps, inside, *, fwhm, voxel_mm, strategy="lstsq"):
    """Build the table from voxels to coefficients.

    Parameters
    ----------
    maps : ndarray of shape (n_voxels, n_components), float32
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
    table : ndarray of shape (nx * ny * nz, n_components), float32
        Coefficients of a unit peak at each voxel. The density beyond the grid is zero.
    """
    projection = _projection(maps, strategy)
    sigma = fwhm * FWHM_TO_SIGMA / np.asarray(voxel_mm)
    table = np.empty((inside.size, maps.shape[1]), dtype=np.float32)
    volume = np.zeros(inside.shape, dtype=np.float32)
    for component in range(maps.shape[1]):
        volume[inside] = projection[:, component]
        # The Gaussian is symmetric: smoothing the projection is its transpose.
        smooth = gaussian_filter(volume, sigma, mode="constant", truncate=_TRUNCATE)
        table[:, component] = smooth.ravel()
    return table


def _projection(maps, strategy):
    """Give the matrix P with coefficients = densityᵀ·P, in the mask."""
    maps = maps.astype(np.float64)
    if strategy == "mean":
        mass = maps.sum(axis=0)
        return maps / np.where(mass > 0, mass, 1)
    gram = maps.T @ maps
    try:
        factor = cho_factor(gram, lower=True)
        diagonal = np.abs(np.diag(factor[0]))
        if diagonal.min() > 1e-6 * diagonal.max():
            return cho_solve(factor, maps.T).T
    except LinAlgError:
        pass
    warnings.warn(
        "Some maps of the atlas are empty in the mask or combinations of others, so "
        "coefficients are not unique; taking those of least norm. Use a finer grid or "
        "a smaller atlas if that matters.",
        UserWarning,
        stacklevel=2,
    )
    return maps @ np.linalg.pinv(gram, hermitian=True)
