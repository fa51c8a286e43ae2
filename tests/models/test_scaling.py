"""Tests of the scaling of coefficients."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_neurocontext import CCABaseline, KernelCCA, RidgeBaseline
from sklearn_neurocontext._utils.volumes import normalize_studies, unit_rows
from sklearn_neurocontext.models import NeighborMaps, scale_like_predictions
from sklearn_neurocontext.models._base import compute_mean_and_scale
from tests.models.synthetic_pairs import (
    SCALINGS,
    make_pairs,
    name_of,
    quick_estimators,
    standardize_by_hand,
)

_ESTIMATORS = [*quick_estimators(), KernelCCA(random_state=0), NeighborMaps()]


@SCALINGS
def test_scaling_equals_loops_over_studies(y_scaling):
    _, y = make_pairs(40)
    normalized = normalize_studies(y, y_scaling)
    mean, scale = compute_mean_and_scale(normalized, y_scaling)
    expected, expected_mean, expected_scale = standardize_by_hand(y, y, y_scaling)
    np.testing.assert_allclose(mean, expected_mean)
    np.testing.assert_allclose(scale, expected_scale)
    np.testing.assert_allclose((normalized - mean) / scale, expected)


@pytest.mark.parametrize("y_scaling", ["unit", "sqrt"])
def test_studies_have_norm_one_and_keep_their_signs(y_scaling):
    _, y = make_pairs(40)
    normalized = normalize_studies(y, y_scaling)
    np.testing.assert_allclose(np.linalg.norm(normalized, axis=1), 1)
    np.testing.assert_array_equal(np.sign(normalized), np.sign(y))


@pytest.mark.parametrize("y_scaling", ["unit", "sqrt"])
def test_normalization_ignores_the_scale_of_studies(y_scaling):
    _, y = make_pairs(40)
    factors = np.linspace(0.1, 9, 40)[:, None]
    np.testing.assert_allclose(
        normalize_studies(factors * y, y_scaling), normalize_studies(y, y_scaling)
    )


def test_none_does_not_normalize():
    _, y = make_pairs(5)
    assert normalize_studies(y, None) is y
    mean, scale = compute_mean_and_scale(y, None)
    np.testing.assert_allclose(mean, y.mean(axis=0))
    assert (scale == 1).all()


@pytest.mark.parametrize("estimator", _ESTIMATORS, ids=name_of)
@pytest.mark.parametrize("y_scaling", ["unit", "sqrt"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_do_not_depend_on_the_unit_of_y(estimator, y_scaling, dtype):
    X, y = make_pairs(60)
    X, y = X.astype(dtype), y.astype(dtype)
    estimator = clone(estimator).set_params(y_scaling=y_scaling)
    expected = clone(estimator).fit(X, y)
    for factor in (1e-30, 1e20):
        scaled = (y * factor).astype(dtype)
        found = clone(estimator).fit(X, scaled)
        settings = {"rtol": 1e-3, "atol": 1e-4}
        if hasattr(found, "similarity"):
            matrices = found.similarity(X, scaled), expected.similarity(X, y)
            np.testing.assert_allclose(*matrices, **settings)
            assert found.score(X, scaled) == pytest.approx(expected.score(X, y))
            predictions = found.predict(X), expected.predict(X)
            np.testing.assert_allclose(*predictions, **settings)
        else:
            np.testing.assert_allclose(
                found.transform(X), expected.transform(X), **settings
            )
        densities = [scale_like_predictions(found, one) for one in (scaled, y)]
        np.testing.assert_allclose(*densities, **settings)


@pytest.mark.parametrize("estimator", _ESTIMATORS, ids=name_of)
def test_y_in_float64_may_exceed_float32(estimator):
    X, y = make_pairs(60)
    X = X.astype(np.float32)
    expected, found = (clone(estimator).fit(X, one * y) for one in (1, 1e100))
    if hasattr(found, "similarity"):
        np.testing.assert_allclose(
            found.similarity(X, 1e-100 * y),
            expected.similarity(X, y),
            rtol=1e-3,
            atol=1e-4,
        )
    else:
        np.testing.assert_allclose(found.transform(X), expected.transform(X), rtol=1e-3)


@pytest.mark.parametrize("estimator", _ESTIMATORS, ids=name_of)
@pytest.mark.parametrize("factor", [1e-30, 1e20])
def test_without_scaling_y_must_fit_float32(estimator, factor):
    X, y = make_pairs(60)
    X = X.astype(np.float32)
    model = clone(estimator).set_params(y_scaling=None)
    if isinstance(model, CCABaseline | RidgeBaseline):  # they compute in float64
        assert model.fit(X, factor * y).score(X, factor * y) == pytest.approx(
            clone(model).fit(X, y).score(X, y), abs=1e-6
        )
        return
    with pytest.raises(ValueError, match=r"largest coefficient of y must .* float32"):
        model.fit(X, factor * y)
    if hasattr(model, "similarity"):
        model.fit(X, y)
        with pytest.raises(ValueError, match="largest coefficient of y must be"):
            model.similarity(X, factor * y)


@SCALINGS
def test_a_study_of_zeros_stays_zero(y_scaling):
    assert not normalize_studies(np.zeros((2, 3)), y_scaling).any()


def test_unit_rows_is_idempotent():
    rows = unit_rows(make_pairs(5)[1])
    np.testing.assert_allclose(unit_rows(rows), rows)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_components_have_scale_one(value, dtype):
    y = make_pairs(50)[1].astype(dtype)
    y[:, 3] = value
    _, scale = compute_mean_and_scale(y, "unit")
    assert scale[3] == 1
    assert (np.delete(scale, 3) != 1).all()


@SCALINGS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(y_scaling, dtype):
    normalized = normalize_studies(make_pairs(9)[1].astype(dtype), y_scaling)
    mean, scale = compute_mean_and_scale(normalized, y_scaling)
    assert normalized.dtype == mean.dtype == scale.dtype == dtype
