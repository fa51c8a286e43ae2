"""Files appear whole, with the permissions of any new file."""

import os
import stat

import pytest

from sklearn_neurocontext._utils.disk_cache import fetch_entry
from sklearn_neurocontext._utils.files import atomic_folder, atomic_write, write_json
from sklearn_neurocontext.datasets import _ibc
from sklearn_neurocontext.inference import Report


@pytest.fixture
def shared_umask():
    """A group that works together."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_the_umasks(shared_umask, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "cache"))
    write_json(tmp_path / "record.json", {})
    _ibc._write_listing(tmp_path / "listing.json", {})
    Report("<p>").save(tmp_path / "report.html")
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(written) == 3
    assert {_mode(path) for path in written} == {0o664}
    entry = fetch_entry("kind", {"a": 1}, lambda folder: {})
    assert _mode(entry.folder) == 0o775
    assert {_mode(path) for path in entry.folder.iterdir()} == {0o664}


def test_an_error_leaves_the_older_file_alone(tmp_path):
    path = tmp_path / "it.nii.gz"
    path.write_text("older")
    with pytest.raises(RuntimeError, match="half"), atomic_write(path) as part:
        part.write_text("new")
        assert part.name.endswith(".nii.gz")
        assert path.read_text() == "older"
        raise RuntimeError("half")
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / f"{'x. ' * 82}y.nii.gz"
    assert len(path.name) > 250
    with atomic_write(path) as part:
        assert part.name.endswith(".nii.gz")
        part.write_text("new")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows' links need a right")
def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "data").mkdir()
    link, target = tmp_path / "it.csv", tmp_path / "data" / "it.csv"
    target.write_text("older")
    link.symlink_to(target)
    with atomic_write(link) as part:
        assert part.parent == target.parent
        part.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_folder_is_no_file_to_replace(tmp_path):
    (tmp_path / "it.csv").mkdir()
    with (
        pytest.raises(OSError, match=r"it\.csv"),
        atomic_write(tmp_path / "it.csv") as part,
    ):
        part.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["it.csv"]
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "no" / "it") as part:
        part.write_text("new")


def test_atomic_folders_appear_complete_or_not_at_all(tmp_path):
    folder = tmp_path / "new" / "folder"
    with atomic_folder(folder) as part:
        (part / "file").write_text("content")
        assert not folder.exists()
    assert (folder / "file").read_text() == "content"
    with (
        pytest.raises(FileExistsError, match="not an empty folder"),
        atomic_folder(folder),
    ):
        pass
    with pytest.raises(RuntimeError), atomic_folder(folder, check=lambda _: None) as p:
        (p / "file").write_text("half")
        raise RuntimeError
    assert (folder / "file").read_text() == "content"
    with atomic_folder(folder, check=lambda _: None) as part:
        (part / "other").touch()
    assert [path.name for path in folder.iterdir()] == ["other"]
    assert list(folder.parent.iterdir()) == [folder]
