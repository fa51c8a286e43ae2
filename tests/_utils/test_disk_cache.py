"""Cache entries: atomic builds, verification, and simultaneous processes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from sklearn_neurocontext._utils import disk_cache
from sklearn_neurocontext._utils.disk_cache import (
    NpyWriter,
    entry_folder,
    fetch_entry,
    hash_file,
)
from sklearn_neurocontext.maskers import KDEDiFuMoMasker, _table

SETTINGS = {"fwhm": 9.0, "atlas": "abc"}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hashed(monkeypatch):
    """Treat all files as large, and list those that are hashed."""
    paths, sha256 = [], disk_cache._sha256
    monkeypatch.setattr(disk_cache, "_ALWAYS_HASHED", 0)
    monkeypatch.setattr(
        disk_cache, "_sha256", lambda path: paths.append(path) or sha256(path)
    )
    return paths


class Builder:
    """Build an entry and count the calls."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, folder):
        self.n_calls += 1
        np.save(folder / "large.npy", np.arange(40_000.0).reshape(200, 200))
        np.save(folder / "small.npy", np.arange(3))
        return {"labels": ["a", "é"], "condition": 2.5}


def _assert_complete(entry):
    assert entry.facts == {"labels": ["a", "é"], "condition": 2.5}
    np.testing.assert_array_equal(entry.arrays["small"], [0, 1, 2])
    np.testing.assert_array_equal(entry.arrays["large"].ravel(), np.arange(40_000.0))


def test_entry_is_built_once_and_memory_mapped(cache):
    build = Builder()
    for _ in range(3):
        entry = fetch_entry("table", SETTINGS, build)
        _assert_complete(entry)
        assert isinstance(entry.arrays["large"], np.memmap)
        assert not entry.arrays["large"].flags.writeable
    assert build.n_calls == 1
    fetch_entry("table", SETTINGS | {"fwhm": 8.0}, build)
    fetch_entry("maps", SETTINGS, build)
    assert build.n_calls == 3
    assert {path.name.split("-")[0] for path in cache.iterdir()} == {"table", "maps"}


def _truncate(place):
    with (place / "large.npy").open("r+b") as stream:
        stream.truncate(1000)


def _flip_a_byte(place):
    content = bytearray((place / "large.npy").read_bytes())
    content[5000] ^= 1
    (place / "large.npy").write_bytes(content)


def _flip_a_byte_of_a_large_file(place):
    """Change a file and restore its mtime; its ctime still shows the change."""
    times = (place / "large.npy").stat()
    time.sleep(0.02)
    _flip_a_byte(place)
    os.utime(place / "large.npy", ns=(times.st_atime_ns, times.st_mtime_ns))


def _edit_facts(place):
    record = place / "entry.json"
    record.write_text(record.read_text().replace("2.5", "3.5"))


def _swap_entries(place):
    other = entry_folder("table", {"fwhm": 1.0})
    fetch_entry("table", {"fwhm": 1.0}, Builder())
    (place / "entry.json").write_bytes((other / "entry.json").read_bytes())


DAMAGES = [
    _truncate,
    _flip_a_byte,
    _edit_facts,
    _swap_entries,
    lambda place: (place / "small.npy").unlink(),
    lambda place: (place / "entry.json").unlink(),
    lambda place: (place / "entry.json").write_text("{"),
    lambda place: (place / "entry.json").write_text("[]"),
    lambda place: (place / "entry.json").write_text('{"body": null}'),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_corrupted_entry_is_built_again(cache, damage):
    build = Builder()
    place = fetch_entry("table", SETTINGS, build).folder
    damage(place)
    with pytest.warns(UserWarning, match="is corrupted and is built again"):
        _assert_complete(fetch_entry("table", SETTINGS, build))
    assert build.n_calls == 2
    _assert_complete(fetch_entry("table", SETTINGS, build))
    assert build.n_calls == 2


@pytest.mark.parametrize("damage", [_flip_a_byte_of_a_large_file, _truncate])
def test_large_file_is_hashed_only_if_changed(hashed, damage):
    build = Builder()
    place = fetch_entry("table", SETTINGS, build).folder
    hashed.clear()
    _assert_complete(fetch_entry("table", SETTINGS, build))
    assert not hashed
    damage(place)
    with pytest.warns(UserWarning, match="is corrupted"):
        _assert_complete(fetch_entry("table", SETTINGS, build))
    assert hashed


def test_copied_cache_is_hashed_once(cache, hashed, tmp_path):
    build = Builder()
    fetch_entry("table", SETTINGS, build)
    cache.rename(tmp_path / "before")
    for path in (tmp_path / "before").rglob("*.*"):
        target = cache / path.relative_to(tmp_path / "before")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    hashed.clear()
    _assert_complete(fetch_entry("table", SETTINGS, build))
    assert build.n_calls == 1
    assert len(hashed) == 2
    _assert_complete(fetch_entry("table", SETTINGS, build))
    assert len(hashed) == 2
    assert not list(cache.rglob("building-*"))


def test_pickles_are_not_loaded(cache):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (cache / "run",))

    def build(folder):
        np.save(folder / "large.npy", np.array([Harmful()], dtype=object))
        return {}

    with (
        pytest.warns(UserWarning, match="is corrupted"),
        pytest.raises(OSError, match="was written but cannot be read"),
    ):
        fetch_entry("table", SETTINGS, build)
    assert not (cache / "run").exists()


def test_failed_build_leaves_no_file(cache):
    def fail(folder):
        np.save(folder / "large.npy", np.zeros(5))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch_entry("table", SETTINGS, fail)
    assert not list(cache.iterdir())
    _assert_complete(fetch_entry("table", SETTINGS, Builder()))


def test_leftovers_of_killed_builds_are_removed_after_a_day(cache):
    old, new = cache / "building-table-1", cache / "building-table-2"
    for left in (old, new):
        left.mkdir(parents=True)
        (left / "table.npy").write_bytes(b"half")
    old_file, new_file = cache / ".0a1b2c3d.json", cache / ".4e5f6a7b.json"
    for left in (old_file, new_file):
        left.write_text("half")
    for left in (old, old_file):
        os.utime(left, (0, 0))
    fetch_entry("table", SETTINGS, Builder())
    assert not old.exists()
    assert not old_file.exists()
    assert new.exists()
    assert new_file.exists()


def test_unwritable_folder_raises(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        OSError, match="Set the environment variable NEUROCONTEXT_CACHE"
    ):
        fetch_entry("table", SETTINGS, Builder())


def test_hash_of_a_large_file_is_cached_until_it_changes(cache, hashed, tmp_path):
    file = tmp_path / "atlas.nii"
    before, after = (hashlib.sha256(body).hexdigest() for body in (b"one", b"two"))
    file.write_bytes(b"one")
    assert hash_file(file) == hash_file(file) == before
    assert hashed == [file]
    time.sleep(0.02)
    file.write_bytes(b"two")
    assert hash_file(file) == after
    (record,) = cache.glob("hash-*.json")
    record.write_text("[")
    assert hash_file(file) == after
    assert json.loads(record.read_text())["sha256"] == after


_FIT = """
import os, signal, sys, time
import numpy as np
from sklearn_neurocontext.maskers import KDEDiFuMoMasker, _table

smooth_map, n_maps = _table.smooth_map, []

def smooth_or_stop(*args):
    n_maps.append(1)
    if sys.argv[1] == "killed" and len(n_maps) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    place = sys.argv[2]
    open(f"{place}-{os.getpid()}", "w").close()
    while sys.argv[1] == "two" and len(os.listdir(os.path.dirname(place))) < 2:
        time.sleep(0.01)
    return smooth_map(*args)

_table.smooth_map = smooth_or_stop
masker = KDEDiFuMoMasker("geometric", 8, target_affine=8).fit()
print(len(n_maps), float(masker.transform([[[-40, -24, 56]]]).sum()))
"""


def _start(mode, folder):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-W", "error::UserWarning", "-c", _FIT, mode, folder / "at"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_build_leaves_no_entry(cache, tmp_path, monkeypatch):
    killed = _start("killed", tmp_path / "first")
    killed.communicate(timeout=120)
    assert killed.returncode == -9
    assert not list(cache.glob("table-*"))
    assert list(cache.glob("building-table-*"))
    smooth_map, n_maps = _table.smooth_map, []
    monkeypatch.setattr(
        _table, "smooth_map", lambda *args: n_maps.append(1) or smooth_map(*args)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        KDEDiFuMoMasker("geometric", 8, target_affine=8).fit().transform([[[0, 0, 0]]])
    assert len(n_maps) == 8
    assert len(list(cache.glob("table-*"))) == 1


@pytest.mark.slow
def test_two_processes_build_at_the_same_time(cache, tmp_path):
    both = [_start("two", tmp_path / "start") for _ in range(2)]
    outs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    (first, second) = (out.split() for out, _ in outs)
    assert first[0] == second[0] == "8"
    assert first[1] == second[1]
    assert len(list(cache.glob("table-*"))) == 1
    assert not list(cache.glob("building-*"))


def test_npy_writer_appends_rows(tmp_path):
    with NpyWriter(tmp_path / "a.npy", np.float32, (3,)) as writer:
        for start in range(0, 3000, 700):
            writer.append(np.arange(start, min(start + 700, 3000))[:, None] * [1, 2, 3])
    written = np.load(tmp_path / "a.npy")
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, np.arange(3000)[:, None] * [1, 2, 3])


def test_full_disk_is_explained(cache, full_disk):
    def build(folder):
        np.save(folder / "rows.npy", np.zeros(10_000))
        return {}

    with (
        full_disk(5000),
        pytest.raises(OSError, match=r"too little space .*NEUROCONTEXT_CACHE") as error,
    ):
        fetch_entry("kind", {"a": 1}, build)
    assert str(cache) in str(error.value)
    assert not list(cache.iterdir())
    entry = fetch_entry("kind", {"a": 1}, build)
    assert entry.arrays["rows"].shape == (10_000,)


def test_other_errors_of_build_are_unchanged(cache):
    def build(folder):
        raise OSError("The atlas was not found.")

    with pytest.raises(OSError, match=r"^The atlas was not found\.$"):
        fetch_entry("kind", {"a": 1}, build)


@pytest.mark.parametrize("damage", ["link", "linked file", "file", "deep JSON"])
def test_damaged_entries_are_built_again(damage, cache):
    def build(folder):
        np.save(folder / "rows.npy", np.arange(3))
        return {}

    folder = fetch_entry("kind", {"a": 1}, build).folder
    if damage == "deep JSON":
        (folder / "entry.json").write_text("[" * 100_000)
    elif damage == "linked file":
        (folder / "rows.npy").unlink()
        (folder / "rows.npy").symlink_to(folder / "missing")
    else:
        shutil.rmtree(folder)
        folder.touch() if damage == "file" else folder.symlink_to(folder / "missing")
    with pytest.warns(UserWarning, match="is corrupted and is built again"):
        entry = fetch_entry("kind", {"a": 1}, build)
    assert entry.arrays["rows"].tolist() == [0, 1, 2]
    assert list(cache.iterdir()) == [folder]
