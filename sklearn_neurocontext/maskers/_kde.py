"""Pure functions: peaks to weights of voxels, and the Gaussian on a grid."""

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

# Where NeuroQuery's Gaussian ends, in standard deviations.
_CUT = 4.0


def peaks_to_weights(peaks, affine, inside, *, voxelization="nearest"):
    """Write the peaks of each study as weights of voxels.

    Parameters
    ----------
    peaks : list of ndarray of shape (n_peaks_i, 3)
        In mm, in the space of the grid.
    affine : ndarray of shape (4, 4)
        Of the grid, voxel to mm.
    inside : ndarray of shape (nx, ny, nz), bool
        The mask.
    voxelization : {"nearest", "linear", "neuroquery"}, default="nearest"
        ``"nearest"`` moves a peak to the centre of its voxel; ``"linear"`` shares it
        among the eight voxels around it; ``"neuroquery"`` moves it to the voxel of the
        next lower whole coordinates.

    Returns
    -------
    weights : csr_array of shape (n_studies, nx * ny * nz), float32
        Each kept peak has total weight one; duplicates count.
    n_off_grid, n_off_mask : int
        Peaks that lie outside the field of view, and those inside it but outside the
        mask: the latter are kept by ``"neuroquery"``, all others dropped.
    """
    study = np.repeat(np.arange(len(peaks)), [len(rows) for rows in peaks])
    locate = _floor_voxels if voxelization == "neuroquery" else _nearest_voxels
    positions, voxels, on_grid = locate(peaks, affine, inside.shape)
    in_mask = on_grid.copy()
    in_mask[on_grid] = inside[tuple(voxels[on_grid].astype(np.int64).T)]
    kept = on_grid if voxelization == "neuroquery" else in_mask
    rows, positions, voxels = study[kept], positions[kept], voxels[kept]
    if voxelization == "linear":
        corners, shares = _linear_corners(positions, inside.shape)
    else:
        corners, shares = voxels.astype(np.int64)[None], np.ones((1, len(voxels)))
    columns = np.ravel_multi_index(tuple(corners.reshape(-1, 3).T), inside.shape)
    weights = csr_array(
        (
            shares.ravel().astype(np.float32),
            (np.tile(rows, len(corners)), columns),
        ),
        shape=(len(peaks), inside.size),
    )
    weights.sum_duplicates()
    return weights, int((~on_grid).sum()), int((on_grid & ~in_mask).sum())


def _nearest_voxels(peaks, affine, shape):
    xyz = np.concatenate([*peaks, np.zeros((0, 3))])
    linear, offset = np.linalg.inv(affine)[:3, :3], np.linalg.inv(affine)[:3, 3]
    positions = xyz @ linear.T + offset
    nearest = np.floor(positions + 0.5)
    # Compared before they become integers, which would wrap around for huge values.
    on_grid = ((nearest >= 0) & (nearest < shape)).all(axis=1)
    return positions, nearest, on_grid


def _floor_voxels(peaks, affine, shape):
    """Find voxels by the steps of NeuroQuery 1.1, whose rounding decides often.

    The pseudoinverse leaves errors of 1e-15, which move many a peak that lies on a
    voxel's border to the voxel below. They are the same only for the same matrices,
    hence one product for each study.
    """
    inverse = np.linalg.pinv(affine)
    ones = [np.column_stack([xyz, np.ones(len(xyz))]) for xyz in peaks]
    positions = [inverse.dot(xyz1.T)[:3].T for xyz1 in ones]
    positions = np.concatenate([*positions, np.zeros((0, 3))])
    on_grid = ((positions >= 0) & (positions < shape)).all(axis=1)
    return positions, np.floor(positions), on_grid


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


def reflected_matrix(n: int, sigma: float) -> np.ndarray:
    """Weights of NeuroQuery's Gaussian: cut off, and reflected at the ends of the line.

    Parameters
    ----------
    n : int
        Number of points, one apart.
    sigma : float
        Standard deviation, in points; positive. The Gaussian ends at four of them.

    Returns
    -------
    weights : ndarray of shape (n, n), float64
        Symmetric; each row sums to one.
    """
    return gaussian_filter1d(np.eye(n), sigma, axis=0, mode="reflect", truncate=_CUT)


def reach(kernel: str, sigma) -> np.ndarray:
    """How far from the mask a peak can lie and still count, in voxels: (3,), int."""
    if kernel == "reflected":
        return (_CUT * np.asarray(sigma) + 0.5).astype(int)
    # A peak in the mask that is shared linearly reaches the next voxel.
    return np.ones(3, dtype=int)


KERNELS = {"endless": gaussian_matrix, "reflected": reflected_matrix}


def smooth_map(voxels, values, matrices) -> np.ndarray:
    """Smooth one map on the grid.

    Parameters
    ----------
    voxels : ndarray of shape (n_held, 3), int
        Where the map is not zero.
    values : ndarray of shape (n_held,), float
        Its values there.
    matrices : list of three ndarrays (n_axis, n_axis), float64
        Of these, only the columns at the box around the map are needed.

    Returns
    -------
    smooth : ndarray of shape (nx, ny, nz), float64
        On the whole grid.
    """
    if len(voxels) == 0:
        return np.zeros([len(matrix) for matrix in matrices])
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    x, y, z = (
        matrix[:, first:last]
        for matrix, first, last in zip(matrices, low, high, strict=True)
    )
    box = np.zeros(high - low)
    box[tuple((voxels - low).T)] = values
    return y @ np.tensordot(x, box, axes=(1, 0)) @ z.T
