"""Training statistics match direct formulas and a simulated null distribution."""

import re

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_neurocontext import KernelCCA, RidgeBaseline
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import make_masker, prepare_studies
from sklearn_neurocontext.inference import _calibration, training_statistics


@pytest.fixture(scope="module")
def problem():
    corpus = make_studies(n_studies=300, random_state=0)
    masker = make_masker("geometric", 128)
    studies = prepare_studies(corpus, "title", None, masker)
    return corpus.latent[studies.rows], studies, masker


def test_mean_terms_and_reference_match_studies(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    found = training_statistics(
        model, X, studies.y, masker, texts=studies.texts, n_permutations=0
    )
    unit = studies.y / np.linalg.norm(studies.y, axis=1, keepdims=True)
    np.testing.assert_allclose(found.mean, unit.mean(axis=0), rtol=1e-5, atol=1e-9)
    assert found.null_std is None
    assert {row.tobytes() for row in found.reference} == {
        row.tobytes() for row in studies.y
    }
    assert list(found.terms) == sorted(found.terms)
    assert any(" " in term for term in found.terms)
    texts = [f" {' '.join(_words(text))} " for text in studies.texts]
    for term, n_studies in found.terms.items():
        assert n_studies == sum(f" {term} " in text for text in texts) >= 5


def _words(text):
    return re.findall(r"\w+", text.lower())


def test_invalid_n_permutations_raises(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    for wrong, error, words in [
        (1.5, TypeError, "n_permutations must be an integer; got 1.5"),
        (True, TypeError, "n_permutations must be an integer; got True"),
        (-1, ValueError, "n_permutations must be 0 or more; got -1"),
    ]:
        with pytest.raises(error, match=words):
            training_statistics(model, X, studies.y, masker, n_permutations=wrong)
    groups = np.arange(len(X)) % 4
    with pytest.raises(ValueError, match="4 studies are too few to estimate the null"):
        training_statistics(
            model, X, studies.y, masker, groups=groups, n_permutations=1
        )


def test_mean_is_squared_for_square_root_scaling(problem):
    X, studies, masker = problem
    model = KernelCCA(8, y_scaling="sqrt", kernel_width=None).fit(X, studies.y)
    found = training_statistics(model, X, studies.y, masker, n_permutations=0)
    roots = np.sign(studies.y) * np.sqrt(np.abs(studies.y))
    mean = (roots / np.linalg.norm(roots, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(found.mean, mean * np.abs(mean), rtol=1e-4, atol=1e-9)


def test_null_maps_have_mean_squared_z_of_one(problem, monkeypatch):
    X, studies, masker = problem
    # Without the minimum of the null standard deviation, which reduces z.
    monkeypatch.setattr(_calibration, "_FLOOR", 0.0)
    # One penalty, as a search over several sometimes selects a small one for null data.
    model = RidgeBaseline(alphas=[100.0]).fit(X, studies.y)
    done = []
    found = training_statistics(
        model,
        X,
        studies.y,
        masker,
        n_permutations=8,
        on_progress=lambda *counts: done.append(counts),
    )
    assert done[-1] == (8, 8)
    rng = np.random.default_rng(99)
    squares = []
    for _ in range(8):
        rows = rng.permutation(len(X))
        null_model = clone(model).fit(
            X[rows[60:]], studies.y[rng.permutation(rows[60:])]
        )
        maps = null_model.predict(X[rows[:60]]) - found.mean
        squares.append((masker.coefficients_to_voxels(maps) / found.null_std) ** 2)
    assert np.median(np.mean(squares, axis=(0, 1))) == pytest.approx(1, abs=0.25)
    # The strongest voxels of the real model exceed the null.
    maps = masker.coefficients_to_voxels(model.predict(X) - found.mean)
    strongest = np.abs(maps / found.null_std).max(axis=1).mean()
    assert strongest > 1.3 * np.sqrt(squares).max(axis=2).mean()


def test_null_differences_have_mean_squared_z_of_one(problem, monkeypatch):
    X, studies, masker = problem
    monkeypatch.setattr(_calibration, "_FLOOR", 0.0)
    model = RidgeBaseline(alphas=[100.0]).fit(X, studies.y)
    found = training_statistics(model, X, studies.y, masker, n_permutations=8)
    assert (found.null_std_difference < 1.5 * found.null_std).mean() > 0.9
    rng = np.random.default_rng(99)
    squares = []
    for _ in range(8):
        rows = rng.permutation(len(X))
        null_model = clone(model).fit(
            X[rows[60:]], studies.y[rng.permutation(rows[60:])]
        )
        maps = masker.coefficients_to_voxels(null_model.predict(X[rows[:60]]))
        squares.append(((maps[:30] - maps[30:]) / found.null_std_difference) ** 2)
    assert np.median(np.mean(squares, axis=(0, 1))) == pytest.approx(1, abs=0.25)


def test_null_std_of_differences_is_that_of_all_pairs(problem, monkeypatch):
    X, studies, masker = problem
    monkeypatch.setattr(_calibration, "_FLOOR", 0.0)
    predicted = []

    class Spy(RidgeBaseline):
        def predict(self, X):
            predicted.append(super().predict(X))
            return predicted[-1]

    model = Spy(alphas=[100.0]).fit(X, studies.y)
    found = training_statistics(model, X, studies.y, masker, n_permutations=1)
    maps = masker.coefficients_to_voxels(predicted[-1])[:, ::500]
    n_maps = len(maps)
    pairs = [(maps[i] - maps[j]) ** 2 for i in range(n_maps) for j in range(i)]
    expected = np.sqrt(np.mean(pairs, axis=0))
    np.testing.assert_allclose(
        found.null_std_difference[::500], expected, rtol=1e-3, atol=1e-9
    )


def test_permuted_fits_keep_the_chosen_penalty(problem):
    X, studies, masker = problem
    penalties = []

    class Spy(RidgeBaseline):
        def fit(self, X, y):
            super().fit(X, y)
            penalties.append(self.alpha_)
            return self

    model = Spy().fit(X, studies.y)
    training_statistics(model, X, studies.y, masker, n_permutations=2)
    assert penalties == [model.alpha_] * 3
    # Without this, other penalties are chosen.
    rng = np.random.default_rng(0)
    chosen = RidgeBaseline().fit(X, studies.y[rng.permutation(len(X))]).alpha_
    assert chosen != model.alpha_


def test_texts_without_words_have_no_null_scale(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    blank = ["1 2 3"] * len(X)
    found = training_statistics(
        model, X, studies.y, masker, texts=blank, n_permutations=1
    )
    assert (found.word_counts, found.null_scale) == ({}, None)
    # Embeddings of words need an embedder.
    found = training_statistics(
        model, X, studies.y, masker, texts=studies.texts, n_permutations=1
    )
    assert found.word_counts
    assert found.null_scale is None


def test_smoothing_reduces_null_std(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    rough, smooth = (
        training_statistics(
            model, X, studies.y, masker, smoothing_fwhm=fwhm, n_permutations=1
        ).null_std
        for fwhm in (0.0, 14.0)
    )
    # Averages over neighbors vary less on average.
    assert (smooth**2).mean() < 0.9 * (rough**2).mean()


def test_null_std_has_minimum_quantile(problem, monkeypatch):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    null_std = training_statistics(
        model, X, studies.y, masker, n_permutations=1
    ).null_std
    monkeypatch.setattr(_calibration, "_FLOOR", 0.0)
    free = training_statistics(model, X, studies.y, masker, n_permutations=1).null_std
    floor = np.quantile(free, 0.05)
    assert free.min() < floor
    np.testing.assert_allclose(null_std, np.maximum(free, floor), rtol=1e-6)
