"""The package imports quickly and offers what it lists, from one version."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sklearn_neurocontext

ROOT = Path(__file__).parents[1]
HEAVY = (
    "sklearn",
    "pandas",
    "torch",
    "skorch",
    "transformers",
    "nilearn",
    "matplotlib",
)


def test_import_leaves_heavy_modules_alone():
    code = (
        "import sys, sklearn_neurocontext; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sklearn_neurocontext.__all__)
def test_every_listed_name_loads(name):
    assert callable(getattr(sklearn_neurocontext, name))
    assert name in dir(sklearn_neurocontext)


@pytest.mark.parametrize("name", sklearn_neurocontext._SUBPACKAGES)
def test_every_subpackage_loads_and_lists_its_names(name):
    module = getattr(sklearn_neurocontext, name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert hasattr(module, public)


def test_dir_lists_only_names_of_the_package():
    public = {name for name in dir(sklearn_neurocontext) if not name.startswith("_")}
    expected = {*sklearn_neurocontext.__all__, *sklearn_neurocontext._SUBPACKAGES}
    assert public == expected
    assert "__version__" in dir(sklearn_neurocontext)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Word2Map'"):
        sklearn_neurocontext.Word2Map  # noqa: B018


def test_the_version_is_written_once():
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert metadata["project"]["dynamic"] == ["version"]
    source = metadata["tool"]["setuptools"]["dynamic"]["version"]
    assert source == {"attr": "sklearn_neurocontext.__version__"}


def test_layers_hold():
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stdout
