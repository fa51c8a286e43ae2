"""KDEDiFuMoMasker against nilearn, its laws, and the errors of its users."""

import pickle
import warnings

import nibabel as nib
import numpy as np
import pytest
from sklearn.base import clone

from sklearn_neurocontext import KDEDiFuMoMasker
from tests.maskers.density_oracles import (
    CENTRE,
    FUSIFORM,
    MOTOR,
    density_img_of,
    nilearn_coefficients,
)


@pytest.mark.parametrize("fwhm", [6.0, 9.0])
def test_coefficients_equal_nilearns_on_the_density(peaks, fwhm):
    masker = KDEDiFuMoMasker("geometric", 32, fwhm=fwhm).fit()
    density_img = density_img_of(peaks, masker.mask_img_, fwhm)
    expected = nilearn_coefficients(masker, density_img, masker.mask_img_)
    np.testing.assert_allclose(
        masker.transform(peaks), expected, atol=1e-4 * expected.max(), rtol=0
    )


def test_coefficients_of_own_maps_equal_nilearns(peaks, own_maps_img):
    masker = KDEDiFuMoMasker(own_maps_img).fit()
    assert masker.n_elements_ == 4
    density_img = density_img_of(peaks, masker.mask_img_, 9.0)
    # Given a mask, nilearn 0.13 leaves out voxels where no map is above zero. Without
    # one it leaves out none, and the maps are zero outside the mask anyhow.
    expected = nilearn_coefficients(masker, density_img)
    np.testing.assert_allclose(
        masker.transform(peaks), expected, atol=1e-4 * np.abs(expected).max(), rtol=0
    )


def test_real_probabilistic_maps_equal_nilearns(shared_data, peaks):
    (path,) = (shared_data / "atlases").glob("*DiFuMo*probseg.nii.gz")
    masker = KDEDiFuMoMasker(path).fit()
    assert masker.n_elements_ == 100
    assert len(pickle.dumps(masker)) < 1e6
    density_img = density_img_of(peaks, masker.mask_img_, 9.0)
    expected = nilearn_coefficients(masker, density_img, masker.mask_img_)
    np.testing.assert_allclose(
        masker.transform(peaks), expected, atol=1e-4 * expected.max(), rtol=0
    )


def test_real_labels_give_the_mean_density_of_each(shared_data, peaks):
    path = shared_data / "atlases/Schaefer400_space-MNI152NLin6_res-2x2x2.nii.gz"
    masker = KDEDiFuMoMasker(str(path)).fit()
    assert masker.get_feature_names_out()[0] == "label 1"
    mean = KDEDiFuMoMasker(str(path), strategy="mean").fit()
    np.testing.assert_allclose(
        masker.transform(peaks), mean.transform(peaks), rtol=1e-5, atol=1e-9
    )


def test_coefficients_survive_the_way_to_maps_and_back(masker, rng):
    coefficients = rng.standard_normal((3, 128))
    img = masker.inverse_transform(coefficients)
    assert img.shape == (*masker.mask_img_.shape, 3)
    back = nilearn_coefficients(masker, img, masker.mask_img_)
    np.testing.assert_allclose(back, coefficients, atol=1e-5)
    np.testing.assert_allclose(masker.transform_imgs(img), coefficients, atol=1e-5)


def test_maps_are_saved_as_they_are(masker, rng, tmp_path):
    img = masker.inverse_transform(rng.standard_normal((2, 128)))
    nib.save(img, tmp_path / "maps.nii.gz")
    np.testing.assert_array_equal(
        nib.load(tmp_path / "maps.nii.gz").dataobj, np.asarray(img.dataobj)
    )


def test_maps_are_coefficients_times_the_atlas(own_maps_img, rng):
    masker = KDEDiFuMoMasker(own_maps_img, target_affine=8.0).fit()
    coefficients = rng.standard_normal((2, 4))
    maps = np.asarray(masker.maps_img_.dataobj)
    expected = np.einsum("xyzc,nc->xyzn", maps, coefficients)
    img = masker.inverse_transform(coefficients)
    np.testing.assert_allclose(img.dataobj, expected, atol=1e-6)
    inside = np.asarray(masker.mask_img_.dataobj) > 0
    voxels = masker.coefficients_to_voxels(coefficients)
    assert voxels.dtype == np.float32
    np.testing.assert_array_equal(voxels, np.asarray(img.dataobj)[inside].T)


def test_a_peak_counts_most_where_it_lies(masker):
    names = masker.get_feature_names_out()
    for xyz in (MOTOR, FUSIFORM, CENTRE):
        name = names[masker.transform([[xyz]])[0].argmax()]
        place = [float(part.split("=")[1]) for part in name.split()]
        assert np.linalg.norm(np.subtract(place, xyz)) < 20


def test_transform_is_linear_in_peaks(masker, peaks):
    joint = np.concatenate([*peaks, peaks[0]])
    expected = masker.transform(peaks).sum(axis=0) + masker.transform(peaks[:1])[0]
    np.testing.assert_allclose(
        masker.transform([joint])[0], expected, rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("target_affine", [5.0, 6.0])
def test_coefficients_change_little_with_the_grid(peaks, target_affine):
    fine = KDEDiFuMoMasker("geometric", 8, fwhm=20, voxelization="linear").fit()
    coarse = clone(fine).set_params(target_affine=target_affine).fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [fine.transform(peaks), coarse.transform(peaks)]
    # A density is per voxel, so it grows with the volume of one.
    scaled = rows[0] / 4**3, rows[1] / target_affine**3
    assert np.corrcoef(*[row.ravel() for row in scaled])[0, 1] > 0.98
    assert scaled[1].sum() == pytest.approx(scaled[0].sum(), rel=0.05)


def test_strategies_of_one_atlas_keep_apart(own_maps_img):
    positive = nib.Nifti1Image(np.abs(own_maps_img.dataobj), own_maps_img.affine)
    lstsq, mean = (
        KDEDiFuMoMasker(positive, strategy=strategy).fit().transform([[CENTRE]])
        for strategy in ("lstsq", "mean")
    )
    assert mean.min() > 0
    assert not np.allclose(lstsq, mean, rtol=0.1)


def test_the_whole_box_and_a_mask_of_the_users(own_maps_img, peaks):
    whole = KDEDiFuMoMasker(own_maps_img, mask_img=None).fit()
    assert np.all(whole.mask_img_.dataobj)
    assert whole.mask_img_.shape == KDEDiFuMoMasker(own_maps_img).fit().mask_img_.shape
    own_grid = KDEDiFuMoMasker(own_maps_img, mask_img=None, target_affine=None).fit()
    assert own_grid.mask_img_.shape == own_maps_img.shape[:3]
    np.testing.assert_array_equal(own_grid.maps_img_.dataobj, own_maps_img.dataobj)
    for masker in (whole, own_grid):
        density_img = density_img_of(peaks, masker.mask_img_, 9.0)
        expected = nilearn_coefficients(masker, density_img)
        np.testing.assert_allclose(
            masker.transform(peaks), expected, atol=1e-4 * np.abs(expected).max()
        )
    half = np.asarray(whole.mask_img_.dataobj).copy()
    half[:25] = 0
    mask_img = nib.Nifti1Image(half, whole.mask_img_.affine)
    right = KDEDiFuMoMasker(own_maps_img, mask_img=mask_img).fit()
    np.testing.assert_array_equal(right.mask_img_.dataobj, half)
    with pytest.warns(UserWarning, match="Dropped 1 of 1 peaks: 0 outside the field"):
        right.transform([[MOTOR]])
