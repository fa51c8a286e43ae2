"""Versions, machine and peak memory of a run."""

import os
import platform
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .._utils.packages import library_versions


def provenance() -> dict:
    """Return versions, machine and start time of the current run.

    Returns
    -------
    provenance : dict
        ``versions`` (package to version), ``machine`` (platform, number of processors,
        value of ``OMP_NUM_THREADS``) and ``started`` (UTC, ISO 8601). It contains no
        path and no host name.

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


def reset_peak_memory() -> None:
    """Reset the value of `peak_memory_mb`, on Linux only."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float | None:
    """Return the peak resident memory of the process in MB; None if unknown."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 2**10 if found else None
