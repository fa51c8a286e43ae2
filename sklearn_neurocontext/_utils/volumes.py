"""Smooth voxel maps, convert them to images, and select their strongest voxels."""

import math
from numbers import Real

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

# `keep_strongest` sets a voxel to zero if its value is at most this fraction of the
# maximum of the map. The reason is that, in a map of few peaks, the density of many of
# the top 10 % of voxels is almost zero.
_MIN_FRACTION = 0.01
# Standard deviation of a Gaussian, divided by its full width at half maximum (fwhm).
FWHM_TO_SIGMA = 1 / math.sqrt(8 * math.log(2))
# Largest full width at half maximum, in mm. A brain is about 180 mm long, and the size
# of a kernel, which grows with its width, must be limited.
MAX_FWHM = 1000.0


def smooth_voxels(voxels: np.ndarray, mask_img, fwhm: float) -> np.ndarray:
    """Smooth maps of shape (n_maps, n_voxels) with a Gaussian kernel; `fwhm` in mm."""
    # Before smoothing, voxels outside the mask are set to zero. Therefore, the smoothed
    # maps decrease toward the border of the mask, as maps of peak density do.
    if fwhm == 0:
        return voxels
    if fwhm > MAX_FWHM:
        raise ValueError(
            f"smoothing_fwhm must be at most {MAX_FWHM:g} mm; got {fwhm:g}. Use a "
            "smaller value, for example 14."
        )
    inside = np.asarray(mask_img.dataobj) > 0
    sigma = fwhm * FWHM_TO_SIGMA / np.sqrt((mask_img.affine[:3, :3] ** 2).sum(axis=0))
    smoothed = np.empty_like(voxels)
    for row, values in enumerate(voxels):
        volume = np.zeros(inside.shape, dtype=voxels.dtype)
        volume[inside] = values
        smoothed[row] = gaussian_filter(volume, sigma, mode="constant")[inside]
    return smoothed


def voxels_to_imgs(voxels: np.ndarray, mask_img) -> list:
    """Convert each row to a 3D image; voxels outside the mask are zero."""
    inside = np.asarray(mask_img.dataobj) > 0
    imgs = []
    for values in voxels:
        volume = np.zeros(inside.shape, dtype=np.float32)
        volume[inside] = values
        imgs.append(nib.Nifti1Image(volume, mask_img.affine))
    return imgs


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Divide each row by its L2 norm; rows of zeros stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def check_top(top) -> None:
    """Check that `top` is a fraction in (0, 1]."""
    if not isinstance(top, Real) or not 0.0 < top <= 1.0:
        raise ValueError(
            f"top must be a fraction of the voxels in (0, 1]; got {top!r}. For the "
            "strongest 10 %, pass top=0.1."
        )


def select_top(maps, top: float) -> np.ndarray:
    """Return a boolean array that is True at the strongest voxels of each map."""
    # `maps` has shape (n_maps, n_voxels). In each map, the k voxels with the highest
    # values are selected, where k is the fraction `top` of n_voxels. Voxels tied with
    # the k-th highest value are also selected if this value is positive. If it is not
    # positive, only voxels above it are selected.
    n_voxels = maps.shape[1]
    # Subtract 1e-6 before rounding up, because 0.07 * 100 is 7.000000000000001 in
    # floating point, and k must be 7 instead of 8.
    k = max(1, math.ceil(top * n_voxels - 1e-6))
    cut = np.partition(maps, n_voxels - k, axis=1)[:, [n_voxels - k]]
    return (maps > cut) | ((maps == cut) & (cut > 0))


def keep_strongest(img, top, name):
    """Keep the strongest voxels of a map, and set all others to zero."""
    # `top` is a fraction of the voxels inside nilearn's MNI mask. `name` is the name of
    # the map in error messages.
    from nilearn.image import new_img_like

    check_top(top)
    inside = _inside_brain(img)
    if not inside.any():
        raise ValueError(
            f"{name} does not overlap the brain in MNI space. Its affine is\n"
            f"{img.affine}.\nThe affine must convert voxel indices to mm in MNI space."
        )
    volume = img.get_fdata()
    voxels = volume[inside]
    selected = select_top(voxels[np.newaxis], top)[0]
    selected &= voxels > _MIN_FRACTION * max(voxels.max(), 0)
    if not selected.any():
        raise ValueError(
            f"{name} has no positive voxel inside the brain. For the map of a study, "
            "check that the study has peaks inside the mask."
        )
    kept = np.zeros(volume.shape)
    kept[inside] = np.where(selected, voxels, 0.0)
    return new_img_like(img, kept)


def _inside_brain(img):
    """Return nilearn's MNI mask as a boolean array on the grid of an image."""
    from nilearn.datasets import load_mni152_brain_mask
    from nilearn.image import resample_to_img
    from nilearn.image.resampling import BoundingBoxError

    try:
        mask_img = resample_to_img(
            load_mni152_brain_mask(resolution=2),
            img,
            interpolation="nearest",
            copy_header=True,
            force_resample=True,
        )
    except BoundingBoxError:
        return np.zeros(img.shape, dtype=bool)
    return mask_img.get_fdata() > 0
