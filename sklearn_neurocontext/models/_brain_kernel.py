"""Kernel between brain maps, and what canonical correlations need of its features."""

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from ._ridge_solver import mean_squared_norm, named_ridge

# Directions of the landmarks' kernel below this share of the largest are noise.
_SMALLEST = 1e-6


def gaussian_kernel(rows, landmarks, width: float) -> np.ndarray:
    r"""Gaussian kernel :math:`\exp(-\|u - v\|^2 / 2h)`.

    Parameters
    ----------
    rows : ndarray of shape (n, n_components)
        u.
    landmarks : ndarray of shape (n_landmarks, n_components)
        v.
    width : float
        h; for rows of norm one the kernel is ``exp((u·v - 1) / h)``.

    Returns
    -------
    kernel : ndarray of shape (n, n_landmarks)
        In [0, 1]: of distant pairs it underflows to 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models._brain_kernel import gaussian_kernel
    >>> gaussian_kernel(np.eye(2), np.eye(2), 1.0).round(3)
    array([[1.   , 0.368],
           [0.368, 1.   ]])
    """
    squares = (rows**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1)
    distance = squares - 2 * rows @ landmarks.T
    return np.exp(np.maximum(distance, 0) / (-2 * width))


def nystroem_map(landmarks, width: float) -> np.ndarray:
    """Matrix that turns kernel values with landmarks into features.

    Inner products of ``gaussian_kernel(rows, landmarks, width) @ nystroem_map(…)`` are
    the Nyström approximation of the kernel between rows. Between landmarks it differs
    by what was cut, at most a millionth of the kernel's largest eigenvalue.

    Parameters
    ----------
    landmarks : ndarray of shape (n_landmarks, n_components)
        Rows whose kernel is decomposed.
    width : float
        h of the kernel.

    Returns
    -------
    projection : ndarray of shape (n_landmarks, n_kept)
        ``n_kept <= n_landmarks``: directions of numerically no extent are left out,
        eigenvalues below a millionth of the largest.

    References
    ----------
    Williams and Seeger (2001), Using the Nyström method to speed up kernel machines.
    """
    kernel = gaussian_kernel(landmarks, landmarks, width).astype(np.float64)
    values, vectors = eigh(kernel)
    kept = values > _SMALLEST * values[-1]
    return (vectors[:, kept] / np.sqrt(values[kept])).astype(landmarks.dtype)


def whitening(features: np.ndarray, alpha: float, name: str = "alpha") -> np.ndarray:
    """Matrix that gives centred features unit regularised covariance.

    Parameters
    ----------
    features : ndarray of shape (n_studies, n_features)
        Centred.
    alpha : float
        Ridge on the sum of squares, in units of the rows' mean squared norm; positive.
    name : str, default="alpha"
        What the error message calls it.

    Returns
    -------
    whitener : ndarray of shape (n_features, n_features)
        ``A`` such that ``Aᵀ (FᵀF + λI) A = nI`` with ``λ = alpha·mean‖f‖²``, the λ of
        `solve_ridge`.

    Raises
    ------
    ValueError
        If the ridge is so small that rounding leaves no positive definite matrix.
    """
    n = len(features)
    covariance = (features.T @ features / n).astype(np.float64)
    ridge = alpha * (mean_squared_norm(features) or 1.0) / n
    covariance.flat[:: len(covariance) + 1] += ridge
    with named_ridge(name, alpha, features.dtype):
        factor = cholesky(covariance, lower=True)
    identity = np.eye(len(factor))
    return solve_triangular(factor, identity, lower=True).T.astype(features.dtype)


def canonical_rotation(white: np.ndarray, predicted: np.ndarray, latent_dim: int):
    """Rotate whitened brain features so that each is predicted by itself alone.

    Parameters
    ----------
    white : ndarray of shape (n_studies, n_features)
        Whitened brain features.
    predicted : ndarray of shape (n_studies, n_features)
        Their ridge prediction from the texts.
    latent_dim : int
        Number of directions kept, those of the largest correlations.

    Returns
    -------
    rotation : ndarray of shape (n_features, latent_dim)
        Orthonormal columns.
    correlations : ndarray of shape (latent_dim,)
        Regularised canonical correlations, falling.
    """
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
