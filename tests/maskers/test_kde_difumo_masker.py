"""KDEDiFuMoMasker against nilearn, its laws, its atlas, and its errors."""

import inspect
import pickle
import re
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers import _table, density_map
from sklearn_neurocontext.maskers._table import RecentStore
from tests.maskers.helpers import (
    CENTER,
    FUSIFORM,
    MOTOR,
    append_map,
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
    # Without a mask, as nilearn 0.13 would exclude voxels where no map is positive.
    # The maps are zero outside the mask.
    expected = nilearn_coefficients(masker, density_img)
    np.testing.assert_allclose(
        masker.transform(peaks), expected, atol=1e-4 * np.abs(expected).max(), rtol=0
    )


def test_least_squares_on_labels_is_the_mean_density_of_each(own_maps_img, peaks, rng):
    labels = rng.integers(1, 9, own_maps_img.shape[:3]).astype(np.int16)
    labels_img = nib.Nifti1Image(labels, own_maps_img.affine)
    lstsq, mean = (
        KDEDiFuMoMasker(labels_img, strategy=strategy).fit()
        for strategy in ("lstsq", "mean")
    )
    assert lstsq.get_feature_names_out()[0] == "label 1"
    np.testing.assert_allclose(
        lstsq.transform(peaks), mean.transform(peaks), rtol=1e-5, atol=1e-9
    )


def test_coefficients_are_recovered_from_their_maps(masker, rng):
    coefficients = rng.standard_normal((3, 128))
    img = masker.inverse_transform(coefficients)
    assert img.shape == (*masker.mask_img_.shape, 3)
    back = nilearn_coefficients(masker, img, masker.mask_img_)
    np.testing.assert_allclose(back, coefficients, atol=1e-5)
    np.testing.assert_allclose(masker.transform_imgs(img), coefficients, atol=1e-5)


def test_densities_equal_smoothed_counts(masker, peaks):
    inside = np.asarray(masker.mask_img_.dataobj) > 0
    expected = np.asarray(density_img_of(peaks, masker.mask_img_, 9.0).dataobj)[inside]
    densities = masker.peaks_to_voxels(peaks)
    assert densities.dtype == np.float32
    np.testing.assert_allclose(densities, expected.T, atol=1e-5 * expected.max())


def test_densities_of_voxel_centers_equal_exact_densities(masker):
    peaks = [[[-38, -22, 56], [42, -50, -20]], [[2, -2, 4]]]  # on the grid of 4 mm
    expected = [density_map(xyz, masker.mask_img_) for xyz in peaks]
    np.testing.assert_allclose(
        masker.peaks_to_voxels(peaks), expected, atol=1e-3 * np.max(expected)
    )


@pytest.mark.filterwarnings("ignore:Dropped 0 of 59 peaks")
@pytest.mark.parametrize("voxelization", ["nearest", "linear", "neuroquery"])
@pytest.mark.parametrize("strategy", ["lstsq", "mean"])
def test_coefficients_are_those_of_densities(strategy, voxelization, peaks):
    settings = {"strategy": strategy, "voxelization": voxelization}
    masker = KDEDiFuMoMasker("geometric", 128, **settings).fit()
    expected = masker.transform(peaks)
    found = masker.voxels_to_coefficients(masker.peaks_to_voxels(peaks))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert found.dtype == np.float32


def test_maps_are_saved_unchanged(masker, rng, tmp_path):
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


def test_the_largest_coefficient_is_of_a_map_near_the_peak(masker):
    names = masker.get_feature_names_out()
    for xyz in (MOTOR, FUSIFORM, CENTER):
        name = names[masker.transform([[xyz]])[0].argmax()]
        place = [float(part.split("=")[1]) for part in name.split()]
        assert np.linalg.norm(np.subtract(place, xyz)) < 20


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


def test_strategies_have_their_own_tables(own_maps_img):
    positive = nib.Nifti1Image(np.abs(own_maps_img.dataobj), own_maps_img.affine)
    lstsq, mean = (
        KDEDiFuMoMasker(positive, strategy=strategy).fit().transform([[CENTER]])
        for strategy in ("lstsq", "mean")
    )
    assert mean.min() > 0
    assert not np.allclose(lstsq, mean, rtol=0.1)


def test_whole_box_and_own_mask(own_maps_img, peaks):
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


def test_maps_img_is_the_atlas_inside_the_mask(masker):
    maps, mask = masker.maps_img_, np.asarray(masker.mask_img_.dataobj)
    assert maps.shape == (*mask.shape, masker.n_elements_)
    assert maps.get_data_dtype() == np.float32
    np.testing.assert_array_equal(maps.affine, masker.mask_img_.affine)
    np.testing.assert_array_equal(np.asarray(maps.dataobj).sum(axis=3), mask > 0)


def test_collinear_maps_warn_at_each_fit_and_share_the_coefficient(own_maps_img):
    collinear = append_map(own_maps_img, lambda maps: maps[..., 0])
    masker = KDEDiFuMoMasker(collinear)
    for _ in range(2):
        with pytest.warns(
            UserWarning, match="maps of the atlas are linear comb"
        ) as record:
            masker.fit()
        assert record[0].filename == __file__
    single = KDEDiFuMoMasker(own_maps_img).fit().transform([[MOTOR]])
    both = masker.transform([[MOTOR]])
    np.testing.assert_allclose(both[:, [0, 4]].sum(axis=1), single[:, 0], rtol=1e-4)
    assert both[0, 0] == pytest.approx(both[0, 4], rel=1e-4)


def test_empty_maps_warn_and_stay_zero(own_maps_img):
    with_empty = append_map(own_maps_img, lambda maps: 0 * maps[..., 0])
    masker = KDEDiFuMoMasker(with_empty)
    with pytest.warns(UserWarning, match="1 of 5 maps .* 'component 4'") as record:
        masker.fit()
    assert record[0].filename == __file__
    coefficients = masker.transform([[MOTOR]])
    assert coefficients[0, 4] == 0
    assert coefficients[0, :4].all()


def test_labels_that_the_grid_misses_warn_and_stay_zero(own_maps_img):
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


def test_affine_and_hash_of_the_atlas(masker, own_maps_img):
    own = KDEDiFuMoMasker(own_maps_img).fit()
    np.testing.assert_array_equal(own.atlas_affine_, own_maps_img.affine)
    np.testing.assert_array_equal(masker.atlas_affine_, masker.mask_img_.affine)
    assert len(own.atlas_hash_) == 64


def test_atlas_hash_is_of_the_atlas_alone(masker):
    same = clone(masker).set_params(fwhm=3.0).fit()
    other = clone(masker).set_params(n_components=64).fit()
    assert masker.atlas_hash_ == same.atlas_hash_ != other.atlas_hash_


def test_nearly_collinear_maps_warn_with_their_condition(own_maps_img):
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


def test_inspecting_a_masker_computes_no_maps(own_maps_img, tmp_path, monkeypatch):
    """Nor does it need the file of the atlas; `maps_img_` is 4D and dense."""
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


def test_maps_img_computes_selected_values(own_maps_img, tmp_path):
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
    peaks = [[MOTOR, FUSIFORM], [CENTER]]
    np.testing.assert_allclose(other.transform(peaks), masker.transform(peaks), 1e-4)


def test_any_sequence_of_arrays_is_accepted(masker):
    lists = [[MOTOR, FUSIFORM], [CENTER, MOTOR]]
    expected = masker.transform(lists)
    assert expected.dtype == np.float32
    series = pd.Series([np.array(rows) for rows in lists])
    for peaks in (np.array(lists), tuple(map(tuple, lists)), series):
        np.testing.assert_array_equal(masker.transform(peaks), expected)


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
def test_dropped_peaks_warn_once_with_their_numbers(masker, voxelization):
    masker = clone(masker).set_params(voxelization=voxelization).fit()
    peaks = [[MOTOR, [0, 0, 4000], [-90, -120, -60]], [FUSIFORM, [0, 0, 4000]]]
    for compute in (masker.transform, masker.peaks_to_voxels):
        with pytest.warns(UserWarning) as record:
            values = compute(peaks)
        assert len(record) == 1
        assert "Dropped 3 of 5 peaks: 2 outside the field of view, 1 outside" in str(
            record[0].message
        )
        assert record[0].filename == __file__
        kept = compute([[MOTOR], [FUSIFORM]])
        np.testing.assert_array_equal(values, kept)


def test_a_study_without_peaks_has_zeros(masker):
    peaks = [[], [MOTOR], np.zeros((0, 3))]
    for values in (masker.transform(peaks), masker.peaks_to_voxels(peaks)):
        np.testing.assert_array_equal(values.any(axis=1), [False, True, False])


@pytest.mark.filterwarnings("ignore:Dropped 1 of 2 peaks")
def test_a_study_without_peaks_raises_if_asked(masker):
    strict = clone(masker).set_params(empty="error").fit()
    with pytest.raises(ValueError, match=r"1 of 2 studies have no peak .* in row 1"):
        strict.transform([[MOTOR], [[0, 0, 4000]]])
    assert strict.transform([[MOTOR]]).any()


WRONG_PEAKS = [
    ("peaks", TypeError, "peaks must be a sequence of arrays .* got a str"),
    (5, TypeError, "peaks must be a sequence"),
    ([], ValueError, "peaks is empty"),
    (np.zeros((4, 3)), ValueError, r"got one array of shape \(4, 3\)"),
    ([MOTOR], ValueError, r"study 0 have shape \(3,\)"),
    ([[MOTOR], [[1, 2]]], ValueError, r"study 1 have shape \(1, 2\)"),
    ([[MOTOR, [1, 2]]], ValueError, "study 0 cannot be read as numbers"),
    ([[["x", "y", "z"]]], ValueError, "study 0 must be finite numbers; got"),
    ([[MOTOR], [[np.nan, 0, 0]]], ValueError, "study 1 must be finite"),
    ([[[np.inf, 0, 0]]], ValueError, "study 0 must be finite"),
]


@pytest.mark.parametrize(("peaks", "error", "match"), WRONG_PEAKS)
def test_wrong_peaks_raise(masker, peaks, error, match):
    with pytest.raises(error, match=match):
        masker.transform(peaks)
    with pytest.raises(error, match=match):
        clone(masker).fit(peaks)


@pytest.mark.parametrize("coefficients", [np.zeros(128), np.zeros((2, 5))])
def test_coefficients_of_another_shape_raise(masker, coefficients):
    with pytest.raises(ValueError, match=r"must have shape \(n_maps, 128\)"):
        masker.inverse_transform(coefficients)


def test_coefficients_that_are_not_finite_raise(masker):
    with pytest.raises(ValueError, match="coefficients must be finite; got NaN"):
        masker.coefficients_to_voxels(np.full((1, 128), np.nan))


def test_voxels_of_another_shape_or_not_finite_raise(masker):
    n_voxels = np.count_nonzero(masker.mask_img_.dataobj)
    message = rf"voxels must have shape \(n_maps, {n_voxels}\); got \(3, 7\)"
    with pytest.raises(ValueError, match=message):
        masker.voxels_to_coefficients(np.zeros((3, 7)))
    with pytest.raises(ValueError, match="voxels must be finite; got NaN"):
        masker.voxels_to_coefficients(np.full((1, n_voxels), np.nan))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_components": 0},
        {"fwhm": 0},
        {"voxelization": "cubic"},
        {"target_affine": 0},
        {"target_affine": [4, 4]},
        {"target_affine": "4 mm"},
        {"target_affine": np.nan},
        {"resolution_mm": 4},
        {"space": "Talairach"},
        {"strategy": "median"},
        {"empty": "drop"},
    ],
)
def test_wrong_parameters_raise(wrong):
    masker = KDEDiFuMoMasker("geometric", 8).set_params(**wrong)
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter"):
        masker.fit()


@pytest.mark.parametrize(
    "use",
    [
        lambda masker: masker.transform([[MOTOR]]),
        lambda masker: masker.inverse_transform(np.zeros((1, 128))),
        lambda masker: masker.coefficients_to_voxels(np.zeros((1, 128))),
        lambda masker: masker.peaks_to_voxels([[MOTOR]]),
        lambda masker: masker.voxels_to_coefficients(np.zeros((1, 9))),
        lambda masker: masker.transform_imgs("no-such-file.nii"),
        lambda masker: masker.get_feature_names_out(),
        lambda masker: masker.maps_img_,
    ],
)
def test_unfitted_raises(use):
    with pytest.raises(NotFittedError, match="This KDEDiFuMoMasker instance"):
        use(KDEDiFuMoMasker("geometric", 128))


def test_a_failed_fit_leaves_an_unfitted_masker(own_maps_img):
    masker = KDEDiFuMoMasker(own_maps_img, strategy="mean")
    with pytest.raises(
        ValueError, match="strategy='mean' requires maps without negative"
    ):
        masker.fit()
    assert not hasattr(masker, "maps_img_")
    with pytest.raises(NotFittedError):
        masker.transform([[MOTOR]])


def test_talairach_peaks_are_converted_as_lancaster_published(masker, peaks):
    """Published are MNI to Talairach, pooled over templates; peaks go back."""
    published = np.array(
        [
            [0.9357, 0.0029, -0.0072, -1.0423],
            [-0.0065, 0.9396, -0.0726, -1.3940],
            [0.0103, 0.0752, 0.8967, 3.6475],
        ]
    )
    linear = clone(masker).set_params(voxelization="linear").fit()
    talairach = [xyz @ published[:, :3].T + published[:, 3] for xyz in peaks]
    converted = clone(linear).set_params(space="TAL").fit().transform(talairach)
    expected = linear.transform(peaks)
    np.testing.assert_allclose(converted, expected, atol=1e-5 * expected.max())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.abs(linear.transform(talairach) - expected).max() > 0.01 * (
            expected.max()
        )


def test_an_object_array_is_accepted(masker, peaks):
    array = np.empty(len(peaks), dtype=object)
    array[:] = peaks
    expected = masker.transform(peaks)
    np.testing.assert_array_equal(masker.transform(array[[4, 1]]), expected[[4, 1]])


def test_a_table_of_peaks_has_a_row_for_each_study(masker, peaks):
    frame = pd.concat(
        [
            pd.DataFrame(xyz, columns=list("xyz")).assign(pmid=number)
            for number, xyz in zip((30, 10, 20, 60, 50, 40), peaks, strict=True)
        ]
    )
    expected = masker.transform(peaks)
    np.testing.assert_array_equal(masker.transform(frame), expected)
    shuffled = frame.iloc[::-1]
    np.testing.assert_allclose(masker.transform(shuffled), expected[::-1], rtol=1e-5)
    named = clone(masker).set_output(transform="pandas").fit(frame).transform(frame)
    assert named.index.tolist() == [30, 10, 20, 60, 50, 40]
    assert list(named.columns) == list(masker.get_feature_names_out())
    np.testing.assert_array_equal(named, expected)


def test_neuroquery_keeps_peaks_outside_the_mask_and_counts_them(masker):
    like = clone(masker).set_params(voxelization="neuroquery").fit()
    beside, corner = [80, -30, 10], [-90, -120, -60]
    with pytest.warns(UserWarning) as record:
        coefficients = like.transform([[MOTOR, [0, 0, 4000], corner], [beside]])
    assert len(record) == 1
    assert re.match(
        "Dropped 1 of 4 peaks, .* the field of view. Kept 2 peaks outside the mask",
        str(record[0].message),
    )
    np.testing.assert_allclose(coefficients[0], like.transform([[MOTOR]])[0])
    assert coefficients[1].max() > 0.01 * coefficients[0].max()
