"""Atlases come to the mask as nilearn would bring them, or say why not."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sklearn_neurocontext.maskers import _atlas
from tests.maskers.helpers import AFFINE, bring, load_mask, one_hot, resample


def test_own_maps_are_interpolated_as_nilearn_does(maps_img, mask_img):
    labels, maps = bring(maps_img, 1, mask_img)
    assert labels == ["component 0", "component 1", "component 2"]
    expected = resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_own_maps_on_the_grid_are_taken_as_they_are(mask_img, rng):
    values = rng.standard_normal((*mask_img.shape, 2)).astype(np.float32)
    _, maps = bring(nib.Nifti1Image(values, mask_img.affine), 1, mask_img)
    np.testing.assert_array_equal(maps, values[np.asarray(mask_img.dataobj) > 0])


def test_own_labels_are_those_of_the_nearest_voxel(labels_img, mask_img):
    labels, maps = bring(labels_img, 1, mask_img)
    assert labels == ["label 2", "label 7", "label 11"]
    expected = one_hot(resample(labels_img, mask_img, "nearest"))
    np.testing.assert_array_equal(maps, expected)


def test_nan_in_an_image_counts_as_zero(maps_img, labels_img, mask_img):
    for img in (maps_img, labels_img):
        values = np.array(img.dataobj, dtype=np.float32)
        marked = nib.Nifti1Image(np.where(values == 0, np.nan, values), AFFINE)
        np.testing.assert_array_equal(
            bring(marked, 1, mask_img)[1], bring(img, 1, mask_img)[1]
        )


def test_infinity_in_a_map_is_an_error(maps_img, mask_img):
    maps_img.get_fdata()[4, 4, 4, 1] = -np.inf
    broken = nib.Nifti1Image(maps_img.get_fdata(), AFFINE)
    with pytest.raises(ValueError, match="Map 1 of the atlas contains infinite"):
        bring(broken, 1, mask_img)


def test_a_3d_image_of_fractions_is_an_error(maps_img, mask_img):
    single = nib.Nifti1Image(np.asarray(maps_img.dataobj)[..., 0], AFFINE)
    with pytest.raises(ValueError, match="3D atlas must contain integer labels"):
        bring(single, 1, mask_img)


def test_labels_away_from_the_brain_are_an_error(labels_img, mask_img):
    away = nib.Nifti1Image(
        np.asarray(labels_img.dataobj), AFFINE + np.eye(4, k=3) * 999
    )
    with pytest.raises(ValueError, match="no nonzero label inside the mask"):
        bring(away, 1, mask_img)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 1, 3)])
def test_neither_3d_nor_4d_is_an_error(mask_img, shape):
    img = nib.Nifti1Image(np.ones(shape, dtype=np.float32), AFFINE)
    with pytest.raises(ValueError, match="must be a 4D image of maps or a 3D"):
        bring(img, 1, mask_img)


def test_difumo_comes_through_nilearn(maps_img, mask_img, tmp_path, monkeypatch):
    nib.save(maps_img, tmp_path / "maps.nii.gz")
    asked = {}

    def fetch(**settings):
        asked.update(settings)
        names = ["Insula", "Cuneus", "Insula"]
        return Bunch(
            maps=str(tmp_path / "maps.nii.gz"),
            labels=pd.DataFrame({"component": [1, 2, 3], "difumo_names": names}),
        )

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    labels, maps = bring("difumo", 64, mask_img, resolution_mm=3, data_dir=tmp_path)
    assert asked == {
        "dimension": 64,
        "resolution_mm": 3,
        "data_dir": tmp_path,
        "verbose": 0,
    }
    assert labels == ["Insula", "Cuneus", "Insula (2)"]
    expected = resample(maps_img, mask_img, "linear")
    np.testing.assert_allclose(maps, expected, atol=1e-6)


@pytest.mark.parametrize("error", [ConnectionError("no route"), ValueError("no route")])
def test_difumo_without_network_names_the_others(mask_img, monkeypatch, error):
    def fetch(**settings):
        raise error

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    with pytest.raises(
        OSError, match=r"no route.*data_dir.*atlas='geometric'.*path of"
    ):
        bring("difumo", 512, mask_img)


def test_difumo_of_another_size_is_an_error(mask_img):
    with pytest.raises(ValueError, match=r"64, 128, .*atlas='difumo'; got 100"):
        bring("difumo", 100, mask_img)


def test_real_labels_equal_nilearns(shared_data):
    path = shared_data / "atlases/Schaefer400_space-MNI152NLin6_res-2x2x2.nii.gz"
    mask_img = load_mask(4.0)
    _, maps = bring(path, 1, mask_img)
    assert maps.shape[1] == 400
    expected = one_hot(resample(nib.load(path), mask_img, "nearest"))
    np.testing.assert_array_equal(maps, expected)


def test_real_maps_equal_nilearns(shared_data):
    (path,) = (shared_data / "atlases").glob("*DiFuMo*probseg.nii.gz")
    mask_img = load_mask(4.0)
    _, maps = bring(path, 1, mask_img)
    assert maps.shape[1] == 100
    assert np.count_nonzero(maps) < 0.05 * maps.size
    some = nib.load(path).slicer[..., 40:43]
    expected = resample(some, mask_img, "linear")
    np.testing.assert_allclose(maps[:, 40:43], expected, atol=1e-6 * expected.max())


def test_labels_that_the_grid_misses_keep_their_columns(labels_img, mask_img):
    values = np.array(labels_img.dataobj)
    values[0, 0, 0] = 5
    labels, maps = bring(nib.Nifti1Image(values, AFFINE), 1, mask_img)
    assert labels == ["label 2", "label 5", "label 7", "label 11"]
    assert not maps[:, 1].any()
    np.testing.assert_array_equal(maps[:, [0, 2, 3]], bring(labels_img, 1, mask_img)[1])


def test_labels_along_a_fourth_axis_are_labels(labels_img, mask_img, tmp_path):
    wrapped = nib.Nifti1Image(np.asarray(labels_img.dataobj)[..., None], AFFINE)
    nib.save(wrapped, tmp_path / "labels.nii.gz")
    expected = bring(labels_img, 1, mask_img)
    for given in (wrapped, tmp_path / "labels.nii.gz"):
        labels, maps = bring(given, 1, mask_img)
        assert labels == expected[0]
        np.testing.assert_array_equal(maps, expected[1])


def test_one_map_along_a_fourth_axis_stays_a_map(maps_img, mask_img):
    labels, maps = bring(maps_img.slicer[..., :1], 1, mask_img)
    assert labels == ["component 0"]
    np.testing.assert_array_equal(maps, bring(maps_img, 1, mask_img)[1][:, :1])
