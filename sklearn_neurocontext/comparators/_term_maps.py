"""Base class of comparators that predict the voxel maps of texts from their terms."""

import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

from .._utils.validation import (
    Integral,
    Interval,
    StrOptions,
    array_output,
    check_is_fitted,
    check_peaks,
    fit_context,
)
from .._utils.volumes import unit_rows
from ..maskers import KDEDiFuMoMasker
from ..models import MixMatchMixin
from ..text import TermCounts

# Number of studies whose maps are in memory at a time; a map needs 0.1 MB.
_BLOCK = 500


@contextmanager
def _no_warning_about_the_mask():
    """Ignore the warnings of the masker about the positions of peaks."""
    # In most corpora, a few peaks are outside the mask. The loader of a corpus has
    # already warned about doubtful peaks.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


class TermMapEstimator(MixMatchMixin, BaseEstimator):
    """Base class of estimators that predict voxel maps from counts of terms.

    X are texts or counts of terms, y are the peaks of the same studies. A subclass
    defines the methods `_fit_maps(counts, peaks)` and `_predict_voxels(counts)`, where
    `counts` has one column per term of `terms_`.
    """

    _parameter_constraints = {
        "min_studies": [Interval(Integral, 1, None, closed="left")],
        "representation": [StrOptions({"voxels", "coefficients"})],
        "masker": [KDEDiFuMoMasker, None],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the maps of the terms, and the means of predicted and observed maps.

        Parameters
        ----------
        X : sequence of str or {array-like, sparse matrix} of shape (n_studies, n_terms)
            Texts, or counts of terms.
        y : sequence of n_studies array-like of shape (n_peaks_i, 3)
            Coordinates x, y, z of the peaks of the same studies in mm, in MNI space.
            Peaks outside the mask are omitted without a warning when observed densities
            are computed.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        TypeError
            If a text is not a string.
        ValueError
            If X and y have different numbers of studies, if no term occurs in
            `min_studies` studies, or if the `space` of the masker is not "MNI".
        """
        peaks = check_peaks(y)
        masker = KDEDiFuMoMasker("geometric") if self.masker is None else self.masker
        if masker.space != "MNI":
            raise ValueError(
                f"The masker must have space='MNI'; got space={masker.space!r}. "
                "Convert the peaks to MNI space first, for example with a loader of "
                "sklearn_neurocontext.datasets."
            )
        with array_output():
            self.terms_ = TermCounts(
                self.min_studies, ngram_range=(1, 2), stop_words="english"
            ).fit(X)
            counts = self.terms_.transform(X)
            if counts.shape[0] != len(peaks):
                raise ValueError(
                    "X and y must have one row per study; got "
                    f"{counts.shape[0]} and {len(peaks)} rows. Drop studies without "
                    "text or peaks from both X and y."
                )
            self.masker_ = clone(masker).fit()
            self._fit_maps(counts, peaks)
            self._fit_scalers(counts, peaks)
        return self

    def _fit_scalers(self, counts, peaks):
        """Fit the scalers of predicted and of observed maps."""
        # As in NeuroQuery, voxel maps are compared by their correlation after the mean
        # maps are subtracted. Coefficients are standardized, as in RidgeBaseline.
        with_std = self.representation == "coefficients"
        self.predicted_scaler_ = StandardScaler(with_std=with_std)
        for rows in gen_batches(len(peaks), _BLOCK):
            self.predicted_scaler_.partial_fit(self._predict(counts[rows], unit=True))
        self.observed_scaler_ = StandardScaler(with_std=with_std)
        if with_std:
            self.observed_scaler_.fit(self._observe(peaks))
        else:
            # Densities are sums over peaks. Therefore, their mean over studies is the
            # density of all peaks divided by the number of studies.
            total = self._observe([np.concatenate(peaks)])
            self.observed_scaler_.fit(total / len(peaks))

    def _predict(self, counts, *, unit):
        """Predict voxel maps or coefficients; if `unit`, coefficients have norm 1."""
        voxels = self._predict_voxels(counts)
        if self.representation == "voxels":
            return voxels
        coefficients = self.masker_.voxels_to_coefficients(voxels)
        return unit_rows(coefficients) if unit else coefficients

    def _observe(self, peaks):
        """Compute the densities of studies, or their coefficients scaled to norm 1."""
        if self.representation == "voxels":
            return self._compute_densities(peaks)
        with _no_warning_about_the_mask():
            return unit_rows(self.masker_.transform(peaks))

    def _compute_densities(self, peaks):
        """Compute the densities of studies, (n_studies, n_voxels)."""
        with _no_warning_about_the_mask():
            return self.masker_.peaks_to_voxels(peaks)

    def predict(self, X):
        """Predict the map of each text.

        Parameters
        ----------
        X : sequence of str or {array-like, sparse matrix} of shape (n_texts, n_terms)
            Texts if `fit` was called with texts, otherwise counts.

        Returns
        -------
        maps : ndarray of shape (n_texts, n_voxels) or (n_texts, n_components)
            With ``representation="voxels"``, maps in the order of the nonzero voxels of
            ``masker_.mask_img_``. With ``representation="coefficients"``, coefficients
            of these maps, which can be passed to ``masker_.inverse_transform``.
        """
        check_is_fitted(self)
        with array_output():
            return self._predict(self.terms_.transform(X), unit=False)

    def similarity(self, X, y):
        """Compute the similarity of each text with the peaks of each study.

        Parameters
        ----------
        X : sequence of str or {array-like, sparse matrix} of shape (n_texts, n_terms)
            Texts if `fit` was called with texts, otherwise counts.
        y : sequence of n_studies array-like of shape (n_peaks_i, 3)
            Coordinates of the peaks of each study in mm, in MNI space.

        Returns
        -------
        similarity : ndarray of shape (n_texts, n_studies)
            Values in [-1, 1]. With ``representation="voxels"``, a value is the
            correlation over voxels of a predicted map and the density of the peaks of
            a study. First, the mean predicted map of the training studies is subtracted
            from the predicted map, and the mean density of the training studies is
            subtracted from the density. With ``representation="coefficients"``, a value
            is the cosine of predicted coefficients and observed coefficients of a
            study. First, the coefficients of each map are divided by their L2 norm, and
            each component is standardized with its mean and standard deviation over the
            training studies.
        """
        check_is_fitted(self)
        with array_output():
            counts = self.terms_.transform(X)
            predicted = self.predicted_scaler_.transform(
                self._predict(counts, unit=True)
            )
            observed = self.observed_scaler_.transform(self._observe(check_peaks(y)))
        if self.representation == "voxels":
            predicted = predicted - predicted.mean(axis=1, keepdims=True)
            observed = observed - observed.mean(axis=1, keepdims=True)
        return unit_rows(predicted) @ unit_rows(observed).T

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
