"""Conversion between Talairach and MNI space (Lancaster et al. 2007)."""

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import (
    describe_sides,
    describe_units,
    find_sides,
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


# Units of peaks

# Affines from voxels to mm: FSL's and SPM's image of 2 mm, and the image of 1 mm.
FSL = np.array([[-2, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1.0]])
SPM = np.array([[2, 0, 0, -78], [0, 2, 0, -112], [0, 0, 2, -70], [0, 0, 0, 1.0]])
FINE = np.array([[-1, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1.0]])


def _to_voxels(xyz, affine):
    return np.rint((xyz - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]))


def _draw_studies(n_peaks, n_studies=30):
    """Draw whole mm in an ellipsoid that is nearly as large as the brain."""
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(n_studies * n_peaks, 3))
    xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
    xyz *= rng.uniform(0.5, 1, size=(len(xyz), 1)) * [65, 80, 65]
    return np.rint(xyz + np.array([0, -18, 10])), np.repeat(
        np.arange(n_studies), n_peaks
    )


WRONG_UNITS = {
    "centimeters": ("centimeters", lambda xyz: 0.1 * xyz),
    "unsigned centimeters": ("centimeters", lambda xyz: 0.1 * np.abs(xyz)),
    "meters": ("meters", lambda xyz: 0.001 * xyz),
    "voxels of FSL": ("voxel indices", lambda xyz: _to_voxels(xyz, FSL)),
    "voxels of SPM": ("voxel indices", lambda xyz: _to_voxels(xyz, SPM)),
    "voxels of 1 mm": ("voxel indices", lambda xyz: _to_voxels(xyz, FINE)),
}


@pytest.mark.parametrize("n_peaks", [3, 10, 40])
@pytest.mark.parametrize("name", WRONG_UNITS)
def test_wrong_units_are_described(name, n_peaks):
    unit, convert = WRONG_UNITS[name]
    xyz, rows = _draw_studies(n_peaks)
    names = [f"s{row}" for row in range(30)]
    message = describe_units(convert(xyz), rows, names)
    assert f"of 30 studies (s0, s1, s2, …) look like {unit}. They must be" in message
    assert int(message.split()[3]) >= 27
    assert message.count("look like") == 1


@pytest.mark.parametrize("n_peaks", [3, 10, 40])
def test_mm_are_not_described(n_peaks):
    xyz, rows = _draw_studies(n_peaks)
    assert describe_units(xyz, rows, range(30)) == ""
    assert describe_units(xyz + 0.25, rows, range(30)) == ""
    assert describe_units(np.empty((0, 3)), np.empty(0, dtype=int), range(30)) == ""


def test_only_studies_in_other_units_are_named():
    xyz, rows = _draw_studies(20)
    xyz[rows == 4] *= 0.1
    xyz[rows == 7] = _to_voxels(xyz[rows == 7], FSL)
    message = describe_units(xyz, rows, range(30))
    assert "peaks of 1 of 30 studies (4) look like centimeters" in message
    assert "multiply them by 10." in message
    assert "peaks of 1 of 30 studies (7) look like voxel indices" in message
    assert "apply_affine(img.affine, peaks)" in message


@pytest.mark.parametrize(
    "xyz",
    [
        # Tables that were misread: labels, statistics and counts.
        np.tile([1, 2, 3], (12, 1)),
        np.arange(36).reshape(12, 3) / 40,
        np.arange(36).reshape(12, 3) % 11,
        # A study of one hemisphere, and one of few millimeters.
        np.random.default_rng(0).uniform(0, [60, 60, 50], size=(12, 3)).round(),
        np.random.default_rng(0).uniform([-2, 0, 0], [2, 4, 4], size=(12, 3)),
    ],
)
def test_other_small_or_positive_peaks_are_not_described(xyz):
    assert describe_units(xyz, np.zeros(12, dtype=int), ["a"]) == ""


# Sides of peaks


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("hemisphere", ["L", "R", "L", "R"]),
        ("Side", ["left", "Right", " LEFT ", "right"]),
        ("hemi", ["lh", "rh", "LH", "RH"]),
        ("laterality", ["Lt.", "Rt.", "left hemisphere", "right-side"]),
        ("Side (L/R)", ["(L)", "L IFG", "left_hemisphere", "Right Cerebellum"]),
        ("lateralisation", ["left-sided", "L.", "Left hem", "R STG"]),
        ("L/R", ["L", "R", "L", "R"]),
    ],
)
def test_unsigned_x_is_described(column, labels):
    table = pd.DataFrame({column: labels, "x": [40, 38, 12, 50]})
    rows = np.array([0, 0, 1, 1])
    message = describe_sides(table["x"].to_numpy(), find_sides(table), rows, ["a", "b"])
    assert message.startswith("In 2 of 2 studies (a, b), x is not negative for peaks")
    assert "replace it with -abs(x)" in message
    signed = np.array([-40, 38, -12, 50])
    assert describe_sides(signed, find_sides(table), rows, ["a", "b"]) == ""


def test_flipped_x_is_described():
    table = pd.DataFrame({"side": ["L", "R", "R", None, "L/R", "?"]})
    x = np.array([40, -38, -20, 30, 30, 30])
    message = describe_sides(x, find_sides(table), np.zeros(6, dtype=int), ["a"])
    assert "not negative for peaks of the left" in message
    assert "not positive for peaks of the right" in message


def test_sides_near_the_midline_and_other_columns_are_ignored():
    table = pd.DataFrame({"side": ["L", "L", "both"]})
    x = np.array([3, -40, 20])
    assert describe_sides(x, find_sides(table), np.zeros(3, dtype=int), ["a"]) == ""
    assert find_sides(pd.DataFrame({"region": ["L"]})) is None


LABELS = {
    "MNI": [
        "mni", " MNI\n", "MNI152", "MNI-152", "MNI 305", "MNI152NLin2009cAsym",
        "M.N.I.", "ICBM152", "ICBM-152", "icbm 2009c non-linear", "Colin27",
        "MNIColin27", "Montreal Neurological Institute", "Montréal (MNI)",
        "MNI_avg152T1+tlrc", "FSL_MNI152", "SPM12 (MNI)", "converted to MNI",
        "MNI (occipital)", "ＭＮＩ", "MNI (no conversion)", "collin27",
    ],
    "TAL": [
        "tal", "Tal.", "Talairach", "TALAIRACH SPACE", "TLRC", "TT_N27", "TT", "T&T",
        "T & T", "T and T", "T88", "T-88", "TT88", "Tailarach", "talaraich", "Tailrach",
        "Talariach", "Talirach", "Tailairach", "Telairach", "Tallairach",
        "Talairach and Tournoux", "Talairach & Tournoux 1988", "Tournoux",
        "converted to Talairach", "TT_avg152T1+tlrc",
    ],
    "UNKNOWN": [
        "", "  ", None, np.nan, "?", "-", "n/a", "N/A", "NA", "n.a.", "none", "NR",
        "unknown", "Unk.", "not reported", "Not specified.", "unspecified",
        "not available", "no information", "unknown (probably MNI)", "#N/A", "<NA>",
        "#REF!", "TBD", "no data", "no space reported", "not listed", "not determined",
        "n.d.", "unsure", "don't know", "cannot tell",
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
    "anat+tlrc", "no MNI coordinates", "mnitotlrc", "TALtoICBM152",
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
