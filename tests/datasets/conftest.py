"""Fixtures: a local HTTP server, and tests without network or local files."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class FileServer:
    """HTTP server of a test, which can also fail on request.

    Attributes
    ----------
    files : dict of str to bytes
        The files, by path.
    cuts : list of int
        Numbers of bytes after which the next responses are cut off.
    statuses : list of int
        HTTP errors of the next responses.
    requests : list of str
        The requested paths.
    """

    def __init__(self):
        self.files, self.cuts, self.statuses, self.requests = {}, [], [], []
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
        owner.requests.append(self.path[1:])
        if owner.statuses:
            return self.send_error(owner.statuses.pop(0))
        body = owner.files.get(self.path[1:])
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        size = owner.cuts.pop(0) if owner.cuts else len(body)
        with contextlib.suppress(ConnectionError):  # The client may have disconnected.
            self.wfile.write(body[:size])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    server = FileServer()
    yield server
    server.close()


@pytest.fixture
def no_network(monkeypatch):
    """Make each request raise an error."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr("requests.sessions.Session.request", refuse)


@pytest.fixture
def no_local_files(monkeypatch):
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)
