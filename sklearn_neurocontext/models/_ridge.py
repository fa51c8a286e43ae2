"""Model that predicts coefficients by ridge regression, and a solver for other models.

The solver is efficient if X is sparse or has more features than studies.
"""

from contextlib import contextmanager

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse import issparse
from sklearn.linear_model import RidgeCV

from .._utils.validation import (
    Interval,
    Real,
    StrOptions,
    check_numbers,
    fit_context,
)
from ._base import TextBrainEstimator

# Before matrix products, a column of a sparse X is converted to a dense array if more
# than this fraction of its values is nonzero.
_DENSE_SHARE = 0.2


def solve_ridge(X, targets: np.ndarray, alpha: float, name: str = "alpha"):
    r"""Solve ridge regression with an intercept.

    .. math:: \min_{W, b} \|Y - X W - 1 b^T\|^2 + \lambda \|W\|^2

    where X are the features, Y the targets, W the weights, b the intercept, and 1 is a
    vector of ones. The penalty λ is α times the mean squared norm of the centered rows
    of X. Therefore, the effect of α is independent of the scale of X and of the number
    of columns of X. The solution uses the Cholesky factorization of a single square
    matrix. The number of rows of this matrix is the smaller of n_features and
    n_studies.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_studies, n_features)
        Features X. They need not be centered.
    targets : ndarray of shape (n_studies, n_targets)
        Targets Y.
    alpha : float
        Relative penalty α; positive.
    name : str, default="alpha"
        Name of α in error messages.

    Returns
    -------
    weights : ndarray of shape (n_features, n_targets)
        Weights W, in the dtype of X.
    intercept : ndarray of shape (n_targets,)
        Intercept b.

    Raises
    ------
    ValueError
        If α is so small that rounding errors prevent the Cholesky factorization.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models import solve_ridge
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> weights, intercept = solve_ridge(X, 3 * X + 1, alpha=1e-9)
    >>> weights.round(6).item(), intercept.round(6).item()
    (3.0, 1.0)
    """
    # If all columns of X are constant, the mean squared norm is 0. It is then replaced
    # by 1, because a Cholesky factorization requires a positive penalty.
    ridge = alpha * (mean_squared_norm(X) or 1.0)
    mean = column_means(X)
    target_mean = targets.mean(axis=0)
    centered = targets - target_mean
    with explain_singular(name, alpha, X.dtype):
        if X.shape[1] <= X.shape[0]:
            cross = X.T @ centered - np.outer(mean, centered.sum(axis=0))
            weights = _solve(_centered_gram(X, mean), cross, ridge)
        else:
            dual = _solve(_centered_kernel(X, mean), centered, ridge)
            weights = X.T @ dual - np.outer(mean, dual.sum(axis=0))
    weights = np.asarray(weights, dtype=X.dtype)
    return weights, target_mean - mean @ weights


def mean_squared_norm(X) -> float:
    """Compute the mean squared norm of the rows of X after centering."""
    mean = column_means(X)
    squares = X.multiply(X).sum() if issparse(X) else np.einsum("ij,ij->", X, X)
    return max(float(squares / X.shape[0] - mean @ mean), 0.0)


def column_means(X) -> np.ndarray:
    """Compute the mean of each column of a sparse or dense array."""
    return np.asarray(X.mean(axis=0)).ravel().astype(X.dtype, copy=False)


@contextmanager
def explain_singular(name: str, alpha: float, dtype):
    """If Cholesky factorization fails, raise a ValueError that names the penalty."""
    try:
        yield
    except LinAlgError as error:
        precision = np.dtype(dtype).name
        hint = "" if precision == "float64" else ", or pass X in float64"
        raise ValueError(
            f"{name}={alpha:g} is too small: the Cholesky factorization failed in "
            f"{precision} because of rounding ({error}). Increase {name}{hint}."
        ) from error


def _solve(gram, right, ridge):
    """Solve ``(gram + ridge * I) W = right`` for W, where I is the identity matrix.

    The array `gram` is overwritten.
    """
    gram.flat[:: len(gram) + 1] += ridge
    factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, right, check_finite=False)


def _centered_gram(X, mean):
    """Compute ``(X - m)ᵀ(X - m)``, where m is the mean of the rows of X.

    The product is computed as ``XᵀX - n m mᵀ``, where n is the number of rows of X.
    With this formula, X can be sparse.
    """
    return column_products(X) - X.shape[0] * np.outer(mean, mean)


def _centered_kernel(X, mean):
    """Compute ``(X - m)(X - m)ᵀ``, where m is the mean of the rows of X."""
    if issparse(X):
        sparse, dense, _ = _split_columns(X)
        kernel = (sparse @ sparse.T).toarray() + dense @ dense.T
    else:
        kernel = X @ X.T
    with_mean = X @ mean
    return kernel - with_mean[:, None] - with_mean + mean @ mean


def column_products(X) -> np.ndarray:
    """Compute ``XᵀX`` as a dense array."""
    if not issparse(X):
        return X.T @ X
    sparse, dense, is_dense = _split_columns(X)
    order = np.concatenate([np.flatnonzero(~is_dense), np.flatnonzero(is_dense)])
    mixed = sparse.T @ dense
    products = np.empty((X.shape[1], X.shape[1]), dtype=X.dtype)
    products[np.ix_(order, order)] = np.block(
        [[(sparse.T @ sparse).toarray(), mixed], [mixed.T, dense.T @ dense]]
    )
    return products


def _split_columns(X):
    """Split the columns of a sparse array into a sparse block and a dense block.

    Return both blocks and a boolean mask of the columns that are in the dense block.
    """
    columns = X.tocsc()
    is_dense = np.diff(columns.indptr) > _DENSE_SHARE * X.shape[0]
    sparse = columns[:, np.flatnonzero(~is_dense)].tocsr()
    return sparse, columns[:, np.flatnonzero(is_dense)].toarray(), is_dense


class RidgeBaseline(TextBrainEstimator):
    r"""Ridge regression with a penalty chosen by leave-one-out cross-validation.

    It minimizes :math:`\|Z - XW\|^2 + \alpha \|W\|^2` over the weights W, where X are
    the centered embeddings and Z the standardized coefficients of the training studies.
    The penalty α is the same for all components. The similarity of a text and a map is
    the cosine between predicted and observed standardized coefficients.

    Parameters
    ----------
    alphas : float, array-like of shape (n_alphas,) or None, default=None
        Candidate values of the penalty; positive. If None, 13 logarithmically spaced
        values from 0.1 to 100,000 are used.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        Scaling of y before the model is fitted:

        - ``"unit"``: the coefficients of each study are divided by their L2 norm. Then
          each component is standardized.
        - ``"sqrt"``: each coefficient is replaced by its signed square root. Then the
          same two steps as for ``"unit"`` follow.
        - None: the mean of each component is subtracted. There is no other scaling.

    Attributes
    ----------
    alpha_ : float
        The chosen penalty.
    coef_ : ndarray of shape (n_components_, n_features_in_), float64
        Transpose of the weights W, with which `predict` computes standardized
        coefficients.
    intercept_ : ndarray of shape (n_components_,), float64
        Intercepts of the predicted standardized coefficients.
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
    CCABaseline : Closed-form model that is designed for retrieval.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024, Table 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X @ rng.normal(size=(5, 8)) + rng.normal(size=(200, 8))
    >>> RidgeBaseline().fit(X[:150], y[:150]).predict(X[150:]).shape
    (50, 8)
    """

    _parameter_constraints = {
        "alphas": ["array-like", Interval(Real, 0, None, closed="neither"), None],
        "y_scaling": [StrOptions({"unit", "sqrt"}), None],
    }

    def __init__(self, alphas=None, *, y_scaling="unit"):
        self.alphas = alphas
        self.y_scaling = y_scaling

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the regression and choose its penalty.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : RidgeBaseline
            The fitted estimator.
        """
        alphas = check_numbers(
            "alphas",
            np.logspace(-1, 5, 13) if self.alphas is None else self.alphas,
            lambda array: (array > 0).all(),
            "a positive number or a sequence of positive numbers",
        )
        X, standardized = self._check_fit_input(X, y, dtype=np.float64)
        ridge = RidgeCV(alphas=alphas).fit(X, standardized)
        self.alpha_ = float(ridge.alpha_)
        self.coef_ = ridge.coef_.reshape(self.n_components_, -1)
        self.intercept_ = np.reshape(ridge.intercept_, self.n_components_)
        return self

    def _predict_standardized(self, X):
        return X @ self.coef_.T + self.intercept_
