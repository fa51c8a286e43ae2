"""Regularized canonical correlation analysis in closed form."""

import numpy as np
from scipy.linalg import cholesky, solve_triangular, svd

from .._utils.validation import Integral, Interval, Real, StrOptions, fit_context
from .._utils.volumes import unit_rows
from ._base import SharedSpaceEstimator
from ._ridge import explain_singular


def solve_cca(X, Z, *, alpha_text: float, alpha_brain: float):
    """Solve regularized canonical correlation analysis (CCA) of centered X and Z.

    X contains text features and has shape (n_studies, n_features). Z contains
    standardized coefficients and has shape (n_studies, n_components). The ridge of X is
    `alpha_text` times the mean variance of its columns. The ridge of Z is `alpha_brain`
    times the mean variance of its columns. Let rank be the smaller of n_features and
    n_components. The function returns four arrays:

    - text_weights of shape (n_features, rank): the directions for X, one per column;
    - brain_weights of shape (n_components, rank): the directions for Z;
    - correlations of shape (rank,): the canonical correlations in descending order;
    - loadings of shape (rank, n_components): a matrix for the prediction of Z.

    ``(X @ text_weights * correlations) @ loadings`` is the prediction of Z by ridge
    regression on X (Vinod, 1976).
    """
    with explain_singular("alpha_text", alpha_text, X.dtype):
        text_factor = _ridge_factor(X, alpha_text)
    with explain_singular("alpha_brain", alpha_brain, Z.dtype):
        brain_factor = _ridge_factor(Z, alpha_brain)
    # The correlations are the singular values of Lx⁻¹ Cxz Lz⁻ᵀ. Here, Cxz is the
    # covariance matrix between X and Z (`cross`). Lx and Lz are the Cholesky factors of
    # the regularized covariance matrices of X and Z (`text_factor`, `brain_factor`).
    cross = X.T @ Z / len(X)
    whitened = solve_triangular(text_factor, cross, lower=True)
    whitened = solve_triangular(brain_factor, whitened.T, lower=True).T
    left, correlations, right = svd(whitened, full_matrices=False)
    return (
        solve_triangular(text_factor, left, lower=True, trans="T"),
        solve_triangular(brain_factor, right.T, lower=True, trans="T"),
        correlations,
        right @ brain_factor.T,
    )


def _ridge_factor(centered, alpha):
    """Compute the lower Cholesky factor of a regularized covariance matrix.

    `centered` has shape (n_studies, n_columns), and each column has mean zero. A ridge
    is added to the diagonal of the covariance matrix of the columns. The ridge is
    `alpha` times the mean variance of the columns.
    """
    covariance = centered.T @ centered / len(centered)
    mean_variance = np.trace(covariance) / len(covariance)
    # If all variances are zero, the ridge is alpha, because the matrix must be positive
    # definite.
    covariance.flat[:: len(covariance) + 1] += alpha * (mean_variance or 1.0)
    return cholesky(covariance, lower=True)


class CCABaseline(SharedSpaceEstimator):
    r"""Regularized canonical correlation analysis between texts and maps.

    The model consists of pairs of directions. In each pair, a is a direction for the
    embeddings of texts, and b is a direction for the standardized coefficients of maps.
    The directions maximize the regularized correlation between the projections of texts
    on a and the projections of maps on b. The pairs are the closed-form solutions of

    .. math:: \max_{a, b} a^T C_{xz} b \quad
        \text{s.t. } a^T (C_{xx} + \alpha_x I) a = b^T (C_{zz} + \alpha_z I) b = 1.

    The covariance matrices of texts and maps are :math:`C_{xx}` and :math:`C_{zz}`; the
    covariance matrix between texts and maps is :math:`C_{xz}`. The parameters
    `alpha_text` and `alpha_brain` set the ridges :math:`\alpha_x` and :math:`\alpha_z`,
    and I is the identity matrix.

    Texts and maps are represented by vectors of the same space, called latents. The
    entries of a latent are the projections of the text or map on the directions, each
    multiplied by the canonical correlation of its pair. Then the latent is divided by
    its L2 norm.

    Parameters
    ----------
    latent_dim : int or None, default=None
        Number of pairs of directions. If None, it is ``min(n_features, n_components)``.
    alpha_text : float, default=0.1
        Ridge for the texts; positive. :math:`\alpha_x` is `alpha_text` times the mean
        variance of the features of X.
    alpha_brain : float, default=1.0
        Ridge for the maps; positive. :math:`\alpha_z` is `alpha_brain` times the mean
        variance of the standardized components.
    correlation_power : float, default=1.0
        Exponent of the canonical correlations by which projections are multiplied. With
        0, all directions have the same weight.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        Scaling of y before the model is fitted:

        - ``"unit"``: the coefficients of each study are divided by their L2 norm. Then
          each component is standardized.
        - ``"sqrt"``: each coefficient is replaced by its signed square root. Then the
          same two steps as for ``"unit"`` follow.
        - None: the mean of each component is subtracted. There is no other scaling.

    Attributes
    ----------
    canonical_correlations_ : ndarray of shape (latent_dim_,), float64
        Regularized canonical correlations, in descending order.
    text_weights_ : ndarray of shape (n_features_in_, latent_dim_), float64
        Directions a for the embeddings, one per column.
    brain_weights_ : ndarray of shape (n_components_, latent_dim_), float64
        Directions b for the standardized coefficients, one per column.
    brain_loadings_ : ndarray of shape (latent_dim_, n_components_), float64
        Matrix from which `predict` computes standardized coefficients: text projections
        are multiplied by the canonical correlations, then by this matrix.
    latent_dim_ : int
        Dimension of the shared space.
    X_mean_ : ndarray of shape (n_features_in_,), float64
        Mean of the training embeddings.
    y_mean_, y_scale_ : ndarray of shape (n_components_,), float64
        Mean and standard deviation of each component over the training studies. If
        `y_scaling` is ``"unit"`` or ``"sqrt"``, they are computed after the
        coefficients of each study are divided by their norm. If ``y_scaling=None``, all
        values of `y_scale_` are 1.
    n_components_ : int
        Number of components of y.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    ContrastiveTextBrain : Two neural networks trained with a contrastive loss.
    KernelCCA : CCA with a kernel between maps, for sparse or dense text features.

    References
    ----------
    Vinod, H. D. (1976). Canonical ridge and econometrics of joint production. Journal
    of Econometrics 4, 147-166.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import CCABaseline
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X @ rng.normal(size=(5, 8)) + rng.normal(size=(200, 8))
    >>> model = CCABaseline().fit(X[:150], y[:150])
    >>> bool(model.score(X[150:], y[150:]) > 0.9)
    True
    """

    _parameter_constraints = {
        "latent_dim": [Interval(Integral, 1, None, closed="left"), None],
        "alpha_text": [Interval(Real, 0, None, closed="neither")],
        "alpha_brain": [Interval(Real, 0, None, closed="neither")],
        "correlation_power": [Interval(Real, 0, None, closed="left")],
        "y_scaling": [StrOptions({"unit", "sqrt"}), None],
    }

    def __init__(
        self,
        latent_dim=None,
        *,
        alpha_text=0.1,
        alpha_brain=1.0,
        correlation_power=1.0,
        y_scaling="unit",
    ):
        self.latent_dim = latent_dim
        self.alpha_text = alpha_text
        self.alpha_brain = alpha_brain
        self.correlation_power = correlation_power
        self.y_scaling = y_scaling

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the pairs of directions.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : CCABaseline
            The fitted estimator.

        Raises
        ------
        ValueError
            If `latent_dim` exceeds ``min(n_features, n_components)``. Also raised if
            `alpha_text` or `alpha_brain` is so small that rounding errors prevent a
            Cholesky factorization.
        """
        X, standardized = self._check_fit_input(X, y, dtype=np.float64)
        largest = min(X.shape[1], self.n_components_)
        if self.latent_dim is not None and self.latent_dim > largest:
            raise ValueError(
                f"latent_dim must be at most {largest}, the smaller of n_features and "
                f"n_components; got {self.latent_dim}. Lower latent_dim, or pass None."
            )
        self.latent_dim_ = self.latent_dim or largest
        self.X_mean_ = X.mean(axis=0)
        text, brain, correlations, loadings = solve_cca(
            X - self.X_mean_,
            standardized,
            alpha_text=self.alpha_text,
            alpha_brain=self.alpha_brain,
        )
        kept = slice(self.latent_dim_)
        self.text_weights_ = text[:, kept]
        self.brain_weights_ = brain[:, kept]
        self.canonical_correlations_ = correlations[kept]
        self.brain_loadings_ = loadings[kept]
        return self

    def _text_variates(self, X):
        return (X - self.X_mean_) @ self.text_weights_

    def _text_latents(self, X):
        return unit_rows(self._text_variates(X) * self._latent_scale())

    def _brain_latents(self, standardized):
        return unit_rows(standardized @ self.brain_weights_ * self._latent_scale())

    def _latent_scale(self):
        return self.canonical_correlations_**self.correlation_power

    def _predict_standardized(self, X):
        variates = self._text_variates(X) * self.canonical_correlations_
        return variates @ self.brain_loadings_
