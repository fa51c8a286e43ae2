"""What the tests of benchmarks share."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let tests import the scripts, which are no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
