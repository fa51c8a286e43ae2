"""Small steps on arrays that the pretrained model shares."""

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from ..maskers._kde import FWHM_TO_SIGMA


def check_array(name: str, array, shape: tuple):
    """Check the shape of an optional array; None in `shape` is any number."""
    if array is None:
        return None
    array = np.asarray(array, dtype=np.float32)
    fits = array.ndim == len(shape) and all(
        wanted in (None, n) for wanted, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        words = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} has shape {array.shape}; expected ({words}).")
    return array


def cosines(rows: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Cosine of each row with one row of shape (1, n); zero where a norm is zero."""
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(one)
    return (rows @ one[0]) / np.where(norms > 0, norms, 1)


def voxels_to_imgs(voxels: np.ndarray, mask_img) -> list:
    """Write each row of voxels as a 3D image, zero outside the mask."""
    inside = np.asarray(mask_img.dataobj) > 0
    imgs = []
    for one in voxels:
        volume = np.zeros(inside.shape, dtype=np.float32)
        volume[inside] = one
        imgs.append(nib.Nifti1Image(volume, mask_img.affine))
    return imgs


def smooth_voxels(voxels: np.ndarray, mask_img, fwhm: float) -> np.ndarray:
    """Smooth each row of voxels with a Gaussian that sees nothing outside the mask.

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
        Weighted means of each voxel's neighbours inside the mask.
    """
    if fwhm == 0:
        return voxels
    inside = np.asarray(mask_img.dataobj) > 0
    sigma = fwhm * FWHM_TO_SIGMA / np.sqrt((mask_img.affine[:3, :3] ** 2).sum(axis=0))
    weight = gaussian_filter(inside.astype(np.float32), sigma, mode="constant")[inside]
    smoothed = np.empty_like(voxels)
    for row, one in enumerate(voxels):
        volume = np.zeros(inside.shape, dtype=voxels.dtype)
        volume[inside] = one
        smoothed[row] = gaussian_filter(volume, sigma, mode="constant")[inside] / weight
    return smoothed
