"""Downloads: resumed, bounded, hashed, and whole or not there."""

import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sklearn_neurocontext.datasets._download import RemoteFile, download, find_files

BODY = bytes(range(256)) * 1000
NAME = "peaks.tsv.gz"


def _sha256(body):
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def remote(server):
    server.files[NAME] = BODY
    return RemoteFile(NAME, server.url + NAME, len(BODY), _sha256(BODY))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "corpus" / NAME


def _start(header):
    return int(header.removeprefix("bytes=").removesuffix("-"))


def _names(path):
    names = {entry.name for entry in path.parent.iterdir()}
    return sorted(names - {".lock"})


def test_file_is_the_servers(remote, path):
    download(remote, path)
    assert path.read_bytes() == BODY
    assert _names(path) == [NAME]


def test_a_broken_connection_is_taken_up_where_it_stopped(remote, path, server):
    server.cuts = [100_000, 50_000]
    download(remote, path)
    assert path.read_bytes() == BODY
    first, second, third = [header for _, header in server.requests]
    assert first is None
    assert 90_000 < _start(second) <= 100_000
    assert 45_000 < _start(third) - _start(second) <= 50_000


def test_next_call_goes_on_after_the_last_attempt(remote, path, server):
    server.cuts = [50_000] * 3
    with pytest.raises(OSError, match=r"(?s)peaks.* could not be downloaded.* is kept"):
        download(remote, path)
    assert _names(path) == [NAME + ".part"]
    server.requests.clear()
    download(remote, path)
    assert path.read_bytes() == BODY
    ((_, asked),) = server.requests
    assert 120_000 < _start(asked) <= 150_000
    assert _names(path) == [NAME]


def test_a_server_that_ignores_range_starts_anew(remote, path, server):
    server.resumes = False
    server.cuts = [50_000, 70_000]
    download(remote, path)
    assert path.read_bytes() == BODY
    assert len(server.requests) == 3


def test_busy_server_is_asked_again(remote, path, server):
    server.statuses = [503]
    download(remote, path)
    assert path.read_bytes() == BODY


def test_wrong_bytes_are_removed_and_named(remote, path, server):
    server.files[NAME] = BODY[::-1]
    with pytest.raises(
        OSError, match=f"SHA-256 {_sha256(BODY[::-1])}; expected {_sha256(BODY)}"
    ):
        download(remote, path)
    assert _names(path) == []
    server.files[NAME] = BODY
    download(remote, path)
    assert path.read_bytes() == BODY


def test_wrong_bytes_in_a_part_are_found_at_the_end(remote, path, server):
    path.parent.mkdir()
    path.with_name(NAME + ".part").write_bytes(b"not these" * 10)
    with pytest.raises(OSError, match="was removed; call again"):
        download(remote, path)
    download(remote, path)
    assert path.read_bytes() == BODY


def test_a_part_that_is_too_long_is_begun_anew(remote, path, server):
    path.parent.mkdir()
    path.with_name(NAME + ".part").write_bytes(BODY + b"x")
    download(remote, path)
    assert path.read_bytes() == BODY
    assert server.requests == [(NAME, None)]


def test_too_large_a_body_is_refused(remote, path, server):
    server.files[NAME] = BODY * 10
    with pytest.raises(OSError, match="gives more than the 256,000 bytes that were"):
        download(remote, path)
    assert _names(path) == []
    assert len(server.requests) == 1


def test_too_small_a_body_says_how_much_came(server, path):
    server.files[NAME] = BODY
    remote = RemoteFile(NAME, server.url + NAME, len(BODY) + 7)
    server.resumes = False
    with pytest.raises(OSError, match="256,000 of 256,007 bytes came"):
        download(remote, path)
    assert not path.exists()


def test_missing_file_is_asked_for_once(server, path):
    remote = RemoteFile(NAME, server.url + NAME, 10)
    with pytest.raises(OSError, match=r"\(404 Client Error.*NEUROCONTEXT_DATA"):
        download(remote, path)
    assert len(server.requests) == 1
    assert not path.exists()


def test_server_that_is_not_there(path):
    remote = RemoteFile(NAME, "http://127.0.0.1:9/" + NAME, 10)
    with pytest.raises(OSError, match="could not be downloaded from http"):
        download(remote, path)
    assert not path.exists()


def test_nothing_stands_under_the_name_before_all_is_there(remote, path, monkeypatch):
    """The name appears in one step, after the hash was checked."""
    seen = []
    check = "sklearn_neurocontext.datasets._download._check_part"
    monkeypatch.setattr(check, lambda part, _: seen.append((part.name, path.exists())))
    download(remote, path)
    assert seen == [(NAME + ".part", False)]
    assert path.exists()


@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_one_downloads_and_others_wait(remote, path, server, delay):
    """At the same moment, or the second in the middle of the first."""
    server.pause = 0.4
    with ThreadPoolExecutor() as pool:
        calls = []
        for _ in range(3):
            calls.append(pool.submit(download, remote, path))
            time.sleep(delay)
        for call in calls:
            call.result()
    assert path.read_bytes() == BODY
    assert server.requests == [(NAME, None)]
    assert _names(path) == [NAME]


_DOWNLOAD = """
import sys
from pathlib import Path
from sklearn_neurocontext.datasets._download import RemoteFile, download
url, n_bytes, sha256, path = sys.argv[1:]
path = Path(path)
download(RemoteFile(path.name, url, int(n_bytes), sha256), path)
"""


def _start_download(remote, path):
    facts = [remote.url, str(remote.n_bytes), remote.sha256, str(path)]
    return subprocess.Popen([sys.executable, "-c", _DOWNLOAD, *facts])


def _wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_a_process_that_dies_lets_the_next_go_on(remote, path, server):
    """The lock ends with its process; what came is taken up."""
    server.pause = 60
    part = path.with_name(NAME + ".part")
    with _start_download(remote, path) as process:
        _wait_for(lambda: part.is_file() and part.stat().st_size > 100_000)
        process.kill()
    server.pause = 0.0
    have = part.stat().st_size
    download(remote, path)
    assert path.read_bytes() == BODY
    assert server.requests == [(NAME, None), (NAME, f"bytes={have}-")]


def test_processes_share_one_download(remote, path, server):
    server.pause = 0.5
    processes = [_start_download(remote, path) for _ in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert path.read_bytes() == BODY
    assert server.requests == [(NAME, None)]


def test_file_without_a_known_hash(server, tmp_path, monkeypatch):
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)
    server.files[NAME] = BODY
    remote = RemoteFile(NAME, server.url + NAME, len(BODY))
    (found,) = find_files("corpus", [remote], tmp_path)
    assert found.path == tmp_path / "corpus" / NAME
    assert not found.verified


@pytest.fixture
def no_local_files(monkeypatch):
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)


def test_what_is_there_is_verified_without_network(
    remote, tmp_path, no_local_files, server, no_network
):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / NAME).write_bytes(BODY)
    (found,) = find_files("corpus", [remote], tmp_path)
    assert found.verified
    assert server.requests == []


def test_a_tampered_file_is_recognised(remote, tmp_path, no_local_files, server):
    """It may be the user's own: it is named and left; moved away, it is replaced."""
    find_files("corpus", [remote], tmp_path)
    path = tmp_path / "corpus" / NAME
    other = BODY[:-1] + b"x"
    path.write_bytes(other)
    with pytest.raises(OSError, match="NEUROCONTEXT_DATA") as raised:
        find_files("corpus", [remote], tmp_path)
    for part in (str(path), _sha256(other), _sha256(BODY), "left as it is"):
        assert part in str(raised.value)
    assert path.read_bytes() == other
    assert len(server.requests) == 1
    path.rename(tmp_path / "elsewhere")
    (found,) = find_files("corpus", [remote], tmp_path)
    assert found.path.read_bytes() == BODY


def test_own_copy_is_used_as_its_error_says(remote, tmp_path, monkeypatch, no_network):
    """A subset of the corpus, given as home of downloads, is refused but not lost."""
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / NAME).write_bytes(b"a subset")
    with pytest.raises(OSError, match="use it unverified") as raised:
        find_files("corpus", [remote], tmp_path)
    assert repr(str(tmp_path)) in str(raised.value)
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path))
    (found,) = find_files("corpus", [remote], tmp_path)
    assert found.path.read_bytes() == b"a subset"


def test_local_files_come_first_and_unverified(
    remote, tmp_path, monkeypatch, no_network
):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path / "local"))
    (tmp_path / "local" / "corpus").mkdir(parents=True)
    (tmp_path / "local" / "corpus" / NAME).write_bytes(b"others")
    (found,) = find_files("corpus", [remote], tmp_path / "home")
    assert found.path.read_bytes() == b"others"
    assert not found.verified
    assert not (tmp_path / "home").exists()


def test_what_is_not_local_is_downloaded(remote, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path / "empty"))
    (found,) = find_files("corpus", [remote], tmp_path / "home")
    assert found.path.read_bytes() == BODY
    assert found.verified


def test_home_of_downloads(remote, tmp_path, monkeypatch, no_local_files):
    monkeypatch.setenv("HOME", str(tmp_path))
    (found,) = find_files("corpus", [remote])
    assert found.path == tmp_path / "sklearn_neurocontext_data" / "corpus" / NAME
    (own,) = find_files("corpus", [remote], "~/elsewhere")
    assert own.path == tmp_path / "elsewhere" / "corpus" / NAME
