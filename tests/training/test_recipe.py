"""Recipe of the shipped model: its terms and its mean map."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.utils import Bunch

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers import density_map
from training.measures import mean_density
from training.recipe import choose_terms


def _corpus():
    vocabulary = ["12", "2 back", "memory", "rare", "the", "visual system", "working"]
    vocabulary += ["working memory", "a b c d"]
    counts = sparse.csr_array(np.ones((4, len(vocabulary)), dtype=int))
    counts = counts.multiply([1, 1, 1, 0, 1, 1, 0, 2, 1]).tocsr()
    counts[0, 3] = 1
    none = sparse.csr_array(counts.shape, dtype=int)
    parts = {"title": counts, "keywords": none, "abstract": none}
    return Bunch(vocabulary=vocabulary, term_counts=parts)


def test_terms_exclude_numbers_and_stop_words():
    terms, counts = choose_terms(_corpus(), np.arange(4), 2)
    assert terms == ["memory", "visual system", "working memory"]
    np.testing.assert_array_equal(counts.toarray(), np.tile([3, 1, 2], (4, 1)))
    terms, _ = choose_terms(_corpus(), np.arange(4), 2, all_words=True)
    known = ["12", "2 back", "memory", "the", "visual system", "working memory"]
    assert terms == known


def test_words_inside_terms_are_counted():
    terms, counts = choose_terms(_corpus(), np.arange(4), 0)
    column = dict(zip(terms, counts.toarray().T, strict=True))
    np.testing.assert_array_equal(column["memory"], [3, 3, 3, 3])
    np.testing.assert_array_equal(column["working"], [2, 2, 2, 2])
    np.testing.assert_array_equal(column["rare"], [1, 0, 0, 0])


def test_mean_density_divides_by_norms(rng):
    masker = KDEDiFuMoMasker("geometric", 128).fit()
    peaks = [rng.uniform(-30, 30, size=(n, 3)) for n in (1, 4, 9)]
    coefficients = masker.transform(peaks)
    norms = np.linalg.norm(coefficients, axis=1)
    found = mean_density(peaks, coefficients, masker.mask_img_)
    by_hand = sum(
        density_map(one, masker.mask_img_) / norm
        for one, norm in zip(peaks, norms, strict=True)
    )
    np.testing.assert_allclose(found, by_hand / 3, rtol=1e-4, atol=1e-9)
    # The map of the mean coefficients has the same mass up to approximation.
    mean = (coefficients / norms[:, None]).mean(axis=0, keepdims=True)
    rough = masker.coefficients_to_voxels(mean)[0]
    assert rough.sum() == pytest.approx(found.sum(), rel=0.1)
