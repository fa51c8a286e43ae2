"""Canonical correlation analysis of sparse texts with a kernel between brain maps."""

import numpy as np

from .._utils.validation import (
    Integral,
    Interval,
    Real,
    StrOptions,
    check_random_state,
    fit_context,
)
from ._base import SharedSpaceEstimator
from ._brain_kernel import (
    canonical_rotation,
    gaussian_kernel,
    nystroem_map,
    whitening,
)
from ._hubness import correct_hubness
from ._ridge_solver import solve_ridge
from ._scaling import unit_rows


class KernelCCA(SharedSpaceEstimator):
    r"""CCA between sparse or dense text features and a kernel feature space of maps.

    With text features X and brain features F, both centred, it solves

    .. math:: \max_{a, b} a^T X^T F b \quad \text{s.t. }
        a^T (X^T X + \lambda_x I) a = b^T (F^T F + \lambda_z I) b = 1

    by one Cholesky factor of the texts' side: word counts are used whole, without
    reducing them to a few hundred dimensions first. F are Nyström features of a
    Gaussian kernel between normalised coefficients, so that a text can ask for maps
    that are *similar*, which no sum over components can say. Latents are the
    projections, scaled by their canonical correlations and brought to norm one.

    The similarity is the cosine of latents, less what each text and each map has in
    common with the training studies (see `hubness_weight`).

    Parameters
    ----------
    latent_dim : int, default=512
        Pairs of directions kept, at most.
    alpha_text : float, default=10.0
        :math:`\lambda_x` in units of the mean squared norm of the centred rows of X;
        positive.
    alpha_brain : float, default=25.0
        :math:`\lambda_z` in units of the mean squared norm of the centred rows of F;
        positive.
    kernel_width : float or None, default=0.4
        h of the kernel :math:`\exp(-\|u - v\|^2 / 2h)` between coefficients of norm
        one; with ``y_scaling=None`` it is in units of their mean squared norm. With
        None, F are the standardised coefficients themselves.
    n_nystroem : int, default=1500
        Training studies, at most, that the kernel is computed with.
    correlation_power : float, default=1.0
        Latents are scaled by the canonical correlations to this power; 0 does not
        scale. Below 1, correlations that are rounding count as zero.
    hubness_weight : float, default=0.5
        How much of a text's and of a map's soft maximum of cosines with the training
        studies is taken off the similarity; 0 leaves cosines. It involves training
        studies alone: leaving candidates out changes no other entry.
    hubness_temperature : float, default=0.05
        Of that soft maximum; positive.
    y_scaling : {"unit", "sqrt"} or None, default="sqrt"
        ``"unit"`` divides each study's coefficients by their L2 norm and standardises
        them on the training part; ``"sqrt"`` takes signed square roots first; None only
        removes the mean.
    random_state : int, RandomState instance or None, default=None
        Choice of the landmarks, where there are more studies than `n_nystroem`.

    Attributes
    ----------
    canonical_correlations_ : ndarray of shape (latent_dim_,)
        Regularised canonical correlations, falling.
    text_weights_ : ndarray of shape (n_features_in_, latent_dim_)
        Lead from X to unscaled text latents times their correlation.
    text_intercept_ : ndarray of shape (latent_dim_,)
        Added to them.
    brain_weights_ : ndarray of shape (n_brain_features, latent_dim_)
        Lead from F to unscaled brain latents.
    brain_mean_ : ndarray of shape (n_brain_features,)
        Mean of the brain features before centring.
    nystroem_components_ : ndarray of shape (n_landmarks_, n_components_)
        Normalised coefficients that the kernel is computed with; absent with
        ``kernel_width=None``.
    nystroem_projection_ : ndarray of shape (n_landmarks_, n_brain_features)
        From kernel values to brain features; absent with ``kernel_width=None``.
    kernel_width_ : float
        `kernel_width` times the mean squared norm of the normalised coefficients;
        absent with ``kernel_width=None``.
    coef_ : ndarray of shape (n_features_in_, n_components_)
        Ridge regression of the standardised coefficients, for `predict`.
    intercept_ : ndarray of shape (n_components_,)
        Its intercept.
    text_references_, brain_references_ : ndarray of shape (n_studies, latent_dim_)
        Latents of the training studies, unit rows; absent with ``hubness_weight=0``.
    latent_dim_ : int
        Dimensions of the shared space.
    y_mean_, y_scale_ : ndarray of shape (n_components_,)
        Mean and deviation of the normalised training coefficients.
    n_components_ : int
        Number of coefficients.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    CCABaseline : Linear on both sides, for dense embeddings.
    TextBrainEnsemble : Adds the similarities of several models.

    Notes
    -----
    Arithmetic and all arrays that are kept are in the precision of X, float32 or
    float64: the former halves time and memory, and
    ``TfidfVectorizer(dtype="float32")`` gives it. n_brain_features is the number of
    directions that the landmarks have, or n_components_ with ``kernel_width=None``.

    References
    ----------
    Hardoon, Szedmak and Shawe-Taylor (2004). Canonical correlation analysis: an
    overview with application to learning methods. Neural Computation 16, 2639-2664.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from sklearn_neurocontext import KernelCCA
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(0.5, size=(300, 20)).astype(float)
    >>> y = counts @ rng.random((20, 8)) + rng.random((300, 8))
    >>> model = KernelCCA(random_state=0).fit(csr_array(counts[:200]), y[:200])
    >>> bool(model.score(csr_array(counts[200:]), y[200:]) > 0.9)
    True
    """

    _takes_sparse = True
    _parameter_constraints = {
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "alpha_text": [Interval(Real, 0, None, closed="neither")],
        "alpha_brain": [Interval(Real, 0, None, closed="neither")],
        "kernel_width": [Interval(Real, 0, None, closed="neither"), None],
        "n_nystroem": [Interval(Integral, 1, None, closed="left")],
        "correlation_power": [Interval(Real, 0, None, closed="left")],
        "hubness_weight": [Interval(Real, 0, None, closed="left")],
        "hubness_temperature": [Interval(Real, 0, None, closed="neither")],
        "y_scaling": [StrOptions({"unit", "sqrt"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        latent_dim=512,
        *,
        alpha_text=10.0,
        alpha_brain=25.0,
        kernel_width=0.4,
        n_nystroem=1500,
        correlation_power=1.0,
        hubness_weight=0.5,
        hubness_temperature=0.05,
        y_scaling="sqrt",
        random_state=None,
    ):
        self.latent_dim = latent_dim
        self.alpha_text = alpha_text
        self.alpha_brain = alpha_brain
        self.kernel_width = kernel_width
        self.n_nystroem = n_nystroem
        self.correlation_power = correlation_power
        self.hubness_weight = hubness_weight
        self.hubness_temperature = hubness_temperature
        self.y_scaling = y_scaling
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Solve for the directions that texts and maps share.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_studies, n_features)
            Features of the texts: word weights, embeddings, or both side by side.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : KernelCCA
            The fitted estimator.

        Raises
        ------
        ValueError
            If `alpha_text` or `alpha_brain` is lost in the rounding of X's precision.
        """
        X, standardized = self._check_fit_input(X, y, dtype=[np.float64, np.float32])
        features = self._fit_brain_features(standardized)
        whitener = whitening(features, self.alpha_brain, "alpha_brain")
        white = features @ whitener
        n_white = white.shape[1]
        weights, intercept = solve_ridge(
            X, np.hstack([white, standardized]), self.alpha_text, "alpha_text"
        )
        self.coef_, self.intercept_ = weights[:, n_white:], intercept[n_white:]
        predicted = X @ weights[:, :n_white] + intercept[:n_white]
        self.latent_dim_ = min(self.latent_dim, n_white, X.shape[1])
        rotation, self.canonical_correlations_ = canonical_rotation(
            white, predicted, self.latent_dim_
        )
        self.text_weights_ = weights[:, :n_white] @ rotation
        self.text_intercept_ = intercept[:n_white] @ rotation
        self.brain_weights_ = whitener @ rotation
        for name in ("text_references_", "brain_references_"):
            vars(self).pop(name, None)  # of an earlier fit
        if self.hubness_weight:
            self.text_references_ = self._scale_text(predicted @ rotation)
            self.brain_references_ = self._scale_brain(white @ rotation)
        return self

    def _fit_brain_features(self, standardized):
        """Choose landmarks and give the centred brain features of training studies."""
        for name in ("nystroem_components_", "nystroem_projection_", "kernel_width_"):
            vars(self).pop(name, None)  # of an earlier fit
        if self.kernel_width is not None:
            rows = self._normalized(standardized)
            rng = check_random_state(self.random_state)
            n_nystroem = min(self.n_nystroem, len(rows))
            self.nystroem_components_ = rows[
                rng.choice(len(rows), n_nystroem, replace=False)
            ]
            mean_square = float((rows**2).sum(axis=1).mean())
            self.kernel_width_ = self.kernel_width * (mean_square or 1.0)
            self.nystroem_projection_ = nystroem_map(
                self.nystroem_components_, self.kernel_width_
            )
        features = self._brain_features(standardized)
        self.brain_mean_ = features.mean(axis=0)
        return features - self.brain_mean_

    def _normalized(self, standardized):
        return standardized * self.y_scale_ + self.y_mean_

    def _brain_features(self, standardized):
        if self.kernel_width is None:
            return standardized
        rows = self._normalized(standardized)
        kernel = gaussian_kernel(rows, self.nystroem_components_, self.kernel_width_)
        return kernel @ self.nystroem_projection_

    def _latent_scales(self):
        """Give the factors of the texts' predictions and of the brain's variates."""
        # A prediction is the variate times its correlation already. A power below one
        # divides it: then correlations within rounding, beyond X's rank, are zero.
        correlations, power = self.canonical_correlations_, self.correlation_power
        rounding = 0.0
        if power < 1:
            rank_tolerance = len(correlations) * np.finfo(correlations.dtype).eps
            rounding = correlations[0] * np.sqrt(rank_tolerance)
        shared = correlations > rounding
        of_text, of_brain = np.zeros_like(correlations), correlations**power
        of_text[shared] = correlations[shared] ** (power - 1)
        of_brain[~shared] = 0
        return of_text, of_brain

    def _scale_text(self, predicted):
        return unit_rows(predicted * self._latent_scales()[0])

    def _scale_brain(self, variates):
        return unit_rows(variates * self._latent_scales()[1])

    def _text_latents(self, X):
        return self._scale_text(X @ self.text_weights_ + self.text_intercept_)

    def _brain_latents(self, standardized):
        features = self._brain_features(standardized) - self.brain_mean_
        return self._scale_brain(features @ self.brain_weights_)

    def _similarity(self, X, standardized):
        text, brain = self._text_latents(X), self._brain_latents(standardized)
        if not self.hubness_weight:
            return text @ brain.T
        return correct_hubness(
            text,
            brain,
            self.text_references_,
            self.brain_references_,
            temperature=self.hubness_temperature,
            weight=self.hubness_weight,
        )

    def _predict_standardized(self, X):
        return X @ self.coef_ + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
