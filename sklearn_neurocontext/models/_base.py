"""What all estimators share: scaling of y, similarity and score."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from .._utils.validation import check_is_fitted, validate_data
from ..metrics import mix_match_score
from ._scaling import learn_scale, normalize_studies, to_densities, unit_rows


def _first(rows):
    """Give the first row of a sequence of anything but numbers, else None."""
    kind = getattr(getattr(rows, "dtype", None), "kind", None)
    if isinstance(rows, list | tuple) or kind in ("O", "U", "T"):
        return next(iter(rows), None)
    return None


class TextBrainEstimator(BaseEstimator):
    """Base of the estimators: X are embeddings, y are coefficients.

    A subclass gives `fit`, and either `_predict_standardized(X)` or an override of
    `_similarity(X, y)`. One that computes with sparse X sets `_takes_sparse`.
    """

    _takes_sparse = False

    def _check_fit_input(self, X, y, *, dtype):
        self._refuse_other_stages(X, y)
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
        y = y.astype(X.dtype, copy=False)
        self._single_component = y.ndim == 1
        y = y.reshape(len(y), -1)
        self.n_components_ = y.shape[1]
        normalized = normalize_studies(y, self.y_scaling)
        self.y_mean_, self.y_scale_ = learn_scale(normalized, self.y_scaling)
        return X, (normalized - self.y_mean_) / self.y_scale_

    def _check_X(self, X):
        check_is_fitted(self)
        self._refuse_other_stages(X)
        return validate_data(
            self,
            X,
            reset=False,
            accept_sparse="csr" if self._takes_sparse else False,
            dtype=self.y_mean_.dtype,
        )

    def _refuse_other_stages(self, X, y=None):
        """Say which step is missing where X or y is what an earlier one takes."""
        name = type(self).__name__
        if isinstance(_first(X), str):
            raise TypeError(
                f"{name} got texts for X and takes embeddings. Put LLMChunkEmbedder "
                "before it: make_pipeline(LLMChunkEmbedder(), StandardScaler(), …)."
            )
        if np.ndim(_first(y)) == 2:
            raise TypeError(
                f"{name} got one array of peaks per study for y and takes "
                "coefficients. Pass KDEDiFuMoMasker(…).fit_transform(peaks)."
            )
        if issparse(X) and not self._takes_sparse:
            raise TypeError(
                f"{name} got sparse input for X and takes dense arrays. "
                "Put sklearn.decomposition.TruncatedSVD before it in the pipeline."
            )

    def _standardize(self, y):
        """Scale coefficients of any studies as the training part was."""
        check_is_fitted(self)
        try:
            y = np.asarray(y, dtype=self.y_mean_.dtype)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y cannot be read as numbers ({error}). Expected coefficients of "
                f"shape (n_studies, {self.n_components_})."
            ) from error
        y = y[:, None] if y.ndim == 1 and self.n_components_ == 1 else y
        if y.ndim != 2 or y.shape[1] != self.n_components_:
            raise ValueError(
                f"y has shape {y.shape}; expected (n_studies, {self.n_components_}), "
                "the components that the estimator was fitted with. Use one masker "
                "for all studies."
            )
        if not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinity. Drop these studies first.")
        return (normalize_studies(y, self.y_scaling) - self.y_mean_) / self.y_scale_

    def _to_coefficients(self, standardized):
        normalized = standardized * self.y_scale_ + self.y_mean_
        coefficients = to_densities(normalized, self.y_scaling)
        return coefficients[:, 0] if self._single_component else coefficients

    def predict(self, X):
        """Predict the coefficients to expect from each text.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_texts, n_features)
            Embeddings, or other features as in `fit`; sparse where `fit` takes it.

        Returns
        -------
        coefficients : ndarray of shape (n_texts, n_components)
            Coefficients of densities, ready for ``masker.inverse_transform``: of
            studies scaled to L2 norm one for ``y_scaling="unit"``, of studies scaled to
            L1 norm one for ``"sqrt"`` (signed squares of the predicted roots), raw ones
            for None. In the precision of ``y_mean_``: float32 from nets, that of the
            training X from KernelCCA, float64 from other closed forms.
        """
        return self._to_coefficients(self._predict_standardized(self._check_X(X)))

    def similarity(self, X, y):
        """Similarity of each text with each map.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_texts, n_features)
            Embeddings, or other features as in `fit`; sparse where `fit` takes it.
        y : array-like of shape (n_maps, n_components)
            Coefficients.

        Returns
        -------
        similarity : ndarray of shape (n_texts, n_maps)
            Cosines in [-1, 1]; KernelCCA with a ``hubness_weight`` of w takes off up to
            w for each side, in [-1 - 2w, 1 + 2w]. Where rows of X and y are the same
            studies, true pairs lie on the diagonal. Precision as in `predict`.
        """
        return self._similarity(self._check_X(X), self._standardize(y))

    def _similarity(self, X, standardized):
        predicted = unit_rows(self._predict_standardized(X))
        return predicted @ unit_rows(standardized).T

    def score(self, X, y):
        """Mix&match: the share of wrong maps that the right one beats.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_studies, n_features)
            Embeddings, or other features as in `fit`; sparse where `fit` takes it.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        mix_match : float
            In [0, 1]; 0.5 is chance, whatever the number of candidates.
        """
        return mix_match_score(self.similarity(X, y))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


class SharedSpaceEstimator(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, TextBrainEstimator
):
    """Base of the estimators with latents of both sides.

    A subclass gives `_text_latents(X)` and `_brain_latents(standardized)`, unit rows.
    """

    def transform(self, X):
        """Place texts in the shared space.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_texts, n_features)
            Embeddings, or other features as in `fit`; sparse where `fit` takes it.

        Returns
        -------
        latents : ndarray of shape (n_texts, latent_dim)
            Rows of norm one.
        """
        return self._text_latents(self._check_X(X))

    def transform_brain(self, y):
        """Place maps in the shared space.

        Parameters
        ----------
        y : array-like of shape (n_maps, n_components)
            Coefficients.

        Returns
        -------
        latents : ndarray of shape (n_maps, latent_dim)
            Rows of norm one.
        """
        return self._brain_latents(self._standardize(y))

    def _similarity(self, X, standardized):
        return self._text_latents(X) @ self._brain_latents(standardized).T

    @property
    def _n_features_out(self):
        """Number of columns of the latents, for `get_feature_names_out`."""
        return self.latent_dim_
