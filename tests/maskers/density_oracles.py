"""Densities and coefficients another way, for the tests of the masker."""

import warnings

import nibabel as nib
import numpy as np
from nilearn.maskers import NiftiMapsMasker
from scipy.ndimage import gaussian_filter

MOTOR, FUSIFORM, CENTRE = [-40, -24, 56], [44, -50, -20], [0, 0, 0]


def nilearn_coefficients(masker, img, mask_img=None):
    """Least squares by nilearn on the masker's own atlas."""
    nilearn_masker = NiftiMapsMasker(
        masker.maps_img_, mask_img=mask_img, resampling_target=None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nilearn_masker.fit_transform(img)


def density_img_of(peaks, mask_img, fwhm_mm):
    """Count peaks in voxels and smooth the counts with scipy's Gaussian."""
    density = np.zeros((*mask_img.shape, len(peaks)))
    for study, xyz in enumerate(peaks):
        voxels = nib.affines.apply_affine(np.linalg.inv(mask_img.affine), xyz)
        for i, j, k in np.floor(voxels + 0.5).astype(int):
            density[i, j, k, study] += 1
        sigma = fwhm_mm / 2.3548200450309493 / np.diag(mask_img.affine)[:3]
        density[..., study] = gaussian_filter(
            density[..., study], sigma, mode="constant", truncate=6
        )
    return nib.Nifti1Image(density, mask_img.affine)


def append_map(img, volume):
    """Give an atlas one map more, made of those that it has."""
    maps = np.asarray(img.dataobj)
    return nib.Nifti1Image(
        np.concatenate([maps, volume(maps)[..., None]], axis=3), img.affine
    )
