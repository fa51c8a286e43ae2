"""Features of a kernel between embeddings, through some of the training studies."""

import numpy as np
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
from ._brain_kernel import gaussian_kernel, nystroem_map


class NystroemKernel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Nyström features of a Gaussian kernel between embeddings.

    Inner products of features approximate :math:`\exp(-\|u - v\|^2 / 2h)`, and are
    exact between landmarks. These are `n_components` of the training studies; all of
    them where there are fewer, so that a small corpus has the exact kernel.

    Parameters
    ----------
    kernel_width : float, default=0.3
        h; positive. For embeddings of norm one the kernel is
        ``exp((cosine - 1) / h)``.
    n_components : int, default=2500
        Training studies, at most, that the kernel is computed with.
    random_state : int, RandomState instance or None, default=None
        Choice of the landmarks, where there are more studies than `n_components`.

    Attributes
    ----------
    components_ : ndarray of shape (n_kept_landmarks, n_features_in_)
        Embeddings that the kernel is computed with: of all studies where there are no
        more than `n_components`.
    projection_ : ndarray of shape (n_kept_landmarks, n_features_out)
        From kernel values to features; directions of numerically no extent, as equal
        texts give, are left out.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    KernelCCA : Has the same kernel between maps.
    sklearn.kernel_approximation.Nystroem : Other kernels; warns where there are fewer
        studies than landmarks, and loses precision in float32 where texts repeat.

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
        """Choose the landmarks and decompose the kernel between them.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings.
        y : None
            Ignored.

        Returns
        -------
        self : NystroemKernel
            The fitted transformer.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        rng = check_random_state(self.random_state)
        n_components = min(self.n_components, len(X))
        self.components_ = X[rng.choice(len(X), n_components, replace=False)]
        self.projection_ = nystroem_map(self.components_, self.kernel_width)
        self._n_features_out = self.projection_.shape[1]
        return self

    def transform(self, X):
        """Give the features.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_features)
            Embeddings.

        Returns
        -------
        features : ndarray of shape (n_texts, n_kept)
            In the precision of X.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        kernel = gaussian_kernel(X, self.components_, self.kernel_width)
        return kernel @ self.projection_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
