"""Fixtures: a coarse masker, and studies of two topics with peaks at two places."""

import numpy as np
import pytest

from sklearn_neurocontext import KDEDiFuMoMasker

MOTOR, VISUAL = [-40, -24, 56], [44, -50, -20]


@pytest.fixture(scope="session")
def masker():
    """Masker with 128 parcels on a grid of 12 mm, unfitted."""
    return KDEDiFuMoMasker("geometric", 128, target_affine=12.0, fwhm=20.0)


@pytest.fixture(scope="session")
def studies():
    """Texts and peaks of 60 studies; the topic of a study determines both."""
    rng = np.random.default_rng(0)
    topics = {"finger tapping": MOTOR, "faces": VISUAL, "pain": [0, 10, 40]}
    words = ["patients", "adults", "children", "learning", "control"]
    texts, peaks = [], []
    for row in range(60):
        topic = list(topics)[row % 3]
        texts.append(f"{topic} in {words[row % 5]} of group {words[row % 4]}")
        peaks.append(topics[topic] + rng.normal(size=(rng.integers(1, 6), 3)) * 9)
    return texts, peaks
