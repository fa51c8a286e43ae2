"""Nyström features of a Gaussian kernel."""

import numpy as np
from scipy.linalg import eigh
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from .._utils.validation import (
    Integral,
    Interval,
    Real,
    check_is_fitted,
    check_random_state,
    fit_context,
    validate_data,
)

# Eigenvalues below this fraction of the largest eigenvalue are treated as zero, because
# they consist mostly of rounding errors.
_SMALLEST_EIGENVALUE = 1e-6


def choose_components(rows, n_components: int, random_state) -> np.ndarray:
    """Choose at most n_components rows at random, without replacement."""
    rng = check_random_state(random_state)
    return rows[rng.choice(len(rows), min(n_components, len(rows)), replace=False)]


def gaussian_kernel(rows, components, width: float) -> np.ndarray:
    """Compute the Gaussian kernel between each row and each component.

    The result has shape (n_rows, n_components). For a row u and a component v, the
    kernel is ``exp(-‖u - v‖² / (2 width))``.
    """
    squares = (rows**2).sum(axis=1)[:, None] + (components**2).sum(axis=1)
    distance = squares - 2 * rows @ components.T
    return np.exp(np.maximum(distance, 0) / (-2 * width))


def nystroem_projection(components, width: float) -> np.ndarray:
    """Compute the matrix that converts kernel values to Nyström features.

    The columns of the matrix are the eigenvectors of the kernel matrix between
    components. Each eigenvector is divided by the square root of its eigenvalue.
    Eigenvectors with an eigenvalue close to zero are left out.
    """
    kernel = gaussian_kernel(components, components, width).astype(np.float64)
    values, vectors = eigh(kernel)
    kept = values > _SMALLEST_EIGENVALUE * values[-1]
    return (vectors[:, kept] / np.sqrt(values[kept])).astype(components.dtype)


class NystroemKernel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Transform embeddings to Nyström features of a Gaussian kernel.

    The inner product of the features of embeddings u and v approximates the kernel
    :math:`\exp(-\|u - v\|^2 / (2h))`, where h is `kernel_width`. The approximation uses
    `n_components` training studies, which are drawn at random and called components. If
    there are at most `n_components` training studies, all of them are components. In
    this case, the kernel between two training studies is exact.

    Parameters
    ----------
    kernel_width : float, default=0.3
        Width h of the kernel; positive. For embeddings of norm one, the kernel equals
        ``exp((cosine - 1) / h)``.
    n_components : int, default=2500
        Maximum number of components.
    random_state : int, RandomState instance or None, default=None
        Controls the random choice of the components and their order.

    Attributes
    ----------
    components_ : ndarray of shape (min(n_components, n_studies), n_features_in_)
        Embeddings of the components.
    projection_ : ndarray of shape (len(components_), n_features_out)
        Matrix that converts the kernel between texts and components to features. The
        number of features, ``n_features_out``, is smaller than the number of components
        if several components have the same text.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    KernelCCA : Model that uses the same kernel to compare maps.
    sklearn.kernel_approximation.Nystroem : Transformer that offers other kernels. It
        warns if there are fewer studies than `n_components`. It loses precision in
        float32 if several studies have the same text.

    References
    ----------
    Williams and Seeger (2001), Using the Nyström method to speed up kernel machines.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models import NystroemKernel
    >>> X = np.array([[0.0], [1.0], [3.0]])
    >>> features = NystroemKernel(kernel_width=0.5).fit_transform(X)
    >>> (features @ features.T).round(3)
    array([[1.   , 0.368, 0.   ],
           [0.368, 1.   , 0.018],
           [0.   , 0.018, 1.   ]])
    """

    _parameter_constraints = {
        "kernel_width": [Interval(Real, 0, None, closed="neither")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, kernel_width=0.3, *, n_components=2500, random_state=None):
        self.kernel_width = kernel_width
        self.n_components = n_components
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Choose the components and compute the projection.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : NystroemKernel
            The fitted transformer.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.components_ = choose_components(X, self.n_components, self.random_state)
        self.projection_ = nystroem_projection(self.components_, self.kernel_width)
        self._n_features_out = self.projection_.shape[1]
        return self

    def transform(self, X):
        """Compute the features of texts.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_features)
            Embeddings.

        Returns
        -------
        features : ndarray of shape (n_texts, n_features_out)
            Features, in the dtype of X.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        kernel = gaussian_kernel(X, self.components_, self.kernel_width)
        return kernel @ self.projection_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
