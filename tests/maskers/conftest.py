"""A masker, peaks and atlases for the tests of the maskers."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers._images import voxel_centers
from tests.maskers.helpers import ATLAS_AFFINE, ATLAS_SHAPE, SHAPE, load_mask


@pytest.fixture(scope="module")
def masker():
    """A fitted masker of 128 components; tests must not change it."""
    return KDEDiFuMoMasker("geometric", 128).fit()


@pytest.fixture
def peaks(rng):
    """Six studies with peaks in the mask, not at the centers of voxels."""
    voxels = voxel_centers(load_mask(4.0))
    return [
        voxels[rng.integers(len(voxels), size=n)] + rng.uniform(-1.9, 1.9, (n, 3))
        for n in (1, 2, 3, 5, 8, 40)
    ]


@pytest.fixture
def own_maps_img(rng):
    """Four smooth maps over the brain, with both signs, on a grid of 8 mm."""
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
    values = rng.random((*ATLAS_SHAPE, 3)) * (rng.random((*ATLAS_SHAPE, 3)) > 0.3)
    return nib.Nifti1Image(values.astype(np.float32), ATLAS_AFFINE)


@pytest.fixture
def labels_img(rng):
    """Three labels and background, on the same grid."""
    values = rng.choice([0, 2, 7, 11], size=ATLAS_SHAPE).astype(np.int16)
    return nib.Nifti1Image(values, ATLAS_AFFINE)


@pytest.fixture
def inside():
    """An ellipsoid on the small grid that touches no border."""
    center = (np.array(SHAPE) - 1) / 2
    offsets = (np.moveaxis(np.indices(SHAPE), 0, -1) - center) / center
    return (offsets**2).sum(axis=-1) < 0.95


@pytest.fixture
def maps(inside, rng):
    """Five overlapping maps in the ellipsoid, with zeros and both signs."""
    shape = inside.sum(), 5
    values = rng.standard_normal(shape) * (rng.random(shape) > 0.5)
    return values.astype(np.float32)
