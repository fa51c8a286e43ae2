"""Tests of find_studies_sharing_peaks."""

import numpy as np
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import (
    mni_to_talairach,
    talairach_to_mni,
)
from sklearn_neurocontext.model_selection import find_studies_sharing_peaks

PEAKS = np.array([[-42.0, -22, 54], [4, 0, 60], [30, -80, 0], [0, 50, 10]])


@pytest.mark.parametrize("move", [np.array, talairach_to_mni, mni_to_talairach])
def test_shared_peaks_are_found_in_any_coordinate_space(move):
    near = move(PEAKS)[:3] + np.array([0.9, -0.9, 0.9])
    peaks = [PEAKS + 20, [*near, [70.0, 70, 70]], near[:2], []]
    assert find_studies_sharing_peaks(peaks, [PEAKS]).tolist() == [1]


def test_studies_with_too_few_shared_peaks_are_not_found():
    peaks = [PEAKS[:3], np.repeat(PEAKS[:1], 9, axis=0)]
    many = np.concatenate([PEAKS, PEAKS + 20])
    assert find_studies_sharing_peaks(peaks, [many]).tolist() == []
    assert find_studies_sharing_peaks(peaks, [PEAKS[:2]]).tolist() == []
    assert find_studies_sharing_peaks(peaks, [many], min_share=0.3).tolist() == [0]
    assert find_studies_sharing_peaks(peaks, [PEAKS + 1.1]).tolist() == []
    found = find_studies_sharing_peaks(peaks, [PEAKS + 1.1], tolerance_mm=1.2)
    assert found.tolist() == [0]


def test_repeated_peaks_count_once():
    many = np.concatenate([np.repeat(PEAKS[:1], 3, axis=0), PEAKS[1:3]])
    assert find_studies_sharing_peaks([PEAKS[:1]], [many[:3]]).tolist() == []
    assert find_studies_sharing_peaks([PEAKS[:1], PEAKS[:3]], [many]).tolist() == [1]


def test_empty_inputs_share_no_peaks():
    for peaks in ([], [[]], [[], np.zeros((0, 3))]):
        assert find_studies_sharing_peaks(peaks, [PEAKS]).tolist() == []
    assert find_studies_sharing_peaks([PEAKS], []).tolist() == []
    assert find_studies_sharing_peaks([PEAKS], [[]], min_peaks=1).tolist() == []


@pytest.mark.parametrize(
    ("peaks", "experiments", "options", "message"),
    [
        ([[1, 2, 3]], [], {}, r"peaks\[0\] must .*\(n_peaks, 3\) .*got shape \(3,\)"),
        ([], [PEAKS, PEAKS[:, :2]], {}, r"experiments\[1\] must .*got shape \(4, 2\)"),
        ([PEAKS * np.nan], [], {}, r"peaks\[0\] must .*finite"),
        (
            [],
            [],
            {"tolerance_mm": -1},
            "must be at least 0.*tolerance_mm=-1",
        ),
        ([], [], {"min_peaks": 0}, "min_peaks at least 1.*min_peaks=0"),
        ([], [], {"min_share": 50}, r"min_share in \[0, 1\].*min_share=50"),
    ],
)
def test_invalid_arguments_raise(peaks, experiments, options, message):
    with pytest.raises(ValueError, match=message):
        find_studies_sharing_peaks(peaks, experiments, **options)
