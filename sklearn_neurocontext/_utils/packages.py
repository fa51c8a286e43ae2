"""Import optional dependencies, and return versions of installed packages."""

import importlib
import platform
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from .. import __version__

_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "nilearn",
    "torch",
    "skorch",
    "transformers",
)


def library_versions() -> dict:
    """Return the versions of this package, Python and the numerical libraries."""
    versions = {
        "sklearn_neurocontext": __version__,
        "python": platform.python_version(),
    }
    versions.update({package: _version_or_none(package) for package in _PACKAGES})
    return versions


def _version_or_none(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def import_optional(name: str, extra: str) -> ModuleType:
    """Import an optional package; if this fails, name the extra that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"The package {name} could not be imported ({error}). "
            f"Install it with: pip install 'sklearn-neurocontext[{extra}]'"
        ) from error
