"""Fixture that loads language models without the cache."""

import pytest

from sklearn_neurocontext.text import _language_model
from sklearn_neurocontext.text._language_model import ModelSource, load_language_model


@pytest.fixture
def load():
    """Load a model without the cache, because tests may use the same names."""

    def load_uncached(model_name, **options):
        _language_model._load.cache_clear()
        return load_language_model(ModelSource(str(model_name), **options))

    yield load_uncached
    _language_model._load.cache_clear()
