"""Open and resample masks and images, and read values at the voxels of a mask."""

import warnings
import zlib
from functools import cache

import nibabel as nib
import nilearn
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.fileslice import canonical_slicers
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_img
from nilearn.image.resampling import BoundingBoxError
from scipy.ndimage import affine_transform

from .._utils.disk_cache import fetch_entry
from .._utils.volumes import is_path, open_img

# Maximum size in bytes of a batch of images in memory.
_BATCH = 2**28
# After resampling, the values in the mask are treated as rounding errors if none of
# them exceeds this fraction of the largest value of the original image.
_ROUNDING = 1e-12
# Maximum memory in bytes for the volumes and the smoothing kernels of a grid. A grid of
# the whole brain with voxels of 0.6 mm needs 1 GB.
_MAX_GRID_MEMORY = 2**30


def open_mask(mask_img="mni", box_img=None) -> nib.Nifti1Image:
    """Open a mask and return it as an image of ones and zeros: (nx, ny, nz), uint8."""
    # If `mask_img` is None, all voxels of the grid of `box_img` are in the mask. If
    # `box_img` is also None, all voxels of the grid of the MNI mask are in the mask.
    if mask_img is None and box_img is not None:
        return nib.Nifti1Image(np.ones(box_img.shape[:3], np.uint8), box_img.affine)
    img = _open_mni_mask()
    if mask_img is None:
        return nib.Nifti1Image(np.ones(img.shape, np.uint8), img.affine)
    if isinstance(mask_img, str) and mask_img == "mni":
        return img
    img = open_img(mask_img, "mask_img", "'mni', None")
    if img.ndim == 4 and img.shape[3] == 1:
        img = img.slicer[..., 0]
    if img.ndim != 3:
        raise ValueError(f"mask_img must be a 3D image; got shape {img.shape}.")
    inside = np.nan_to_num(read_voxels(img, ..., "mask_img")) != 0
    return nib.Nifti1Image(inside.astype(np.uint8), img.affine)


def read_voxels(img, index, name: str) -> np.ndarray:
    """Read the values of an image; raise an error if its file cannot be read.

    `index` selects a volume and is an item of the list that `volume_indices` returns.
    `name` is the name of the image in the error message.
    """
    try:
        return np.asanyarray(img.dataobj[index])
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{_name_with_file(name, img)} cannot be read ({reason}). The file may be "
            "incomplete; copy or download it again."
        ) from error


def _name_with_file(name, img) -> str:
    """Return a name followed by the path of an image, if the image has a file."""
    path = img.get_filename()
    return f"{name} ({path})" if path else name


def volume_indices(img) -> list:
    """Return indices that select each 3D volume from the array of an image."""
    return [...] if img.ndim == 3 else [(..., i) for i in range(img.shape[3])]


def read_finite(img, index, name: str) -> np.ndarray:
    """Read a 3D volume as float64 and replace NaN by zero.

    If a value is infinite, raise an error.
    """
    volume = read_voxels(img, index, name).astype(np.float64)
    n_infinite = np.count_nonzero(np.isinf(volume))
    if n_infinite:
        raise ValueError(
            f"{_name_with_file(name, img)} must be finite; got infinite values (number "
            f"of voxels: {n_infinite}). Replace these values first."
        )
    return np.nan_to_num(volume)


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
    _check_grid_size(mask_img, target)
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


def load_mask(mask_img="mni", target_affine=4.0) -> nib.Nifti1Image:
    """Load a mask and resample it to a grid, as `KDEDiFuMoMasker` does.

    Parameters
    ----------
    mask_img : "mni", path-like or 3D Nifti image, default="mni"
        The mask. ``"mni"`` is nilearn's MNI mask.
    target_affine : float, array-like of shape (3,), (3, 3), (4, 4) or None, default=4.0
        Voxel size of the grid in mm, or affine of the grid. If None, the grid of the
        mask is used.

    Returns
    -------
    mask_img : Nifti1Image of shape (nx, ny, nz), uint8
        Ones inside the mask and zeros outside. With default parameters, this image
        equals the `mask_img_` of a `KDEDiFuMoMasker` with default parameters.

    Raises
    ------
    TypeError, ValueError
        If `mask_img` is not a 3D image, if `target_affine` is invalid, or if no voxel
        is in the mask.
    OSError
        If the file of the mask cannot be found.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.maskers import load_mask
    >>> mask_img = load_mask()
    >>> int(np.count_nonzero(mask_img.dataobj))
    29398
    """
    return resample_mask(open_mask(mask_img), target_affine)


def _check_grid_size(mask_img, target):
    """Raise an error if the grid needs too much memory.

    If `target` is None, the grid is the grid of the mask. Otherwise, it is the grid of
    the mask after resampling to the affine `target`.
    """
    shape = np.array(mask_img.shape[:3], dtype=float)
    if target is not None:
        to_grid = np.linalg.inv(target[:3, :3]) @ mask_img.affine[:3, :3]
        corners = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1) @ to_grid.T
        shape = np.ptp(corners, axis=0) + 1
        if len(target) == 4:  # The grid starts at the origin of the affine.
            first = np.linalg.solve(target, mask_img.affine[:, 3])[:3]
            shape = np.maximum(first + corners.max(axis=0) + 1, 1)
    n_voxels = np.ceil(shape - 1e-6).prod()
    # Smoothing a map needs three volumes of float64 and, along each axis, a matrix of
    # float64 and a matrix of integers.
    memory = 24 * n_voxels + 16 * (shape**2).sum()
    if memory > _MAX_GRID_MEMORY:
        raise ValueError(
            f"The grid must need at most {_MAX_GRID_MEMORY / 2**30:g} GB of memory, "
            "which is enough for a whole brain with voxels of 0.6 mm. Got a grid of "
            f"{n_voxels:,.0f} voxels, which needs {memory / 2**30:,.0f} GB. Use a "
            "'target_affine' with larger voxels, for example 4."
        )


def check_affine(target_affine) -> np.ndarray | None:
    """Convert `target_affine` to a matrix of shape (3, 3) or (4, 4), in mm.

    If `target_affine` is None, return None.
    """
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
    """Raise an error if the axes of a grid are not orthogonal."""
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
    """Convert maps of shape (n_maps, n_voxels) to shape (nx, ny, nz, n_maps)."""
    inside = np.asarray(mask_img.dataobj) > 0
    volume = np.zeros((*inside.shape, len(voxels)), dtype=voxels.dtype)
    volume[inside] = voxels.T
    return volume


def same_grid(img, mask_img) -> bool:
    """Return whether a 3D or 4D image is on the grid of a mask."""
    return img.shape[:3] == mask_img.shape and np.allclose(
        img.affine, mask_img.affine, rtol=0, atol=1e-6
    )


def stream_images(imgs, mask_img, resampling):
    """Yield the values of images in a mask, one batch of images at a time.

    A batch is a float64 array of shape (n_images, n_voxels). The parameter `resampling`
    is documented in `KDEDiFuMoMasker.transform_imgs`.
    """
    inside = np.asarray(mask_img.dataobj) > 0
    batch, size = [], max(1, _BATCH // (8 * np.count_nonzero(inside)))
    for number, (img, index) in enumerate(_iterate_3d(imgs)):
        name = f"Image {number}"
        volume = read_finite(img, index, name)
        largest = np.abs(volume).max(initial=0)
        if not same_grid(img, mask_img):
            volume = _resample(volume, img.affine, mask_img, resampling)
        voxels = volume[inside]
        if largest > 0 and np.abs(voxels).max() <= _ROUNDING * largest:
            average = resampling == "average"
            advice = "" if average else ", or pass resampling='average'"
            raise ValueError(
                f"{_name_with_file(name, img)} must have nonzero values in the mask; "
                "all of its nonzero values are outside the mask or are lost with "
                f"resampling={resampling!r}. Check that its affine is in mm and in MNI "
                f"space{advice}."
            )
        batch.append(voxels)
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def _resample(volume, affine, mask_img, resampling):
    """Resample a volume to the grid of a mask."""
    to_img = np.linalg.inv(affine) @ mask_img.affine
    # Number of image voxels per mask voxel, along each axis of the mask.
    n_finer = np.ceil(np.linalg.norm(to_img[:3, :3], axis=0) - 1e-3).astype(int)
    if resampling == "average" and n_finer.max() > 1:
        return _average(volume, to_img, mask_img.shape, np.maximum(n_finer, 1))
    with warnings.catch_warnings():
        # The warnings of nilearn are about parameters that users cannot set here.
        warnings.simplefilter("ignore")
        try:
            resampled = resample_img(
                nib.Nifti1Image(volume, affine),
                target_affine=mask_img.affine,
                target_shape=mask_img.shape,
                interpolation="continuous",
                copy_header=True,
                force_resample=True,
            )
        except BoundingBoxError:
            return np.zeros(mask_img.shape)
    return np.asarray(resampled.dataobj)


def _average(volume, to_img, shape, n_finer):
    """Compute the mean of a volume in each voxel of a coarser grid.

    `shape` is the shape of the coarser grid. The affine `to_img` converts voxel indices
    of the coarser grid to voxel indices of the volume. Along each axis, a voxel of the
    coarser grid is divided into `n_finer` parts. The volume is interpolated linearly at
    the centers of the parts, and the interpolated values are averaged.
    """
    to_coarse = nib.affines.from_matvec(np.diag(1 / n_finer), (1 / n_finer - 1) / 2)
    matrix, offset = nib.affines.to_matvec(to_img @ to_coarse)
    means = np.empty(shape)
    # To limit memory, one layer of the coarser grid is computed at a time.
    for layer in range(shape[0]):
        parts = affine_transform(
            volume,
            matrix,
            offset=offset + matrix[:, 0] * layer * n_finer[0],
            output_shape=(n_finer[0], *(shape[1:] * n_finer[1:])),
            order=1,
            mode="grid-constant",
        )
        blocks = parts.reshape(n_finer[0], shape[1], n_finer[1], shape[2], n_finer[2])
        means[layer] = blocks.mean(axis=(0, 2, 4))
    return means


def _iterate_3d(imgs):
    """Yield (image, index) for each 3D volume; open one file after the other."""
    single = is_path(imgs) or hasattr(imgs, "dataobj")
    if single:
        imgs = [imgs]
    if not hasattr(imgs, "__iter__"):
        raise TypeError(
            "imgs must be an image, the path of an image, or a sequence of these; got "
            f"{type(imgs).__name__}."
        )
    for number, item in enumerate(imgs):
        img = open_img(item, "img" if single else f"imgs[{number}]")
        for index in volume_indices(img):
            yield img, index


class LazyMaps:
    """4D array of maps, whose values are computed from sparse maps at each access."""

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
