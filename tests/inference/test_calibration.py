"""What a model needs beside itself, against direct formulas and chance itself."""

import dataclasses
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from sklearn_neurocontext import KernelCCA, RidgeBaseline, inference
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import make_masker, prepare_studies
from sklearn_neurocontext.inference import training_statistics


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
    assert any(" " in term for term in found.terms)
    texts = [f" {' '.join(_words(text))} " for text in studies.texts]
    for term, n_studies in found.terms.items():
        assert n_studies == sum(f" {term} " in text for text in texts) >= 5


def _words(text):
    return re.findall(r"\w+", text.lower())


def _count_all(texts, n_terms):
    """Count all pairs of all words, then choose: what the module need not keep."""
    counts = Counter()
    for text in texts:
        words = _words(text)
        terms = {*words, *map(" ".join, pairwise(words))}
        counts.update(
            term
            for term in terms
            if all(
                len(word) > 1
                and not word[0].isdigit()
                and word not in ENGLISH_STOP_WORDS
                for word in term.split()
            )
        )
    ranking = sorted(counts, key=lambda term: (-counts[term], term))[:n_terms]
    return {term: counts[term] for term in sorted(ranking) if counts[term] >= 5}


@pytest.mark.parametrize("n_terms", [3, 10, 40, 1000])
def test_terms_are_those_of_a_count_of_all_pairs(n_terms, monkeypatch):
    monkeypatch.setattr(inference._calibration, "_N_TERMS", n_terms)
    rng = np.random.default_rng(0)
    known = [
        "pain",
        "of",
        "the",
        "amygdala",
        "role",
        "3",
        "b7",
        "memory",
        "load",
        "and",
        "fear",
        "x",
    ]
    texts = [" ".join(rng.choice(known, 12)) for _ in range(60)]
    found = inference._calibration._count_terms(texts)
    assert found == _count_all(texts, n_terms)
    assert list(found) == sorted(found)


def test_pairs_stand_side_by_side_in_a_text():
    texts = ["The role of the amygdala, 3 tasks in pain memory"] * 5 + ["pain"]
    assert inference._calibration._count_terms(texts) == {
        "amygdala": 5,
        "memory": 5,
        "pain": 6,
        "pain memory": 5,
        "role": 5,
        "tasks": 5,
    }
    assert inference._calibration._count_terms(["", "of 3"] * 9) == {}


def test_too_few_studies_or_no_number_of_fits(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    for wrong, error, words in [
        (1.5, TypeError, "n_exchanges is 1.5; expected an integer"),
        (True, TypeError, "n_exchanges is True; expected an integer"),
        (-1, ValueError, "n_exchanges is -1; expected 0 or more"),
    ]:
        with pytest.raises(error, match=words):
            training_statistics(model, X, studies, masker, n_exchanges=wrong)
    groups = np.arange(len(X)) % 4
    few = dataclasses.replace(studies, groups=groups)
    with pytest.raises(ValueError, match="4 studies are too few to measure chance"):
        training_statistics(model, X, few, masker, n_exchanges=1)


def test_mean_of_roots_becomes_a_density_as_predictions_do(problem):
    X, studies, masker = problem
    model = KernelCCA(8, y_scaling="sqrt", kernel_width=None).fit(X, studies.y)
    found = training_statistics(model, X, studies, masker, n_exchanges=0)
    roots = np.sign(studies.y) * np.sqrt(np.abs(studies.y))
    mean = (roots / np.linalg.norm(roots, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(found.mean, mean * np.abs(mean), rtol=1e-4, atol=1e-9)


def test_maps_by_chance_have_z_of_mean_square_one(problem, monkeypatch):
    X, studies, masker = problem
    # Without the floor, which makes z smaller.
    monkeypatch.setattr(inference._calibration, "_FLOOR", 0.0)
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
        maps = by_chance.predict(X[rows[:60]]) - found.mean
        squares.append((masker.coefficients_to_voxels(maps) / found.z_scale) ** 2)
    assert np.median(np.mean(squares, axis=(0, 1))) == pytest.approx(1, abs=0.25)
    # Of what the model really learned, the strongest voxels are beyond chance.
    maps = masker.coefficients_to_voxels(model.predict(X) - found.mean)
    strongest = np.abs(maps / found.z_scale).max(axis=1).mean()
    assert strongest > 1.3 * np.sqrt(squares).max(axis=2).mean()


def test_chance_is_measured_with_maps_as_smooth_as_those_given(problem):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    rough, smooth = (
        training_statistics(
            model, X, studies, masker, smoothing_fwhm=fwhm, n_exchanges=1
        ).z_scale
        for fwhm in (0.0, 14.0)
    )
    # Averages over neighbours vary less, all in all.
    assert (smooth**2).mean() < 0.9 * (rough**2).mean()


def test_the_floor_is_a_quantile_over_voxels(problem, monkeypatch):
    X, studies, masker = problem
    model = RidgeBaseline().fit(X, studies.y)
    z_scale = training_statistics(model, X, studies, masker, n_exchanges=1).z_scale
    monkeypatch.setattr(inference._calibration, "_FLOOR", 0.0)
    free = training_statistics(model, X, studies, masker, n_exchanges=1).z_scale
    floor = np.quantile(free, 0.05)
    assert free.min() < floor
    np.testing.assert_allclose(z_scale, np.maximum(free, floor), rtol=1e-6)
