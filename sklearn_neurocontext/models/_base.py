"""Base classes of the estimators, and functions that scale coefficients.

A brain map is described by coefficients. There is one coefficient per component, that
is, per map of an atlas.
"""

import copy

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from .._utils.validation import (
    calling_regression_metric,
    check_is_fitted,
    check_random_state,
    innermost_model,
    validate_data,
)
from .._utils.volumes import normalize_studies, to_densities, unit_rows
from ..metrics import mix_match_score


def compute_mean_and_scale(normalized: np.ndarray, y_scaling: str | None):
    """Compute the mean and standard deviation of each component over studies.

    `normalized` has shape (n_studies, n_components). It contains the coefficients of
    each study after the normalization that `y_scaling` selects. The standard deviation
    of a component is replaced by 1 if the component is constant or `y_scaling` is None.
    """
    mean = normalized.mean(axis=0)
    if y_scaling is None:
        return mean, np.ones_like(mean)
    scale = normalized.std(axis=0)
    # Because of rounding errors, the computed standard deviation of a constant
    # component can be slightly larger than zero.
    constant = scale <= 10 * np.finfo(normalized.dtype).eps * np.abs(mean)
    return mean, np.where(constant, 1, scale).astype(normalized.dtype)


def scale_like_predictions(estimator, y, *, average=False) -> np.ndarray:
    """Transform observed coefficients to the scale of an estimator's predictions.

    Parameters
    ----------
    estimator : estimator
        Model of this package, a Pipeline that ends in such a model, or a hyperparameter
        search over such a model or Pipeline. A `TextBrainEnsemble` must be fitted.
    y : array-like of shape (n_studies, n_components)
        Coefficients of the studies.
    average : bool, default=False
        Whether to return the mean over studies. The mean approximates the prediction
        for an uninformative text. With ``y_scaling="sqrt"``, models are fitted to
        signed square roots of coefficients. For such models, the function averages the
        signed square roots, then squares the mean and keeps its sign.

    Returns
    -------
    densities : ndarray of shape (n_studies, n_components) or (n_components,)
        Coefficients of each study, or their mean if `average` is True. The scale
        depends on the `y_scaling` of the estimator:

        - ``"unit"``: the coefficients of each study are divided by their L2 norm.
        - ``"sqrt"``: the coefficients of each study are divided by their L1 norm.
        - None: the coefficients are unchanged.

    Raises
    ------
    ValueError
        If the estimators of an ensemble differ in ``y_scaling``.

    Examples
    --------
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.models import scale_like_predictions
    >>> y = [[3.0, -4.0], [0.0, 2.0]]
    >>> scale_like_predictions(RidgeBaseline(y_scaling="unit"), y).tolist()
    [[0.6, -0.8], [0.0, 1.0]]
    >>> scale_like_predictions(RidgeBaseline(y_scaling="sqrt"), y).round(2).tolist()
    [[0.43, -0.57], [0.0, 1.0]]
    """
    y_scaling = getattr(innermost_model(estimator), "y_scaling", None)
    normalized = normalize_studies(np.asarray(y), y_scaling)
    return to_densities(normalized.mean(axis=0) if average else normalized, y_scaling)


def draw_seed(random_state) -> int:
    """Draw an integer seed from a random state."""
    return check_random_state(random_state).randint(np.iinfo(np.int32).max)


def _first_row(rows):
    """Return the first row of a sequence that can contain texts or arrays of peaks.

    Such a sequence is a list, a tuple, or an array with the dtype object or string. For
    other types, such as numeric arrays and sparse matrices, return None.
    """
    kind = getattr(getattr(rows, "dtype", None), "kind", None)
    if isinstance(rows, list | tuple) or kind in ("O", "U", "T"):
        return next(iter(rows), None)
    return None


class MixMatchMixin:
    """Mixin that adds a method `score` to estimators with a method `similarity`."""

    def score(self, X, y):
        """Compute the mix&match score of texts and brain maps of the same studies.

        The true map of a text is the map of the same study. All other maps are wrong
        maps. For each text, the method computes the fraction of wrong maps that are
        less similar to the text than the true map is. The mix&match score is the
        average of this fraction over texts.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str, with n_studies rows
            Embeddings, other features or texts, as in `fit`.
        y : array-like of shape (n_studies, n_components), or peaks
            Coefficients or peaks of the same studies in the same order, as in `fit`.

        Returns
        -------
        mix_match : float
            Fraction in [0, 1]. The chance level is 0.5 for any number of studies.
        """
        return mix_match_score(self.similarity(X, y))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


class TextBrainEstimator(MixMatchMixin, BaseEstimator):
    """Base class of estimators that relate embeddings X to coefficients y.

    A subclass defines the methods `fit` and `_predict_standardized(X)`. The method
    `_predict_standardized` returns standardized coefficients. These are computed from
    coefficients as follows: the coefficients of each study are normalized as
    `y_scaling` selects, then `y_mean_` is subtracted, and the result is divided by
    `y_scale_`. A subclass may override `_similarity(X, standardized)`, where
    `standardized` contains the standardized coefficients of the maps. A subclass that
    accepts sparse X sets `_takes_sparse` to True. If y does not contain coefficients,
    the subclass sets two strings that error messages contain: `_y_name` describes y,
    and `_y_from_peaks` is code that computes y from peaks.
    """

    _takes_sparse = False
    _y_name = "coefficients"
    _y_from_peaks = "KDEDiFuMoMasker(…).fit_transform(peaks)"

    def __getstate__(self):
        # Networks are copied to the CPU before they are pickled. For example, a network
        # pickled on a GPU could not be loaded on a machine without a GPU.
        return {
            name: copy.deepcopy(value).cpu() if hasattr(value, "state_dict") else value
            for name, value in super().__getstate__().items()
        }

    def _check_fit_input(self, X, y, *, dtype):
        """Validate X and y, and return X and the standardized y.

        The mean and standard deviation of each component of y are stored in `y_mean_`
        and `y_scale_`.
        """
        X, y = self._check_X_y(X, y, dtype=dtype)
        normalized = normalize_studies(y, self.y_scaling, X.dtype)
        self.y_mean_, self.y_scale_ = compute_mean_and_scale(normalized, self.y_scaling)
        return X, (normalized - self.y_mean_) / self.y_scale_

    def _check_X_y(self, X, y, *, dtype):
        """Validate X and y, and return both; the returned y has two dimensions."""
        self._check_pipeline_stage(X, y)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr" if self._takes_sparse else False,
            dtype=dtype,
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=2,
        )
        self._single_component = y.ndim == 1
        y = y.reshape(len(y), -1)
        self.n_components_ = y.shape[1]
        return X, y

    def _check_X(self, X):
        """Check that the estimator is fitted, and return the validated X."""
        check_is_fitted(self)
        self._check_pipeline_stage(X)
        return validate_data(
            self,
            X,
            reset=False,
            accept_sparse="csr" if self._takes_sparse else False,
            dtype=self.y_mean_.dtype,
        )

    def _check_pipeline_stage(self, X, y=None):
        """Raise TypeError if X or y must be preprocessed first.

        For example, texts must be embedded, and peaks must be converted to
        coefficients.
        """
        name = type(self).__name__
        if isinstance(_first_row(X), str):
            raise TypeError(
                f"X of {name} must be embeddings; got texts. Put LLMChunkEmbedder "
                f"before {name}: make_pipeline(LLMChunkEmbedder(), StandardScaler(), "
                "…)."
            )
        if np.ndim(_first_row(y)) == 2:
            raise TypeError(
                f"y of {name} must be {self._y_name}; got one array of peaks per "
                f"study. Pass {self._y_from_peaks}."
            )
        if issparse(X) and not self._takes_sparse:
            raise TypeError(
                f"X of {name} must be dense; got sparse input. Put "
                f"sklearn.decomposition.TruncatedSVD before {name} in the pipeline."
            )

    def _standardize(self, y):
        """Validate coefficients and standardize them with `y_mean_` and `y_scale_`."""
        y = self._check_y(y)
        normalized = normalize_studies(y, self.y_scaling, self.y_mean_.dtype)
        return (normalized - self.y_mean_) / self.y_scale_

    def _check_y(self, y):
        """Check that the estimator is fitted; return the validated y as a matrix."""
        check_is_fitted(self)
        try:
            y = np.asarray(y)
            if y.dtype != np.float32:
                y = y.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y cannot be read as numbers ({error}). Expected {self._y_name} of "
                f"shape (n_studies, {self.n_components_})."
            ) from error
        y = y[:, None] if y.ndim == 1 and self.n_components_ == 1 else y
        if y.ndim != 2 or y.shape[1] != self.n_components_:
            raise ValueError(
                f"y must have shape (n_studies, {self.n_components_}), with the same "
                f"columns as in fit; got {y.shape}. Use the same masker for all "
                "studies."
            )
        if not np.isfinite(y).all():
            raise ValueError(
                "y contains NaN or infinity. Remove the studies with such values."
            )
        return y

    def _to_coefficients(self, standardized):
        """Convert standardized coefficients to coefficients.

        The standardization is undone. With ``y_scaling="sqrt"``, the results are signed
        square roots. They are then squared, and their signs are kept.
        """
        normalized = standardized * self.y_scale_ + self.y_mean_
        coefficients = to_densities(normalized, self.y_scaling)
        return coefficients[:, 0] if self._single_component else coefficients

    def _check_unit_of_metric(self):
        """Raise ValueError if a metric would compare predictions with unscaled y.

        Predictions are scaled unless `y_scaling` is None, but the y that scikit-learn
        passes to a regression metric, such as the R² score, is never scaled.
        """
        metric = None if self.y_scaling is None else calling_regression_metric()
        if metric is not None:
            raise ValueError(
                f"{metric} needs predictions that have the scale of y, so y_scaling "
                f"must be None; got y_scaling={self.y_scaling!r}, with which the model "
                "predicts coefficients scaled to norm one. Set y_scaling=None, or "
                "score with mix_match_scorer or make_dice_scorer, which do not depend "
                "on the scale. To compute the metric with y on the scale of the "
                "predictions, use "
                f"{metric}(scale_like_predictions(model, y), model.predict(X))."
            )

    def predict(self, X):
        """Predict the coefficients of the brain map of each text.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_texts, n_features)
            Embeddings, or other features as in `fit`. Sparse input is accepted only if
            `fit` accepts it.

        Returns
        -------
        coefficients : ndarray of shape (n_texts, n_components)
            Predicted coefficients, which can be passed to ``masker.inverse_transform``.
            Their scale is the scale of the training coefficients after a normalization.
            The normalization depends on `y_scaling`:

            - ``"unit"``: the coefficients of each study are divided by their L2 norm.
            - ``"sqrt"``: the coefficients of each study are divided by their L1 norm.
              The estimator predicts signed square roots, then squares them and keeps
              their signs.
            - None: the coefficients are unchanged.

            The dtype is float32 for neural networks, the dtype of the training X for
            KernelCCA, and float64 for the other estimators.

        Raises
        ------
        ValueError
            If `y_scaling` is not None and a scorer of scikit-learn, such as
            ``scoring="r2"``, would compare the scaled predictions with unscaled y.
        """
        self._check_unit_of_metric()
        return self._to_coefficients(self._predict_standardized(self._check_X(X)))

    def similarity(self, X, y):
        """Compute the similarity of each text with each map.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_texts, n_features)
            Embeddings, or other features as in `fit`. Sparse input is accepted only if
            `fit` accepts it.
        y : array-like of shape (n_maps, n_components)
            Coefficients.

        Returns
        -------
        similarity : ndarray of shape (n_texts, n_maps)
            Similarities. If X and y contain the same studies in the same order, the
            diagonal contains the similarities of texts and maps of the same study. The
            dtype is the same as for `predict`. For all estimators except KernelCCA,
            similarities are cosines in [-1, 1]. KernelCCA subtracts a hubness
            correction from the cosines. Its similarities are in [-1 - 2w, 1 + 2w],
            where w is its `hubness_weight`.
        """
        return self._similarity(self._check_X(X), self._standardize(y))

    def _similarity(self, X, standardized):
        """Compute cosines between predicted and observed standardized coefficients."""
        predicted = unit_rows(self._predict_standardized(X))
        return predicted @ unit_rows(standardized).T


class SharedSpaceEstimator(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, TextBrainEstimator
):
    """Base class of estimators that represent texts and maps in one shared space.

    The representation of a text or a map is a vector called its latent. A subclass
    defines the method `fit`, which sets `latent_dim_`, the dimension of the shared
    space. It also defines the methods `_text_latents(X)` and
    `_brain_latents(standardized)`, where `standardized` contains the standardized
    coefficients of the maps. Both methods return latents of shape (n_rows,
    latent_dim_); each row has L2 norm 1.
    """

    def transform(self, X):
        """Transform texts to latents of the shared space.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_texts, n_features)
            Embeddings, or other features as in `fit`. Sparse input is accepted only if
            `fit` accepts it.

        Returns
        -------
        latents : ndarray of shape (n_texts, latent_dim)
            Latents, one row per text. Each row has L2 norm 1.
        """
        return self._text_latents(self._check_X(X))

    def transform_brain(self, y):
        """Transform maps to latents of the shared space.

        Parameters
        ----------
        y : array-like of shape (n_maps, n_components)
            Coefficients.

        Returns
        -------
        latents : ndarray of shape (n_maps, latent_dim)
            Latents, one row per map. Each row has L2 norm 1.
        """
        return self._brain_latents(self._standardize(y))

    def _similarity(self, X, standardized):
        """Compute cosines between text latents and brain latents."""
        return self._text_latents(X) @ self._brain_latents(standardized).T

    @property
    def _n_features_out(self):
        """Number of columns of latents; scikit-learn needs it to name these columns."""
        return self.latent_dim_
