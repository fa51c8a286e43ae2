"""Coefficients equal those of NeuroQuery's smoothing and nilearn's least squares."""

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.image import resample_to_img
from nilearn.maskers import NiftiMapsMasker

from sklearn_neurocontext import KDEDiFuMoMasker

img_utils = pytest.importorskip("neuroquery.img_utils")

pytestmark = pytest.mark.filterwarnings("ignore:Dropped")


def _draw_table(n_studies):
    """Draw peaks in even mm, many of them on the borders of voxels, some outside."""
    rng = np.random.default_rng(0)
    study = np.repeat(np.arange(n_studies), rng.integers(1, 30, n_studies))
    xyz = rng.uniform([-80, -115, -70], [80, 80, 90], (len(study), 3))
    decimals = rng.random(len(study)) < 0.2
    xyz[~decimals] = 2 * np.rint(xyz[~decimals] / 2)
    return pd.DataFrame(xyz.round(1), columns=list("xyz")).assign(pmid=study)


@pytest.fixture(scope="module")
def peaks_table():
    return _draw_table(4)


@pytest.fixture(scope="module")
def whole_densities(peaks_table):
    """NeuroQuery's density of each study on its whole grid."""
    grid = img_utils.get_masker(None, (4, 4, 4)).mask_img_
    whole = nib.Nifti1Image(np.ones(grid.shape, np.uint8), grid.affine)
    maps, masker = img_utils.coordinates_to_maps(peaks_table, mask_img=whole)
    assert maps.index.tolist() == sorted(set(peaks_table["pmid"]))
    return masker.inverse_transform(maps.to_numpy())


def _make_soft_atlas(mask_img, n_maps):
    """Make maps of Gaussians around voxels of the mask, which overlap and leave it."""
    grid = np.moveaxis(np.indices(mask_img.shape), 0, -1)
    voxels = np.argwhere(mask_img.dataobj)
    centers = np.random.default_rng(1).choice(voxels, n_maps, replace=False)
    maps = [np.exp(-((grid - c) ** 2).sum(axis=3) / (2 * 2.5**2)) for c in centers]
    return nib.Nifti1Image(np.stack(maps, axis=3).astype(np.float32), mask_img.affine)


def _assert_parity(atlas, maps_img, mask_img, peaks_table, densities):
    """Compare with nilearn; `maps_img` is the atlas on NeuroQuery's grid."""
    ours = KDEDiFuMoMasker(atlas, mask_img=mask_img, voxelization="neuroquery").fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nilearn = NiftiMapsMasker(
            maps_img, mask_img=mask_img and ours.mask_img_, resampling_target=None
        )
        expected = nilearn.fit_transform(densities)
    difference = np.abs(ours.transform(peaks_table) - expected).max()
    assert difference <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("mask_img", ["mni", None])
def test_coefficients_equal_neuroquerys(peaks_table, whole_densities, mask_img):
    grid = KDEDiFuMoMasker("geometric", 8, mask_img=mask_img).fit().mask_img_
    atlas = _make_soft_atlas(grid, 64)
    _assert_parity(atlas, atlas, mask_img, peaks_table, whole_densities)


@pytest.mark.slow
def test_coefficients_on_difumo_equal_neuroquerys(
    shared_data, peaks_table, whole_densities
):
    (path,) = (shared_data / "atlases").glob("*DiFuMo*probseg.nii.gz")
    maps_img = resample_to_img(
        path,
        whole_densities,
        interpolation="linear",
        copy_header=True,
        force_resample=True,
    )
    for mask_img in ("mni", None):
        _assert_parity(path, maps_img, mask_img, peaks_table, whole_densities)


def test_every_peak_is_moved_to_neuroquerys_voxel():
    """Rounding by the pseudoinverse decides for peaks on the borders of voxels."""
    groups = list(_draw_table(500).groupby("pmid")[["x", "y", "z"]])
    peaks = [xyz.to_numpy() for _, xyz in groups]
    masker = KDEDiFuMoMasker("geometric", 8, voxelization="neuroquery").fit()
    affine = masker.mask_img_.affine
    theirs = [img_utils.coords_to_voxels(xyz, masker.mask_img_) for xyz in peaks]
    centered = [nib.affines.apply_affine(affine, voxels + 0.5) for voxels in theirs]
    np.testing.assert_array_equal(masker.transform(peaks), masker.transform(centered))
    exact = [nib.affines.apply_affine(np.linalg.inv(affine), xyz) for xyz in peaks]
    moved = np.floor(np.concatenate(exact)) != np.concatenate(theirs)
    assert moved.any()
