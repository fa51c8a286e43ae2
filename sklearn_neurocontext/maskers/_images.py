"""Images, one at a time, at the voxels of a mask."""

import numpy as np
from nilearn.image import resample_img

from ._grid import is_path, open_img

# Bytes of voxels in memory at a time.
_BATCH = 2**28


def stream_images(imgs, mask_img):
    """Read images at the voxels of a mask, a batch in memory at a time.

    Parameters
    ----------
    imgs : Nifti image, path-like, or iterable of these
        3D or 4D, finite; not-a-number counts as zero.
    mask_img : Nifti1Image of shape (nx, ny, nz)
        Images on another grid are resampled to this one (nilearn's continuous
        interpolation).

    Yields
    ------
    voxels : ndarray of shape (n_volumes, n_voxels), float64
        In the order of the mask's true voxels.

    Raises
    ------
    TypeError, ValueError
        If there is no image, or one is not 3D or 4D, or not finite.
    """
    inside = np.asarray(mask_img.dataobj) > 0
    batch, size = [], max(1, _BATCH // (8 * np.count_nonzero(inside)))
    for number, img in enumerate(_each(imgs)):
        if img.shape != mask_img.shape or not np.allclose(
            img.affine, mask_img.affine, rtol=0, atol=1e-6
        ):
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
            raise ValueError(f"Image {number} holds infinity. Repair it first.")
        batch.append(np.nan_to_num(voxels))
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def _each(imgs):
    """Give 3D images one by one; a path is opened when its turn comes."""
    if is_path(imgs) or hasattr(imgs, "dataobj"):
        imgs = [imgs]
    if not hasattr(imgs, "__iter__"):
        raise TypeError(
            f"imgs is a {type(imgs).__name__}; expected an image, the path of one, or "
            "a sequence of these."
        )
    for number, item in enumerate(imgs):
        img = open_img(item, f"imgs[{number}]", "an image")
        if img.ndim == 3:
            yield img
        elif img.ndim == 4:
            for index in range(img.shape[3]):
                yield img.slicer[..., index]
        else:
            raise ValueError(f"An image has shape {img.shape}; expected 3D or 4D.")
