"""Fixtures shared by the tests of several commands."""

import pytest

from sklearn_neurocontext.datasets import make_studies


@pytest.fixture(scope="session")
def synthetic_corpus():
    """Return ninety synthetic studies."""
    return make_studies(n_studies=90, random_state=0)


@pytest.fixture
def any_corpus(monkeypatch, synthetic_corpus):
    """Load synthetic studies for any name; return a function that replaces them."""

    def load(corpus):
        monkeypatch.setattr(
            "sklearn_neurocontext.datasets.load_corpus", lambda name: corpus
        )

    load(synthetic_corpus)
    return load
