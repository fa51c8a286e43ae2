"""Transformer from a text to the average map of studies with similar texts."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.preprocessing import normalize

from .._utils.validation import (
    Interval,
    Real,
    StrOptions,
    check_is_fitted,
    fit_context,
    validate_data,
)
from .._utils.volumes import normalize_studies

# To limit memory, at most this number of texts is compared with all training texts at
# once.
_ROWS = 1000
# Two texts count as equal if their cosine exceeds 1 - _SAME.
_SAME = 1e-5


class NeighborMaps(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Transform a text to the average map of training studies with similar texts.

    The average map of a text is computed by Nadaraya-Watson kernel regression:

    .. math:: \sum_n \frac{e^{\cos(x, x_n)/\tau}}{\sum_m e^{\cos(x, x_m)/\tau}} \, y_n

    where x contains the features of the text, for example an embedding. The indices n
    and m run over training studies, :math:`x_n` contains the features of the text of
    study n, :math:`y_n` are the normalized coefficients of study n, and τ is the
    temperature. Training studies whose features equal x (cosine one) are left out of
    both sums. Therefore, the average map of a training study does not contain its own
    map, and a model fitted to average maps can generalize to new texts. If the features
    of all training texts equal x, the result is the mean of all :math:`y_n`.

    Parameters
    ----------
    temperature : float, default=0.05
        Temperature τ; positive. With smaller values, fewer training studies have a
        large weight in the average.
    y_scaling : {"unit", "sqrt"} or None, default="sqrt"
        Normalization of y:

        - ``"unit"``: the coefficients of each study are divided by their L2 norm.
        - ``"sqrt"``: each coefficient is replaced by its signed square root. Then the
          square roots of each study are divided by their L2 norm.
        - None: the coefficients are unchanged.

    Attributes
    ----------
    texts_ : {ndarray, csr_array} of shape (n_studies, n_features_in_)
        Features of the training texts, scaled to norm one. The dtype is that of X,
        float32 or float64.
    maps_ : ndarray of shape (n_studies, n_components)
        Normalized coefficients of the training studies, in the dtype of X.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    KernelCCA : Model that can be fitted to the output of `transform`.

    References
    ----------
    Nadaraya (1964), On estimating regression. Watson (1964), Smooth regression
    analysis.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models import NeighborMaps
    >>> X = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]
    >>> y = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    >>> NeighborMaps().fit_transform(X, y).round(2)
    array([[0.  , 1.  ],
           [1.  , 0.  ],
           [0.12, 0.88]])
    """

    _parameter_constraints = {
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "y_scaling": [StrOptions({"unit", "sqrt"}), None],
    }

    def __init__(self, temperature=0.05, *, y_scaling="sqrt"):
        self.temperature = temperature
        self.y_scaling = y_scaling

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Store the training studies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_studies, n_features)
            Embeddings or word weights.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : NeighborMaps
            The fitted transformer.
        """
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
        )
        self.texts_ = normalize(X)
        self.maps_ = normalize_studies(y.reshape(len(y), -1), self.y_scaling, X.dtype)
        self._n_features_out = self.maps_.shape[1]
        return self

    def transform(self, X):
        """Compute the average map of studies with similar texts, for each text.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_texts, n_features)
            Embeddings or word weights.

        Returns
        -------
        features : ndarray of shape (n_texts, n_components)
            Average maps, in the dtype of X.
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            reset=False,
        )
        rows = normalize(X)
        starts = range(0, rows.shape[0], _ROWS)
        return np.vstack(
            [self._average(rows[start : start + _ROWS]) for start in starts]
        )

    def _average(self, rows):
        """Compute the average map of studies with similar texts, for each text.

        `rows` contains the features of the texts; each row has norm one.
        """
        cosines = rows @ self.texts_.T
        if issparse(cosines):
            cosines = cosines.toarray()
        cosines[cosines > 1 - _SAME] = -np.inf
        highest = cosines.max(axis=1, keepdims=True)
        # If a text equals all training texts, all training studies have equal weights.
        alone = ~np.isfinite(highest[:, 0])
        cosines[alone], highest[alone] = 0, 0
        weights = np.exp((cosines - highest) / self.temperature)
        return weights @ self.maps_ / weights.sum(axis=1, keepdims=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
