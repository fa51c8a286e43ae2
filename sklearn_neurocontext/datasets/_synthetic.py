"""Generate synthetic studies with known topics."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from ._bunch import count_words, make_bunch

# Words of each topic, and common words, which may occur in all texts.
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
# Center and radii, in mm, of an ellipsoid inside the brain in MNI space. All uniformly
# drawn points are in this ellipsoid.
_CENTER = np.array([0.0, -22.0, 18.0])
_RADII = np.array([40.0, 54.0, 32.0])
_CENTERS_PER_TOPIC = 3


def make_studies(
    n_studies: int = 200, *, n_peaks: int = 8, noise: float = 0.2, random_state=None
):
    """Generate synthetic studies whose texts and peaks depend on the same topics.

    Each study has a random proportion of each of eight topics. For each word and each
    peak of a study, a topic is drawn with these proportions as probabilities. With
    probability `noise`, a word is a common word, and otherwise it is a word of the
    drawn topic. With probability `noise`, a peak is drawn uniformly in an ellipsoid
    inside the brain. Otherwise, it is drawn from a Gaussian distribution around a
    center of the drawn topic, with a standard deviation of 5 mm.

    Parameters
    ----------
    n_studies : int, default=200
        Number of studies.
    n_peaks : int, default=8
        The number of peaks of a study is drawn from a Poisson distribution with this
        mean. If the drawn number is zero, the study has one peak.
    noise : float, default=0.2
        Probability, in [0, 1], that a word or a peak does not depend on the topics.
    random_state : int, RandomState instance or None, default=None
        Seed of all random numbers, except the centers of the topics, which are always
        the same.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`, and three more fields.
        ``latent`` is an ndarray of shape (n_studies, 8) with the proportion of each
        topic in each study. ``topic_names`` is a list of str. ``topic_centers`` is an
        ndarray of shape (8, 3, 3) with three centers per topic, in mm in MNI space.
        The only text fields are the title and the abstract.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> corpus = make_studies(n_studies=3, random_state=0)
    >>> corpus.latent.shape, len(corpus.peaks)
    ((3, 8), 3)
    """
    _check_parameters(n_studies, n_peaks, noise)
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
        description=count_words(n_studies, "synthetic study", "synthetic studies")
        + f" of {len(_TOPICS)} topics.",
        latent=latent,
        topic_names=list(_TOPICS),
        topic_centers=centers,
    )


def _check_parameters(n_studies, n_peaks, noise):
    """Check the parameters of `make_studies`."""
    for name, value in (("n_studies", n_studies), ("n_peaks", n_peaks)):
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a positive integer; got {value!r}.")
    if not isinstance(noise, Real) or not 0 <= noise <= 1:
        raise ValueError(f"noise must be a number between 0 and 1; got {noise!r}.")


def _topic_centers() -> np.ndarray:
    """Return the centers of topics, in mm, with shape (n_topics, n_centers, 3)."""
    rng = np.random.default_rng(20240801)
    return _draw_in_brain(rng, len(_TOPICS) * _CENTERS_PER_TOPIC).reshape(
        len(_TOPICS), _CENTERS_PER_TOPIC, 3
    )


def _draw_in_brain(rng, size):
    """Draw points in the ellipsoid; return an array of shape (size, 3), in mm."""
    directions = rng.normal(size=(size, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return _CENTER + _RADII * directions * rng.uniform(size=(size, 1)) ** (1 / 3)


def _draw_words(rng, mixture, size, noise):
    """Draw words of topics; with probability `noise`, draw common words instead."""
    vocabularies = [words.split() for words in _TOPICS.values()]
    common = _COMMON.split()
    topics = rng.choice(len(mixture), size=size, p=mixture)
    common_rows = rng.uniform(size=size) < noise
    return [
        rng.choice(common if is_common else vocabularies[topic])
        for topic, is_common in zip(topics, common_rows, strict=True)
    ]


def _draw_peaks(rng, mixture, centers, size, noise):
    """Draw peaks of shape (size, 3); with probability `noise`, draw them uniformly."""
    topics = rng.choice(len(mixture), size=size, p=mixture)
    near = centers[topics, rng.randint(_CENTERS_PER_TOPIC, size=size)]
    near = near + rng.normal(scale=5.0, size=(size, 3))
    scattered = rng.uniform(size=(size, 1)) < noise
    return np.where(scattered, _draw_in_brain(rng, size), near)
