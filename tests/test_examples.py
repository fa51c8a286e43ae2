"""Each example runs to its end in a folder of its own."""

import runpy
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty folder to run in; figures are closed afterwards."""
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path):
    with warnings.catch_warnings():
        # As users have it, but for what will be gone.
        warnings.simplefilter("default")
        warnings.simplefilter("error", FutureWarning)
        runpy.run_path(str(path), run_name="__main__")
