"""Tests of NeighborMaps."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_neurocontext._utils.volumes import normalize_studies
from sklearn_neurocontext.models import NeighborMaps
from tests.models.synthetic_pairs import SCALINGS


@parametrize_with_checks([NeighborMaps()])
def test_sklearn_check(estimator, check):
    check(estimator)


@pytest.fixture
def studies(rng):
    return np.abs(rng.normal(size=(30, 4))), np.abs(rng.normal(size=(30, 5)))


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@SCALINGS
def test_transform_is_the_weighted_mean(studies, rng, container, y_scaling):
    X, y = studies
    texts = np.abs(rng.normal(size=(7, 4)))
    model = NeighborMaps(0.2, y_scaling=y_scaling).fit(container(X), y)
    maps = normalize_studies(y, y_scaling)
    expected = np.array(
        [
            np.average(maps, axis=0, weights=np.exp(row / 0.2))
            for row in cosine_similarity(texts, X)
        ]
    )
    np.testing.assert_allclose(model.transform(container(texts)), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_studies_are_not_their_own_neighbors(studies, dtype):
    X, y = studies[0].astype(dtype), studies[1]
    features = NeighborMaps(0.2).fit_transform(X, y)
    assert features.dtype == dtype
    for row in range(5):
        others = np.arange(30) != row
        left_out = NeighborMaps(0.2).fit(X[others], y[others])
        np.testing.assert_allclose(
            features[[row]], left_out.transform(X[[row]]), rtol=1e-4
        )
    changed = y.copy()
    changed[3] = changed[3][::-1]
    again = NeighborMaps(0.2).fit_transform(X, changed)
    np.testing.assert_array_equal(again[3], features[3])


def test_transform_does_not_depend_on_the_block_size(studies, monkeypatch):
    X, y = studies
    whole = NeighborMaps().fit(X, y).transform(X)
    monkeypatch.setattr("sklearn_neurocontext.models._neighbor_maps._ROWS", 7)
    np.testing.assert_allclose(NeighborMaps().fit(X, y).transform(X), whole)


def test_limits_of_small_and_large_temperature(studies):
    X, y = studies
    nearest = NeighborMaps(1e-4, y_scaling=None).fit(X, y)
    text = X[[4]] + 1e-2 * X[[5]]
    np.testing.assert_allclose(nearest.transform(text), y[[4]])
    mean = NeighborMaps(1e6, y_scaling=None).fit(X, y).transform(text)
    np.testing.assert_allclose(mean, y.mean(axis=0, keepdims=True), rtol=1e-4)


@pytest.mark.parametrize("text", [[0.0, 0.0], [2.0, 0.0]])
def test_text_without_neighbors_has_the_mean_map(text):
    y = [[1.0, 0.0], [0.0, 1.0]]
    model = NeighborMaps().fit([[1.0, 0.0], [3.0, 0.0]], y)
    np.testing.assert_allclose(model.transform([text]), [[0.5, 0.5]])


def test_invalid_temperature_raises(studies):
    with pytest.raises(ValueError, match="The 'temperature' parameter of NeighborMaps"):
        NeighborMaps(0.0).fit(*studies)
