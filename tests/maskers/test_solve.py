"""The matrix of least squares, from blocks of maps, and its inverse."""

import numpy as np
import pytest
from scipy.sparse import csc_array
from sklearn.utils import gen_batches

from sklearn_neurocontext.maskers._maps import _invert, gram_matrix


@pytest.mark.parametrize(("gap", "expected"), [(1e-14, False), (1e-6, True)])
def test_a_nearly_singular_matrix_is_inverted_on_its_range(gap, expected):
    matrix = np.array([[1, 1 - gap], [1 - gap, 1]])
    inverse, condition = _invert(matrix)
    assert np.isfinite(condition) == expected
    if expected:
        assert condition == pytest.approx(np.linalg.cond(matrix, 1), rel=1e-6)
    np.testing.assert_allclose(matrix @ inverse @ matrix, matrix, atol=1e-9)


def test_gram_matrix_is_that_of_dense_maps_for_any_mixture_of_blocks(rng):
    maps = rng.standard_normal((50, 6))
    maps[:, 2:4] *= rng.random((50, 2)) > 0.95
    stored = csc_array(maps)
    blocks = list(gen_batches(6, 2))
    gram = gram_matrix(blocks, lambda b: stored[:, np.arange(b.start, b.stop)])
    np.testing.assert_allclose(gram, maps.T @ maps, atol=1e-12)
