"""Tests of NystroemKernel and of its functions."""

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_neurocontext.models import NystroemKernel
from sklearn_neurocontext.models._nystroem_kernel import (
    gaussian_kernel,
    nystroem_projection,
)


@parametrize_with_checks([NystroemKernel(n_components=5, random_state=0)])
def test_sklearn_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_of_few_studies_is_exact(dtype, rng):
    X = np.repeat(rng.normal(size=(6, 3)), 3, axis=0).astype(dtype)  # texts repeat
    model = NystroemKernel(2.0, n_components=2500, random_state=0)
    features = model.fit_transform(X)
    assert features.dtype == dtype
    assert features.shape == (18, 6)  # six different texts
    assert len(model.get_feature_names_out()) == 6
    np.testing.assert_allclose(
        features @ features.T, rbf_kernel(X, gamma=1 / 4.0), atol=1e-4
    )


def test_kernel_of_many_studies_equals_nystroem(rng):
    X, others = rng.normal(size=(60, 2)), rng.normal(size=(20, 2))
    ours = NystroemKernel(1.0, n_components=15, random_state=3).fit(X)
    assert ours.components_.shape == (15, 2)
    theirs = Nystroem(gamma=0.5, n_components=15).fit(ours.components_)
    np.testing.assert_allclose(
        ours.transform(others) @ ours.transform(X).T,
        theirs.transform(others) @ theirs.transform(X).T,
        atol=1e-3,
    )


@pytest.mark.parametrize("name", ["kernel_width", "n_components"])
def test_invalid_parameters_raise(name, rng):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of NystroemKernel"):
        NystroemKernel(**{name: 0}).fit(rng.normal(size=(4, 2)))


def test_gaussian_kernel_equals_rbf_kernel(rng):
    rows, components = rng.normal(size=(7, 3)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(
        gaussian_kernel(rows, components, 0.7), rbf_kernel(rows, components, 0.5 / 0.7)
    )


def test_projection_reproduces_the_kernel_of_components(rng):
    components = rng.normal(size=(12, 3))
    kernel = gaussian_kernel(components, components, 0.4)
    features = kernel @ nystroem_projection(components, 0.4)
    np.testing.assert_allclose(features @ features.T, kernel, atol=1e-4)


def test_repeated_components_share_one_direction(rng):
    components = np.repeat(rng.normal(size=(3, 2)), 4, axis=0)
    assert nystroem_projection(components, 1.0).shape == (12, 3)
