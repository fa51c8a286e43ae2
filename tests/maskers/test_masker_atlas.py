"""The atlas of a masker: its facts, `maps_img_`, and maps that say the same."""

import inspect
import pickle

import nibabel as nib
import numpy as np
import pytest
from sklearn.base import clone

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers import _table
from sklearn_neurocontext.maskers._table import RecentStore
from tests.maskers.density_oracles import CENTRE, FUSIFORM, MOTOR, append_map


def test_maps_img_is_the_atlas_inside_the_mask(masker):
    maps, mask = masker.maps_img_, np.asarray(masker.mask_img_.dataobj)
    assert maps.shape == (*mask.shape, masker.n_elements_)
    assert maps.get_data_dtype() == np.float32
    np.testing.assert_array_equal(maps.affine, masker.mask_img_.affine)
    np.testing.assert_array_equal(np.asarray(maps.dataobj).sum(axis=3), mask > 0)


def test_collinear_maps_are_told_at_each_fit_and_share_the_coefficient(own_maps_img):
    collinear = append_map(own_maps_img, lambda maps: maps[..., 0])
    masker = KDEDiFuMoMasker(collinear)
    for _ in range(2):
        with pytest.warns(
            UserWarning, match="maps of the atlas are linear comb"
        ) as record:
            masker.fit()
        assert record[0].filename == __file__
    single = KDEDiFuMoMasker(own_maps_img).fit().transform([[MOTOR]])
    doubled = masker.transform([[MOTOR]])
    np.testing.assert_allclose(doubled[:, [0, 4]].sum(axis=1), single[:, 0], rtol=1e-4)
    assert doubled[0, 0] == pytest.approx(doubled[0, 4], rel=1e-4)


def test_empty_maps_are_told_and_stay_zero(own_maps_img):
    with_empty = append_map(own_maps_img, lambda maps: 0 * maps[..., 0])
    masker = KDEDiFuMoMasker(with_empty)
    with pytest.warns(UserWarning, match="1 of 5 maps .* 'component 4'") as record:
        masker.fit()
    assert record[0].filename == __file__
    coefficients = masker.transform([[MOTOR]])
    assert coefficients[0, 4] == 0
    assert coefficients[0, :4].all()


def test_labels_that_the_grid_misses_are_told_and_stay_zero(own_maps_img):
    labels = np.zeros(own_maps_img.shape[:3], dtype=np.int16)
    labels[12:] = 1
    labels[:12] = 4
    labels[0, 0, 0] = 3
    masker = KDEDiFuMoMasker(nib.Nifti1Image(labels, own_maps_img.affine))
    with pytest.warns(UserWarning, match="1 of 3 maps .* empty .* 'label 3'"):
        masker.fit()
    assert masker.labels_ == ["label 1", "label 3", "label 4"]
    coefficients = masker.transform([[MOTOR]])[0]
    assert coefficients[1] == 0
    assert coefficients.argmax() in (0, 2)


def test_affine_and_hash_of_the_atlas_are_facts(masker, own_maps_img):
    own = KDEDiFuMoMasker(own_maps_img).fit()
    np.testing.assert_array_equal(own.atlas_affine_, own_maps_img.affine)
    np.testing.assert_array_equal(masker.atlas_affine_, masker.mask_img_.affine)
    assert len(own.atlas_hash_) == 64


def test_atlas_hash_is_of_the_atlas_alone(masker):
    same = clone(masker).set_params(fwhm=3.0).fit()
    other = clone(masker).set_params(n_components=64).fit()
    assert masker.atlas_hash_ == same.atlas_hash_ != other.atlas_hash_


def test_nearly_collinear_maps_are_told_with_their_condition(own_maps_img):
    almost = append_map(
        own_maps_img, lambda maps: maps[..., 0] + 1e-5 * maps[::-1, ..., 1]
    )
    with pytest.warns(
        UserWarning, match=r"condition number of AᵀMA is about \d\.\de\+"
    ) as r:
        KDEDiFuMoMasker(almost).fit()
    assert r[0].filename == __file__
    positive = nib.Nifti1Image(np.abs(almost.dataobj), almost.affine)
    KDEDiFuMoMasker(positive, strategy="mean").fit()


def test_looking_at_a_masker_writes_no_maps_out(own_maps_img, tmp_path, monkeypatch):
    """Nor does it need the atlas, which may be gone; `maps_img_` is 4D and dense."""
    nib.save(own_maps_img, tmp_path / "atlas.nii")
    masker = KDEDiFuMoMasker(tmp_path / "atlas.nii").fit()
    (tmp_path / "atlas.nii").unlink()
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "new"))
    monkeypatch.setattr(_table, "_OPENED", RecentStore(size=2))
    assert "maps_img_" in dir(masker)
    assert "KDEDiFuMoMasker" in masker._repr_html_()
    members = dict(inspect.getmembers(masker))
    assert members["maps_img_"].shape == (*masker.mask_img_.shape, 4)
    assert "maps_img_" not in repr(masker)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        members["maps_img_"].get_fdata()


def test_maps_img_gives_the_values_that_are_asked_for(own_maps_img, tmp_path):
    masker = KDEDiFuMoMasker(own_maps_img, mask_img=None, target_affine=None).fit()
    img, values = masker.maps_img_, np.asarray(own_maps_img.dataobj)
    for part in (np.s_[..., 2], np.s_[3:9, 5, ::2, 1:3]):
        np.testing.assert_array_equal(img.dataobj[part], values[part])
    np.testing.assert_array_equal(img.slicer[:, :5, :, 1].dataobj, values[:, :5, :, 1])
    np.testing.assert_array_equal(img.get_fdata(), values)
    nib.save(img, tmp_path / "maps.nii.gz")
    np.testing.assert_array_equal(nib.load(tmp_path / "maps.nii.gz").dataobj, values)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(img)).dataobj, values)


def test_maps_of_a_masker_are_an_atlas(masker):
    other = KDEDiFuMoMasker(masker.maps_img_, mask_img=masker.mask_img_).fit()
    peaks = [[MOTOR, FUSIFORM], [CENTRE]]
    np.testing.assert_allclose(other.transform(peaks), masker.transform(peaks), 1e-4)
