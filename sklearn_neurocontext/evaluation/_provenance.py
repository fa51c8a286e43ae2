"""Where a number came from: versions and machine."""

import os
import platform
import sys
from datetime import UTC, datetime
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


def _version_or_none(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def provenance() -> dict:
    """Describe the versions and the machine that a run used.

    Returns
    -------
    provenance : dict
        ``versions`` (package to version), ``machine`` (platform, processor count,
        threads asked for) and ``started`` (UTC, ISO 8601). No path and no host name.

    Examples
    --------
    >>> from sklearn_neurocontext.evaluation import provenance
    >>> sorted(provenance())
    ['machine', 'started', 'versions']
    """
    versions = {"sklearn_neurocontext": __version__}
    versions["python"] = platform.python_version()
    versions.update({package: _version_or_none(package) for package in _PACKAGES})
    return {
        "versions": versions,
        "machine": {
            "platform": f"{platform.system()} {platform.machine()}",
            "cpu_count": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
        },
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def peak_memory_mb() -> float | None:
    """Peak resident memory of this process so far, in MB; None where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
