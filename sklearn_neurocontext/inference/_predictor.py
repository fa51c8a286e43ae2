"""A fitted model in two steps, and what may stand in its place."""

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize

from .._utils.estimators import innermost_model
from .._utils.validation import check_is_fitted


class Predictor:
    """A fitted model from texts: their features, and what is made of features.

    Parameters
    ----------
    model : Pipeline or TextBrainEnsemble
        Fitted; takes texts and predicts coefficients.
    unit_maps : bool
        Whether maps are scaled to norm one before they are compared.

    Raises
    ------
    TypeError
        If the model is neither, or predicts nothing.
    NotFittedError
        If it is not fitted.
    """

    def __init__(self, model, unit_maps: bool):
        last = model[-1] if isinstance(model, Pipeline) else model
        members = hasattr(model, "estimators")
        if not (isinstance(model, Pipeline) or members) or not hasattr(last, "predict"):
            raise TypeError(
                f"model is a {type(model).__name__}; expected a fitted Pipeline from "
                "texts to an estimator that predicts coefficients, for example "
                "make_pipeline(LLMChunkEmbedder(), CCABaseline()), or a "
                "TextBrainEnsemble of such pipelines."
            )
        check_is_fitted(last)
        self._model, self._last, self._unit_maps = model, last, unit_maps
        self.n_components = _first_model(last).n_components_

    @property
    def has_features(self) -> bool:
        """Whether texts have features; those of an ensemble are the members' own."""
        return isinstance(self._model, Pipeline) and len(self._model) > 1

    def features(self, texts):
        """Give the features of texts, or of an ensemble the texts: (n_texts, …)."""
        if not self.has_features:
            return np.array(texts, dtype=object)
        features = self._model[:-1].transform(texts)
        return features.tocsr() if issparse(features) else features

    def coefficients(self, features) -> np.ndarray:
        """Predict coefficients: (n_texts, n_components)."""
        return self._last.predict(features)

    def similarity(self, features, coefficients) -> np.ndarray:
        """Compare texts with maps: (n_texts, n_maps)."""
        if self._unit_maps:
            coefficients = normalize(coefficients)
        return self._last.similarity(features, coefficients)


def _first_model(estimator):
    """Return the model inside an estimator, of an ensemble its first member's."""
    model = innermost_model(estimator)
    return (
        _first_model(model.estimators_[0]) if hasattr(model, "estimators_") else model
    )
