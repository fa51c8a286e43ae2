"""Half precision rounds matrices with a bounded error."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import RidgeBaseline, load_model, save_model
from sklearn_neurocontext.persistence._format import from_half, to_half


def _bound(array):
    """Return the maximum rounding error of each value."""
    rows, columns = np.abs(array).max(1, keepdims=True), np.abs(array).max(0)
    return 2.0**-11 * np.minimum(rows, columns)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-9, 1e-30, 1e9, 1e30])
def test_rounding_error_is_bounded_at_every_scale(rng, scale, dtype):
    array = (rng.normal(size=(50, 20)) * scale).astype(dtype)
    kept, exponent = to_half(array)
    assert kept.dtype == np.float16
    assert (exponent == 0) == (scale in (1, 1e-4))
    grown = from_half(kept, exponent, dtype)
    assert grown.dtype == dtype
    assert (np.abs(grown - array) <= _bound(array)).all()


def test_values_beyond_half_precision_are_unchanged(rng):
    array = rng.normal(size=(50, 20))
    for axis, length in ((0, 20), (1, 50)):
        scales = np.logspace(-12, 0, length)
        scaled = array * (scales if axis == 0 else scales[:, None])
        kept, exponent = to_half(scaled)
        assert kept is scaled
        assert exponent == 0
    assert to_half(array[0])[0].dtype == np.float64
    kept, exponent = to_half(np.diag([1e300, 1e-300]))
    assert kept.dtype == np.float64
    # A tiny value is negligible if its row and column have far larger ones.
    array[3, 4] = 1e-12
    assert to_half(array)[0].dtype == np.float16
    assert to_half(np.zeros((2, 3)))[0].dtype == np.float16
    assert to_half(np.zeros((0, 3)))[0].dtype == np.float16
    assert to_half(np.ones((2, 2), dtype=np.int64))[0].dtype == np.int64


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-7, 1e-9, 1e6])
@pytest.mark.parametrize("y_scaling", ["unit", None])
def test_predictions_keep_three_digits_in_any_unit(tmp_path, rng, scale, y_scaling):
    X, y = rng.normal(size=(60, 40)), scale * rng.normal(size=(60, 50))
    model = RidgeBaseline(y_scaling=y_scaling).fit(X, y)
    saved = save_model(model, tmp_path / "model", half=True)
    expected = model.predict(X)
    error = np.abs(load_model(saved).predict(X) - expected).max()
    assert 0 < error < 2e-3 * np.abs(expected).max()


def test_vectors_of_tiny_scales_are_unchanged(tmp_path, rng):
    X = 1e-8 * rng.normal(size=(20, 4))
    scaler = StandardScaler().fit(X)
    loaded = load_model(save_model(scaler, tmp_path / "scaler", half=True))
    np.testing.assert_array_equal(loaded.transform(X), scaler.transform(X))
