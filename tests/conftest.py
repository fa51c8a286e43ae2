"""Fixtures that several parts of the test suite share."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

# Before any test imports a library that reads them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
_SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config):
    """Use a new cache folder in this run and in the processes that it starts."""
    folder = tempfile.mkdtemp(prefix="neurocontext-cache-")
    os.environ["NEUROCONTEXT_CACHE"] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


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


@pytest.fixture
def full_disk():
    """Return a context in which no file can exceed `n_bytes`, as on a full disk."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limit(n_bytes):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture
def quick_pictures(monkeypatch):
    """Let commands draw nothing where brains would be: nilearn takes seconds each."""
    from matplotlib.figure import Figure

    for name in ("plot_maps", "plot_predicted_and_observed"):
        monkeypatch.setattr(
            f"sklearn_neurocontext.plotting.{name}", lambda *args, **options: Figure()
        )
