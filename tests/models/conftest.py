"""Synthetic studies, and estimators that are fitted once for all tests of models."""

import pytest

from tests.models.synthetic_pairs import make_pairs, name_of, quick_estimators


@pytest.fixture(scope="session")
def train():
    """X and y of 240 studies."""
    return make_pairs(240, seed=1)


@pytest.fixture(scope="session")
def test():
    """X and y of 100 other studies."""
    return make_pairs(100, seed=2)


@pytest.fixture(scope="session")
def fits(train):
    """Fitted quick estimators by name; tests must not change them."""
    return {name_of(one): one.fit(*train) for one in quick_estimators()}


@pytest.fixture(scope="session", params=map(name_of, quick_estimators()))
def fitted(request, fits):
    """Each fitted quick estimator; tests must not change it."""
    return fits[request.param]
