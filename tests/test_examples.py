"""Each example runs to its end in a folder of its own.

The first one, which imports the most, runs in a process of its own, so that warnings
raised by imports count too. The others share this process.
"""

import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

FIRST, *OTHERS = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))


def test_first_example_runs_in_a_process_of_its_own(tmp_path):
    result = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", FIRST],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,  # a minute on a free machine
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        # The filters of users, except that deprecated names are errors.
        warnings.simplefilter("default")
        warnings.simplefilter("error", FutureWarning)
        runpy.run_path(str(path), run_name="__main__")
    plt.close("all")
