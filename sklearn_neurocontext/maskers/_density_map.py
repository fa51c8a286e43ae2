"""Density of peaks at every voxel of a mask, in continuous space."""

import numpy as np
from nibabel.affines import apply_affine

from .._utils.volumes import FWHM_TO_SIGMA

# Peaks whose Gaussians are summed at a time: bounds memory.
_BLOCK = 2048


def density_map(peaks, mask_img, *, fwhm: float = 9.0, weights=None) -> np.ndarray:
    r"""Sum a Gaussian at each peak: :math:`d(v) = \sum_p w_p\, g(v - p)`.

    The Gaussian is evaluated at the voxels' centres, wherever between them the peak
    lies, and is never cut off.

    Parameters
    ----------
    peaks : array-like of shape (n_peaks, 3)
        x, y, z in mm, in the space of the mask.
    mask_img : Nifti1Image of shape (nx, ny, nz)
        True where the density is wanted; its axes are those of space.
    fwhm : float, default=9.0
        Full width at half maximum of the Gaussian, in mm.
    weights : array-like of shape (n_peaks,) or None, default=None
        Mass of each peak; None is one each.

    Returns
    -------
    density : ndarray of shape (n_voxels,), float64
        Per voxel, in the order of the mask's true voxels: over an endless grid it would
        sum to the peaks' mass.

    Raises
    ------
    ValueError
        If the image's axes are oblique.

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
            f"The mask has the affine\n{mask_img.affine}\nwhose axes are oblique; "
            "resample it to a diagonal affine first."
        )
    peaks = np.asarray(peaks, dtype=np.float64).reshape(-1, 3)
    weights = np.ones(len(peaks)) if weights is None else np.asarray(weights)
    inside = np.asarray(mask_img.dataobj) > 0
    positions = apply_affine(np.linalg.inv(mask_img.affine), peaks)
    sigma = fwhm * FWHM_TO_SIGMA / np.abs(np.diag(linear))
    volume = np.zeros(inside.shape)
    for start in range(0, len(peaks), _BLOCK):
        block = slice(start, start + _BLOCK)
        x, y, z = (
            _gaussians(positions[block, axis], inside.shape[axis], sigma[axis])
            for axis in range(3)
        )
        plane = (y[:, :, None] * z[:, None, :]).reshape(len(y), -1)
        volume += ((x * weights[block, None]).T @ plane).reshape(inside.shape)
    return volume[inside]


def _gaussians(centres, n, sigma):
    """Evaluate normal densities at 0 … n - 1, in voxels: (n_centres, n)."""
    distance = (np.arange(n) - centres[:, None]) / sigma
    return np.exp(-0.5 * distance**2) / (sigma * np.sqrt(2 * np.pi))
