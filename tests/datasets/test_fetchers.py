"""Public corpora: the addresses, and what is read from what came."""

import hashlib
import re
import shutil

import pytest

from sklearn_neurocontext import datasets
from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    _fetchers,
    fetch_neuroquery,
    fetch_neurosynth,
    load_neurosynth,
    merge_corpora,
)
from sklearn_neurocontext.datasets._download import RemoteFile

quiet = pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.datasets.CoordinateSpaceWarning"
)


def _published():
    return {
        "neuroquery": (
            _fetchers._NEUROQUERY,
            _fetchers.NEUROQUERY_FILES,
            _fetchers._NEUROQUERY_FACTS,
        ),
        "neurosynth": (
            _fetchers._NEUROSYNTH,
            _fetchers.NEUROSYNTH_FILES,
            _fetchers._NEUROSYNTH_FACTS,
        ),
    }


@pytest.mark.parametrize("corpus", ["neuroquery", "neurosynth"])
def test_addresses_sizes_and_hashes_are_those_of_the_readme(shared_data, corpus):
    """Each file's row in the data's own description, and a commit in each address."""
    text = (shared_data / "README.md").read_text("utf-8")
    rows = re.findall(r"\| `(?:data/)?([^`|]+)` \| (\d+) \| `([0-9a-f]{64})` \|", text)
    stated = {name: (int(n_bytes), sha256) for name, n_bytes, sha256 in rows}
    remote = _fetchers._remote_files(*_published()[corpus])
    for file in remote:
        assert (file.n_bytes, file.sha256) == stated[file.name]
        commit = re.search(r"/([0-9a-f]{40})/", file.url).group(1)
        assert f"{corpus}" in text
        assert commit in text
        assert file.url.startswith("https://")
        assert file.url.endswith("/" + file.name)
    assert len(remote) == {"neuroquery": 6, "neurosynth": 2}[corpus]


@pytest.fixture
def published(monkeypatch, server, shared_data):
    """Neurosynth's files on this machine's server, with their own hashes."""
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)
    remote_files = []
    for name in _fetchers.NEUROSYNTH_FILES:
        body = (shared_data / "neurosynth" / name).read_bytes()
        server.files[name] = body
        sha256 = hashlib.sha256(body).hexdigest()
        remote_files.append(RemoteFile(name, server.url + name, len(body), sha256))
    monkeypatch.setattr(_fetchers, "_remote_files", lambda *facts: remote_files)
    return server


@quiet
def test_fetched_equals_loaded(published, tmp_path, neurosynth, same_corpus):
    corpus = fetch_neurosynth(tmp_path)
    same_corpus(corpus, neurosynth)
    assert set(corpus.files.values()) == {"verified"}
    assert corpus.description.endswith("Files: verified.")
    same_corpus(load_neurosynth(tmp_path / "neurosynth"), neurosynth)
    assert len(published.requests) == 2
    fetch_neurosynth(tmp_path)
    assert len(published.requests) == 2


@quiet
def test_one_file_that_is_not_there_leaves_the_other(published, tmp_path):
    name = _fetchers.NEUROSYNTH_FILES[1]
    body = published.files.pop(name)
    with pytest.raises(OSError, match=f"{re.escape(name)} could not be downloaded"):
        fetch_neurosynth(tmp_path)
    published.files[name] = body
    published.requests.clear()
    fetch_neurosynth(tmp_path)
    assert published.requests == [(name, None)]


@pytest.fixture
def local(monkeypatch, shared_data):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(shared_data))


@quiet
@pytest.mark.parametrize("name", ["neuroquery", "neurosynth"])
def test_local_files_are_read_and_reported(
    local, no_network, tmp_path, name, request, same_corpus
):
    corpus = getattr(datasets, f"fetch_{name}")(tmp_path / "home")
    same_corpus(corpus, request.getfixturevalue(name))
    assert list(corpus.files) == list(_published()[name][1])
    assert set(corpus.files.values()) == {"local, unverified"}
    assert corpus.description.endswith("Files: local, unverified.")
    assert not (tmp_path / "home").exists()


@quiet
def test_union_says_which_files_were_verified(local, no_network, neurosynth):
    corpus = fetch_neurosynth()
    merged = merge_corpora(corpus, neurosynth)
    assert merged.files == corpus.files


def test_spaces_are_said_once_to_the_caller(local, no_network):
    with pytest.warns(CoordinateSpaceWarning) as said:
        fetch_neurosynth()
    assert len(said) == 1
    assert said[0].filename == __file__


@quiet
def test_some_files_local_and_some_verified(
    published, tmp_path, monkeypatch, shared_data
):
    first, second = _fetchers.NEUROSYNTH_FILES
    (tmp_path / "local" / "neurosynth").mkdir(parents=True)
    shutil.copy(
        shared_data / "neurosynth" / first, tmp_path / "local" / "neurosynth" / first
    )
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path / "local"))
    corpus = fetch_neurosynth(tmp_path / "home")
    assert corpus.files == {first: "local, unverified", second: "verified"}
    assert "Files: local, unverified and verified." in corpus.description


def test_neuroquery_is_fetched_by_its_own_name(monkeypatch, tmp_path, no_network):
    """Without files and without network the error names file and variable."""
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)

    def refuse(*args, **kwargs):
        import requests

        raise requests.ConnectionError("no route")

    monkeypatch.setattr("requests.get", refuse)
    with pytest.raises(OSError, match=r"coordinates\.tsv\.gz could.*NEUROCONTEXT_DATA"):
        fetch_neuroquery(tmp_path)
    assert (tmp_path / "neuroquery").is_dir()
