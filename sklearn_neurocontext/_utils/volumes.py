"""Smooth voxel maps, convert them to images, and select their strongest voxels."""

import math
from numbers import Real

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

# Voxels below this fraction of the maximum are never kept: in a map of few peaks, the
# top 10 % of voxels include some with almost no density.
_MIN_FRACTION = 0.01
# Ratio of the standard deviation of a Gaussian to its full width at half maximum.
FWHM_TO_SIGMA = 1 / math.sqrt(8 * math.log(2))


def smooth_voxels(voxels: np.ndarray, mask_img, fwhm: float) -> np.ndarray:
    """Smooth each row with a Gaussian of `fwhm` mm, with zeros outside the mask."""
    # The smoothed maps therefore fade toward the border of the mask, as densities of
    # peaks do.
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


def voxels_to_imgs(voxels: np.ndarray, mask_img) -> list:
    """Return each row of voxels as a 3D image, zero outside the mask."""
    inside = np.asarray(mask_img.dataobj) > 0
    imgs = []
    for one in voxels:
        volume = np.zeros(inside.shape, dtype=np.float32)
        volume[inside] = one
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
    """Return a boolean array of the strongest voxels of each map (fraction `top`)."""
    n_voxels = maps.shape[1]
    # Subtract rounding errors: 0.07 * 100 is 7.000000000000001, but k must be 7.
    k = max(1, math.ceil(top * n_voxels - 1e-6))
    cut = np.partition(maps, n_voxels - k, axis=1)[:, [n_voxels - k]]
    return (maps > cut) | ((maps == cut) & (cut > 0))


def keep_strongest(img, top, name):
    """Keep the strongest voxels of a map, and set all others to zero."""
    # `top` is a fraction of the voxels inside nilearn's MNI mask, resampled to the map.
    from nilearn.image import new_img_like

    check_top(top)
    inside = _inside_brain(img)
    if not inside.any():
        raise ValueError(
            f"{name} does not overlap the MNI brain; its affine is\n{img.affine}.\n"
            "Expected coordinates in mm, MNI space."
        )
    volume = img.get_fdata()
    voxels = volume[inside]
    selected = select_top(voxels[np.newaxis], top)[0]
    selected &= voxels > _MIN_FRACTION * max(voxels.max(), 0)
    if not selected.any():
        raise ValueError(
            f"{name} has no positive voxel inside the brain. Check that the study "
            "has peaks inside the mask."
        )
    kept = np.zeros(volume.shape)
    kept[inside] = np.where(selected, voxels, 0.0)
    return new_img_like(img, kept)


def _inside_brain(img):
    """Return nilearn's MNI mask, resampled to an image, as a boolean array."""
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
