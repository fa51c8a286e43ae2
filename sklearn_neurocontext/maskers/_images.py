"""Open and resample masks and images, and read values at the voxels of a mask."""

import os
from functools import cache
from xml.parsers.expat import ExpatError

import nibabel as nib
import nilearn
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.fileslice import canonical_slicers
from nibabel.spatialimages import HeaderDataError
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_img

from .._utils.disk_cache import fetch_entry
from .._utils.files import expand_path

# Maximum size in bytes of a batch of images in memory.
_BATCH = 2**28


def open_img(img, name: str, others: str = ""):
    """Open the image at a path; return an image unchanged."""
    # Error messages contain `name`, the name of the parameter, and `others`, the other
    # values that the parameter can have.
    others = f"{others}, " if others else ""
    if isinstance(img, nib.spatialimages.SpatialImage):
        return _keep_open(img)
    if not is_path(img):
        raise TypeError(
            f"{name} must be {others}the path of an image, or an image loaded by "
            f"nibabel; got {type(img).__name__}."
        )
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
            f"file; got a {type(opened).__name__}. Project surfaces to a volume first."
        )
    return _keep_open(opened)


def is_path(img) -> bool:
    """Return whether an image is given by its path."""
    return isinstance(img, str | os.PathLike)


def _keep_open(img):
    """Return an image; the file of a 4D image remains open between reads."""
    # If the file were opened for each volume, a .nii.gz file would be decompressed from
    # its start each time. The affine and the header are copied from the given image
    # instead of the file, because the user may have changed them in memory.
    data = img.dataobj
    if type(data) is not ArrayProxy or img.ndim != 4:
        return img
    spec = data.shape, data.dtype, data.offset, data.slope, data.inter
    kept = ArrayProxy(data.file_like, spec, order=data.order, keep_file_open=True)
    return type(img)(kept, img.affine, img.header, file_map=img.file_map)


def open_mask(mask_img="mni", box_img=None) -> nib.Nifti1Image:
    """Open a mask and return it as an image of ones and zeros: (nx, ny, nz), uint8."""
    # If `mask_img` is None, the mask is the whole grid of `box_img`. If `box_img` is
    # also None, the mask is the whole grid of the MNI mask.
    if mask_img is None and box_img is not None:
        return nib.Nifti1Image(np.ones(box_img.shape[:3], np.uint8), box_img.affine)
    img = _open_mni_mask()
    if mask_img is None:
        return nib.Nifti1Image(np.ones(img.shape, np.uint8), img.affine)
    if isinstance(mask_img, str) and mask_img == "mni":
        return img
    img = open_img(mask_img, "mask_img", "'mni', None")
    if img.ndim != 3:
        raise ValueError(f"mask_img must be a 3D image; got shape {img.shape}.")
    inside = np.nan_to_num(np.asanyarray(img.dataobj)) != 0
    return nib.Nifti1Image(inside.astype(np.uint8), img.affine)


@cache
def _open_mni_mask() -> nib.Nifti1Image:
    """Return nilearn's MNI mask at 2 mm."""
    # The mask is cached on disk, because nilearn needs almost a second to compute it.
    settings = {"nilearn": nilearn.__version__, "resolution": 2}
    arrays = fetch_entry("mni", settings, _build_mni_mask).arrays
    return nib.Nifti1Image(np.array(arrays["inside"]), arrays["affine"])


def _build_mni_mask(folder):
    img = load_mni152_brain_mask(resolution=2)
    np.save(folder / "inside.npy", np.asarray(img.dataobj, dtype=np.uint8))
    np.save(folder / "affine.npy", img.affine)
    return {}


def resample_mask(mask_img, target_affine, whole: bool = False) -> nib.Nifti1Image:
    """Resample a mask to a target affine by nearest-neighbor interpolation."""
    # If `whole` is True, all voxels of the new grid are in the mask.
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
    _check_orthogonal(mask_img.affine)
    inside = np.asarray(mask_img.dataobj) > 0
    if whole:
        inside = np.ones_like(inside)
    if not inside.any():
        raise ValueError(
            f"No voxel of the grid with target_affine={target_affine} is in the mask. "
            "Use smaller voxels, for example of 4 mm."
        )
    return nib.Nifti1Image(inside.astype(np.uint8), mask_img.affine)


def check_affine(target_affine) -> np.ndarray | None:
    """Return `target_affine` as a matrix (3, 3) or (4, 4) in mm, or None."""
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
            "The 'target_affine' parameter must be a voxel size in mm, three voxel "
            "sizes, an invertible affine of shape (3, 3) or (4, 4), or None for the "
            f"grid of the mask; got {target_affine!r}."
        )
    return target


def _check_orthogonal(affine):
    """Raise an error if a grid is sheared."""
    # Peaks are smoothed along one axis after the other. This is valid only if the axes
    # are orthogonal, because a 3D Gaussian is then a product of 1D Gaussians.
    axes = affine[:3, :3] / nib.affines.voxel_sizes(affine)
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4):
        raise ValueError(
            f"The axes of the grid must be orthogonal; got the affine\n{affine}\n"
            "Choose another target_affine, for example 4."
        )


def voxel_centers(mask_img) -> np.ndarray:
    """Compute the positions in mm of the nonzero voxels of a mask: (n_voxels, 3)."""
    return nib.affines.apply_affine(mask_img.affine, np.argwhere(mask_img.dataobj))


def to_volume(voxels, mask_img) -> np.ndarray:
    """Return maps (n_maps, n_voxels) as an array (nx, ny, nz, n_maps), float32."""
    inside = np.asarray(mask_img.dataobj) > 0
    volume = np.zeros((*inside.shape, len(voxels)), dtype=np.float32)
    volume[inside] = voxels.T
    return volume


def same_grid(img, mask_img) -> bool:
    """Return whether a 3D or 4D image is on the grid of a mask."""
    return img.shape[:3] == mask_img.shape and np.allclose(
        img.affine, mask_img.affine, rtol=0, atol=1e-6
    )


def stream_images(imgs, mask_img):
    """Yield the values of images in a mask, in batches (n_images, n_voxels)."""
    inside = np.asarray(mask_img.dataobj) > 0
    batch, size = [], max(1, _BATCH // (8 * np.count_nonzero(inside)))
    for number, img in enumerate(_iterate_3d(imgs)):
        if not same_grid(img, mask_img):
            img = resample_img(
                img,
                target_affine=mask_img.affine,
                target_shape=mask_img.shape,
                interpolation="continuous",
                copy_header=True,
                force_resample=True,
            )
        voxels = np.asarray(img.dataobj)[inside].astype(np.float64)
        if np.isinf(voxels).any():
            raise ValueError(
                f"Image {number} must be finite; got infinite values. Replace these "
                "values first."
            )
        batch.append(np.nan_to_num(voxels))
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def _iterate_3d(imgs):
    """Yield 3D images one by one, and open each file only when its image is needed."""
    single = is_path(imgs) or hasattr(imgs, "dataobj")
    if single:
        imgs = [imgs]
    if not hasattr(imgs, "__iter__"):
        raise TypeError(
            "imgs must be an image, the path of an image, or a sequence of these; got "
            f"{type(imgs).__name__}."
        )
    for number, item in enumerate(imgs):
        name = "img" if single else f"imgs[{number}]"
        img = open_img(item, name)
        if img.ndim == 3:
            yield img
        elif img.ndim == 4:
            for index in range(img.shape[3]):
                yield img.slicer[..., index]
        else:
            raise ValueError(f"{name} must be a 3D or 4D image; got shape {img.shape}.")


class LazyMaps:
    """4D array of maps. Its values are computed from sparse maps when they are read."""

    # nibabel requires these attributes of the data of an image.
    is_proxy = True
    ndim = 4
    dtype = np.dtype(np.float32)

    def __init__(self, recipe, n_maps: int):
        self._recipe = recipe
        self.shape = (*recipe.mask_img.shape, n_maps)

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key):
        # Only the maps selected on the last axis are computed.
        *place, number = canonical_slicers(key, self.shape)
        numbers = np.arange(self.shape[3])[number]
        columns = self._recipe.maps().array[:, np.atleast_1d(numbers)]
        volume = to_volume(columns.T.toarray(), self._recipe.mask_img)
        return volume[(*place, slice(None) if np.ndim(numbers) else 0)]
