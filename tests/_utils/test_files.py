"""Cache and download folders, and atomic writes."""

import os
import stat
from pathlib import Path

import platformdirs
import pytest

from sklearn_neurocontext._utils.disk_cache import fetch_entry
from sklearn_neurocontext._utils.files import (
    atomic_folder,
    atomic_write,
    cache_folder,
    data_folder,
    write_json,
)
from sklearn_neurocontext.inference import Report


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("NEUROCONTEXT_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def test_default_folders(home):
    assert cache_folder() == platformdirs.user_cache_path("sklearn_neurocontext", False)
    assert data_folder() == platformdirs.user_data_path("sklearn_neurocontext", False)
    assert cache_folder() != data_folder()


def test_chosen_folders_replace_the_defaults(home, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_CACHE", "~/own")
    assert cache_folder() == home / "own"
    assert data_folder("~/data") == home / "data"
    assert data_folder(Path("data")) == Path("data")


@pytest.fixture
def shared_umask():
    """Let new files be writable by the group."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX permissions")
def test_permissions_follow_the_umask(shared_umask, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "cache"))
    write_json(tmp_path / "record.json", {})
    Report("<p>").save(tmp_path / "report.html")
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(written) == 2
    assert {_mode(path) for path in written} == {0o664}
    entry = fetch_entry("kind", {"a": 1}, lambda folder: {})
    assert _mode(entry.folder) == 0o775
    assert {_mode(path) for path in entry.folder.iterdir()} == {0o664}


def test_old_file_remains_after_an_error(tmp_path):
    path = tmp_path / "map.nii.gz"
    path.write_text("older")
    with pytest.raises(RuntimeError, match="half"), atomic_write(path) as temporary:
        temporary.write_text("new")
        assert temporary.name.endswith(".nii.gz")
        assert path.read_text() == "older"
        raise RuntimeError("half")
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_longest_file_names(tmp_path):
    path = tmp_path / f"{'x. ' * 82}y.nii.gz"
    assert len(path.name) > 250
    with atomic_write(path) as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("new")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows restricts symbolic links")
def test_target_of_a_symbolic_link_is_replaced(tmp_path):
    (tmp_path / "data").mkdir()
    link, target = tmp_path / "it.csv", tmp_path / "data" / "it.csv"
    target.write_text("older")
    link.symlink_to(target)
    with atomic_write(link) as temporary:
        assert temporary.parent == target.parent
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_path_must_be_a_file_in_an_existing_folder(tmp_path):
    path = tmp_path / "it.csv"
    path.mkdir()
    with pytest.raises(OSError, match=r"it\.csv"), atomic_write(path) as temporary:
        temporary.write_text("new")
    assert list(tmp_path.iterdir()) == [path]
    missing = tmp_path / "missing" / "it.csv"
    with pytest.raises(FileNotFoundError), atomic_write(missing) as temporary:
        temporary.write_text("new")


def test_atomic_folders_appear_only_when_complete(tmp_path):
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
