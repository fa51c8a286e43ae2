"""Open images; scale coefficients; smooth, convert and select voxels of maps."""

import math
import os
import warnings
from functools import cache
from numbers import Real
from xml.parsers.expat import ExpatError

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from scipy.ndimage import gaussian_filter

from .files import expand_path

# `keep_strongest` sets a voxel to zero if its value is at most this fraction of the
# maximum of the map. In a map of few peaks, the density is almost zero in many of the
# top 10 % of voxels, and these voxels are not kept.
_MIN_FRACTION = 0.01
# Smallest and largest voxel size of an image, in mm. If a voxel size is outside this
# range, the affine is probably in meters or micrometers.
_VOXEL_MM = 0.1, 100.0
# Classes of nibabel and nilearn whose images contain values on a surface.
_SURFACES = ("GiftiImage", "Cifti2Image", "SurfaceImage")
_SURFACE_ADVICE = (
    "nilearn projects volumes to surfaces, but not surfaces to volumes. Pass the "
    "volume that the surface map was made from. Otherwise, project the surface map to "
    "MNI space, for example with mri_surf2vol (FreeSurfer) or wb_command "
    "-metric-to-volume-mapping (Connectome Workbench)."
)
# Standard deviation of a Gaussian, divided by its full width at half maximum (fwhm).
FWHM_TO_SIGMA = 1 / math.sqrt(8 * math.log(2))
# Largest full width at half maximum, in mm. It limits the size of smoothing kernels. No
# larger value is useful, because a brain is about 180 mm long.
MAX_FWHM = 1000.0


def open_img(img, name: str, others: str = ""):
    """Return an image after checking its axes, its data type and its affine."""
    # `img` is an image or its path. `name` is the name of the parameter in error
    # messages. `others` describes the other values that the parameter can have.
    others = f"{others}, " if others else ""
    opened = img
    if is_path(img):
        opened = _load_img(img, name, others)
        name = f"{name}={str(img)!r}"
    elif not isinstance(img, nib.spatialimages.SpatialImage):
        kind = type(img).__name__
        advice = f" {_SURFACE_ADVICE}" if kind in _SURFACES else ""
        raise TypeError(
            f"{name} must be {others}the path of an image, or an image loaded by "
            f"nibabel; got {kind}.{advice}"
        )
    opened = _drop_single_axes(opened, name)
    _check_dtype(opened, name)
    _check_position(opened, name)
    return _keep_open(opened)


def find_region(img):
    """Return the voxel centers of a region in mm, of shape (n_voxels, 3).

    A region is an image whose nonzero values are all equal and positive. For other
    images, None is returned.
    """
    volume = np.nan_to_num(np.asarray(img.dataobj).reshape(img.shape[:3]))
    inside = volume > 0
    if (volume < 0).any() or np.ptp(volume[inside]) > 0:
        return None
    return nib.affines.apply_affine(img.affine, np.argwhere(inside))


def is_path(img) -> bool:
    """Return whether an image is given by its path."""
    return isinstance(img, str | os.PathLike)


def _load_img(img, name, others):
    """Open the image at a path."""
    path = expand_path(img)
    if not path.is_file():
        raise FileNotFoundError(
            f"{name} must be {others}the path of an image, or an image loaded by "
            f"nibabel; the file {str(img)!r} does not exist."
        )
    try:
        opened = nib.load(path)
    except (ImageFileError, HeaderDataError, ExpatError, OSError, EOFError) as error:
        raise ValueError(
            f"{name}={str(img)!r} cannot be read as an image ({error}). Pass a volume, "
            "for example a .nii or .nii.gz file."
        ) from error
    if not isinstance(opened, nib.spatialimages.SpatialImage):
        raise ValueError(
            f"{name}={str(img)!r} must be a volume, for example a .nii or .nii.gz "
            f"file; got a {type(opened).__name__}. {_SURFACE_ADVICE}"
        )
    return opened


def _drop_single_axes(img, name):
    """Return a 3D or 4D image; drop additional axes if their length is one."""
    # Images with more axes occur, for example, because AFNI writes the volumes of a
    # "bucket" (a file with several statistical maps) along the fifth axis.
    shape = (*img.shape[:3], *(n for n in img.shape[3:] if n != 1))
    if img.ndim > 4 and len(shape) <= 4:
        return type(img)(img.dataobj.reshape(shape), img.affine, img.header)
    if img.ndim not in (3, 4):
        raise ValueError(
            f"{name} must be a 3D or 4D image; got shape {img.shape}. Select volumes, "
            "for example with nibabel.Nifti1Image(img.dataobj[:, :, :, 0], img.affine)."
        )
    return img


def _check_dtype(img, name):
    """Raise an error if the voxels of an image are not real numbers."""
    dtype = img.get_data_dtype()
    if dtype.kind not in "biuf":
        kind = {"c": "complex numbers", "V": "colors (RGB)"}.get(dtype.kind, str(dtype))
        raise ValueError(
            f"{name} must have one real number per voxel; got {kind}. Pass the "
            "statistical map itself, not a picture of it."
        )


def _check_position(img, name):
    """Raise an error if the positions of the voxels of an image are not known."""
    affine = img.affine
    advice = (
        "If another image is on the same grid and in MNI space, pass "
        "nibabel.Nifti1Image(img.dataobj, other_img.affine)."
    )
    if affine is None:
        raise ValueError(
            f"{name} must have an affine; got None. The positions of its voxels are "
            f"unknown. {advice}"
        )
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise ValueError(
            f"{name} must have an invertible affine; got\n{affine}\n{advice}"
        )
    sizes = nib.affines.voxel_sizes(affine)
    low, high = _VOXEL_MM
    if sizes.min() < low or sizes.max() > high:
        raise ValueError(
            f"{name} must have voxels of {low:g} to {high:g} mm; got voxel sizes "
            f"{sizes.round(6).tolist()}. If the affine is in another unit, convert it "
            "to mm."
        )
    # If the header of a NIfTI or Analyze file contains no position, nibabel returns an
    # affine with the origin at the center of the image. The origin of MNI space is
    # elsewhere.
    header = img.header
    if not isinstance(header, nib.AnalyzeHeader):
        return
    codes = [int(header[key]) for key in ("qform_code", "sform_code") if key in header]
    if not any(codes) and np.allclose(affine, header.get_base_affine(), atol=1e-3):
        raise ValueError(
            f"{name} must state the position of its voxels; got a header without "
            f"position ({'qform_code and sform_code are 0' if codes else 'Analyze'}). "
            f"{advice}"
        )
    if not codes and np.allclose(affine, header.get_best_affine(), atol=1e-3):
        warnings.warn(
            f"{name} is an Analyze file, which does not state which side is left. The "
            "first voxels of each row are assumed to be on the right side. If this is "
            "wrong, convert the file to NIfTI.",
            UserWarning,
            stacklevel=4,
        )


def _keep_open(img):
    """Return an image; if it is 4D, its file is kept open between reads."""
    # If the file were opened for each volume, a .nii.gz file would be decompressed from
    # its start each time. The affine and the header are copied from the given image
    # instead of the file, because the user may have changed them in memory.
    data = img.dataobj
    if type(data) is not ArrayProxy or img.ndim != 4:
        return img
    spec = data.shape, data.dtype, data.offset, data.slope, data.inter
    kept = ArrayProxy(data.file_like, spec, order=data.order, keep_file_open=True)
    return type(img)(kept, img.affine, img.header, file_map=img.file_map)


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
    """Convert each row of voxels to a 3D image; voxels outside the mask are zero."""
    inside = np.asarray(mask_img.dataobj) > 0
    imgs = []
    for values in voxels:
        volume = np.zeros(inside.shape, dtype=np.float32)
        volume[inside] = values
        imgs.append(nib.Nifti1Image(volume, mask_img.affine))
    return imgs


def moderate_rows(rows: np.ndarray) -> np.ndarray:
    """Scale each row by a power of four, so that its largest magnitude is near one."""
    # The norm of a row can then be computed without overflow or underflow. A power
    # of four and its square root are powers of two. Therefore, the multiplication
    # changes only the floating-point exponents of the values, of their square roots
    # and of the norm.
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    _, exponents = np.frexp(np.abs(rows).max(axis=-1, keepdims=True, initial=0))
    return np.ldexp(rows, -(exponents - exponents % 2))


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Divide each row by its L2 norm; rows of zeros stay zero."""
    rows = moderate_rows(rows)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def normalize_studies(y: np.ndarray, y_scaling: str | None, dtype=None) -> np.ndarray:
    """Divide the coefficients of each study by their L2 norm, and set their dtype.

    `y` has shape (n_studies, n_components). If `y_scaling` is ``"sqrt"``, each
    coefficient c is first replaced by its signed square root,
    ``sign(c) * sqrt(abs(c))``. If `y_scaling` is None, the coefficients are not scaled.
    """
    if y_scaling is None and dtype is None:
        return y
    if y_scaling is None:
        _check_range(y, dtype)
        return y.astype(dtype, copy=False)
    # The coefficients are scaled before they are converted to the dtype, so that no
    # coefficient is too large or too small for it.
    coefficients = moderate_rows(y)
    coefficients = coefficients.astype(dtype or coefficients.dtype, copy=False)
    if y_scaling == "sqrt":
        coefficients = np.sign(coefficients) * np.sqrt(np.abs(coefficients))
    return unit_rows(coefficients)


def _check_range(y, dtype):
    """Raise an error if squares of coefficients are too large or small for a dtype."""
    limits = np.finfo(dtype)
    largest = float(np.abs(y).max(initial=0))
    low, high = np.sqrt([float(limits.tiny), float(limits.max) / max(y.size, 1)])
    if largest != 0 and not low < largest < high:
        raise ValueError(
            "With y_scaling=None, the largest coefficient of y must be between "
            f"{low:.0e} and {high:.0e} in {limits.dtype}; got {largest:.1e}. Multiply "
            "y by a constant, or pass y_scaling='unit'."
        )


def to_densities(normalized: np.ndarray, y_scaling: str | None) -> np.ndarray:
    """Invert the signed square root that `normalize_studies` computes.

    If `y_scaling` is not ``"sqrt"``, the values are returned unchanged.
    """
    if y_scaling == "sqrt":
        return normalized * np.abs(normalized)
    return normalized


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
    # positive, only voxels with higher values are selected.
    n_voxels = maps.shape[1]
    # Subtract 1e-6 before rounding up, because 0.07 * 100 is 7.000000000000001 in
    # floating point, and k must be 7 instead of 8.
    k = max(1, math.ceil(top * n_voxels - 1e-6))
    cut = np.partition(maps, n_voxels - k, axis=1)[:, [n_voxels - k]]
    return (maps > cut) | ((maps == cut) & (cut > 0))


def keep_strongest(img, top, name, two_sided=False):
    """Keep the strongest voxels of a map, and set all others to zero."""
    # `top` is a fraction of the voxels inside nilearn's MNI mask. `name` is the name of
    # the map in error messages. If `two_sided` is True, the voxels with the largest
    # magnitudes are kept; otherwise, the voxels with the highest values.
    from nilearn.image import new_img_like

    check_top(top)
    inside = resample_brain_mask(img, name)
    volume = img.get_fdata()
    voxels = volume[inside]
    strengths = np.abs(voxels) if two_sided else voxels
    selected = select_top(strengths[np.newaxis], top)[0]
    selected &= strengths > _MIN_FRACTION * max(strengths.max(), 0)
    if not selected.any():
        raise ValueError(
            f"{name} has no {'nonzero' if two_sided else 'positive'} voxel inside the "
            "brain. For the map of a study, check that the study has peaks inside the "
            "mask."
        )
    kept = np.zeros(volume.shape)
    kept[inside] = np.where(selected, voxels, 0.0)
    return new_img_like(img, kept)


def is_in_brain(xyz) -> np.ndarray:
    """Return whether each point, in mm, is in the MNI brain mask of nilearn."""
    mask, affine = _load_brain_mask()
    voxels = apply_affine(np.linalg.inv(affine), xyz).round()
    inside = ((voxels >= 0) & (voxels < mask.shape)).all(axis=1)
    # Points outside the image are looked up in an arbitrary voxel, and then excluded.
    nearest = np.where(inside[:, None], voxels, 0).astype(int)
    return inside & mask[tuple(nearest.T)]


@cache
def _load_brain_mask():
    """Return nilearn's MNI brain mask of 2 mm, as an array of bool, and its affine."""
    from nilearn.datasets import load_mni152_brain_mask

    img = load_mni152_brain_mask(resolution=2)
    return img.get_fdata() > 0, img.affine


def resample_brain_mask(img, name) -> np.ndarray:
    """Return nilearn's MNI mask as a boolean array on the grid of an image.

    `name` is the name of the image in error messages.
    """
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
        inside = mask_img.get_fdata() > 0
    except BoundingBoxError:
        inside = np.zeros(img.shape, dtype=bool)
    if not inside.any():
        raise ValueError(
            f"{name} does not overlap the brain in MNI space. Its affine is\n"
            f"{img.affine}.\nThe affine must convert voxel indices to mm in MNI space."
        )
    return inside
