"""Ridge regression of many targets on wide, sparse or dense features."""

from contextlib import contextmanager

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse import issparse

# Columns that are filled more than this are quicker as a dense block.
_DENSE = 0.2


def mean_squared_norm(X) -> float:
    """Mean squared norm of the rows after their mean is removed."""
    mean = column_means(X)
    squares = X.multiply(X).sum() if issparse(X) else np.einsum("ij,ij->", X, X)
    return max(float(squares / X.shape[0] - mean @ mean), 0.0)


def column_means(X) -> np.ndarray:
    """Mean of each column of a sparse or dense array."""
    return np.asarray(X.mean(axis=0)).ravel().astype(X.dtype, copy=False)


@contextmanager
def named_ridge(name: str, alpha: float, dtype):
    """Name the ridge where a matrix that it was added to has no Cholesky factor."""
    try:
        yield
    except LinAlgError as error:
        precision = np.dtype(dtype).name
        way_out = "" if precision == "float64" else ", or pass X in float64"
        raise ValueError(
            f"{name}={alpha:g} is too small: in {precision} the ridge is lost in "
            f"rounding ({error}). Raise {name}{way_out}."
        ) from error


def solve_ridge(X, targets: np.ndarray, alpha: float, name: str = "alpha"):
    r"""Solve ridge regression with an intercept through one Cholesky factor.

    .. math:: \min_{W, b} \|Y - X W - 1 b^T\|^2 + \lambda \|W\|^2

    with :math:`\lambda = \alpha` times the mean squared norm of the centred rows of X,
    so that neither the scale of X nor its number of columns changes what α means. The
    factor is of size n_features or n_studies, whichever is smaller.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_studies, n_features)
        Features; need not be centred.
    targets : ndarray of shape (n_studies, n_targets)
        Y.
    alpha : float
        Positive.
    name : str, default="alpha"
        What the error message calls it.

    Returns
    -------
    weights : ndarray of shape (n_features, n_targets)
        W, in the precision of X.
    intercept : ndarray of shape (n_targets,)
        b.

    Raises
    ------
    ValueError
        If the ridge is so small that rounding leaves no positive definite matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models._ridge_solver import solve_ridge
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> weights, intercept = solve_ridge(X, 3 * X + 1, alpha=1e-9)
    >>> weights.round(6).item(), intercept.round(6).item()
    (3.0, 1.0)
    """
    # Data without any variance still has to factorise.
    ridge = alpha * (mean_squared_norm(X) or 1.0)
    mean = column_means(X)
    target_mean = targets.mean(axis=0)
    centred = targets - target_mean
    with named_ridge(name, alpha, X.dtype):
        if X.shape[1] <= X.shape[0]:
            cross = X.T @ centred - np.outer(mean, centred.sum(axis=0))
            weights = _solve(_centred_gram(X, mean), cross, ridge)
        else:
            dual = _solve(_centred_kernel(X, mean), centred, ridge)
            weights = X.T @ dual - np.outer(mean, dual.sum(axis=0))
    weights = np.asarray(weights, dtype=X.dtype)
    return weights, target_mean - mean @ weights


def _solve(gram, right, ridge):
    gram.flat[:: len(gram) + 1] += ridge
    factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, right, check_finite=False)


def _centred_gram(X, mean):
    """``XᵀX - n m mᵀ``."""
    return column_products(X) - X.shape[0] * np.outer(mean, mean)


def _centred_kernel(X, mean):
    """``(X - m)(X - m)ᵀ``."""
    if issparse(X):
        thin, full, _ = _split_columns(X)
        kernel = (thin @ thin.T).toarray() + full @ full.T
    else:
        kernel = X @ X.T
    with_mean = X @ mean
    return kernel - with_mean[:, None] - with_mean + mean @ mean


def column_products(X) -> np.ndarray:
    """``XᵀX`` as a dense array; well-filled columns of sparse X are one dense block.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_studies, n_features)
        Any features.

    Returns
    -------
    products : ndarray of shape (n_features, n_features)
        Inner products of all pairs of columns.
    """
    if not issparse(X):
        return X.T @ X
    thin, full, is_full = _split_columns(X)
    order = np.concatenate([np.flatnonzero(~is_full), np.flatnonzero(is_full)])
    mixed = thin.T @ full
    products = np.empty((X.shape[1], X.shape[1]), dtype=X.dtype)
    products[np.ix_(order, order)] = np.block(
        [[(thin.T @ thin).toarray(), mixed], [mixed.T, full.T @ full]]
    )
    return products


def _split_columns(X):
    """Split sparse X into its thin columns, its full ones (dense), and which are so."""
    columns = X.tocsc()
    is_full = np.diff(columns.indptr) > _DENSE * X.shape[0]
    thin = columns[:, np.flatnonzero(~is_full)].tocsr()
    return thin, columns[:, np.flatnonzero(is_full)].toarray(), is_full
