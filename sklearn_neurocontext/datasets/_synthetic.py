"""Synthetic studies whose latent is known."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from ._bunch import make_bunch

# Words that a topic's texts draw from, and the words that all texts share.
_TOPICS = {
    "motor": "finger tapping movement hand motor grip",
    "vision": "visual checkerboard faces objects retinotopy scenes",
    "language": "words reading sentences speech semantic phonological",
    "memory": "encoding retrieval recollection hippocampus episodic recognition",
    "pain": "pain heat nociceptive noxious intensity analgesia",
    "emotion": "fear emotional arousal threat amygdala anxiety",
    "attention": "attention cueing vigilance distractors orienting search",
    "reward": "reward monetary incentive gambling striatum outcome",
}
_COMMON = "participants brain activity task condition imaging study response group"
# An ellipsoid well inside the MNI brain, in mm.
_CENTER = np.array([0.0, -22.0, 18.0])
_RADII = np.array([40.0, 54.0, 32.0])
_CENTERS_PER_TOPIC = 3


def make_studies(
    n_studies: int = 200, *, n_peaks: int = 8, noise: float = 0.2, random_state=None
):
    """Make studies whose texts and peaks come from the same known mixture of topics.

    Each study mixes eight topics. Its words are drawn from the topics' words and from
    common ones, its peaks around the topics' centers (Gaussian, 5 mm) or anywhere.

    Parameters
    ----------
    n_studies : int, default=200
        Number of studies.
    n_peaks : int, default=8
        Peaks of a study on average (Poisson, at least one).
    noise : float, default=0.2
        Share of peaks that lie anywhere and of words that say nothing, in [0, 1].
    random_state : int, RandomState instance or None, default=None
        Seed of all draws but the centers, which are always the same.

    Returns
    -------
    corpus : Bunch
        ``studies`` (title and abstract), ``peaks``, ``groups``, ``space_counts``,
        ``description`` as every loader gives them, and ``latent`` (ndarray of shape
        (n_studies, 8), rows sum to one) with ``topic_names`` and ``topic_centers``
        (ndarray of shape (8, 3, 3): three centers of each topic, MNI, mm).

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> corpus = make_studies(n_studies=3, random_state=0)
    >>> corpus.latent.shape, len(corpus.peaks)
    ((3, 8), 3)
    """
    _check(n_studies, n_peaks, noise)
    rng = check_random_state(random_state)
    centers = _topic_centers()
    latent = rng.dirichlet(np.full(len(_TOPICS), 0.3), size=n_studies)
    titles, abstracts, peaks = [], [], []
    for mixture in latent:
        titles.append(" ".join(_draw_words(rng, mixture, 8, noise)))
        abstracts.append(" ".join(_draw_words(rng, mixture, 60, noise)))
        size = max(1, rng.poisson(n_peaks))
        peaks.append(_draw_peaks(rng, mixture, centers, size, noise))
    names = [f"synthetic-{row:05d}" for row in range(n_studies)]
    studies = pd.DataFrame({"study_id": names, "title": titles, "abstract": abstracts})
    sizes = [len(of_study) for of_study in peaks]
    return make_bunch(
        studies,
        np.repeat(np.arange(n_studies), sizes),
        np.concatenate(peaks),
        ["MNI"] * sum(sizes),
        description=f"{n_studies:,} synthetic studies of {len(_TOPICS)} topics.",
        latent=latent,
        topic_names=list(_TOPICS),
        topic_centers=centers,
    )


def _check(n_studies, n_peaks, noise):
    for name, value in (("n_studies", n_studies), ("n_peaks", n_peaks)):
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a positive integer; got {value!r}.")
    if not isinstance(noise, Real) or not 0 <= noise <= 1:
        raise ValueError(f"noise must be a number between 0 and 1; got {noise!r}.")


def _topic_centers() -> np.ndarray:
    """Draw each topic's centers in the ellipsoid: (n_topics, n_centers, 3), in mm."""
    rng = np.random.default_rng(20240801)
    return _anywhere(rng, len(_TOPICS) * _CENTERS_PER_TOPIC).reshape(
        len(_TOPICS), _CENTERS_PER_TOPIC, 3
    )


def _anywhere(rng, size):
    directions = rng.normal(size=(size, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return _CENTER + _RADII * directions * rng.uniform(size=(size, 1)) ** (1 / 3)


def _draw_words(rng, mixture, size, noise):
    vocabularies = [words.split() for words in _TOPICS.values()]
    common = _COMMON.split()
    topics = rng.choice(len(mixture), size=size, p=mixture)
    blank = rng.uniform(size=size) < noise
    return [
        rng.choice(common if empty else vocabularies[topic])
        for topic, empty in zip(topics, blank, strict=True)
    ]


def _draw_peaks(rng, mixture, centers, size, noise):
    topics = rng.choice(len(mixture), size=size, p=mixture)
    near = centers[topics, rng.randint(_CENTERS_PER_TOPIC, size=size)]
    near = near + rng.normal(scale=5.0, size=(size, 3))
    stray = rng.uniform(size=(size, 1)) < noise
    return np.where(stray, _anywhere(rng, size), near)
