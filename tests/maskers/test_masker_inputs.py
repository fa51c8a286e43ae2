"""What KDEDiFuMoMasker takes and leaves out, and the errors of its users."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers import _atlas
from tests.maskers.density_oracles import CENTRE, FUSIFORM, MOTOR


def test_any_sequence_of_arrays_is_taken(masker):
    lists = [[MOTOR, FUSIFORM], [CENTRE, MOTOR]]
    expected = masker.transform(lists)
    assert expected.dtype == np.float32
    series = pd.Series([np.array(rows) for rows in lists])
    for peaks in (np.array(lists), tuple(map(tuple, lists)), series):
        np.testing.assert_array_equal(masker.transform(peaks), expected)


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
def test_dropped_peaks_are_told_once_with_their_numbers(masker, voxelization):
    masker = clone(masker).set_params(voxelization=voxelization).fit()
    peaks = [[MOTOR, [0, 0, 4000], [-90, -120, -60]], [FUSIFORM, [0, 0, 4000]]]
    with pytest.warns(UserWarning) as record:
        coefficients = masker.transform(peaks)
    assert len(record) == 1
    assert "Dropped 3 of 5 peaks: 2 outside the field of view, 1 outside" in str(
        record[0].message
    )
    assert record[0].filename == __file__
    kept = masker.transform([[MOTOR], [FUSIFORM]])
    np.testing.assert_array_equal(coefficients, kept)


def test_a_study_without_peaks_has_zeros(masker):
    coefficients = masker.transform([[], [MOTOR], np.zeros((0, 3))])
    np.testing.assert_array_equal(coefficients.any(axis=1), [False, True, False])


@pytest.mark.filterwarnings("ignore:Dropped 1 of 2 peaks")
def test_a_study_without_peaks_is_an_error_if_asked(masker):
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
    ([[["x", "y", "z"]]], ValueError, "study 0 cannot be read as numbers"),
    ([[MOTOR], [[np.nan, 0, 0]]], ValueError, "study 1 hold NaN or infinity"),
    ([[[np.inf, 0, 0]]], ValueError, "study 0 hold NaN or infinity"),
]


@pytest.mark.parametrize(("peaks", "error", "match"), WRONG_PEAKS)
def test_wrong_peaks_are_told(masker, peaks, error, match):
    with pytest.raises(error, match=match):
        masker.transform(peaks)
    with pytest.raises(error, match=match):
        clone(masker).fit(peaks)


@pytest.mark.parametrize("coefficients", [np.zeros(128), np.zeros((2, 5))])
def test_coefficients_of_another_shape_are_told(masker, coefficients):
    with pytest.raises(ValueError, match=r"must have shape \(n_maps, 128\)"):
        masker.inverse_transform(coefficients)


def test_coefficients_that_are_not_finite_are_told(masker):
    with pytest.raises(ValueError, match="coefficients must be finite; got NaN"):
        masker.coefficients_to_voxels(np.full((1, 128), np.nan))


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
def test_wrong_parameters_are_told(wrong):
    masker = KDEDiFuMoMasker("geometric", 8).set_params(**wrong)
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter"):
        masker.fit()


@pytest.mark.parametrize(
    "use",
    [
        lambda masker: masker.transform([[MOTOR]]),
        lambda masker: masker.inverse_transform(np.zeros((1, 128))),
        lambda masker: masker.coefficients_to_voxels(np.zeros((1, 128))),
        lambda masker: masker.transform_imgs("no-such-file.nii"),
        lambda masker: masker.get_feature_names_out(),
        lambda masker: masker.maps_img_,
    ],
)
def test_unfitted_is_told(use):
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


def test_offline_difumo_names_the_others(monkeypatch):
    def fetch(**settings):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(_atlas, "fetch_atlas_difumo", fetch)
    with pytest.raises(OSError, match="or use atlas='geometric'"):
        KDEDiFuMoMasker().fit()


def test_talairach_peaks_are_converted_as_lancaster_published(masker, peaks):
    """Published: MNI to Talairach, pooled over templates; here the way back."""
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


def test_an_object_array_is_sliced_and_taken(masker, peaks):
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
        "Dropped 1 of 4 peaks: outside the field of view. Kept 2 outside the mask",
        str(record[0].message),
    )
    np.testing.assert_allclose(coefficients[0], like.transform([[MOTOR]])[0])
    assert coefficients[1].max() > 0.01 * coefficients[0].max()
