"""Versions of the package and of the libraries that its results depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version

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
    """Return the versions of this package, Python and the numerical libraries.

    Returns
    -------
    versions : dict of str to str or None
        None if a library is not installed.

    Examples
    --------
    >>> from sklearn_neurocontext._utils.versions import library_versions
    >>> list(library_versions())[:3]
    ['sklearn_neurocontext', 'python', 'numpy']
    """
    versions = {
        "sklearn_neurocontext": __version__,
        "python": platform.python_version(),
    }
    versions.update({package: _version_or_none(package) for package in _PACKAGES})
    return versions


def _version_or_none(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
