"""Fixtures that several parts of the test suite share."""

import os
from pathlib import Path

import numpy as np
import pytest

# Before any test imports a library that reads them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
_SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def rng():
    """A seeded generator, new for each test."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the real corpora; skips where the checkout has none beside it."""
    if not _SHARED_DATA.is_dir():
        pytest.skip("the real corpora are not beside this checkout")
    return _SHARED_DATA
