"""Where a number came from: versions and machine."""

import os
import platform
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .._utils.versions import library_versions


def provenance() -> dict:
    """Describe the versions and the machine that a run used.

    Returns
    -------
    provenance : dict
        ``versions`` (package to version), ``machine`` (platform, processor count,
        threads asked for) and ``started`` (UTC, ISO 8601). No path and no host name.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import provenance
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


def forget_peak_memory() -> None:
    """Start the count of `peak_memory_mb` anew, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float | None:
    """Peak resident memory since `forget_peak_memory`, in MB; None where unknown.

    The data and whatever else the process holds count: compare estimators in one run.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # no Linux
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 2**10 if found else None
