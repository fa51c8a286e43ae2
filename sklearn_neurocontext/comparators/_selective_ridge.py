"""Functions for NeuroQuery's ridge regression on terms and its smoothing of terms."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import svd
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

# Candidate penalties, as in NeuroQuery.
ALPHAS = np.logspace(-1, 3, 9)
# Maximum number of factors of related terms, as in NeuroQuery.
N_FACTORS = 300
# Number of studies whose residuals are computed at a time.
_BLOCK = 500


@dataclass(frozen=True, eq=False)
class Ridge:
    """Fitted ridge regression of maps on terms.

    Attributes
    ----------
    coef : ndarray of shape (n_terms, n_voxels)
        Coefficients.
    intercept : ndarray of shape (n_voxels,)
        Intercepts.
    covariance : ndarray of shape (n_terms, n_terms)
        Covariance of the coefficients at one voxel, if its residuals have variance one.
    residual_variance : ndarray of shape (n_voxels,)
        Mean squared residual of each voxel.
    alpha : float
        The chosen penalty.
    """

    coef: np.ndarray
    intercept: np.ndarray
    covariance: np.ndarray
    residual_variance: np.ndarray
    alpha: float


def fit_ridge(X, Y, penalties=None) -> Ridge:
    """Fit ridge regression with the penalty that has the least leave-one-out error.

    `X` has shape (n_studies, n_terms), and `Y` has shape (n_studies, n_voxels). One
    value is chosen from `ALPHAS`. The penalty of a term is this value, multiplied by
    the value of the term in `penalties` if they are given.
    """
    X_mean, Y_mean = X.mean(axis=0), Y.mean(axis=0)
    root = np.ones_like(X_mean) if penalties is None else np.sqrt(penalties)
    U, s, Vt = svd((X - X_mean) / root, full_matrices=False)
    # The columns of U have mean zero, so U.T @ Y does not depend on the mean of Y.
    targets = Y - Y_mean
    Z = U.T @ targets
    errors = leave_one_out_errors(U, s, targets, Z, ALPHAS)
    alpha = float(ALPHAS[errors.mean(axis=1).argmin()])
    weights = (Vt.T * (s / (s**2 + alpha)).astype(X.dtype)) / root[:, None]
    coef = weights @ Z
    intercept = Y_mean - X_mean @ coef
    residual_variance = np.zeros(Y.shape[1])
    for rows in gen_batches(len(Y), _BLOCK):
        residual = Y[rows] - X[rows] @ coef - intercept
        residual_variance += np.einsum("ij,ij->j", residual, residual)
    residual_variance = (residual_variance / len(Y)).astype(Y.dtype)
    return Ridge(coef, intercept, weights @ weights.T, residual_variance, alpha)


def leave_one_out_errors(U, s, targets, Z, alphas) -> np.ndarray:
    r"""Compute squared leave-one-out errors, an array of shape (n_alphas, n_studies).

    `U` contains the left singular vectors of the centered features, and `s` their
    singular values. `targets` are the centered targets, and `Z` is the product of the
    transpose of U and the targets. Let R be the diagonal matrix with the values
    :math:`s_k^2 / (s_k^2 + \alpha)`. For each of the n studies, let :math:`u_i` and
    :math:`y_i` be row i of U and of the targets. The error of study i is
    :math:`\|y_i - u_i R Z\|^2 / (1 - h_i)^2`, where
    :math:`h_i = u_i R u_i^T + 1/n`. The norm is expanded into products that are
    computed once for all penalties.
    """
    cross = targets @ Z.T
    gram = (Z @ Z.T).astype(np.float64)
    squares = np.einsum("ij,ij->i", targets, targets, dtype=np.float64)
    errors = np.empty((len(alphas), len(U)))
    for row, alpha in enumerate(alphas):
        shrunk = U * (s**2 / (s**2 + alpha))
        leverage = np.einsum("ij,ij->i", shrunk, U) + 1 / len(U)
        products = np.einsum("ij,ij->i", shrunk, cross)
        norms = np.einsum("ij,ij->i", shrunk @ gram, shrunk)
        errors[row] = (squares - 2 * products + norms) / (1 - leverage) ** 2
    return errors


def select_terms(ridge: Ridge) -> tuple[np.ndarray, np.ndarray]:
    """Select the terms whose maps have large z values; return them and their penalties.

    The energy of a term is the mean over voxels of its squared z values, where negative
    z values count as 0. A term is selected if its energy exceeds the mean energy of all
    terms by more than two standard deviations.
    """
    variance = np.outer(np.diag(ridge.covariance), ridge.residual_variance)
    z_maps = ridge.coef / np.sqrt(variance + variance.mean())
    energy = (np.clip(z_maps, 0, None) ** 2).mean(axis=1)
    excess = np.maximum(energy - (energy.mean() + 2 * energy.std()), 0.001)
    penalties = excess.max() / excess
    selected = np.flatnonzero(penalties < penalties.max())
    return selected, penalties[selected]


def fit_smoothing(X) -> np.ndarray:
    """Fit NeuroQuery's factors of related terms, of shape (n_terms, n_factors)."""
    # Since version 1.2, scikit-learn multiplies the penalties by the numbers of
    # features and samples. NeuroQuery was written for earlier versions, so the
    # penalties are divided by these numbers here. Otherwise, all factors would be zero.
    n_studies, n_terms = X.shape
    nmf = NMF(
        min(N_FACTORS, n_terms),
        alpha_W=0.1 / n_terms,
        alpha_H=0.1 / n_studies,
        l1_ratio=0.1,
        max_iter=200,
        random_state=0,
    )
    with warnings.catch_warnings():
        # NeuroQuery stops after 200 iterations.
        warnings.simplefilter("ignore", ConvergenceWarning)
        loadings = nmf.fit_transform(X)
    return nmf.components_.T * np.linalg.norm(loadings, axis=0)


def smooth_terms(X, factors, weight: float) -> np.ndarray:
    """Move a part of the weight of each term to related terms.

    `X` contains the weights, of shape (n_texts, n_terms). Let V be `factors`, the
    output of `fit_smoothing`. Each row of V Vᵀ is divided by its norm to obtain the
    matrix S. The result is ``weight * X S + (1 - weight) * X``.
    """
    norms = np.linalg.norm(factors @ factors.T, axis=1, keepdims=True)
    normalized = factors / np.where(norms > 0, norms, 1)
    return weight * (X @ normalized @ factors.T) + (1 - weight) * X
