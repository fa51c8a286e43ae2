"""Tests of strip_coordinates."""

import re

import pytest

from sklearn_neurocontext.text import strip_coordinates

COORDINATES = [
    "x = −46, y = −56, z = −18",
    "x=16, y=−64, z=8",
    "X: 4 mm; Y: -8 mm; Z: 50 mm",
    "x = 3.5, y = − 15, and z = −12",
    "x −4 y 16 z 44",
    "x46 y56 z18",
    "x = 46 (y = 56, z = 18)",
    "x = 46 ± 2, y = 56 ± 3, z = 18 ± 4",
    "x, y, z = 4, 8, 50",
    "(x/y/z): 4 8 50",
    "xyz = 46 56 18",
    "x, y, z = 46, −56, and 18",
    "[−46 −56 −18]",
    "(46, 56, 18)",
    "(46 56 18 mm)",
    "(- 46, - 56, - 18)",
    "(46 ± 2, 56 ± 3, 18 ± 4)",
    "(46 +/- 2, 56 +/- 3, 18 +/- 4)",
    "−46 −56 −18",
    "-46, 56, 18",
    "46, -56, and -18",
    "46, − 56, − 18",
    "46 mm, −56 mm, −18",
    "4.31 | -46 | 56 | 18",
    "120 5 -46 56 18 3.2",
    "+46 +56 +18",
    *(f"46 {minus}56 {minus}18" for minus in "\u2010\u2011\u2013\u2014\ufe63\uff0d"),
]
OTHER_NUMBERS = [
    "matrix = 256 × 256, FOV = 24 cm",
    "18 women, 12 men, aged 20 to 45",
    "aged 23, 25 and 31 years",
    "aged 23, 25 and 31",
    "2, 4 and 6 Hz",
    "-2, 0 and 4 %",
    "-200, -100, and 0 ms",
    "1, 2, 3",
    "Neuroimage 2005 24 1225 1232",
    "p < 0.05, t(14) = 2.3, z = 4.1",
    "ages 20, 24, 28",
    "years 20-24, 28-30, 40",
    "scores 12 ± 2, 14 ± 3, 15 ± 4",
    "the boxy = 4 model, maxx = 3",
    "xyz and 3 others",
    "BA 44/45, BA 6",
    "between -2 and 2 seconds",
    "version 1.2.3, 4.5.6, -1",
    "(n = 12, 14, 16)",
    "(12, 14; Z = 4.5)",
    "(2005, 24, 28; Z = 4.5)",
    "(4, 8, 12 Hz)",
    "(2 - 4 - 6)",
    "1 + 2, 3, 4",
    "the trials +20, +40 and +80",
    "coordinates of 12 subjects",
    "MNI152 template, 2 mm",
    "MNI space 1988, 24, 28",
    "the coordinates from studies 3, 4, 5",
]


@pytest.mark.parametrize("after", ["", ".", ")", " mm", "mm", " mm."])
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_coordinates_are_removed(coordinates, after):
    stripped = strip_coordinates(f"left insula {coordinates}{after} was active")
    assert not re.search(r"\d", stripped)
    words = re.sub(r"[^a-z]+", " ", stripped).replace(" mm ", " ")
    assert words == "left insula was active"


@pytest.mark.parametrize("after", ["", ".", ")", " mm", " were"])
@pytest.mark.parametrize("text", OTHER_NUMBERS)
def test_other_numbers_are_kept(text, after):
    assert strip_coordinates(text + after) == text + after


@pytest.mark.parametrize("text", ["1, 2, 3mm", "2, 4 and 6mm.", "4 8 12mm)"])
def test_sizes_in_mm_are_kept(text):
    assert strip_coordinates(f"filters of {text} were") == f"filters of {text} were"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(46,56,18; Z = 4.5)", "( ; Z = 4.5)"),
        ("[46 56 18 mm, t(14) = 4.5]", "[ , t(14) = 4.5]"),
        ("MNI coordinates 46, 56, 18 were", "MNI coordinates   were"),
        ("in MNI space: 46, 56, 18.", "in MNI space:  ."),
        ("(coordinates in mm: 46, 56, and 18)", "(coordinates in mm:  )"),
        ("Talairach 46/56/18; 44/55/16 mm)", "Talairach  )"),
        ("the peak (L -46 -56 -18, 4.5).", "the peak (L  )."),
        ("", ""),
    ],
)
def test_text_around_coordinates_is_kept(text, expected):
    assert strip_coordinates(text) == expected


@pytest.mark.parametrize("text", [*COORDINATES, *OTHER_NUMBERS, "1 2 -3 in -4 5, - 6"])
def test_strip_coordinates_is_idempotent(text):
    text = f"peaks {text} and -4 -5 -6 in 1999"
    assert strip_coordinates(strip_coordinates(text)) == strip_coordinates(text)


def _with_gaps(text, length):
    """Yield the text with one gap after another widened to `length` spaces."""
    for gap in re.finditer(r"\b|\s+", text):
        yield text[: gap.start()] + " " * length + text[gap.end() :]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1 , y = 2 , and z : ( k",
        "(x , y , z) = [ 1 , 2 , k",
        "( 1 , 2 , 3 mm k",
        "( - 1 , - 2 , - 3 ; Z k",
        "MNI coordinates in ( 1 , 2 , k",
        "1 ± 2 , - 2 mm , and - 3 k",
    ],
)
def test_time_is_linear_in_length_of_gaps(text):
    # With backtracking, 500 spaces took seconds and 10,000 did not terminate.
    for long, short in zip(_with_gaps(text, 10_000), _with_gaps(text, 9), strict=True):
        assert strip_coordinates(long).split() == strip_coordinates(short).split()


@pytest.mark.parametrize(
    "unit", ["1 ", "-1 k ", "(", "x ", "MNI ", "1, -2 and ", "xyz"]
)
def test_time_is_linear_in_number_of_repetitions(unit):
    long, short = strip_coordinates(unit * 20_000), strip_coordinates(unit * 50)
    assert set(long) == set(short)


@pytest.mark.parametrize(
    "text",
    [
        "at (\uff0d46, \uff0d56, \uff11\uff18)",
        "at (-4\u200b6, -5\u00ad6, 18)",
        "at (\u221246,\u00a0\u221256,\u00a018)",
        "at (\u207b46, \u207b56, 18)",
    ],
)
def test_equivalent_unicode_forms_hide_no_coordinates(text):
    assert not re.search(r"\d", strip_coordinates(text))
