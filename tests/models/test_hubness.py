"""Tests of the correction of hubs by training studies."""

import numpy as np
import pytest

from sklearn_neurocontext.models._hubness import correct_hubness, soft_maximum
from sklearn_neurocontext.models._scaling import unit_rows


@pytest.fixture
def latents(rng):
    return [unit_rows(rng.normal(size=(n, 3))) for n in (4, 6, 9, 9)]


def test_soft_maximum_lies_between_mean_and_maximum(rng):
    rows = rng.normal(size=(5, 8))
    np.testing.assert_allclose(soft_maximum(rows, 1e-4), rows.max(axis=1), atol=1e-3)
    np.testing.assert_allclose(soft_maximum(rows, 1e4), rows.mean(axis=1), atol=1e-3)
    middle = soft_maximum(rows, 0.5)
    assert (rows.mean(axis=1) < middle).all()
    assert (middle < rows.max(axis=1)).all()


def test_soft_maximum_does_not_overflow():
    np.testing.assert_allclose(
        soft_maximum(np.array([[1e6, 0.0]]), 1.0), 1e6, rtol=1e-6
    )


def test_equals_the_formula_entry_by_entry(latents):
    text, brain, texts, brains = latents
    corrected = correct_hubness(text, brain, texts, brains, temperature=0.2, weight=0.7)

    def soft(one, references):
        return 0.2 * np.log(np.mean([np.exp(one @ r / 0.2) for r in references]))

    for i, t in enumerate(text):
        for j, b in enumerate(brain):
            expected = t @ b - 0.7 * soft(t, brains) - 0.7 * soft(b, texts)
            np.testing.assert_allclose(corrected[i, j], expected)


def test_no_weight_gives_cosines(latents):
    text, brain, texts, brains = latents
    cosines = correct_hubness(text, brain, texts, brains, temperature=0.2, weight=0)
    np.testing.assert_allclose(cosines, text @ brain.T)


def test_a_map_near_to_all_training_texts_is_pushed_back():
    hub, rare = np.array([1.0, 0.0]), np.array([0.6, 0.8])
    texts = np.tile(hub, (5, 1))
    query = unit_rows(np.array([[1.0, 0.4]]))
    maps = np.stack([hub, rare])
    settings = {"temperature": 0.1}
    plain = correct_hubness(query, maps, texts, texts, weight=0, **settings)[0]
    corrected = correct_hubness(query, maps, texts, texts, weight=0.5, **settings)[0]
    assert plain[0] > plain[1]
    assert corrected[0] < corrected[1]
