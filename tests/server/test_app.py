"""Every address of the web application answers a right question."""

import gzip
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.inference import region_names
from sklearn_neurocontext.plotting import DENSITY_UNIT
from sklearn_neurocontext.server import create_app
from tests.server.conftest import load_ontology
from tests.text_model import make_parts

PAGES = {"/": "text/html", "/api": "text/html", "/shared/style.css": "text/css"}
UNITS = {"z_map": "z value", "brain_map": DENSITY_UNIT}


def _read(response):
    assert response.status_code == 200, response.text
    return nib.Nifti1Image.from_bytes(gzip.decompress(response.content))


def _expected(model, text, kind="z_map"):
    return model.transform([text])[kind][0].get_fdata()


@pytest.mark.parametrize("path", PAGES)
def test_pages_refer_to_this_server_only(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(PAGES[path])
    for address in re.findall(r'(?:src|href)="([^"]*)"', response.text):
        assert address[0] in "/#"
        assert not address.startswith("//")


def test_page_has_no_inline_script_or_style(client):
    for path in ("/", "/api"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"<style|\sstyle=|\son\w+=", page)


def test_linked_files_of_the_page_exist(client):
    page = client.get("/").text
    paths = set(re.findall(r'(?:src|href)="(/[^"?#]*)', page))
    scripts = [path for path in paths if path.endswith(".js")]
    for script in scripts:
        paths |= set(re.findall(r'from "(/[^"]+)"', client.get(script).text))
    assert len(paths) >= 6
    for path in paths:
        assert client.get(path).status_code == 200, path


def test_security_headers(client):
    for path in ("/", "/static/page.js", "/api/status", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_surface_runs_in_a_sandbox(client):
    response = client.get("/api/surface.html?text=pain&threshold=0.5")
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("sandbox allow-scripts")
    assert "Plotly" in response.text


def test_status(client, model):
    assert client.get("/api/map?text=pain").status_code == 200
    assert client.get("/api/status").json() == {
        "state": "ready",
        "message": "The model is ready.",
        "maps": ["z_map", "brain_map"],
        "n_studies": 150,
        "n_terms": len(model.terms),
        "n_indexed_studies": len(model.studies.titles),
        "has_tasks": True,
    }


@pytest.mark.parametrize("kind", ["z_map", "brain_map"])
def test_maps_are_those_of_the_model(client, model, kind):
    img = _read(client.get("/api/map.nii.gz", params={"text": "pain", "map": kind}))
    np.testing.assert_array_equal(img.get_fdata(), _expected(model, "pain", kind))
    answer = client.get("/api/map", params={"text": "pain", "map": kind}).json()
    assert answer["maximum"] == pytest.approx(abs(img.get_fdata()).max())
    assert answer["unit"] == UNITS[kind]


def test_default_thresholds(client, model):
    answer = client.get("/api/map?text=pain").json()
    assert answer["threshold"] == 3
    answer = client.get("/api/map?text=pain&map=brain_map").json()
    inside = np.asarray(model.masker.mask_img_.dataobj) > 0
    values = _expected(model, "pain", "brain_map")[inside]
    assert (abs(values) >= answer["threshold"]).mean() == pytest.approx(0.1, abs=0.01)


def test_difference_of_two_texts(client, model):
    query = {"text": "pain", "minus": "finger"}
    for kind, unit in UNITS.items():
        query["map"] = kind
        img = _read(client.get("/api/map.nii.gz", params=query))
        (expected,) = model.transform(["pain"], minus="finger")[kind]
        np.testing.assert_array_equal(img.get_fdata(), expected.get_fdata())
        answer = client.get("/api/map", params=query).json()
        assert answer["unit"] in (unit, f"difference of {unit}")
    assert answer["title"] == "pain minus finger"
    assert [one["text"] for one in answer["texts"]] == ["pain", "finger"]


def test_terms_and_marks(client, model):
    (text,) = client.get("/api/map?text=pain+%3Cb%3E&k=3").json()["texts"]
    words = model.similar_words("pain <b>").head(3)
    assert [one["term"] for one in text["terms"]] == words.index.tolist()
    assert text["terms"][0]["n_documents"] == words["n_documents"].iloc[0]
    assert text["marked"] == model.highlighted_text("pain <b>")
    assert "&lt;b&gt;" in text["marked"]
    assert text["low_confidence"] == ""


def test_number_of_supporting_studies(client):
    (text,) = client.get("/api/map?text=pain").json()["texts"]
    assert text["support"] == ""
    counts = {"word_counts": {"pain": 30, "finger": 40}, "n_studies": 150}
    model = NeuroContextModel(**make_parts(), **counts)
    with TestClient(
        create_app(lambda notify: model), base_url="http://127.0.0.1"
    ) as counted:
        texts = counted.get("/api/map?text=pain&minus=finger").json()["texts"]
        assert counted.get("/api/status").json()["maps"] == ["z_map", "brain_map"]
    assert [one["support"] for one in texts] == [
        "Supported by about 30 of 150 training studies.",
        "Supported by about 40 of 150 training studies.",
    ]


def test_studies(client, model):
    found = client.get("/api/studies?text=pain&k=5").json()["studies"]
    expected = model.similar_documents("pain", k=5)
    assert [one["title"] for one in found] == expected["title"].tolist()
    assert [one["pubmed_url"] for one in found] == expected["pubmed_url"].tolist()


def test_tasks(client, model):
    found = client.get("/api/tasks?text=pain&k=2").json()["tasks"]
    (img,) = model.transform(["pain"])["brain_map"]
    expected = model.decode(img, "tasks", k=2, ontology=load_ontology())
    assert [one["candidate"] for one in found] == expected["candidate"].tolist()
    assert found[0]["n_studies"] == expected["n_studies"].iloc[0]


def test_regions_of_peaks(client):
    peaks = client.get("/api/map?text=pain").json()["peaks"]
    regions = region_names([[one[axis] for axis in "xyz"] for one in peaks])
    assert [one["region"] for one in peaks] == regions["region"].tolist()
    assert [one["network"] for one in peaks] == regions["network"].tolist()


def test_uploaded_map(client, model, nifti):
    answer = client.post("/api/decode?k=4", files={"file": ("map", nifti)}).json()
    img = nib.Nifti1Image.from_bytes(gzip.decompress(nifti))
    for name in ("terms", "tasks", "studies"):
        expected = model.decode(img, name, k=4, ontology=load_ontology())
        found = answer[name]
        assert [one["candidate"] for one in found] == expected["candidate"].tolist()
        p_values = [one["p_value"] for one in found]
        np.testing.assert_allclose(p_values, expected["p_value"])
        percentiles = [one["percentile"] for one in found]
        np.testing.assert_allclose(percentiles, expected["percentile"])
    assert answer["null_maps"] == expected.attrs["null_maps"]
    documents = model.similar_documents("pain", k=1000).set_index("study_id")
    for study in answer["studies"]:
        expected = documents.loc[study["study_id"]]
        assert study["pubmed_url"] == expected["pubmed_url"]
        year = expected["year"]
        assert study["year"] == (None if pd.isna(year) else year)
    query = {"upload": answer["upload"]}
    held = _read(client.get("/api/map.nii.gz", params=query)).get_fdata()
    np.testing.assert_allclose(held, img.get_fdata(), atol=1e-6)
    described = client.get("/api/map", params=query).json()
    assert described["title"] == "uploaded map"
    assert described["texts"] == []
    picture = client.get("/api/map.png", params=query | {"threshold": 0.01})
    assert picture.content.startswith(b"\x89PNG")


def test_older_uploads_are_dropped(client, nifti):
    def upload():
        return client.post("/api/decode?k=1", files={"file": nifti}).json()["upload"]

    first = upload()
    newer = [upload() for _ in range(16)]
    assert client.get("/api/map", params={"upload": newer[0]}).status_code == 200
    response = client.get("/api/map", params={"upload": first})
    assert response.status_code == 404
    assert "Upload the file again" in response.json()["error"]


def test_uncompressed_files_of_both_kinds(client, model):
    (img,) = model.transform(["pain heat"])["brain_map"]
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        content = kind(img.get_fdata().astype("f4"), img.affine).to_bytes()
        response = client.post("/api/decode", files={"file": content})
        assert response.status_code == 200


def test_picture_with_math_in_the_title(client):
    query = {"text": r"pain $\frac$ <b>", "threshold": 0.5}
    response = client.get("/api/map.png", params=query)
    assert response.headers["content-type"] == "image/png"
    assert response.content.startswith(b"\x89PNG")


def test_threshold_above_the_maximum(client):
    for name in ("map.png", "surface.html"):
        response = client.get(f"/api/{name}?text=pain&threshold=1e9")
        assert response.status_code == 200


def test_template_covers_the_brain(client):
    img = _read(client.get("/template.nii.gz"))
    values = np.asarray(img.dataobj)
    assert img.get_data_dtype() == np.uint8
    assert set(np.unique(values[values < 60])) == {0}
    assert 150_000 < np.count_nonzero(values) < 300_000


def test_schema_has_every_address(client):
    schema = client.get("/api/openapi.json").json()
    paths = set(schema["paths"])
    assert {"/api/status", "/api/map", "/api/decode", "/api/studies"} < paths
    page = client.get("/api").text
    assert all(f"{path}</code>" in page for path in paths)


def test_low_confidence_message():
    model = NeuroContextModel(**make_parts(), z_threshold=1e6)
    app = create_app(lambda notify: model)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        (text,) = client.get("/api/map?text=pain").json()["texts"]
        answer = client.get("/api/map?text=pain&minus=finger").json()
    for one in (text, answer, *answer["texts"]):
        assert "threshold 1000000.0" in one["low_confidence"]
