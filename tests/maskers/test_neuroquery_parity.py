"""The same coefficients as NeuroQuery's smoothing and nilearn's least squares."""

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.image import resample_to_img
from nilearn.maskers import NiftiMapsMasker

from sklearn_neurocontext import KDEDiFuMoMasker

_COORDINATES = "neuroquery/data-neuroquery_version-1_coordinates.tsv.gz"
N_STUDIES = 8


@pytest.fixture(scope="module")
def peaks_table(shared_data):
    table = pd.read_csv(shared_data / _COORDINATES, sep="\t")
    table = table.rename(columns={"id": "pmid"})
    drawn = np.random.default_rng(0).choice(table["pmid"].unique(), N_STUDIES, False)
    return table[table["pmid"].isin(drawn)].sort_values("pmid", kind="stable")


@pytest.fixture(scope="module")
def whole_densities(peaks_table):
    """NeuroQuery's density of each study on its whole grid."""
    img_utils = pytest.importorskip("neuroquery.img_utils")
    grid = img_utils.get_masker(None, (4, 4, 4)).mask_img_
    whole = nib.Nifti1Image(np.ones(grid.shape, np.uint8), grid.affine)
    maps, masker = img_utils.coordinates_to_maps(peaks_table, mask_img=whole)
    assert maps.index.tolist() == sorted(set(peaks_table["pmid"]))
    return masker.inverse_transform(maps.to_numpy())


@pytest.fixture(scope="module")
def resampled_difumo(shared_data, whole_densities):
    """The file of DiFuMo, and its maps on NeuroQuery's grid by nilearn.

    Done once, since it takes nilearn seconds.
    """
    (path,) = (shared_data / "atlases").glob("*DiFuMo*probseg.nii.gz")
    maps_img = resample_to_img(
        path,
        whole_densities,
        interpolation="linear",
        copy_header=True,
        force_resample=True,
    )
    return path, maps_img


def _soft_atlas(mask_img, n_maps):
    """Gaussians around voxels of the mask, which overlap and leave it."""
    grid = np.moveaxis(np.indices(mask_img.shape), 0, -1)
    voxels = np.argwhere(mask_img.dataobj)
    centres = np.random.default_rng(1).choice(voxels, n_maps, replace=False)
    maps = [np.exp(-((grid - c) ** 2).sum(axis=3) / (2 * 2.5**2)) for c in centres]
    return nib.Nifti1Image(np.stack(maps, axis=3).astype(np.float32), mask_img.affine)


def _assert_equal(ours, expected):
    assert np.abs(ours - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore:Dropped")
@pytest.mark.parametrize("mask_img", ["mni", None])
@pytest.mark.parametrize("kind", ["difumo", "soft"])
def test_coefficients_equal_neuroquerys(
    resampled_difumo, peaks_table, whole_densities, mask_img, kind
):
    masker = KDEDiFuMoMasker("geometric", 8, mask_img=mask_img).fit()
    if kind == "soft":
        # 512 of them take nilearn minutes: see `benchmarks.speed.check_masker`.
        atlas = maps_img = _soft_atlas(masker.mask_img_, 64)
    else:
        atlas, maps_img = resampled_difumo
    ours = masker.set_params(atlas=atlas, voxelization="neuroquery").fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nilearn = NiftiMapsMasker(
            maps_img, mask_img=mask_img and ours.mask_img_, resampling_target=None
        )
        expected = nilearn.fit_transform(whole_densities)
    _assert_equal(ours.transform(peaks_table), expected)


@pytest.mark.filterwarnings("ignore:Dropped")
def test_every_real_peak_comes_to_neuroquerys_voxel(shared_data):
    """Rounding by the pseudoinverse decides for a third of them."""
    coords_to_voxels = pytest.importorskip("neuroquery.img_utils").coords_to_voxels
    table = pd.read_csv(shared_data / _COORDINATES, sep="\t")
    groups = list(table.groupby("id", sort=False)[["x", "y", "z"]])[:2000]
    masker = KDEDiFuMoMasker("geometric", 8, voxelization="neuroquery").fit()
    grid = masker.mask_img_
    theirs = [coords_to_voxels(xyz.to_numpy(), grid) for _, xyz in groups]
    centred = [nib.affines.apply_affine(grid.affine, voxels + 0.5) for voxels in theirs]
    np.testing.assert_array_equal(
        masker.transform([xyz.to_numpy() for _, xyz in groups]),
        masker.transform(centred),
    )
