"""Scores of predicted maps: against sums by hand, and laws."""

import nibabel as nib
import numpy as np
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import (
    mni_to_talairach,
    talairach_to_mni,
)
from sklearn_neurocontext.maskers import density_map
from sklearn_neurocontext.metrics import bootstrap_interval, score_maps
from sklearn_neurocontext.model_selection import find_studies_sharing_peaks

PEAKS = np.array([[-42.0, -22, 54], [4, 0, 60], [30, -80, 0], [0, 50, 10]])


def _mask_img(affine):
    inside = np.zeros((20, 24, 18), dtype=np.uint8)
    inside[3:17, 2:20, 4:15] = 1
    return nib.Nifti1Image(inside, affine)


def _affine(*sizes):
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = [-40, -60, -30]
    return affine


def test_density_is_the_sum_of_gaussians(rng):
    mask_img = _mask_img(_affine(4.0, 5.0, 3.0))
    peaks = rng.uniform(-30, 20, size=(7, 3))
    weights = rng.uniform(size=7)
    sigma = 8 / np.sqrt(8 * np.log(2))
    voxels = nib.affines.apply_affine(
        mask_img.affine, np.argwhere(mask_img.get_fdata())
    )
    expected = np.zeros(len(voxels))
    for peak, weight in zip(peaks, weights, strict=True):
        distance = ((voxels - peak) ** 2).sum(axis=1)
        density = np.exp(-distance / (2 * sigma**2)) / (2 * np.pi * sigma**2) ** 1.5
        expected += weight * density * 4 * 5 * 3
    found = density_map(peaks, mask_img, fwhm=8, weights=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_density_of_many_peaks_goes_in_blocks(rng):
    mask_img = _mask_img(_affine(4.0, 4.0, 4.0))
    peaks = rng.uniform(-30, 20, size=(5000, 3))
    parts = [density_map(part, mask_img) for part in np.split(peaks, 5)]
    np.testing.assert_allclose(density_map(peaks, mask_img), np.sum(parts, axis=0))
    assert not density_map([], mask_img).any()


def test_oblique_axes_are_refused():
    affine = _affine(4.0, 4.0, 4.0)
    affine[0, 1] = 1.0
    with pytest.raises(ValueError, match="whose axes are oblique"):
        density_map(PEAKS, _mask_img(affine))


@pytest.mark.parametrize("move", [np.array, talairach_to_mni, mni_to_talairach])
def test_studies_share_peaks_in_any_space(move):
    near = move(PEAKS)[:3] + np.array([0.9, -0.9, 0.9])
    peaks = [PEAKS + 20, [*near, [70.0, 70, 70]], near[:2], []]
    assert find_studies_sharing_peaks(peaks, [PEAKS]).tolist() == [1]


def test_too_few_peaks_are_no_sharing():
    peaks = [PEAKS[:3], np.repeat(PEAKS[:1], 9, axis=0)]
    many = np.concatenate([PEAKS, PEAKS + 20])
    assert find_studies_sharing_peaks(peaks, [many]).tolist() == []
    assert find_studies_sharing_peaks(peaks, [PEAKS[:2]]).tolist() == []
    assert find_studies_sharing_peaks(peaks, [many], min_share=0.3).tolist() == [0]
    assert find_studies_sharing_peaks(peaks, [PEAKS + 1.1]).tolist() == []
    found = find_studies_sharing_peaks(peaks, [PEAKS + 1.1], tolerance_mm=1.2)
    assert found.tolist() == [0]


def test_repeats_of_one_peak_are_one():
    many = np.concatenate([np.repeat(PEAKS[:1], 3, axis=0), PEAKS[1:3]])
    assert find_studies_sharing_peaks([PEAKS[:1]], [many[:3]]).tolist() == []
    assert find_studies_sharing_peaks([PEAKS[:1], PEAKS[:3]], [many]).tolist() == [1]


def test_where_there_is_nothing_nothing_is_shared():
    for peaks in ([], [[]], [[], np.zeros((0, 3))]):
        assert find_studies_sharing_peaks(peaks, [PEAKS]).tolist() == []
    assert find_studies_sharing_peaks([PEAKS], []).tolist() == []
    assert find_studies_sharing_peaks([PEAKS], [[]], min_peaks=1).tolist() == []


@pytest.mark.parametrize(
    ("peaks", "experiments", "options", "words"),
    [
        (
            [[1, 2, 3]],
            [],
            {},
            r"peaks\[0\] must have shape \(n_peaks, 3\) .*got shape \(3,\)",
        ),
        ([], [PEAKS, PEAKS[:, :2]], {}, r"experiments\[1\] must .*got shape \(4, 2\)"),
        ([PEAKS * np.nan], [], {}, r"peaks\[0\] must .*finite"),
        ([], [], {"tolerance_mm": -1}, "tolerance_mm=-1, .* at least 0 mm"),
        ([], [], {"min_peaks": 0}, "min_peaks=0, .* at least 1 peak"),
        ([], [], {"min_share": 50}, r"min_share=50; .* share in \[0, 1\]"),
    ],
)
def test_peaks_and_bounds_that_are_none_are_named(peaks, experiments, options, words):
    with pytest.raises(ValueError, match=words):
        find_studies_sharing_peaks(peaks, experiments, **options)


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([], {}, r"values has shape \(0,\), 0 of them not finite"),
        ([1, np.nan], {}, r"values has shape \(2,\), 1 of them not finite"),
        ([[1.0]], {}, r"values has shape \(1, 1\), 0 of them"),
        (
            [1.0],
            {"level": 95},
            r"level=95, n_draws=10000; expected a share in \(0, 1\)",
        ),
        ([1.0], {"level": np.nan}, "level=nan"),
        ([1.0], {"n_draws": 0}, "n_draws=0; .* at least one draw"),
    ],
)
def test_intervals_of_nothing_are_refused(values, options, words):
    with pytest.raises(ValueError, match=words):
        bootstrap_interval(values, **options)


def test_scores_follow_their_definitions(rng):
    observed = rng.uniform(size=(4, 300))
    predicted = observed[[0, 1, 3, 2]] + 0.01 * rng.normal(size=(4, 300))
    scores = score_maps(predicted, observed, observed.mean(axis=0), tops=(0.1, 0.2))
    expected = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(predicted, observed, strict=True)
    ]
    np.testing.assert_allclose(scores["correlation"], expected)
    assert (scores["rank"][:2] == 1).all()
    assert (scores["rank"][2:] > 1).all()
    assert (scores["dice"][:2] > 0.9).all()
    half = score_maps(predicted, observed, observed.mean(axis=0), tops=(0.2,), top=0.2)
    both = (scores["dice"] + half["dice_mean"]) / 2
    np.testing.assert_allclose(scores["dice_mean"], both)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_map_ranks_by_chance(rng, dtype):
    observed = rng.uniform(size=(9, 300))
    mean_map = rng.uniform(size=300).astype(dtype)
    scores = score_maps(np.tile(2 * mean_map, (9, 1)), observed, mean_map)
    np.testing.assert_array_equal(scores["rank"], 5.0)


def test_units_do_not_matter(rng):
    observed, predicted = rng.uniform(size=(2, 5, 200))
    one = score_maps(predicted, observed, observed.mean(axis=0))
    scale = rng.uniform(1, 9, size=(5, 1))
    other = score_maps(scale * predicted, observed, 7 * observed.mean(axis=0))
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], err_msg=name)


def test_bootstrap_covers_the_standard_error(rng):
    values = rng.normal(3.0, 2.0, size=400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)
    assert bootstrap_interval(values) == (low, high)
    narrow = bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < narrow[1] < high
