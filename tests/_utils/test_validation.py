"""Return values and errors of the checks of texts, numbers, peaks and similarities."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.validation import (
    check_peaks,
    check_similarity,
    check_texts,
    normalize_text,
    read_numbers,
)


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_check_texts_returns_a_list(kind):
    assert check_texts(kind(["b", "a"])) == ["b", "a"]


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("one text", TypeError, r"got a single str. Put it into a list"),
        (b"one text", TypeError, r"got a single bytes"),
        (np.array([["a"], ["b"]]), ValueError, r"one-dimensional.*got shape \(2, 1\)"),
        (3, TypeError, r"sequence of strings.*got int"),
        ({"a": 1, "b": 2}, TypeError, r"got a dict with the keys a, b\."),
        ([], ValueError, r"is empty; expected at least one"),
        (["a", None, b"x"], TypeError, r"got NoneType, bytes in row 1, 2"),
        (["a", float("nan")], TypeError, r"got float in row 1"),
        (["a", " \n"], ValueError, r"no text in row 1"),
        ([""] * 9, ValueError, r"row 0, 1, 2, 3, 4 and 4 more"),
    ],
)
def test_check_texts_errors(texts, error, message):
    with pytest.raises(error, match=message):
        check_texts(texts)


def test_check_peaks_reads_lists_arrays_and_empty_studies():
    peaks = check_peaks([[[1, 2, 3]], np.zeros((0, 3)), np.ones((2, 3), np.float32)])
    assert [array.shape for array in peaks] == [(1, 3), (0, 3), (2, 3)]
    assert all(array.dtype == np.float64 for array in peaks)


def test_check_peaks_reads_an_object_array():
    peaks = np.empty(2, dtype=object)
    peaks[0], peaks[1] = np.zeros((1, 3)), np.ones((4, 3))
    assert [len(array) for array in check_peaks(peaks[[1, 0]])] == [4, 1]


@pytest.mark.parametrize(
    ("peaks", "error", "message"),
    [
        ("peaks.csv", TypeError, r"sequence with one .* got str"),
        (7, TypeError, r"sequence with one .* got int"),
        ([], ValueError, r"peaks is empty"),
        (np.zeros((4, 3)), ValueError, r"one array of shape \(4, 3\).*pass \[peaks\]"),
        ([[[0, 0, 0], [1, 2]]], ValueError, r"study 0 cannot be read as numbers"),
        ([[["x", "y", "z"]]], ValueError, r"study 0 must be finite .* got 'x'"),
        ([[[0, 0]]], ValueError, r"study 0 have shape \(1, 2\)"),
        ([[1, 2, 3]], ValueError, r"Write a single peak as \[\[x, y, z\]\]"),
        ([[[0, 0, 0]], [[0, np.nan, 0]]], ValueError, r"study 1 must be finite"),
    ],
)
def test_check_peaks_errors(peaks, error, message):
    with pytest.raises(error, match=message):
        check_peaks(peaks)


SIGNS = "-−–‒‐‑—―˗⁻﹣－⁃➖"
CELLS = {
    "-42": [f"{sign}42" for sign in SIGNS]
    + ["- 42", "−\u200942", "'-42", '"−42"', '="-42"'],
    "42": ["42", "+42", "＋42", "４２", "42.", "42.0", "4.2e1", "\xa042\u202f", "“42”"],
    "-42.5": [
        "-42.5",
        "-42,5",
        "−42,5",
        "\u2009−４２，５\u200a",
        "\u200e-42,50",
        "=-42·5",
        "`-42\u201a5",
    ],
    "0.125": ["0,125", ".125", ",125", "+0.125", "1.25E-01", "1,25e-1"],
    "1234.567": ["1234,567", "1234.567"],
}


@pytest.mark.parametrize("expected", CELLS)
def test_numbers_are_read_in_all_spellings(expected):
    numbers = read_numbers(CELLS[expected])
    assert numbers.dtype == np.float64
    assert numbers.tolist() == [float(expected)] * len(CELLS[expected])
    columns = [pd.Series(CELLS[expected], dtype=kind) for kind in (object, "string")]
    for column in columns:
        np.testing.assert_array_equal(read_numbers(column), numbers)


@pytest.mark.parametrize(
    "cell",
    [
        *("", "left", "-", "--4", "±4", "42-", "(42)", "4 2", "1,2,3", "40, 20", "40,"),
        *("1,234", "-12,345", "1,234,567", "1,234.5", "1.234,5", "42¹", "10²", "½"),
        *("1_000", "0x10", "nan", "inf", "\xad42", True, None, pd.NA, pd.Timestamp(0)),
    ],
)
def test_other_values_are_not_numbers(cell):
    assert np.isnan(read_numbers(pd.Series([cell], dtype=object))).all()
    assert np.isnan(read_numbers([[cell]])).tolist() == [[True]]


def test_numeric_types_are_kept():
    numbers = [1, np.float32(2.5), np.int8(-3), Decimal("0.1"), b"4"]
    found = read_numbers(pd.Series(numbers, dtype=object))
    assert found.tolist() == [1, 2.5, -3, 0.1, 4]
    column = pd.Series([2, None], dtype="Int64")
    np.testing.assert_array_equal(read_numbers(column), [2, np.nan])
    dates = pd.to_datetime(pd.Series(["2020-01-01"]))
    assert np.isnan(read_numbers(dates)).all()


def test_peaks_may_be_stored_as_text():
    (peaks,) = check_peaks([[["−42", "1,5", 3], [1, 2, 3]]])
    np.testing.assert_array_equal(peaks, [[-42, 1.5, 3], [1, 2, 3]])


def test_check_similarity_keeps_float32_and_converts_integers():
    assert check_similarity(np.eye(2, dtype=np.float32)).dtype == np.float32
    assert check_similarity(np.eye(2, dtype=int)).dtype == np.float64
    assert check_similarity(np.ones((2, 3)), square=False).shape == (2, 3)


@pytest.mark.parametrize(
    ("similarity", "message"),
    [
        ([["a", "b"], ["c", "d"]], r"cannot be read as numbers"),
        ([1.0, 2.0], r"has shape \(2,\)"),
        (np.zeros((0, 0)), r"at least one row"),
        (np.zeros((2, 3)), r"square matrix with true pairs on the diagonal"),
        ([[1.0, np.nan], [0.0, 1.0]], r"holds NaN or infinity"),
    ],
)
def test_check_similarity_errors(similarity, message):
    with pytest.raises(ValueError, match=message):
        check_similarity(similarity)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hip\u00adpo\u00adcampus", "hippocampus"),
        ("hippo\u00ad\n  campus", "hippocampus"),  # a line end, as in PDF files
        ("de\u0301ja\u0300 vu", "d\u00e9j\u00e0 vu"),
        (
            "\ufb01ber, e\ufb00ect, re\ufb02ex, di\ufb03cult",
            "fiber, effect, reflex, difficult",
        ),
        (
            "\uff46\uff2d\uff32\uff29 \uff12\uff0d\uff42\uff41\uff43\uff4b",
            "fMRI 2-back",
        ),
        ("work\u200bing\ufeff mem\u2060ory\u200d", "working memory"),
        ("\u202apain\u202c", "pain"),
        ("n\u2011back, go\u2010no\u2010go", "n-back, go-no-go"),
        ("working\u00a0memory, 5\u202fmm", "working memory, 5 mm"),
        ("\u212bngstr\u00f6m, 5 \u00b5V", "\u00c5ngstr\u00f6m, 5 \u03bcV"),
        ("mm\u00b3, \u210c, \u2160", "mm3, H, I"),
        (
            "\u03b2-amyloid \u2212 d\u00e9j\u00e0 \U0001f9e0",
            "\u03b2-amyloid \u2212 d\u00e9j\u00e0 \U0001f9e0",
        ),
        ("pain \ud83d brain", "pain \ufffd brain"),
        ("motor\x0ccortex\x0band\x85pain\x1fscale", "motor cortex and pain scale"),
        ("\x00working\x7f \x1bmem\x08ory\tof\r\npain", "working memory\tof\r\npain"),
        ("hippo\u00ad\u200b\r\n\u2060campus, A\u02bcs", "hippocampus, A's"),
    ],
)
def test_normalize_text(given, expected):
    assert normalize_text(given) == expected
    assert normalize_text(expected) == expected
    assert check_texts([given]) == [expected]


def test_normalize_text_is_idempotent(rng):
    points = rng.integers(1, 0x30000, size=(2000, 8))
    for row in points:
        once = normalize_text("".join(map(chr, row)))
        assert normalize_text(once) == once


def test_text_of_invisible_characters_is_blank():
    with pytest.raises(ValueError, match="got no text in row 1"):
        check_texts(["pain", "\u200b\u00ad\ufeff"])
