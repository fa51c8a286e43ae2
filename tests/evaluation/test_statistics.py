"""What a model needs beside itself, against direct formulas and chance itself."""

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_neurocontext import KernelCCA, RidgeBaseline, evaluation
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.evaluation import (
    make_masker,
    predict_coefficients,
    prepare_studies,
    training_statistics,
)


@pytest.fixture(scope="module")
def problem():
    corpus = make_studies(n_studies=300, random_state=0)
    masker = make_masker("geometric", 128)
    studies = prepare_studies(corpus, "title", None, masker)
    return corpus.latent[studies.rows], studies, masker


def test_mean_terms_and_reference_are_of_the_studies(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    found = training_statistics(model, X, studies, masker, n_exchanges=0)
    unit = studies.y / np.linalg.norm(studies.y, axis=1, keepdims=True)
    np.testing.assert_allclose(found.mean, unit.mean(axis=0), rtol=1e-5, atol=1e-9)
    assert found.z_scale is None
    assert {row.tobytes() for row in found.reference} == {
        row.tobytes() for row in studies.y
    }
    assert list(found.terms) == sorted(found.terms)
    for term, n_studies in list(found.terms.items())[:20]:
        if " " not in term:
            texts = [text.lower().split() for text in studies.texts]
            assert n_studies == sum(term in words for words in texts) >= 5


def test_mean_of_roots_is_squared_as_predictions_are(problem):
    X, studies, masker = problem
    model = KernelCCA(8, y_scaling="sqrt", kernel_width=None).fit(X, studies.y)
    found = training_statistics(model, X, studies, masker, n_exchanges=0)
    roots = np.sign(studies.y) * np.sqrt(np.abs(studies.y))
    mean = (roots / np.linalg.norm(roots, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(found.mean, mean * np.abs(mean), rtol=1e-4, atol=1e-9)
    predicted = model.predict(X)
    assert (predicted < 0).any()
    np.testing.assert_array_equal(
        predict_coefficients(model, X), np.sign(predicted) * predicted**2
    )


def test_maps_by_chance_have_z_of_mean_square_one(problem, monkeypatch):
    X, studies, masker = problem
    # Without the floor, which makes z smaller.
    monkeypatch.setattr(evaluation._statistics, "_FLOOR", 0.0)
    # With one penalty: a search over several, by chance, sometimes takes a small one.
    model = RidgeBaseline(alphas=[100.0]).fit(X, studies.y)
    done = []
    found = training_statistics(
        model,
        X,
        studies,
        masker,
        n_exchanges=8,
        on_progress=lambda *counts: done.append(counts),
    )
    assert done[-1] == (8, 8)
    rng = np.random.default_rng(99)
    squares = []
    for _ in range(8):
        rows = rng.permutation(len(X))
        by_chance = clone(model).fit(
            X[rows[60:]], studies.y[rng.permutation(rows[60:])]
        )
        maps = predict_coefficients(by_chance, X[rows[:60]]) - found.mean
        squares.append((masker.coefficients_to_voxels(maps) / found.z_scale) ** 2)
    assert np.median(np.mean(squares, axis=(0, 1))) == pytest.approx(1, abs=0.25)
    # Of what the model really learned, the strongest voxels are beyond chance.
    maps = masker.coefficients_to_voxels(predict_coefficients(model, X) - found.mean)
    strongest = np.abs(maps / found.z_scale).max(axis=1).mean()
    assert strongest > 1.3 * np.sqrt(squares).max(axis=2).mean()


def test_the_floor_is_a_quantile_over_voxels(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    z_scale = training_statistics(model, X, studies, masker, n_exchanges=1).z_scale
    assert np.mean(z_scale == z_scale.min()) >= 0.05
    again = training_statistics(model, X, studies, masker, n_exchanges=1).z_scale
    np.testing.assert_array_equal(z_scale, again)
