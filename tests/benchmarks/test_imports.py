"""All scripts outside the package can be imported."""

import importlib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SCRIPTS = sorted(
    ".".join(path.relative_to(_ROOT).with_suffix("").parts)
    for folder in ("benchmarks", "training")
    for path in (_ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("name", _SCRIPTS)
def test_script_can_be_imported(name):
    assert importlib.import_module(name).__doc__
