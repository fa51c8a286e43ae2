"""Tests of the command serve."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.cli._serve import _load_model
from tests.cli.console import run
from tests.text_model import make_corpus, make_parts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a small model and return its folder."""
    model = NeuroContextModel(**make_parts())
    return model.save(tmp_path_factory.mktemp("models") / "small")


def _start(*options):
    """Start the server in a process that does not ignore SIGINT.

    A test run that was started in the background of a shell ignores this signal, and
    processes inherit this.
    """
    program = "from sklearn_neurocontext.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--port", "0", *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        preexec_fn=_restore_interrupt if os.name == "posix" else None,
    )


def _restore_interrupt():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _get_json(address):
    with urllib.request.urlopen(address, timeout=60) as response:
        return json.load(response)


def _get_error(address):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(address, timeout=60)
    with error.value as answer:
        return answer.code, answer.headers, answer.read().decode()


def _wait_until_ready(address):
    for _ in range(600):
        if _get_json(f"{address}api/status")["state"] == "ready":
            return
        time.sleep(0.1)
    raise TimeoutError(address)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(("end", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_server_answers_and_ends_on_signals(folder, end, code):
    process = _start("--model", folder)
    try:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        _wait_until_ready(address)
        assert _get_json(f"{address}api/map?text=pain")["title"] == "pain"
        process.send_signal(end)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code
    assert "Traceback" not in errors
    assert "Warning" not in errors


def test_long_addresses(folder):
    process = _start("--model", folder)
    try:
        address = process.stdout.readline().split()[0]
        _wait_until_ready(address)
        # These texts have the allowed length, and take 12 bytes per character.
        allowed = urllib.parse.quote("\U0001d51e" * 5000)
        query = f"api/map?text={allowed}&minus={allowed}"
        assert _get_error(address + query)[0] == 422
        code, headers, page = _get_error(f"{address}?text={'a' * 300_000}")
        assert code == 400
        assert headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "at most 5,000 characters" in page
    finally:
        process.kill()
        process.communicate()


def test_model_that_does_not_exist(tmp_path):
    result = run("serve", "--model", tmp_path / "none", "--port", "0")
    assert result.exit_code == 1
    assert str(tmp_path / "none") in result.stderr
    assert "Traceback" not in result.stderr


def test_port_in_use(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--model", folder, "--port", port)
    assert result.exit_code == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in result.stderr


def test_other_address_prints_a_warning(tmp_path):
    options = ["--host", "0.0.0.0", "--port", "0", "--model", tmp_path / "none"]
    result = run("serve", *options)
    assert "Warning: the server listens on 0.0.0.0" in result.stderr


def test_browser_is_opened_on_request(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    result = run("serve", "--open", "--port", "0", "--model", tmp_path / "none")
    assert opened == [result.stdout.split()[0]]


def test_package_that_is_not_installed(monkeypatch):
    for name in [name for name in sys.modules if "neurocontext.server" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = run("serve", "--port", "0")
    assert result.exit_code == 1
    assert "sklearn-neurocontext[serve]" in result.stderr


def test_corpus_is_indexed_with_messages(folder, monkeypatch):
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._serve.load_with_notes", lambda _: make_corpus()
    )
    messages = []
    model = _load_model(str(folder), "any", False, messages.append)
    n_studies = len(model.studies.titles)
    assert messages == [
        "Loading the corpus …",
        f"Embedding the titles of {n_studies} studies …",
    ]
