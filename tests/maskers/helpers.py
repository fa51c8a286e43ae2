"""Atlases brought to a mask, by the package and by nilearn."""

import numpy as np
from nilearn.image import resample_img

from sklearn_neurocontext.maskers._atlas import find_atlas, sample_atlas
from sklearn_neurocontext.maskers._images import open_mask, resample_mask

# Turned, flipped and off the grid of the mask; it covers a part of the brain.
AFFINE = np.array([[-7.0, 0.5, 0, 61], [0.25, 7, 0, -83], [0, 0, 7, -51], [0, 0, 0, 1]])
SHAPE = (17, 23, 16)


def load_mask(voxel_mm):
    """The MNI mask with voxels of this size."""
    return resample_mask(open_mask("mni"), voxel_mm)


def bring(atlas, n_components, mask_img, **source):
    """Give the names of an atlas's maps and the maps at the voxels of a mask."""
    labels, columns = sample_atlas(find_atlas(atlas, n_components, **source), mask_img)
    maps = np.zeros((np.count_nonzero(mask_img.dataobj), len(labels)), dtype=np.float32)
    for component, (held, values) in enumerate(columns):
        maps[held, component] = values
    return labels, maps


def resample(img, mask_img, interpolation):
    """Values of an image at the voxels of a mask, by nilearn."""
    resampled = resample_img(
        img,
        target_affine=mask_img.affine,
        target_shape=mask_img.shape,
        interpolation=interpolation,
        copy_header=True,
        force_resample=True,
    )
    return np.asarray(resampled.dataobj)[np.asarray(mask_img.dataobj) > 0]


def one_hot(values):
    """A column for each label but zero."""
    return (values[:, None] == [v for v in np.unique(values) if v]).astype(float)
