"""NeuroQuery as trained by the benchmarks, compared with the published package."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from neuroquery import ridge
from neuroquery.img_utils import coordinates_to_maps
from scipy.sparse import csr_matrix

from benchmarks.encoding import neuroquery_maps
from benchmarks.encoding.neuroquery_maps import leave_one_out_errors, term_counts, train
from benchmarks.retrieval.neuroquery_rows import smooth
from sklearn_neurocontext.experiments import make_masker


@pytest.fixture(scope="module")
def studies():
    """Counts of 40 terms, five of which determine the maps."""
    rng = np.random.default_rng(0)
    counts = csr_matrix(rng.poisson(1.0, size=(240, 40)).astype(float))
    maps = counts[:, :5] @ rng.random((5, 60)) + rng.random((240, 60))
    vocabulary = [f"wor{first}{last}" for first in "bcdf" for last in "aeiobcdfgh"]
    return counts, vocabulary, maps.astype(np.float32)


def test_thin_products_equal_leave_one_out_errors_of_neuroquery(rng):
    X = np.column_stack([rng.normal(size=(80, 7)), np.ones(80)])
    X[:, :-1] -= X[:, :-1].mean(axis=0)
    Y = rng.normal(size=(80, 33))
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    alphas = np.array([0.1, 10.0])
    expected = ridge._gcv(U, s, Y, 0.0, alphas)
    np.testing.assert_allclose(leave_one_out_errors(U, s, Y, 0.0, alphas), expected)


@pytest.fixture(scope="module")
def trained(studies, tmp_path_factory):
    """Trained model and its folder."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Maximum number of iterations 200 reached")
        folder = tmp_path_factory.mktemp("neuroquery")
        return train(*studies, folder), folder


def test_finished_steps_are_loaded(studies, trained, monkeypatch):
    counts, vocabulary, maps = studies
    trained, folder = trained
    assert trained.model.smoothing_.V_.any()
    monkeypatch.setattr(neuroquery_maps, "timed", None)
    again = neuroquery_maps.train(counts, vocabulary, maps, folder)
    assert again.cost == trained.cost
    tfidf = trained.tfidf(counts[:9])
    np.testing.assert_array_equal(again.z_maps(tfidf), trained.z_maps(tfidf))
    words = [
        " ".join(np.repeat(vocabulary, one.astype(int))) for one in counts[:9].toarray()
    ]
    np.testing.assert_allclose(
        trained.tfidf_of_texts(words).toarray(), tfidf.toarray(), atol=1e-6
    )


def test_without_smoothing_equals_the_regression(studies, trained):
    trained, _ = trained
    plain, tfidf = trained.without_smoothing(), trained.tfidf(studies[0][:9]).toarray()
    regression = trained.model.regression_
    z_maps = plain.z_maps(tfidf)
    np.testing.assert_allclose(z_maps, regression.transform_to_z_maps(tfidf))
    np.testing.assert_allclose(plain.model.predict(tfidf), regression.predict(tfidf))
    assert np.abs(trained.z_maps(tfidf) - z_maps).max() > 0.01
    # A text without terms has the mean of the maps.
    nothing = plain.model.predict(np.zeros_like(tfidf[:1]))
    np.testing.assert_allclose(nothing[0], regression.intercept)
    assert np.abs(regression.intercept).max() > 0


def test_densities_equal_those_of_neuroquery(rng):
    mask_img = make_masker().fit().mask_img_
    peaks = [rng.normal(size=(9, 3)) * 30 for _ in range(3)]
    table = pd.DataFrame(np.concatenate(peaks), columns=["x", "y", "z"])
    table["pmid"] = np.repeat(range(3), 9)
    expected, _ = coordinates_to_maps(table, mask_img=mask_img, target_affine=None)
    np.testing.assert_allclose(
        smooth(peaks, mask_img), expected, atol=1e-6 * expected.to_numpy().max()
    )


def test_corpus_without_counts_raises():
    with pytest.raises(ValueError, match=re.escape("must have word counts")):
        term_counts({})
