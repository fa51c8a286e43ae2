"""Fixtures of the web application with a small model."""

import gzip

import pytest
from starlette.testclient import TestClient

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.server import create_app
from tests.text_model import make_corpus, make_parts


@pytest.fixture(scope="package")
def model():
    """Small model with an indexed corpus."""
    return NeuroContextModel(**make_parts()).index_corpus(make_corpus())


@pytest.fixture(scope="package")
def client(model):
    """Client of an application with the small model."""
    app = create_app(lambda notify: model)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="package")
def nifti(model):
    """Content of a .nii.gz file with the map of a text."""
    (img,) = model.transform(["pain heat"])["brain_map"]
    return gzip.compress(img.to_bytes())
