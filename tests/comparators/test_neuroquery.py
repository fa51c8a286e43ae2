"""NeuroQuery's model, compared with the package neuroquery."""

import pickle
import re
import warnings
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from neuroquery import nmf, ridge
from neuroquery.img_utils import coordinates_to_maps
from neuroquery.smoothed_regression import SmoothedRegression
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.decomposition import NMF
from sklearn.exceptions import NotFittedError

from sklearn_neurocontext import KDEDiFuMoMasker, load_model, save_model
from sklearn_neurocontext.comparators import NeuroQuery
from sklearn_neurocontext.comparators._selective_ridge import (
    ALPHAS,
    fit_smoothing,
    leave_one_out_errors,
    smooth_terms,
)


@pytest.fixture(scope="module")
def counted():
    """Counts of 40 terms and peaks of 240 studies; five terms attract peaks."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, size=(240, 40))
    places = rng.normal(size=(5, 3)) * 20
    peaks = [rng.normal(size=(1, 3)) * 20 for _ in counts]
    for row, study in enumerate(counts[:, :5]):
        near = np.repeat(places, study, axis=0)
        peaks[row] = np.concatenate(
            [peaks[row], near + rng.normal(size=near.shape) * 5]
        )
    return csr_matrix(counts, dtype=np.float32), peaks


@pytest.fixture(scope="module")
def fitted(counted, masker):
    """Fitted model; tests must not change it."""
    return NeuroQuery(masker=masker).fit(*counted)


@pytest.fixture(scope="module")
def reference(counted, fitted):
    """The package's own model, with the penalties that it was written for."""
    counts, peaks = counted
    features = fitted.tfidf_.transform(counts).toarray()

    def make_nmf(alpha, **settings):
        penalties = {"alpha_W": alpha / 40, "alpha_H": alpha / 240}
        return NMF(**settings, **penalties)

    with patch.object(nmf, "NMF", make_nmf), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        densities = clone(fitted.masker).fit().peaks_to_voxels(peaks)
        model = SmoothedRegression(n_components=40)
        return model.fit(features, densities.astype(np.float64))


def test_leave_one_out_errors_equal_those_of_neuroquery(rng):
    X = np.column_stack([rng.normal(size=(80, 7)), np.ones(80)])
    X[:, :-1] -= X[:, :-1].mean(axis=0)
    Y = rng.normal(size=(80, 33))
    Y -= Y.mean(axis=0)
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    expected = ridge._gcv(U, s, Y, 0.0, ALPHAS)
    U, s, _ = np.linalg.svd(X[:, :-1], full_matrices=False)
    errors = leave_one_out_errors(U, s, Y, U.T @ Y, ALPHAS)
    np.testing.assert_allclose(errors, expected)


def test_model_equals_that_of_neuroquery(counted, fitted, reference):
    counts, _ = counted
    regression = reference.regression_
    np.testing.assert_array_equal(fitted.selected_, regression.selected_features_)
    assert 0 < len(fitted.selected_) <= 5
    assert set(fitted.selected_) <= set(range(5))
    assert fitted.alpha_ == pytest.approx(regression.alpha_)
    features = fitted.tfidf_.transform(counts).toarray()
    frequencies = (counts > 0).mean(axis=0).A1
    expected = counts.toarray() * (1 - np.log(frequencies))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    z_maps = reference.transform_to_z_maps(features)
    tolerance = 1e-3 * np.abs(z_maps).max()
    np.testing.assert_allclose(fitted.predict(counts), z_maps, atol=tolerance)
    densities = reference.predict(features)
    predicted = clone_with(fitted, output="density").predict(counts)
    tolerance = 1e-3 * np.abs(densities).max()
    np.testing.assert_allclose(predicted, densities, atol=tolerance)


def test_model_without_smoothing_equals_the_regression(counted, fitted, reference):
    counts, _ = counted
    features = fitted.tfidf_.transform(counts).toarray()
    z_maps = reference.regression_.transform_to_z_maps(features)
    plain = clone_with(fitted, smoothing_weight=0.0)
    tolerance = 1e-3 * np.abs(z_maps).max()
    np.testing.assert_allclose(plain.predict(counts), z_maps, atol=tolerance)
    assert np.abs(fitted.predict(counts) - z_maps).max() > 10 * tolerance
    # Without terms, the predicted density is the intercept, and the z map is zero.
    nothing = np.zeros((1, 40), dtype=np.float32)
    density = clone_with(fitted, output="density").predict(nothing)
    np.testing.assert_array_equal(density[0], fitted.intercept_)
    assert not fitted.predict(nothing).any()


def clone_with(fitted, **params):
    """Return a copy of a fitted model with other parameters for predictions."""
    return pickle.loads(pickle.dumps(fitted)).set_params(**params)


def test_smoothing_equals_that_of_neuroquery(rng):
    X = rng.random((30, 12))
    factors = fit_smoothing(X)
    assert factors.any()
    smoothing = nmf.CovarianceSmoothing(smoothing_weight=0.3)
    norms = np.linalg.norm(factors @ factors.T, axis=1)
    smoothing.V_, smoothing.normalized_V_ = factors, factors / norms[:, None]
    np.testing.assert_allclose(smooth_terms(X, factors, 0.3), smoothing.transform(X))
    np.testing.assert_array_equal(smooth_terms(X, np.zeros((12, 12)), 0.0), X)


@pytest.mark.filterwarnings("ignore:Kept|Dropped")
def test_densities_of_neuroquery(rng):
    masker = KDEDiFuMoMasker("geometric", 128, voxelization="neuroquery").fit()
    peaks = [rng.normal(size=(9, 3)) * 30 for _ in range(3)]
    table = pd.DataFrame(np.concatenate(peaks), columns=["x", "y", "z"])
    table["pmid"] = np.repeat(range(3), 9)
    expected, _ = coordinates_to_maps(
        table, mask_img=masker.mask_img_, target_affine=None
    )
    np.testing.assert_allclose(
        masker.peaks_to_voxels(peaks), expected, atol=1e-6 * expected.to_numpy().max()
    )


def test_both_representations_retrieve(counted, fitted):
    counts, peaks = counted
    assert fitted.score(counts, peaks) > 0.7
    coefficients = clone(fitted).set_params(representation="coefficients")
    coefficients.fit(counts, peaks)
    assert coefficients.predict(counts).shape == (240, 128)
    assert coefficients.score(counts, peaks) > 0.7


def test_clone_pickle_and_saving_keep_predictions(counted, fitted, tmp_path):
    counts, peaks = counted
    loaded = load_model(save_model(fitted, tmp_path / "model"))
    refitted = clone(fitted).fit(counts, peaks)
    for model in (loaded, clone_with(fitted), refitted):
        np.testing.assert_array_equal(model.predict(counts), fitted.predict(counts))
        np.testing.assert_allclose(
            model.similarity(counts, peaks), fitted.similarity(counts, peaks), atol=1e-6
        )


def test_invalid_input_raises(masker, studies):
    texts, peaks = studies
    model = NeuroQuery(10, masker=masker)
    with pytest.raises(NotFittedError):
        model.predict(texts)
    alike = ["pain and faces"] * len(peaks)
    with pytest.raises(ValueError, match="min_studies=10"):
        model.fit(alike, peaks)
    for name, value in {"smoothing_weight": 1.5, "output": "t"}.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter .* Got {value!r}"):
            NeuroQuery(10, **{name: value}).fit(texts, peaks)


def test_texts_are_mapped_by_their_words(studies, masker):
    texts, peaks = studies
    with pytest.raises(TypeError, match=re.escape("X must be texts")):
        _fit(texts, peaks, masker).predict(np.ones((1, 3)))


def _fit(texts, peaks, masker):
    return NeuroQuery(5, masker=masker).fit(texts, peaks)
