"""Cache and download folders, and atomic writes."""

import errno
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
    expand_path,
    replace_surrogates,
    staged_files,
    write_json,
    write_text,
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


def test_error_of_a_full_disk_names_the_file(tmp_path, full_disk):
    path = tmp_path / "table.csv"
    write_text(path, "older")
    with full_disk(100), pytest.raises(OSError, match=r"table\.csv") as raised:
        write_text(path, "new" * 100)
    assert raised.value.errno == errno.EFBIG
    assert path.read_text() == "older"
    with pytest.raises(OSError, match=r"^other$"), atomic_write(path):
        raise OSError("other")


def test_staged_files_appear_only_when_all_are_complete(tmp_path):
    (tmp_path / "a").write_text("older")
    with pytest.raises(RuntimeError), staged_files(tmp_path) as staged:
        (staged / "a").write_text("new")
        raise RuntimeError
    assert (tmp_path / "a").read_text() == "older"
    with staged_files(tmp_path) as staged:
        (staged / "a").write_text("new")
        (staged / "b").write_text("new")
        assert (tmp_path / "a").read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize("name", ["~nosuchuser", "~nosuchuser/a.nii"])
def test_unknown_home_folders_are_named(name, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"'~nosuchuser.*without '~'"):
        expand_path(name)
    with pytest.raises(FileNotFoundError, match="~nosuchuser"):
        data_folder(name)
    monkeypatch.setenv("NEUROCONTEXT_CACHE", name)
    with pytest.raises(FileNotFoundError, match=r"~nosuchuser.*NEUROCONTEXT_CACHE"):
        cache_folder()


def test_unpaired_surrogates_are_replaced(tmp_path):
    assert replace_surrogates("a\ud800b \ud83d\ude00") == "a\ufffdb \U0001f600"
    write_text(tmp_path / "text", "a\udc80 é")
    assert (tmp_path / "text").read_bytes().decode() == "a\ufffd é"


def test_folder_that_is_a_file_or_an_incomplete_link_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError, match=f"{name}' must be a folder"):
            write_text(tmp_path / name / "table.csv", "new")


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
