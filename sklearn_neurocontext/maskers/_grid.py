"""Grids: a mask from a name, a file or an image, and values at its voxels."""

import os
from functools import cache
from pathlib import Path
from xml.parsers.expat import ExpatError

import nibabel as nib
import nilearn
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_img

from .._utils.disk_cache import fetch_entry


def open_mask(mask_img="mni", box_img=None) -> nib.Nifti1Image:
    """Open a mask on its own grid.

    Parameters
    ----------
    mask_img : "mni", path-like, 3D Nifti image or None, default="mni"
        ``"mni"`` is nilearn's MNI mask at 2 mm; None takes the whole of `box_img`.
    box_img : Nifti image or None, default=None
        Image whose grid is taken whole where `mask_img` is None; None is the box of
        the MNI mask.

    Returns
    -------
    mask_img : Nifti1Image of shape (nx, ny, nz), uint8
        Ones and zeros.
    """
    if mask_img is None and box_img is not None:
        return nib.Nifti1Image(np.ones(box_img.shape[:3], np.uint8), box_img.affine)
    img = mni_mask()
    if mask_img is None:
        return nib.Nifti1Image(np.ones(img.shape, np.uint8), img.affine)
    if isinstance(mask_img, str) and mask_img == "mni":
        return img
    img = open_img(mask_img, "mask_img", "'mni', None")
    if img.ndim != 3:
        raise ValueError(f"mask_img has shape {img.shape}; expected a 3D image.")
    inside = np.nan_to_num(np.asanyarray(img.dataobj)) != 0
    return nib.Nifti1Image(inside.astype(np.uint8), img.affine)


@cache
def mni_mask() -> nib.Nifti1Image:
    """Give nilearn's MNI mask at 2 mm, which takes nilearn most of a second to make."""
    settings = {"nilearn": nilearn.__version__, "resolution": 2}
    arrays = fetch_entry("mni", settings, _build_mni_mask).arrays
    return nib.Nifti1Image(np.array(arrays["inside"]), arrays["affine"])


def _build_mni_mask(folder):
    img = load_mni152_brain_mask(resolution=2)
    np.save(folder / "inside.npy", np.asarray(img.dataobj, dtype=np.uint8))
    np.save(folder / "affine.npy", img.affine)
    return {}


def open_img(img, name: str, others: str):
    """Take an image, or open that of a path; `name` and `others` are for errors."""
    if isinstance(img, nib.spatialimages.SpatialImage):
        return _keep_open(img)
    if not is_path(img):
        raise TypeError(
            f"{name} is a {type(img).__name__}; expected {others}, the path of an "
            "image, or an image that nibabel has loaded."
        )
    path = Path(img).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"{name}={str(img)!r} is no file here. Expected {others}, or the path of "
            "an image."
        )
    try:
        opened = nib.load(path)
    except (ImageFileError, HeaderDataError, ExpatError, OSError, EOFError) as error:
        raise ValueError(
            f"{name}={str(img)!r} cannot be read as an image ({error}). Expected a "
            "file of voxels, such as .nii or .nii.gz."
        ) from error
    if not isinstance(opened, nib.spatialimages.SpatialImage):
        raise ValueError(
            f"{name}={str(img)!r} holds a {type(opened).__name__}, no voxels. "
            "Expected a volume, such as .nii or .nii.gz; bring surfaces to one first."
        )
    return _keep_open(opened)


def is_path(img) -> bool:
    """Tell whether an image is given by its path."""
    return isinstance(img, str | os.PathLike)


def _keep_open(img):
    """Let a file stay open: else each volume of a packed one is unpacked from the top.

    Affine and header are those in memory, whatever the file says.
    """
    held = img.dataobj
    if type(held) is not ArrayProxy or img.ndim != 4:
        return img
    spec = held.shape, held.dtype, held.offset, held.slope, held.inter
    kept = ArrayProxy(held.file_like, spec, order=held.order, keep_file_open=True)
    return type(img)(kept, img.affine, img.header, file_map=img.file_map)


def resample_mask(mask_img, target_affine, whole: bool = False) -> nib.Nifti1Image:
    """Bring a mask to another grid, as NeuroQuery does.

    Parameters
    ----------
    mask_img : Nifti1Image of shape (nx, ny, nz), uint8
        As `open_mask` gives it.
    target_affine : float, array-like of shape (3,), (3, 3) or (4, 4), or None
        Voxel size or sizes in mm, or an affine; None keeps the mask's grid.
    whole : bool, default=False
        Whether every voxel of the new grid counts as inside.

    Returns
    -------
    mask_img : Nifti1Image of shape (nx, ny, nz), uint8
        On the new grid, by nearest voxel; on its own grid where that is the target.

    Raises
    ------
    ValueError
        If the target is no affine, the voxels are not boxes, or none lies inside.
    """
    target = check_affine(target_affine)
    if target is not None:
        own = mask_img.affine[: len(target), : len(target)]
        if not np.allclose(own, target, rtol=0, atol=1e-6):
            mask_img = resample_img(
                mask_img,
                target_affine=target,
                interpolation="nearest",
                copy_header=True,
                force_resample=True,
            )
    _check_right_angles(mask_img.affine)
    inside = np.asarray(mask_img.dataobj) > 0
    if whole:
        inside = np.ones_like(inside)
    if not inside.any():
        raise ValueError(
            f"No voxel of the grid (target_affine={target_affine}) lies inside the "
            "mask. Use smaller voxels; 4 mm is usual."
        )
    return nib.Nifti1Image(inside.astype(np.uint8), mask_img.affine)


def check_affine(target_affine) -> np.ndarray | None:
    """Write a target, one of four kinds, as a matrix (3, 3) or (4, 4) in mm."""
    if target_affine is None:
        return None
    try:
        target = np.asarray(target_affine, dtype=np.float64)
    except (TypeError, ValueError):
        target = np.array(np.nan)
    if target.ndim == 0:
        target = np.eye(3) * target
    elif target.shape == (3,):
        target = np.diag(target)
    if target.shape not in ((3, 3), (4, 4)) or not (
        np.isfinite(target).all() and abs(np.linalg.det(target[:3, :3])) > 1e-9
    ):
        raise ValueError(
            f"The 'target_affine' parameter is {target_affine!r}; expected a voxel "
            "size in mm, three of them, a (3, 3) or (4, 4) affine that can be "
            "inverted, or None for the mask's own grid."
        )
    return target


def _check_right_angles(affine):
    """Refuse grids on which a Gaussian is no product of three."""
    axes = affine[:3, :3] / nib.affines.voxel_sizes(affine)
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4):
        raise ValueError(
            "The axes of the grid do not meet at right angles, so that its voxels are "
            "no boxes. Choose another target_affine, for example 4."
        )


def voxel_centres(mask_img) -> np.ndarray:
    """Positions of a mask's true voxels in mm, of shape (n_voxels, 3)."""
    return nib.affines.apply_affine(mask_img.affine, np.argwhere(mask_img.dataobj))


def write_array(voxels, mask_img) -> np.ndarray:
    """Write values of shape (n_maps, n_voxels) as a 4D array, zero outside the mask."""
    inside = np.asarray(mask_img.dataobj) > 0
    volume = np.zeros((*inside.shape, len(voxels)), dtype=np.float32)
    volume[inside] = voxels.T
    return volume
