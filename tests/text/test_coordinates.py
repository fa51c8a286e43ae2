"""Tests of the removal of coordinates from texts."""

import re

import pytest

from sklearn_neurocontext.text import strip_coordinates


@pytest.mark.parametrize(
    "coordinates",
    [
        "x = −46, y = −56, z = −18",
        "x=16, y=−64, z=8",
        "X: 4 mm; Y: -8 mm; Z: 50 mm",
        "x = 3.5, y = − 15, and z = −12",
        "x −4 y 16 z 44",
        "x, y, z = 4, 8, 50",
        "(x/y/z): 4 8 50",
        "[−46 −56 −18]",
        "(46, 56, 18)",
        "−46 −56 −18",
        "-46, 56, 18",
        "4.31 | -46 | 56 | 18",
        "120 5 -46 56 18 3.2",
    ],
)
def test_coordinates_go_and_words_stay(coordinates):
    stripped = strip_coordinates(f"left insula {coordinates} was active")
    assert not re.search(r"\d", stripped)
    assert re.sub(r"[^a-z]+", " ", stripped) == "left insula was active"


@pytest.mark.parametrize(
    "text",
    [
        "matrix = 256 × 256, FOV = 24 cm",
        "18 women, 12 men, aged 20 to 45",
        "Neuroimage 2005 24 1225 1232",
        "p < 0.05, t(14) = 2.3, z = 4.1",
        "ages 20, 24, 28",
        "the boxy = 4 model, maxx = 3",
        "BA 44/45, BA 6",
        "between -2 and 2 seconds",
        "",
    ],
)
def test_other_numbers_stay(text):
    assert strip_coordinates(text) == text


def test_stripping_twice_changes_nothing():
    text = "peaks (x = 1, y = 2, z = 3) and -4 -5 -6 in 1999"
    assert strip_coordinates(strip_coordinates(text)) == strip_coordinates(text)
