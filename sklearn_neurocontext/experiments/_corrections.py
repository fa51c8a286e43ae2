"""Estimators with hubness corrections, and a pipeline step that makes arrays dense."""

import numpy as np
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, clone

from ..metrics import csls, similarity


def to_dense(X) -> np.ndarray:
    """Convert a sparse matrix to a dense array of float32."""
    return np.asarray(X.todense(), dtype=np.float32)


class HubnessCorrected(BaseEstimator):
    """Estimator with a hubness correction that is computed from the training studies.

    The correction is the same as in `KernelCCA`. Two values are multiplied by `weight`
    and subtracted from the similarity of a text and a map. The first value is the soft
    maximum of the similarities of the text with all training maps. The second value is
    the soft maximum of the similarities of the map with all training texts.
    """

    def __init__(self, estimator, weight=0.5, temperature=0.05):
        self.estimator = estimator
        self.weight = weight
        self.temperature = temperature

    def fit(self, X, y):
        """Fit the estimator and store the training studies."""
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.X_, self.y_ = X, y
        return self

    def similarity(self, X, y):
        """Return the corrected similarities of all texts with all maps."""
        of_texts = self._soft_maximum(similarity(self.estimator_, X, self.y_))
        of_maps = self._soft_maximum(similarity(self.estimator_, self.X_, y).T)
        correction = of_texts[:, None] + of_maps
        return similarity(self.estimator_, X, y) - self.weight * correction

    def _soft_maximum(self, values):
        """Return the soft maximum of each row."""
        scaled = logsumexp(values / self.temperature, axis=1) - np.log(values.shape[1])
        return self.temperature * scaled


class CorrectedByCandidates(BaseEstimator):
    """Estimator whose similarities are corrected by CSLS.

    `similarity` computes the correction from the texts and maps that it compares, so
    each corrected similarity depends on all of them.
    """

    def __init__(self, estimator, k=10):
        self.estimator = estimator
        self.k = k

    def fit(self, X, y):
        """Fit the estimator."""
        self.estimator_ = clone(self.estimator).fit(X, y)
        return self

    def similarity(self, X, y):
        """Return the corrected similarities of all texts with all maps."""
        return csls(similarity(self.estimator_, X, y), self.k)
