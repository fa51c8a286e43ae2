"""Where a number came from: versions and machine."""

import os
import platform
import sys
from datetime import UTC, datetime

from .._versions import library_versions


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
    return {
        "versions": library_versions(),
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
