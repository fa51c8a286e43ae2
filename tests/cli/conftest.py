"""Pictures for tests of commands that only need them to be there."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def quick_pictures(monkeypatch):
    """Draw nothing where brains would be, which takes nilearn seconds each."""
    for name in ("plot_predicted_map", "plot_predicted_and_observed"):
        monkeypatch.setattr(
            f"sklearn_neurocontext.plotting.{name}", lambda *args, **options: Figure()
        )
