"""Tests of the command peaks."""

import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import load_sample_motor_activation_image

from sklearn_neurocontext.inference import peak_table
from tests.cli.console import run


@pytest.fixture(scope="module")
def image():
    """The motor map of nilearn."""
    return load_sample_motor_activation_image()


def test_peaks_are_written(image, tmp_path):
    output = tmp_path / "peaks.csv"
    options = ["--threshold", "5", "--two-sided", "-o", output]
    result = run("peaks", image, *options)
    assert result.exit_code == 0
    expected = peak_table(image, threshold=5, two_sided=True)
    found = pd.read_csv(output)
    assert found["region"].tolist() == expected["region"].tolist()
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-4)
    assert f"{len(expected)} peaks" in result.stdout


def test_peaks_are_printed(image):
    result = run("peaks", image, "--threshold", "5")
    assert result.exit_code == 0
    assert "parietal" in result.stdout


def test_threshold_must_be_positive(image):
    result = run("peaks", image, "--threshold", "0")
    assert result.exit_code == 2
    assert "--threshold" in result.stderr


def test_figure_contains_the_peaks(image, tmp_path, saved_figures):
    options = ["--two-sided", "--views", "glass", "--unit", "z value"]
    result = run("peaks", image, *options, "--plot", tmp_path / "m.png")
    assert result.exit_code == 0
    assert "m.png: figure of the map" in result.stdout
    (figure,) = saved_figures
    words = [text.get_text() for text in figure.texts]
    peak = peak_table(image, two_sided=True).iloc[0]
    coordinates = ", ".join(f"{peak[axis]:.0f}" for axis in "xyz").replace("-", "−")
    assert coordinates in words
    assert any("10 % of brain voxels with the largest magn" in word for word in words)
    (bar,) = [ax for ax in figure.axes if ax.get_label() == "color bar"]
    low, high = bar.get_ylim()
    assert low == -high
    assert bar.get_ylabel() == "z value"


def test_unknown_view(image, tmp_path):
    result = run("peaks", image, "--plot", tmp_path / "m.png", "--views", "glass,flat")
    assert result.exit_code == 2
    assert "'flat' is not one of" in result.stderr
