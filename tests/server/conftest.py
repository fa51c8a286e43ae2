"""Fixtures of the web application with a small model."""

import gzip
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.datasets import load_cognitive_atlas
from sklearn_neurocontext.server import create_app
from tests.text_model import make_corpus, make_parts

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="package")
def model():
    """Small model with an indexed corpus."""
    return NeuroContextModel(**make_parts()).index_corpus(make_corpus())


def load_ontology():
    """Load the small ontology that was written for tests."""
    return load_cognitive_atlas(DATA / "cognitive_atlas")


@pytest.fixture(scope="package")
def client(model):
    """Client of an application with the small model."""
    app = create_app(lambda notify: model, load_ontology=load_ontology)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="package")
def nifti(model):
    """Content of a .nii.gz file with the map of a text."""
    (img,) = model.transform(["pain heat"])["brain_map"]
    return gzip.compress(img.to_bytes())
