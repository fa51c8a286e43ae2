"""A masker, peaks and atlases that several tests of the maskers take."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers._images import open_mask, resample_mask, voxel_centers
from tests.maskers.helpers import AFFINE, SHAPE, load_mask


@pytest.fixture(scope="module")
def masker():
    """A fitted masker of 128 components; tests must not change it."""
    return KDEDiFuMoMasker("geometric", 128).fit()


@pytest.fixture
def peaks(rng):
    """Six studies with peaks in the mask, off the centres of its voxels."""
    voxels = voxel_centers(resample_mask(open_mask(), 4.0))
    return [
        voxels[rng.integers(len(voxels), size=n)] + rng.uniform(-1.9, 1.9, (n, 3))
        for n in (1, 2, 3, 5, 8, 40)
    ]


@pytest.fixture
def own_maps_img(rng):
    """Four smooth maps over the brain, of both signs, on a grid of 8 mm."""
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = [-96, -132, -78]
    noise = rng.standard_normal((25, 29, 25, 4))
    maps = gaussian_filter(noise, (2, 2, 2, 0)).astype(np.float32)
    return nib.Nifti1Image(maps, affine)


@pytest.fixture(scope="module")
def mask_img():
    """The MNI mask at 6 mm."""
    return load_mask(6.0)


@pytest.fixture
def maps_img(rng):
    """Three maps with zeros, on a grid that no mask has."""
    values = rng.random((*SHAPE, 3)) * (rng.random((*SHAPE, 3)) > 0.3)
    return nib.Nifti1Image(values.astype(np.float32), AFFINE)


@pytest.fixture
def labels_img(rng):
    """Three labels beside the background, on that grid."""
    values = rng.choice([0, 2, 7, 11], size=SHAPE).astype(np.int16)
    return nib.Nifti1Image(values, AFFINE)
