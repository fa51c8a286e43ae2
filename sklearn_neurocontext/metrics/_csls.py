"""Hubness correction that uses the candidates jointly: an option, never a default."""

import numpy as np

from .._utils.validation import Integral, check_similarity


def csls(similarity, k: int = 10) -> np.ndarray:
    r"""Cross-domain similarity local scaling of a similarity matrix.

    .. math:: 2 s_{ij} - r_i - r_j

    where :math:`r_i` is the mean of the k largest entries of row i, and :math:`r_j`
    that of column j: candidates that are near to everything are pushed back.

    This is *transductive*: each entry depends on all other texts and maps that are
    scored with it. Say so beside every figure that it enters. No estimator and no
    scorer of this package applies it; `KernelCCA` corrects hubs by training studies.

    Parameters
    ----------
    similarity : array-like of shape (n_texts, n_maps)
        What an estimator's ``similarity`` gave.
    k : int, default=10
        Neighbours, at most the smaller side.

    Returns
    -------
    corrected : ndarray of shape (n_texts, n_maps), float64
        Corrected similarities.

    Raises
    ------
    ValueError
        If the similarity is no finite matrix with rows and columns, or k is not in its
        range.

    References
    ----------
    Conneau et al. (2018), Word translation without parallel data, eq. 2.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import csls
    >>> csls([[0.9, 0.8], [0.9, 0.1]], k=1)
    array([[ 0. , -0.1],
           [ 0. , -1.5]])
    """
    similarity = check_similarity(similarity, square=False).astype(np.float64)
    smaller = min(similarity.shape)
    if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= k <= smaller:
        raise ValueError(f"k must be an integer from 1 to {smaller}; got {k!r}.")
    of_texts = np.partition(similarity, -k, axis=1)[:, -k:].mean(axis=1)
    of_maps = np.partition(similarity, -k, axis=0)[-k:].mean(axis=0)
    return 2 * similarity - of_texts[:, None] - of_maps
