"""Pure functions: the normal equations of least squares on maps."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, pinvh
from scipy.linalg.lapack import dpocon

# A map whose share that the others cannot explain is below this (squared norm) counts
# as their combination. Maps are float32, whose rounding leaves about 1e-14.
MIN_OWN_SHARE = 1e-12
# From this condition number on, four of the seven digits of float32 maps are lost.
ILL_CONDITIONED = 1e8
# Blocks fuller than this multiply faster as plain arrays.
_FULL = 0.1


def gram_matrix(blocks, read) -> np.ndarray:
    """Multiply maps with each other, two blocks in memory at a time.

    Parameters
    ----------
    blocks : list of slice
        Components of each block.
    read : callable
        Takes a block, gives its maps: csc_array of shape (n_voxels, n_in_block).

    Returns
    -------
    gram : ndarray of shape (n_components, n_components), float64
        AᵀMA.
    """
    n_components = blocks[-1].stop
    gram = np.empty((n_components, n_components))
    for row, left_block in enumerate(blocks):
        left = _wide(read(left_block))
        for block in blocks[row:]:
            right = left if block is left_block else _wide(read(block))
            product = left.T @ right
            if not isinstance(product, np.ndarray):
                product = product.toarray()
            gram[left_block, block] = product
            gram[block, left_block] = product.T
    return gram


def _wide(maps):
    """Write maps in float64, as a plain array where few zeros are in them."""
    maps = maps.astype(np.float64)
    return maps.toarray() if is_full(maps) else maps


def is_full(maps) -> bool:
    """Tell whether sparse maps would multiply faster as a plain array."""
    return maps.nnz > _FULL * maps.shape[0] * maps.shape[1]


def solve_gram(gram):
    """Invert AᵀMA with maps brought to unit norm first.

    Parameters
    ----------
    gram : ndarray of shape (n_components, n_components), float64
        AᵀMA.

    Returns
    -------
    inverse : ndarray of shape (n_components, n_components), float64
        An empty map has no density, hence the coefficient zero. Where a map is a
        combination of others, coefficients are those of least norm.
    condition : float
        Condition number in the one-norm, of maps at unit norm, as LAPACK estimates it;
        infinite where a map is a combination of others.
    """
    norm = np.sqrt(gram.diagonal())
    held = norm > 0
    norm = np.where(held, norm, 1)
    scaled = gram / norm / norm[:, None]
    np.fill_diagonal(scaled, 1)
    inverse, condition = _invert(scaled)
    return inverse / norm / norm[:, None] * held, condition


def _invert(matrix):
    """Invert a symmetric matrix with unit diagonal, if need be on its range only."""
    try:
        factor = cho_factor(matrix, lower=True)
        if np.diag(factor[0]).min() ** 2 > MIN_OWN_SHARE:
            reciprocal, _ = dpocon(factor[0], np.abs(matrix).sum(0).max(), uplo="L")
            return cho_solve(factor, np.eye(len(matrix))), 1 / reciprocal
    except LinAlgError:
        pass
    return pinvh(matrix, rtol=MIN_OWN_SHARE), np.inf
