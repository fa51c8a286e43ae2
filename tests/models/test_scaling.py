"""Tests of the scaling of coefficients."""

import numpy as np
import pytest

from sklearn_neurocontext._utils.volumes import normalize_studies, unit_rows
from sklearn_neurocontext.models._base import compute_mean_and_scale
from tests.models.synthetic_pairs import SCALINGS, make_pairs, standardize_by_hand


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
