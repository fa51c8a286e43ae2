"""A local server, and a network that must not be used."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class FileServer:
    """Serve bytes over HTTP, or fail as a test asks.

    Attributes
    ----------
    files : dict of str to bytes
        The files, by path.
    cuts : list of int
        For each of the next requests, the number of bytes to send before hanging up.
    statuses : list of int
        For each of the next requests, the error to answer with.
    requests : list of str
        The paths that were requested.
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
        with contextlib.suppress(ConnectionError):  # The client may have gone.
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
    """Make any request an error."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr("requests.sessions.Session.request", refuse)


@pytest.fixture
def no_local_files(monkeypatch):
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)
