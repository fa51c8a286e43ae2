"""Whether a folder lies on this host's own disk."""

import os
from pathlib import Path

_NETWORK_TYPES = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs"),
    *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2"),
    *("smb3", "smbfs", "wekafs"),
}
_MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(folder, mounts=None) -> str | None:
    r"""Name the network file system that a folder lies on.

    Parameters
    ----------
    folder : path-like
        An existing folder.
    mounts : str or None, default=None
        Mounts as Linux lists them in ``/proc/self/mountinfo``, which is read where this
        is None.

    Returns
    -------
    kind : str or None
        None where the folder is local, or where the system does not say (macOS).

    Examples
    --------
    >>> from sklearn_neurocontext.text._host import network_file_system
    >>> mounts = "30 1 0:9 / / rw - ext4 /dev/sda rw\n31 30 0:9 / /mnt rw - nfs4 a: rw"
    >>> network_file_system("/mnt/home/ada", mounts)
    'nfs4'
    >>> network_file_system("/home/ada", mounts) is None
    True
    """
    place = os.path.realpath(folder)
    if place.startswith("\\\\"):
        return "Windows share"
    if mounts is None:
        mounts = _MOUNTS.read_text() if _MOUNTS.is_file() else ""
    best, kind = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        # Spaces in a mount point are written as \040.
        point = left.split()[4].replace("\\040", " ").rstrip("/")
        inside = place == point or place.startswith(point + "/")
        # Of mounts on the same point the last one counts.
        if inside and len(point) >= best:
            best, kind = len(point), right.split()[0]
    if kind is None:
        return None
    # Most FUSE file systems (sshfs, s3fs, glusterfs) reach over the network.
    is_network = kind in _NETWORK_TYPES or kind.startswith("fuse.")
    return kind if is_network else None
