"""Wrong and hostile requests are answered with status 4xx and a sentence."""

import gzip
import struct
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from starlette.testclient import TestClient

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.server import _uploads as uploads_module
from sklearn_neurocontext.server import create_app
from tests.text_model import make_parts

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])
AFFINE[:3, 3] = -80


def _image(values, affine=AFFINE):
    return nib.Nifti1Image(np.asarray(values, dtype=np.float32), affine).to_bytes()


def _blob(shape=(20, 20, 20)):
    values = np.zeros(shape)
    values[8:12, 8:12, 8:12] = 1
    return values


def _with_dim(content, *dims):
    """Return the content of a NIfTI file with other dimensions in its header."""
    changed = bytearray(content)
    changed[40 : 40 + 2 * len(dims)] = struct.pack(f"<{len(dims)}h", *dims)
    return bytes(changed)


def _without_z_axis(content):
    """Return the content of a NIfTI file whose affine has zeros in its third row."""
    return content[:312] + bytes(16) + content[328:]


def _colors():
    colors = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    return nib.Nifti1Image(colors, AFFINE).to_bytes()


def _assert_refused(response, *words, status=422):
    assert response.status_code == status, response.text
    sentence = response.json()["error"]
    assert sentence.endswith(".")
    assert "Traceback" not in sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("", "text and upload"),
        ("text=pain&upload=key", "text and upload"),
        ("upload=key&minus=pain", "minus"),
        ("text=", "one word"),
        ("text=%3F%21", "one word"),
        ("text=pain&minus=.", "minus"),
        ("text=pain%00", "null characters"),
        ("text=%E2%80%AE%E2%80%8F", "one word"),
        ("text=qqqq", "any word"),
        ("text=" + "pain+" * 1001, "5,000"),
        ("text=pain&map=t_map", "map"),
        ("text=pain&k=0", "k is wrong"),
        ("text=pain&k=x", "k is wrong"),
        ("text=pain&k=101", "k is wrong"),
    ],
)
def test_wrong_questions(client, query, word):
    _assert_refused(client.get(f"/api/map?{query}"), word)
    if not query.startswith(("text=pain&k", "text=qqqq")):
        _assert_refused(client.get(f"/api/map.nii.gz?{query}"), word)


@pytest.mark.parametrize("threshold", ["", "0", "-1", "nan", "inf", "x"])
@pytest.mark.parametrize("path", ["/api/map.png", "/api/surface.html"])
def test_wrong_thresholds(client, path, threshold):
    response = client.get(f"{path}?text=pain&threshold={threshold}")
    _assert_refused(response, "threshold")


def test_hostile_text_is_escaped(client):
    hostile = "<script>alert(1)</script> pain \u202eniap\u202c"
    response = client.get("/api/map", params={"text": hostile})
    (text,) = response.json()["texts"]
    assert "<script" not in text["marked"]
    assert "\u202e" not in text["marked"] + text["text"] + response.json()["title"]
    assert response.headers["content-type"] == "application/json"


def test_invalid_utf8(client):
    response = client.get("/api/map?text=pain%ff%ed%a0%80")
    assert response.status_code == 200
    assert response.json()["title"].startswith("pain")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/static/", 404),
        ("GET", "/static", 404),
        ("GET", "/static/../_app.py", 404),
        ("GET", "/static/%2e%2e/_app.py", 404),
        ("GET", "/static/%00", 404),
        ("GET", "/api/map?upload=" + "x" * 3000, 404),
        ("POST", "/api/map", 405),
        ("GET", "/api/decode", 405),
        ("PUT", "/", 405),
    ],
)
def test_wrong_addresses(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert len(response.json()["error"]) > 10
    assert "href" not in response.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "\xff"])
def test_other_host_names_are_refused(client, host):
    response = client.get("/api/status", headers={"host": host.encode("latin-1")})
    assert response.status_code == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "localhost:1234"])
def test_own_host_names(client, host):
    assert client.get("/api/status", headers={"host": host}).status_code == 200


def test_studies_and_tasks_that_are_not_loaded():
    app = create_app(lambda notify: NeuroContextModel(**make_parts()))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        _assert_refused(client.get("/api/studies?text=pain"), "--corpus")
        _assert_refused(client.get("/api/tasks?text=pain"), "--tasks")


FILES = {
    "empty": (b"", "empty"),
    "text": (b"not an image" * 100, "NIfTI"),
    "executable": (b"\x7fELF" + bytes(1000), "NIfTI"),
    "empty gzip": (gzip.compress(b"", mtime=0), "NIfTI"),
    "gzip of text": (gzip.compress(b"text" * 100, mtime=0), "NIfTI"),
    "truncated gzip": (gzip.compress(_image(_blob()), mtime=0)[:-20], "truncated"),
    "corrupted gzip": (b"\x1f\x8b\x08" + bytes(100), "decompressed"),
    "header only": (_image(_blob())[:348], "truncated"),
    "half a header": (_image(_blob())[:100], "header"),
    "truncated": (_image(_blob())[:5000], "truncated"),
    "4D": (_image(np.ones((4, 4, 4, 3))), "3 volumes"),
    "2D": (_with_dim(_image(_blob()), 2, 20, 20), "2 dimensions"),
    "negative size": (_with_dim(_image(_blob()), 3, -20, 20, 20), ""),
    "huge size": (_with_dim(_image(_blob()), 3, 32000, 32000, 32000), "voxels"),
    "huge run": (_with_dim(_image(_blob()), 4, 9, 9, 9, 32000), "32000 volumes"),
    "NaN": (_image(np.full((9, 9, 9), np.nan)), "NaN"),
    "zeros": (_image(np.zeros((9, 9, 9))), "zeros"),
    "infinity": (_image(np.where(_blob() > 0, np.inf, 0)), "infinite"),
    "far away": (_image(_blob(), AFFINE + np.eye(4, k=3) * 900), "mask"),
    "singular affine": (_without_z_axis(_image(_blob())), "affine"),
    "micrometers": (_image(_blob(), AFFINE * 1000), "voxel"),
    "colors": (_colors(), "number per voxel"),
}


@pytest.mark.parametrize("name", FILES)
def test_wrong_files(client, name):
    content, word = FILES[name]
    response = client.post("/api/decode", files={"file": (name, content)})
    _assert_refused(response, word)
    assert "/" not in response.json()["error"].replace(".nii.gz", "")


def test_gzip_bomb(client, monkeypatch):
    monkeypatch.setattr(uploads_module, "_MAX_BYTES", 10**6)
    bomb = gzip.compress(_image(_blob()) + bytes(5 * 10**6))
    _assert_refused(client.post("/api/decode", files={"file": bomb}), "1 MB")


def test_random_damage(client, nifti, rng):
    whole = gzip.decompress(nifti)[:60_000]
    for _ in range(60):
        content = bytearray(whole)
        for place in rng.integers(0, 352, size=3):
            content[place] = rng.integers(256)
        response = client.post("/api/decode", files={"file": bytes(content)})
        _assert_refused(response)


def test_file_above_the_limit(client):
    content = bytes(64 * 2**20 + 20_000)
    response = client.post("/api/decode", files={"file": content})
    _assert_refused(response, "64 MB", status=413)


def test_large_body_without_length(client):
    def chunks():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; '
        yield b'filename="a"\r\n\r\n'
        for _ in range(70):
            yield bytes(2**20)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = client.post("/api/decode", content=chunks(), headers=headers)
    _assert_refused(response, "64 MB", status=413)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"content-type": "application/json"}, b"{}"),
        ({"content-type": "multipart/form-data"}, b"--x"),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--y\r\n\r\n"),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x\r\nA\r\n\r\n--x--"),
    ],
)
def test_malformed_forms(client, headers, body):
    response = client.post("/api/decode", content=body, headers=headers)
    assert 400 <= response.status_code < 500
    assert response.json()["error"].endswith(".")


def test_hostile_file_name_and_nothing_written(client, nifti, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name in ("../../map.nii", "/etc/passwd", "a\0b", "<script>.nii", "\u202e.nii"):
        response = client.post("/api/decode", files={"file": (name, nifti)})
        assert response.status_code == 200
        assert name not in response.text
    assert [path for path in tmp_path.rglob("*") if path != folder] == []
    assert not Path("map.nii").exists()
