"""Compute the kernel density of peaks, the voxels of peaks, and Gaussian kernels."""

import math

import numpy as np
from nibabel.affines import apply_affine
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

from .._utils.validation import check_peaks
from .._utils.volumes import FWHM_TO_SIGMA

# Number of standard deviations at which NeuroQuery truncates its Gaussian.
_TRUNCATE = 4.0
# Number of peaks whose Gaussians are in memory at a time.
_N_PEAKS_BLOCK = 2048


def density_map(peaks, mask_img, *, fwhm: float = 9.0, weights=None) -> np.ndarray:
    r"""Compute the kernel density of peaks at the voxels of a mask.

    The density at position v is a sum of Gaussians,
    :math:`d(v) = \sum_p w_p\, g(v - p)`, where the sum is over the peaks p,
    :math:`w_p` is the weight of peak p, and g is a Gaussian with integral 1. The
    Gaussians are not truncated. They are centered at the exact coordinates of the
    peaks, not at the nearest voxels.

    Parameters
    ----------
    peaks : array-like of shape (n_peaks, 3)
        Coordinates x, y, z of the peaks in mm, in the space of the mask.
    mask_img : Nifti1Image of shape (nx, ny, nz)
        Mask with a diagonal affine. The density is computed where the mask is nonzero.
    fwhm : float, default=9.0
        Full width at half maximum of the Gaussian, in mm.
    weights : array-like of shape (n_peaks,) or None, default=None
        Weight of each peak. If None, all weights are 1.

    Returns
    -------
    density : ndarray of shape (n_voxels,), float64
        Density at the nonzero voxels of the mask. Its unit is weight per voxel.
        Therefore, the sum over all voxels is the sum of the weights, or less if a part
        of the Gaussians is outside the mask.

    Raises
    ------
    ValueError
        If the affine of the mask is not diagonal.

    Examples
    --------
    >>> from sklearn_neurocontext.maskers import KDEDiFuMoMasker, density_map
    >>> mask_img = KDEDiFuMoMasker("geometric", n_components=64).fit().mask_img_
    >>> round(float(density_map([[0, -20, 20]], mask_img).sum()), 3)
    1.0
    """
    linear = mask_img.affine[:3, :3]
    if np.count_nonzero(linear - np.diag(np.diag(linear))):
        raise ValueError(
            f"mask_img must have a diagonal affine; got\n{mask_img.affine}\n"
            "Resample the mask to a diagonal affine first."
        )
    (peaks,) = check_peaks([peaks])
    weights = np.ones(len(peaks)) if weights is None else np.asarray(weights)
    inside = np.asarray(mask_img.dataobj) > 0
    positions = apply_affine(np.linalg.inv(mask_img.affine), peaks)
    sigma = fwhm * FWHM_TO_SIGMA / np.abs(np.diag(linear))
    volume = np.zeros(inside.shape)
    for start in range(0, len(peaks), _N_PEAKS_BLOCK):
        block = slice(start, start + _N_PEAKS_BLOCK)
        x, y, z = (
            _normal_pdf(positions[block, axis], inside.shape[axis], sigma[axis])
            for axis in range(3)
        )
        plane = (y[:, :, None] * z[:, None, :]).reshape(len(y), -1)
        volume += ((x * weights[block, None]).T @ plane).reshape(inside.shape)
    return volume[inside]


def _normal_pdf(centers, n, sigma):
    """Compute the normal density around each center at the voxels 0 to n - 1.

    The result has shape (n_centers, n). Centers and sigma are in voxels along one axis.
    """
    distance = (np.arange(n) - centers[:, None]) / sigma
    return np.exp(-0.5 * distance**2) / (sigma * np.sqrt(2 * np.pi))


def peaks_to_weights(peaks, affine, inside, *, voxelization="nearest"):
    """Count the peaks of each study at each voxel, and the peaks outside the mask.

    Returns
    -------
    weights : csr_array of shape (n_studies, n_grid), float32
        Number of peaks of each study at each voxel of the grid. With
        ``voxelization="linear"``, a peak is divided among eight voxels, so the number
        may be a fraction.
    n_off_grid : int
        Number of peaks outside the field of view. These peaks are dropped.
    n_off_mask : int
        Number of peaks in the field of view but outside the mask. These peaks are kept
        with ``voxelization="neuroquery"``, and dropped otherwise.
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
    """Return the voxel coordinates of peaks, the nearest voxels, and a boolean array.

    The boolean array is True for peaks whose nearest voxel is on the grid.
    """
    xyz = np.concatenate([*peaks, np.zeros((0, 3))])
    linear, offset = np.linalg.inv(affine)[:3, :3], np.linalg.inv(affine)[:3, 3]
    positions = xyz @ linear.T + offset
    nearest = np.floor(positions + 0.5)
    # The caller converts voxels to integers after it drops voxels that are not on the
    # grid, because very large values would overflow.
    on_grid = ((nearest >= 0) & (nearest < shape)).all(axis=1)
    return positions, nearest, on_grid


def _floor_voxels(peaks, affine, shape):
    """Return the voxel coordinates of peaks, the voxels of peaks, and a boolean array.

    Voxel coordinates are rounded down, as in NeuroQuery 1.1. The boolean array is True
    for peaks whose voxel is on the grid.
    """
    # The pseudoinverse has rounding errors of about 1e-15. Because of these errors,
    # many peaks on the border between two voxels are assigned to the lower voxel. To
    # reproduce these errors, the matrix products must have the same shapes as in
    # NeuroQuery, that is, one product per study.
    inverse = np.linalg.pinv(affine)
    ones = [np.column_stack([xyz, np.ones(len(xyz))]) for xyz in peaks]
    positions = [inverse.dot(xyz1.T)[:3].T for xyz1 in ones]
    positions = np.concatenate([*positions, np.zeros((0, 3))])
    on_grid = ((positions >= 0) & (positions < shape)).all(axis=1)
    return positions, np.floor(positions), on_grid


def _linear_corners(positions, shape):
    """Return the 8 voxels around each of n peaks, and the share of each voxel.

    The peak is divided among the voxels in proportion to their shares, which sum to
    one. The arrays have shapes (8, n, 3) and (8, n).
    """
    low = np.floor(positions).astype(np.int64)
    fraction = positions - low
    corners, shares = [], []
    for corner in np.ndindex(2, 2, 2):
        step = np.array(corner)
        share = np.where(step, fraction, 1 - fraction).prod(axis=1)
        # If a voxel is outside the grid, its share is assigned to the nearest voxel of
        # the grid.
        corners.append(np.clip(low + step, 0, np.array(shape) - 1))
        shares.append(share)
    return np.stack(corners), np.stack(shares)


def gaussian_matrix(n: int, sigma: float) -> np.ndarray:
    """Compute the Gaussian weight between each pair of n points on a line: (n, n)."""
    # The Gaussian is not truncated. The weights of a point would sum to one if the line
    # were infinite.
    steps = np.arange(n + math.ceil(10 * sigma))
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel[0] + 2 * kernel[1:].sum()
    return kernel[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]


def reflected_matrix(n: int, sigma: float) -> np.ndarray:
    """Compute the weights of `gaussian_matrix` as NeuroQuery does: (n, n)."""
    # NeuroQuery truncates the Gaussian and reflects it at both ends of an axis.
    identity = np.eye(n)
    return gaussian_filter1d(
        identity, sigma, axis=0, mode="reflect", truncate=_TRUNCATE
    )


# Functions that return a symmetric matrix of Gaussian weights along one axis. The
# parameter sigma is in voxels.
KERNELS = {"endless": gaussian_matrix, "reflected": reflected_matrix}


def kernel_matrices(kernel: str, shape, fwhm: float, voxel_mm) -> list:
    """Return three square matrices, the Gaussian weights along each axis of a grid."""
    sigma = fwhm * FWHM_TO_SIGMA / voxel_mm
    return [KERNELS[kernel](*axis) for axis in zip(shape, sigma, strict=True)]


def kernel_margin(kernel: str, sigma) -> np.ndarray:
    """Return the distance from the mask beyond which voxels do not affect results."""
    # The distance is an integer array of shape (3,), in voxels along each axis.
    if kernel == "reflected":
        return (_TRUNCATE * np.asarray(sigma) + 0.5).astype(int)
    # Peaks outside the mask are dropped. With voxelization="linear", a peak in the mask
    # is divided among neighboring voxels, and some of them may be outside the mask.
    return np.ones(3, dtype=int)


def smooth_map(voxels, values, matrices) -> np.ndarray:
    """Smooth values (n,) at voxels (n, 3) with one matrix per axis: (nx, ny, nz)."""
    if len(voxels) == 0:
        return np.zeros([len(matrix) for matrix in matrices])
    # Only the columns of the bounding box of `voxels` are needed.
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    x, y, z = (
        matrix[:, first:last]
        for matrix, first, last in zip(matrices, low, high, strict=True)
    )
    box = np.zeros(high - low)
    box[tuple((voxels - low).T)] = values
    return y @ np.tensordot(x, box, axes=(1, 0)) @ z.T


def smooth_weights(weights, inside, matrices) -> np.ndarray:
    """Smooth the peaks of each study; return the values at voxels in the mask.

    `weights` has shape (n_studies, n_grid) and is the output of `peaks_to_weights`.
    `matrices` contains one matrix of Gaussian weights per axis. The result has shape
    (n_studies, n_voxels) and dtype float32.
    """
    densities = np.empty((weights.shape[0], np.count_nonzero(inside)), np.float32)
    for row, density in enumerate(densities):
        nonzero = slice(*weights.indptr[row : row + 2])
        voxels = np.unravel_index(weights.indices[nonzero], inside.shape)
        smooth = smooth_map(np.stack(voxels, axis=1), weights.data[nonzero], matrices)
        density[:] = smooth[inside]
    return densities
