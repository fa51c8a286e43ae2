"""Synthetic studies: their texts and peaks follow the known topics."""

import warnings
from collections import Counter

import numpy as np
import pytest

from sklearn_neurocontext.datasets import make_studies, study_texts
from sklearn_neurocontext.datasets._synthetic import _TOPICS
from tests.datasets.corpora import assert_same_corpus

TOPIC_OF_WORD = {
    w: t for t, words in enumerate(_TOPICS.values()) for w in words.split()
}


def test_same_random_state():
    first, second = make_studies(30, random_state=7), make_studies(30, random_state=7)
    assert_same_corpus(first, second)
    np.testing.assert_array_equal(first.latent, second.latent)
    rng = np.random.RandomState(7)
    assert_same_corpus(make_studies(30, random_state=rng), first)


def test_other_random_state():
    first, second = make_studies(30, random_state=0), make_studies(30, random_state=1)
    assert (first.studies["abstract"] != second.studies["abstract"]).all()
    assert not np.allclose(first.latent, second.latent)
    np.testing.assert_array_equal(first.topic_centers, second.topic_centers)


def test_global_generator_is_unchanged():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_studies(5, random_state=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_latent_is_a_mixture():
    corpus = make_studies(50, random_state=0)
    assert corpus.latent.shape == (50, len(corpus.topic_names)) == (50, 8)
    assert (corpus.latent >= 0).all()
    np.testing.assert_allclose(corpus.latent.sum(axis=1), 1)


def test_most_words_belong_to_the_dominant_topic():
    corpus = make_studies(200, noise=0, random_state=0)
    second, first = np.sort(corpus.latent, axis=1)[:, -2:].T
    clear = np.flatnonzero(first > second + 0.3)
    assert len(clear) > 50
    texts = study_texts(corpus, "abstract")
    for row in clear:
        counts = Counter(TOPIC_OF_WORD[word] for word in texts[row].split())
        assert counts.most_common(1)[0][0] == corpus.latent[row].argmax()


def test_word_counts_follow_the_mixtures():
    corpus = make_studies(300, noise=0, random_state=1)
    counts = np.zeros_like(corpus.latent)
    for row, text in enumerate(study_texts(corpus, "abstract")):
        for word in text.split():
            counts[row, TOPIC_OF_WORD[word]] += 1
    shares = counts / counts.sum(axis=1, keepdims=True)
    # The standard error of fractions of 60 words is at most 0.065.
    assert np.abs(shares - corpus.latent).mean() < 0.04
    assert np.abs((shares - corpus.latent).mean(axis=0)).max() < 0.02


def test_peaks_are_near_the_centers_of_their_topics():
    corpus = make_studies(200, n_peaks=20, noise=0, random_state=0)
    centers = corpus.topic_centers.reshape(-1, 3)
    near, topics = [], []
    for peaks, mixture in zip(corpus.peaks, corpus.latent, strict=True):
        distances = np.linalg.norm(peaks[:, None] - centers, axis=2)
        near.append(distances.min(axis=1))
        topics.append(mixture[distances.argmin(axis=1) // 3])
    # With a standard deviation of 5 mm per axis, the mean distance is 8 mm; distances
    # above 20 mm are rare.
    assert np.concatenate(near).max() < 25
    assert np.concatenate(near).mean() < 8.5
    # The expected share of a topic that is drawn with its share as probability.
    share = (corpus.latent**2).sum(axis=1).mean()
    assert np.concatenate(topics).mean() > 0.8 * share


def test_noise_replaces_peaks_and_words():
    noisy = make_studies(100, noise=1, random_state=0)
    used = {word for text in study_texts(noisy, "abstract") for word in text.split()}
    assert not used & TOPIC_OF_WORD.keys()
    centers = noisy.topic_centers.reshape(-1, 3)
    peaks = np.concatenate(noisy.peaks)
    distances = np.linalg.norm(peaks[:, None] - centers, axis=2).min(axis=1)
    assert np.median(distances) > 9


def test_number_of_peaks():
    corpus = make_studies(500, n_peaks=6, random_state=0)
    sizes = [len(peaks) for peaks in corpus.peaks]
    assert min(sizes) >= 1
    assert np.mean(sizes) == pytest.approx(6, abs=0.5)


def test_peaks_are_mni_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus = make_studies(3, random_state=0)
    assert set(corpus.space_counts) == {"MNI"}
    assert corpus.studies["coordinate_space"].eq("MNI").all()


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "3"])
@pytest.mark.parametrize("name", ["n_studies", "n_peaks"])
def test_counts_must_be_positive(name, wrong):
    with pytest.raises(ValueError, match=f"{name} must be a positive integer; got"):
        make_studies(**{name: wrong})


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan, "0.2"])
def test_noise_must_be_a_fraction(wrong):
    with pytest.raises(ValueError, match="noise must be a number between 0 and 1; got"):
        make_studies(2, noise=wrong)
