"""Conversion between Talairach and MNI space (Lancaster et al. 2007)."""

import numpy as np
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import (
    find_unclear_labels,
    mni_to_talairach,
    normalize_spaces,
    talairach_to_mni,
)


@pytest.fixture
def peaks(rng):
    return rng.uniform(-80, 80, size=(500, 3))


def test_round_trips_return_the_input(peaks):
    np.testing.assert_allclose(
        mni_to_talairach(talairach_to_mni(peaks)), peaks, atol=1e-9
    )
    np.testing.assert_allclose(
        talairach_to_mni(mni_to_talairach(peaks)), peaks, atol=1e-9
    )


def test_equals_nimare(peaks):
    nimare_utils = pytest.importorskip("nimare.utils")
    np.testing.assert_allclose(
        talairach_to_mni(peaks), nimare_utils.tal2mni(peaks), atol=1e-9
    )
    np.testing.assert_allclose(
        mni_to_talairach(peaks), nimare_utils.mni2tal(peaks), atol=1e-9
    )


def test_mni_brain_is_larger():
    """The MNI template is larger than Talairach's brain in every direction."""
    ends = np.array([[-60, 0, 0], [60, 0, 0], [0, -100, 0], [0, 65, 0], [0, 0, 70.0]])
    moved = talairach_to_mni(ends)
    lengths = np.linalg.norm(moved - talairach_to_mni(np.zeros((1, 3))), axis=1)
    assert (lengths > np.linalg.norm(ends, axis=1)).all()
    assert 1 < np.linalg.det(_linear_part()) < 1.5


def _linear_part():
    return talairach_to_mni(np.eye(3)) - talairach_to_mni(np.zeros((1, 3)))


def test_is_affine(peaks):
    half = (peaks[:-1] + peaks[1:]) / 2
    moved = talairach_to_mni(peaks)
    np.testing.assert_allclose(
        talairach_to_mni(half), (moved[:-1] + moved[1:]) / 2, atol=1e-9
    )


def test_input_is_unchanged_and_output_is_float64():
    xyz = np.array([[1, 2, 3]], dtype=np.int16)
    moved = talairach_to_mni(xyz)
    assert xyz.tolist() == [[1, 2, 3]]
    assert moved.dtype == np.float64


def test_empty_input():
    assert talairach_to_mni([]).shape == (0, 3)
    assert talairach_to_mni(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("xyz", [[1.0, 2.0, 3.0], np.zeros((3, 2)), np.zeros((2, 6))])
def test_wrong_shapes_raise(xyz):
    with pytest.raises(ValueError, match=r"expected \(n_peaks, 3\)"):
        talairach_to_mni(xyz)


LABELS = {
    "MNI": [
        "mni", " MNI\n", "MNI152", "MNI-152", "MNI 305", "MNI152NLin2009cAsym",
        "M.N.I.", "ICBM152", "ICBM-152", "icbm 2009c non-linear", "Colin27",
        "MNIColin27", "Montreal Neurological Institute", "Montréal (MNI)",
        "MNI_avg152T1+tlrc", "FSL_MNI152", "SPM12 (MNI)", "converted to MNI",
        "MNI (occipital)", "ＭＮＩ",
    ],
    "TAL": [
        "tal", "Tal.", "Talairach", "TALAIRACH SPACE", "TLRC", "TT_N27", "TT", "T&T",
        "T & T", "T and T", "T88", "T-88", "TT88", "Tailarach", "talaraich",
        "Talariach", "Talirach", "Tailairach", "Telairach", "Tallairach",
        "Talairach and Tournoux", "Talairach & Tournoux 1988", "Tournoux",
        "converted to Talairach", "TT_avg152T1+tlrc",
    ],
    "UNKNOWN": [
        "", "  ", None, np.nan, "?", "-", "n/a", "N/A", "NA", "n.a.", "none", "NR",
        "unknown", "Unk.", "not reported", "Not specified.", "unspecified",
        "not available", "no information", "unknown (probably MNI)",
    ],
    "OTHER": [
        "native", "scanner", "SPM99", "SPM12 template", "FSL", "fsaverage", "+orig",
        "ICBM452AirSpace", "152", 1, "total", "occipital", "insomnia", "telencephalon",
    ],
    "MIXED": ["MIXED", "mixed"],
}  # fmt: skip
UNCLEAR = [
    "MNI converted to Talairach", "Talairach converted to MNI", "mni2tal", "tal2mni",
    "MNI/TAL", "icbm2tal", "MNItoTAL", "taltomni", "TALMNI", "MNI or Talairach?",
    "MNI (converted from Talairach)", "Colin27, Talairach", "T88 (MNI converted)",
    "neither MNI nor Talairach", "mixed MNI/TAL", "converted from Talairach",
    "Talairach, converted", "MNI transformed", "non-MNI", "not in MNI space", "+tlrc",
    "anat+tlrc",
]  # fmt: skip


@pytest.mark.parametrize("space", LABELS)
def test_spellings(space):
    labels = LABELS[space]
    wrong = [label for label in labels if normalize_spaces([label])[0] != space]
    assert wrong == []
    assert find_unclear_labels(labels) == []


def test_labels_that_can_be_read_in_two_ways_are_unknown():
    assert set(normalize_spaces(UNCLEAR)) == {"UNKNOWN"}
    assert find_unclear_labels(UNCLEAR) == UNCLEAR
