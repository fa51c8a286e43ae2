"""Canonical correlation analysis of texts and maps, with a kernel between maps."""

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from .._utils.validation import Integral, Interval, Real, StrOptions, fit_context
from .._utils.volumes import unit_rows
from ._base import SharedSpaceEstimator
from ._nystroem_kernel import choose_components, gaussian_kernel, nystroem_projection
from ._ridge import explain_singular, mean_squared_norm, solve_ridge


def whitening(features: np.ndarray, alpha: float, name: str = "alpha") -> np.ndarray:
    """Compute a matrix that whitens centered features.

    Let F be the matrix `features` of shape (n, n_features), whose columns have mean
    zero. The function returns a matrix A of shape (n_features, n_features) such that
    ``Aᵀ (FᵀF + λI) A = nI``, where I is the identity matrix and λ is `alpha` times the
    mean squared norm of the rows of F. `name` is the name of `alpha` in error messages.
    """
    n = len(features)
    covariance = (features.T @ features / n).astype(np.float64)
    ridge = alpha * (mean_squared_norm(features) or 1.0) / n
    covariance.flat[:: len(covariance) + 1] += ridge
    with explain_singular(name, alpha, features.dtype):
        factor = cholesky(covariance, lower=True)
    identity = np.eye(len(factor))
    return solve_triangular(factor, identity, lower=True).T.astype(features.dtype)


def canonical_rotation(white: np.ndarray, predicted: np.ndarray, latent_dim: int):
    """Compute the canonical directions of whitened features and their correlations.

    `white` contains whitened brain features and has shape (n_studies, n_features).
    `predicted` has the same shape and contains the prediction of `white` from texts by
    ridge regression. The function returns the directions, of shape (n_features,
    latent_dim), and the canonical correlations, of shape (latent_dim,), in descending
    order.
    """
    # The squared canonical correlations are the eigenvalues of the matrix
    # whiteᵀ predicted / n_studies.
    shared = (white.T @ predicted / len(white)).astype(np.float64)
    n = len(shared)
    squares, vectors = eigh(
        (shared + shared.T) / 2, subset_by_index=[n - latent_dim, n - 1]
    )
    correlations = np.sqrt(np.maximum(squares[::-1], 0))
    return (
        vectors[:, ::-1].astype(white.dtype),
        correlations.astype(white.dtype),
    )


def soft_maximum(similarity: np.ndarray, temperature: float) -> np.ndarray:
    """Compute the soft maximum of each row of a matrix.

    Let s_j be the entries of a row of `similarity`, and τ the `temperature`. The soft
    maximum of the row is ``τ log mean_j exp(s_j / τ)``. As τ approaches 0, the soft
    maximum approaches the maximum of the row.
    """
    largest = similarity.max(axis=1)
    shifted = np.exp((similarity - largest[:, None]) / temperature)
    return largest + temperature * np.log(shifted.mean(axis=1))


def correct_hubness(
    text: np.ndarray,
    brain: np.ndarray,
    text_references: np.ndarray,
    brain_references: np.ndarray,
    *,
    temperature: float,
    weight: float,
) -> np.ndarray:
    r"""Correct the cosines of texts and maps for hubness.

    A hub is a map that is similar to most texts, or a text that is similar to most
    maps. The correction lowers the similarities of hubs. The corrected similarity of
    text i with map j is

    .. math:: s_{ij} = t_i \cdot b_j - w\, m(t_i B^T) - w\, m(b_j T^T)

    where :math:`t_i` is the latent of text i (a row of `text`), and :math:`b_j` is the
    latent of map j (a row of `brain`). The rows of T are the latents of the training
    texts (`text_references`). The rows of B are the latents of the training maps
    (`brain_references`). The function m is `soft_maximum`, and w is `weight`.

    Cross-domain similarity local scaling (CSLS, Conneau et al., 2018) is a related
    method, but it subtracts the mean similarity with the nearest candidates. Here, the
    correction is computed from training studies. Therefore, the similarity of a text
    and a map does not depend on the other candidates.
    """
    similarity = text @ brain.T
    of_text = soft_maximum(text @ brain_references.T, temperature)
    of_map = soft_maximum(brain @ text_references.T, temperature)
    return similarity - weight * (of_text[:, None] + of_map)


class KernelCCA(SharedSpaceEstimator):
    r"""Canonical correlation analysis (CCA) of texts with a kernel between maps.

    Text features can be sparse or dense. Let X contain the text features of the
    training studies, and let F contain brain features computed from their maps. Both
    are centered, and F is defined below. The model solves

    .. math:: \max_{a, b} a^T X^T F b \quad \text{s.t. }
        a^T (X^T X + \lambda_x I) a = b^T (F^T F + \lambda_z I) b = 1

    for pairs of directions. In each pair, a is a direction for texts and b is a
    direction for maps. For the texts, the solver factorizes only one square matrix,
    whose number of rows is the smaller of n_features and n_studies. Therefore, X can
    contain the counts of many words, and the number of features need not be reduced.

    F contains Nyström features of the normalized coefficients. The normalized
    coefficients of a map are its coefficients after the square root and the division by
    the norm, if `y_scaling` includes these steps. The mean of each component is not
    subtracted. The inner products of the Nyström features approximate a Gaussian
    kernel, which measures the similarity of whole maps. A linear function of the
    coefficients cannot express this similarity.

    Texts and maps are represented by vectors of the same space, called latents. The
    entries of a latent are the projections of the text or map on the directions, each
    multiplied by the canonical correlation of its pair. Then the latent is divided by
    its L2 norm.

    The similarity of a text and a map is the cosine of their latents minus a hubness
    correction. The correction lowers the similarities of texts and maps that are
    similar to many training studies.

    Parameters
    ----------
    latent_dim : int, default=512
        Maximum number of pairs of directions.
    alpha_text : float, default=10.0
        Ridge for the texts; positive. :math:`\lambda_x` is `alpha_text` times the mean
        squared norm of the centered rows of X.
    alpha_brain : float, default=25.0
        Ridge for the maps; positive. :math:`\lambda_z` is `alpha_brain` times the mean
        squared norm of the centered rows of F.
    kernel_width : float or None, default=0.4
        Width of the kernel; positive. The kernel between the normalized coefficients u
        and v of two maps is :math:`\exp(-\|u - v\|^2 / (2h))`, where h is
        `kernel_width` times the mean squared norm of the normalized coefficients of the
        training studies. This mean is 1 unless ``y_scaling=None``. With
        ``kernel_width=None``, no kernel is used, and F contains the standardized
        coefficients.
    n_nystroem : int, default=1500
        Maximum number of Nyström components, which are randomly chosen training
        studies. The Nyström features of a map are computed from the values of the
        kernel between this map and the maps of these studies.
    correlation_power : float, default=1.0
        Exponent of the canonical correlations by which projections are multiplied. With
        0, all directions have the same weight. There is one exception: if the exponent
        is below 1, directions whose correlation is at the level of rounding errors have
        weight 0.
    hubness_weight : float, default=0.5
        Weight of the hubness correction. The correction is this weight times the sum of
        two soft maxima. The first is the soft maximum of the cosines between the text
        and all training maps. The second is the soft maximum of the cosines between the
        map and all training texts. Therefore, the similarity of a text and a map does
        not depend on the other candidates. With 0, similarities are cosines.
    hubness_temperature : float, default=0.05
        Temperature τ of the soft maximum; positive. The soft maximum of the cosines
        :math:`s_j` is :math:`\tau \log \operatorname{mean}_j \exp(s_j / \tau)`.
    y_scaling : {"unit", "sqrt"} or None, default="sqrt"
        Scaling of y before the model is fitted:

        - ``"unit"``: the coefficients of each study are divided by their L2 norm. Then
          each component is standardized.
        - ``"sqrt"``: each coefficient is replaced by its signed square root. Then the
          same two steps as for ``"unit"`` follow.
        - None: the mean of each component is subtracted. There is no other scaling.
    random_state : int, RandomState instance or None, default=None
        Controls the random choice of the `n_nystroem` training studies that are the
        Nyström components. If there are fewer training studies, all of them are used.

    Attributes
    ----------
    canonical_correlations_ : ndarray of shape (latent_dim_,)
        Regularized canonical correlations, in descending order.
    text_weights_ : ndarray of shape (n_features_in_, latent_dim_)
        Matrix that transforms X to text projections. These projections are already
        multiplied by the canonical correlations.
    text_intercept_ : ndarray of shape (latent_dim_,)
        Intercept of the text projections.
    brain_weights_ : ndarray of shape (n_brain_features, latent_dim_)
        Matrix that transforms the centered brain features F to brain projections. The
        Notes explain `n_brain_features`.
    brain_mean_ : ndarray of shape (n_brain_features,)
        Mean of the brain features over the training studies. It is subtracted to center
        the features.
    nystroem_components_ : ndarray of shape (min(n_nystroem, n_studies), n_components_)
        Normalized coefficients of the training studies that are the Nyström components.
        Absent with ``kernel_width=None``.
    nystroem_projection_ : ndarray of shape (n_rows, n_brain_features)
        Matrix that transforms kernel values to brain features. `n_rows` is the number
        of rows of `nystroem_components_`. Absent with ``kernel_width=None``.
    kernel_width_ : float
        Width h of the kernel. Absent with ``kernel_width=None``.
    coef_ : ndarray of shape (n_features_in_, n_components_)
        Weights of the ridge regression with which `predict` computes standardized
        coefficients from X.
    intercept_ : ndarray of shape (n_components_,)
        Intercept of this ridge regression.
    text_references_, brain_references_ : ndarray of shape (n_studies, latent_dim_)
        Latents of the training texts and training maps, which the hubness correction
        uses. Each row has L2 norm 1. Absent with ``hubness_weight=0``.
    latent_dim_ : int
        Dimension of the shared space.
    y_mean_, y_scale_ : ndarray of shape (n_components_,)
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
    CCABaseline : CCA without a kernel, for dense embeddings.
    TextBrainEnsemble : Weighted sum of the similarities of several models.

    Notes
    -----
    Computations and fitted arrays have the dtype of X, float32 or float64. Compared
    with float64, an X in float32 halves the time and the memory of `fit`. For example,
    ``TfidfVectorizer(dtype="float32")`` returns such an X.

    The number of brain features, ``n_brain_features``, is the rank of the kernel matrix
    between the Nyström components. With ``kernel_width=None``, ``n_brain_features`` is
    the number of components of y.

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
        """Fit the pairs of directions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_studies, n_features)
            Features of the texts, for example TF-IDF weights or embeddings.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : KernelCCA
            The fitted estimator.

        Raises
        ------
        ValueError
            If `alpha_text` or `alpha_brain` is so small that rounding errors in the
            dtype of X prevent a Cholesky factorization.
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
            vars(self).pop(name, None)  # from an earlier fit
        if self.hubness_weight:
            self.text_references_ = self._scale_text(predicted @ rotation)
            self.brain_references_ = self._scale_brain(white @ rotation)
        return self

    def _fit_brain_features(self, standardized):
        """Choose the Nyström components, and return the centered brain features."""
        for name in ("nystroem_components_", "nystroem_projection_", "kernel_width_"):
            vars(self).pop(name, None)  # from an earlier fit
        if self.kernel_width is not None:
            rows = self._normalized(standardized)
            mean_square = float((rows**2).sum(axis=1).mean())
            self.kernel_width_ = self.kernel_width * (mean_square or 1.0)
            self.nystroem_components_ = choose_components(
                rows, self.n_nystroem, self.random_state
            )
            self.nystroem_projection_ = nystroem_projection(
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
        """Return the factors by which text and brain projections are multiplied.

        The two arrays have shape (latent_dim_,), with one factor per direction.
        """
        # Text projections are already multiplied by the correlations. Therefore, their
        # factors are the correlations to the power of `power - 1`. If this exponent is
        # negative, a correlation at the level of rounding errors would result in a very
        # large factor. The factor of a direction with such a correlation is set to 0.
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

    def _scale_brain(self, projections):
        return unit_rows(projections * self._latent_scales()[1])

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
