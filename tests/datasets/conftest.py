"""The real corpora, each read once, and a server on this machine."""

import contextlib
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import datasets


def _quietly(load, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", datasets.CoordinateSpaceWarning)
        return load(*args)


@pytest.fixture(scope="session")
def neuroquery(shared_data):
    return _quietly(datasets.load_neuroquery, shared_data / "neuroquery")


@pytest.fixture(scope="session")
def neurosynth(shared_data):
    return _quietly(datasets.load_neurosynth, shared_data / "neurosynth")


@pytest.fixture(scope="session")
def merged(neuroquery, neurosynth):
    return _quietly(datasets.merge_corpora, neuroquery, neurosynth)


@pytest.fixture(scope="session")
def raw_neuroquery(shared_data):
    return _read_raw(shared_data / "neuroquery" / "data-neuroquery_version-1_")


@pytest.fixture(scope="session")
def raw_neurosynth(shared_data):
    return _read_raw(shared_data / "neurosynth" / "data-neurosynth_version-7_")


def _read_raw(stem):
    """Metadata, and each study's raw peaks, by pandas alone."""
    metadata = pd.read_csv(f"{stem}metadata.tsv.gz", sep="\t")
    coordinates = pd.read_csv(f"{stem}coordinates.tsv.gz", sep="\t")
    return metadata, dict(list(coordinates.groupby("id")[["x", "y", "z"]]))


class FileServer:
    """Serve bytes over HTTP as well or as badly as a test asks.

    Attributes
    ----------
    files : dict of str to bytes
        What it serves, by path.
    resumes : bool
        Whether it honours ``Range``.
    cuts : list of int
        For each coming request in turn, the bytes after which it hangs up.
    statuses : list of int
        For each coming request in turn, an error that it answers with.
    pause : float
        Seconds that it waits in the middle of a body.
    requests : list of (path, Range)
        What was asked.
    """

    def __init__(self):
        self.files, self.resumes, self.pause = {}, True, 0.0
        self.cuts, self.statuses, self.requests = [], [], []
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/"
        serve = self._http.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        owner = self.owner
        asked = self.headers.get("Range")
        owner.requests.append((self.path[1:], asked))
        if owner.statuses:
            return self.send_error(owner.statuses.pop(0))
        body = owner.files.get(self.path[1:])
        if body is None:
            return self.send_error(404)
        start = 0
        if asked and owner.resumes:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        size = owner.cuts.pop(0) if owner.cuts else len(body)
        sent = body[start:][:size]
        with contextlib.suppress(ConnectionError):  # the client may have gone
            self.wfile.write(sent[: len(sent) // 2])
            time.sleep(owner.pause)
            self.wfile.write(sent[len(sent) // 2 :])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = FileServer()
    yield server
    server.close()


@pytest.fixture
def no_network(monkeypatch):
    """Any request is an error."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr("requests.sessions.Session.request", refuse)


def assert_same_peaks(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_same_corpus(found, expected):
    pd.testing.assert_frame_equal(found.studies, expected.studies)
    assert_same_peaks(found.peaks, expected.peaks)
    assert_same_peaks(found.peak_spaces, expected.peak_spaces)
    assert found.groups.tolist() == expected.groups.tolist()
    assert found.space_counts == expected.space_counts


@pytest.fixture
def same_corpus():
    return assert_same_corpus
