"""Draw random maps with the spatial autocorrelation of a given map."""

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from scipy.optimize import nnls
from scipy.sparse import csr_array

from .._utils.volumes import FWHM_TO_SIGMA

# Random maps are sums of smoothed white noise. These are the full widths at half
# maximum of the smoothing kernels, in mm, from that of a slightly smoothed map to that
# of a map that varies only between lobes.
_WIDTHS = (6.0, 12.0, 24.0, 48.0)
# Largest distance at which the autocorrelation of a map is computed, in mm. It is the
# largest of the widths.
_MAX_LAG = 48.0
# Minimum number of pairs of voxels from which an autocorrelation is computed.
_MIN_PAIRS = 100
# Covariances of coefficients are computed from sums of voxels over cubes of about this
# size, in mm. The covariances of all pairs of voxels would take gigabytes of memory.
_BLOCK_MM = 8.0
_N_MAPS = 1000
# Seed of the random maps.
_SEED = 0


def autocorrelation(volume, inside, voxel_mm) -> tuple[np.ndarray, np.ndarray]:
    """Return distances in mm, and the autocorrelation of a map at these distances.

    `volume` and the boolean array `inside` have shape (nx, ny, nz). Voxels are compared
    along the three axes, up to a distance of 48 mm, if both are inside the mask.
    """
    values = np.where(inside, volume - volume[inside].mean(), 0.0)
    variance = np.mean(values[inside] ** 2) or 1.0
    lags, correlations = [], []
    for axis, size in enumerate(voxel_mm):
        for shift in range(1, min(int(_MAX_LAG / size), volume.shape[axis] - 1) + 1):
            n = volume.shape[axis] - shift
            pairs = [
                (np.take(values, rows, axis), np.take(inside, rows, axis))
                for rows in (np.arange(n), np.arange(shift, shift + n))
            ]
            both = pairs[0][1] & pairs[1][1]
            if np.count_nonzero(both) >= _MIN_PAIRS:
                products = (pairs[0][0] * pairs[1][0])[both]
                lags.append(shift * size)
                correlations.append(products.mean() / variance)
    return np.array(lags), np.array(correlations)


def fit_widths(lags, correlations) -> np.ndarray:
    r"""Fit the shares of four kernel widths in the variance of a map.

    White noise that is smoothed by a Gaussian with the standard deviation
    :math:`\sigma` has the autocorrelation :math:`\exp(-h^2 / (4 \sigma^2))` at the
    distance h. The autocorrelation of the map is approximated by a weighted sum of such
    functions, by nonnegative least squares. The weights are the shares. They have shape
    (4,) and sum to 1.
    """
    sigmas = FWHM_TO_SIGMA * np.array(_WIDTHS)
    functions = np.exp(-(np.reshape(lags, (-1, 1)) ** 2) / (4 * sigmas**2))
    # The additional equation states that the shares sum to 1. It is multiplied by a
    # large number, so that the solution deviates little from it.
    large = 10.0
    matrix = np.vstack([functions, np.full(len(sigmas), large)])
    shares, _ = nnls(matrix, np.append(correlations, large))
    return shares / shares.sum()


def fit_shares(img, mask_img) -> tuple:
    """Return the shares of `fit_widths` for an image, rounded to two decimals."""
    from nilearn.image import resample_to_img

    volume = np.nan_to_num(np.asarray(img.dataobj, dtype=np.float32))
    resampled = resample_to_img(
        nib.Nifti1Image(volume.reshape(img.shape[:3]), img.affine),
        mask_img,
        interpolation="linear",
        copy_header=True,
        force_resample=False,
    )
    volume = np.asarray(resampled.dataobj, dtype=np.float64)
    inside = np.asarray(mask_img.dataobj) > 0
    lags, correlations = autocorrelation(volume, inside, voxel_sizes(mask_img.affine))
    shares = fit_widths(lags, correlations)
    # Equally smooth maps have the same rounded shares, so they have the same null
    # distribution, which is kept in memory.
    return tuple(float(one) for one in shares.round(2))


def coefficient_covariances(masker) -> np.ndarray:
    """Return covariances of the coefficients of smoothed white noise, for each width.

    The result has shape (4, n_components, n_components). After smoothing, the noise has
    variance 1 in each voxel.
    """
    # Let v be a map with one value per voxel, and let the rows of A be the maps of the
    # atlas. The coefficients of v are Q A v. The matrix Q is computed from the
    # coefficients of the maps of the atlas, which are the columns of Q A Aᵀ.
    maps = masker.coefficients_to_voxels(np.eye(masker.n_elements_, dtype=np.float32))
    gram = np.asarray(maps @ maps.T, dtype=np.float64)
    of_maps = masker.voxels_to_coefficients(maps).astype(np.float64)
    projection = np.linalg.lstsq(gram, of_maps, rcond=1e-10)[0].T
    blocks, axes = _sum_blocks(maps, masker.mask_img_)
    covariances = []
    for width in _WIDTHS:
        smoothed = blocks
        for axis, (centers, n) in enumerate(axes, start=1):
            matrix = _kernel_of_blocks(centers, n, FWHM_TO_SIGMA * width)
            moved = np.moveaxis(smoothed, axis, -1) @ matrix
            smoothed = np.moveaxis(moved, -1, axis)
        flat = smoothed.reshape(len(maps), -1)
        inner = blocks.reshape(len(maps), -1) @ flat.T
        covariances.append(projection @ inner @ projection.T)
    return np.array(covariances, dtype=np.float32)


def _sum_blocks(maps, mask_img):
    """Return the sums of maps over cubes of voxels, and the axes of the cubes.

    An axis consists of the positions of voxels in mm and the number of voxels per cube.
    """
    inside = np.asarray(mask_img.dataobj) > 0
    voxel_mm = voxel_sizes(mask_img.affine)
    sizes = np.maximum(1, np.rint(_BLOCK_MM / voxel_mm).astype(int))
    shape = -(-np.array(inside.shape) // sizes)
    places = np.ravel_multi_index((np.argwhere(inside) // sizes).T, shape)
    n_voxels = len(places)
    in_block = csr_array(
        (np.ones(n_voxels, dtype=np.float32), (places, np.arange(n_voxels))),
        shape=(np.prod(shape), n_voxels),
    )
    blocks = (in_block @ maps.T).T.reshape(len(maps), *shape)
    axes = [
        (np.arange(n * size) * mm, size)
        for n, size, mm in zip(shape, sizes, voxel_mm, strict=True)
    ]
    return blocks, axes


def _kernel_of_blocks(positions, n, sigma) -> np.ndarray:
    """Return the mean autocorrelation between the voxels of cubes along one axis."""
    distances = positions[:, None] - positions
    kernel = np.exp(-(distances**2) / (4 * sigma**2))
    n_blocks = len(positions) // n
    return kernel.reshape(n_blocks, n, n_blocks, n).mean(axis=(1, 3), dtype=np.float32)


def draw_surrogates(shares, covariances) -> np.ndarray:
    """Draw coefficients of 1,000 random maps, of shape (1000, n_components).

    The maps are Gaussian random fields. `shares` are those of `fit_widths`, and
    `covariances` those of `coefficient_covariances`.
    """
    covariance = np.tensordot(shares, covariances, axes=1).astype(np.float64)
    n = len(covariance)
    # Rounding errors may make the covariance indefinite.
    covariance[np.diag_indices(n)] += 1e-6 * np.trace(covariance) / n
    rng = np.random.default_rng(_SEED)
    noise = rng.standard_normal((_N_MAPS, n))
    return (noise @ np.linalg.cholesky(covariance).T).astype(np.float32)
