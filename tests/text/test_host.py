"""Network file systems are told from local ones."""

import pytest

from sklearn_neurocontext.text._host import network_file_system

MOUNTS = """\
22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:22 / /proc rw - proc proc rw
40 22 0:40 / /home rw,relatime shared:7 - nfs4 server:/home rw,vers=4.2
41 40 8:1 / /home/ada/scratch rw - xfs /dev/sdb1 rw
42 22 0:42 / /mnt/my\\040share rw - cifs //server/share rw
43 22 0:43 / /cluster rw - lustre mgs@tcp:/fs rw
44 22 0:44 / /mnt/sshfs rw - fuse.sshfs ada@host: rw
45 22 0:45 / /homestead rw - btrfs /dev/sdc1 rw
46 22 0:46 / /tmp rw - tmpfs tmpfs rw
47 22 0:47 / /over rw - ext4 /dev/sdd1 rw
48 22 0:48 / /over rw - nfs server:/over rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", None),
        ("/data", None),
        ("/home", "nfs4"),
        ("/home/ada/work", "nfs4"),
        ("/home/ada/scratch/run", None),
        ("/homestead", None),
        ("/mnt/my share/a", "cifs"),
        ("/cluster/ada", "lustre"),
        ("/mnt/sshfs", "fuse.sshfs"),
        ("/tmp", None),
        ("/over/ada", "nfs"),
    ],
)
def test_the_innermost_mount_counts(folder, kind, monkeypatch):
    monkeypatch.setattr("os.path.realpath", str)
    assert network_file_system(folder, MOUNTS) == kind


def test_links_are_followed(tmp_path):
    (tmp_path / "link").symlink_to("/home/ada")
    assert network_file_system(tmp_path / "link", MOUNTS) == "nfs4"


def test_a_windows_share_is_one(monkeypatch):
    monkeypatch.setattr("os.path.realpath", str)
    assert network_file_system(r"\\server\share\x", "") == "Windows share"


def test_this_machine_tells():
    assert network_file_system("/proc") is None
