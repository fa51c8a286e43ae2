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


def test_two_sided_requires_a_threshold(image):
    result = run("peaks", image, "--two-sided")
    assert result.exit_code == 1
    assert "two_sided=True requires threshold" in result.stderr
