"""The small model of `text_model`, new for each test."""

import pytest
from text_model import make_corpus, make_parts

from sklearn_neurocontext import NeuroContextModel


@pytest.fixture
def corpus():
    """150 synthetic studies."""
    return make_corpus()


@pytest.fixture
def parts():
    """Model, masker and statistics, as the constructor takes them."""
    return make_parts()


@pytest.fixture
def model(parts):
    """A new model on the same parts."""
    return NeuroContextModel(**parts)
