"""Maps of voxels made smoother."""

import numpy as np
from scipy.ndimage import gaussian_filter

from ._kde import FWHM_TO_SIGMA


def smooth_voxels(voxels: np.ndarray, mask_img, fwhm: float) -> np.ndarray:
    """Smooth each row of voxels with a Gaussian; outside the mask is nothing.

    A map fades towards the border of the mask, as the densities of peaks do: an atlas's
    outermost maps reach farther out than the peaks that they stand for.

    Parameters
    ----------
    voxels : ndarray of shape (n_maps, n_voxels)
        In the order of the mask's true voxels.
    mask_img : Nifti1Image of shape (nx, ny, nz)
        The mask; its axes are those of space.
    fwhm : float
        Full width at half maximum, in mm; 0 smooths nothing.

    Returns
    -------
    smoothed : ndarray of shape (n_maps, n_voxels)
        Weighted sums over the neighbours inside the mask; weights of all, also those
        outside, sum to one.
    """
    if fwhm == 0:
        return voxels
    inside = np.asarray(mask_img.dataobj) > 0
    sigma = fwhm * FWHM_TO_SIGMA / np.sqrt((mask_img.affine[:3, :3] ** 2).sum(axis=0))
    smoothed = np.empty_like(voxels)
    for row, one in enumerate(voxels):
        volume = np.zeros(inside.shape, dtype=voxels.dtype)
        volume[inside] = one
        smoothed[row] = gaussian_filter(volume, sigma, mode="constant")[inside]
    return smoothed
