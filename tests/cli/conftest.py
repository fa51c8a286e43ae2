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


@pytest.fixture
def saved_figures(monkeypatch):
    """Collect the figures of commands in a list; no picture is written."""
    figures = []

    def save(figure, path):
        figures.append(figure)
        return path

    monkeypatch.setattr("sklearn_neurocontext.cli._common.save_figure", save)
    return figures
