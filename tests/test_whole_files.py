"""Files appear whole, with the permissions of any new file."""

import os
import stat

import pytest

from sklearn_neurocontext._whole_files import whole_file
from sklearn_neurocontext.datasets import _ibc
from sklearn_neurocontext.evaluation._checkpoint import write_json
from sklearn_neurocontext.maskers._disk import fetch_entry
from sklearn_neurocontext.reporting import Report


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
    with pytest.raises(RuntimeError, match="half"), whole_file(path) as part:
        part.write_text("new")
        assert part.name.endswith(".nii.gz")
        assert path.read_text() == "older"
        raise RuntimeError("half")
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
    with whole_file(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
