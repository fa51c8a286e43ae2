"""Retrieval scores of a similarity matrix whose true pairs lie on the diagonal.

All of them need two numbers a row: how many candidates are more similar to the query
than its true one, and how many are as similar (the true one among them).
"""

from numbers import Integral

import numpy as np

from .._utils.validation import check_similarity

_BLOCK_ELEMENTS = 4_000_000


def count_greater_and_tied(similarity) -> tuple[np.ndarray, np.ndarray]:
    """Count the candidates above the true one, and those tied with it.

    Parameters
    ----------
    similarity : ndarray of shape (n, n), float32 or float64
        Checked similarity, true pairs on the diagonal.

    Returns
    -------
    n_greater : ndarray of shape (n,), int64
        Candidates of each row with a greater similarity than the true one.
    n_tied : ndarray of shape (n,), int64
        Candidates with the same similarity; at least 1, the true one.
    """
    n = len(similarity)
    n_greater = np.empty(n, dtype=np.int64)
    n_tied = np.empty(n, dtype=np.int64)
    true = np.diagonal(similarity)
    # Blocks of rows bound the memory of the comparisons on large matrices.
    step = max(1, _BLOCK_ELEMENTS // n)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        block, target = similarity[rows], true[rows, np.newaxis]
        n_greater[rows] = np.count_nonzero(block > target, axis=1)
        n_tied[rows] = np.count_nonzero(block == target, axis=1)
    return n_greater, n_tied


def recall_from_counts(n_greater, n_tied, k: int) -> float:
    """Average the chance that the true candidate is among the first `k`."""
    # Places won are whole numbers: summed per number of ties, they stay exact.
    won = np.bincount(n_tied, weights=np.clip(k - n_greater, 0, n_tied))
    return float((won[1:] / np.arange(1, len(won))).sum() / len(n_tied))


def mix_match_from_counts(n_greater, n_tied) -> float:
    """Average the share of wrong candidates below the true one, ties half."""
    n = len(n_greater)
    below = n - n_greater - n_tied
    return float(((below + 0.5 * (n_tied - 1)) / (n - 1)).mean())


def recall_at_k(similarity, k: int = 10) -> float:
    r"""Share of queries whose true candidate is among the `k` most similar ones.

    With :math:`g_i` candidates of row :math:`i` above the true one and :math:`t_i` tied
    with it (the true one included),

    .. math:: R@k = \frac{1}{n} \sum_i \mathrm{clip}\!\left(
        \frac{k - g_i}{t_i}, 0, 1\right),

    the expectation when ties are broken at random. Chance is ``k / n``: report the
    number of candidates ``n`` with every recall. Where pools differ in size, prefer
    :func:`mix_match_score`.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each query (row) with each candidate (column), true pairs on the
        diagonal. Rows are texts for text→brain; pass the transpose for brain→text.
    k : int, default=10
        Number of candidates looked at, at least 1 and less than ``n``.

    Returns
    -------
    recall : float
        Fraction in [0, 1].

    Raises
    ------
    ValueError
        If the similarity is not a finite square matrix, or `k` is not in [1, n).

    See Also
    --------
    recall_curve : The same for every k.
    mix_match_score : A score that does not depend on the number of candidates.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.metrics import recall_at_k
    >>> recall_at_k(np.eye(20), k=1)
    1.0
    >>> recall_at_k(np.zeros((20, 20)), k=5)
    0.25
    """
    similarity = check_similarity(similarity)
    check_k(k, len(similarity))
    return recall_from_counts(*count_greater_and_tied(similarity), k)


def check_k(k, n_candidates: int) -> None:
    """Check that `k` is an integer from 1 to the number of candidates minus one."""
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a positive integer; got {k!r}.")
    if k >= n_candidates:
        raise ValueError(
            f"recall_at_k with k={k} needs more than {k} candidates; got "
            f"{n_candidates}, so every recall would be 1. Lower k, or score more "
            "studies at once."
        )


def mix_match_score(similarity) -> float:
    r"""Share of wrong candidates that are less similar than the true one.

    The mean over queries :math:`i` of :math:`P_{j \ne i}(s_{ii} > s_{ij})`, ties
    counted half. Chance is 0.5, whatever the number of candidates, and it equals the
    mean of :func:`recall_at_k` over ``k = 1 … n - 1``.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each query (row) with each candidate (column), true pairs on the
        diagonal; ``n`` at least 2.

    Returns
    -------
    score : float
        Fraction in [0, 1].

    Raises
    ------
    ValueError
        If the similarity is not a finite square matrix of at least two rows.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024; after Mitchell et al., Science
    320, 2008. The article counts ties as lost.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.metrics import mix_match_score
    >>> mix_match_score([[0.9, 0.1, 0.2], [0.3, 0.4, 0.5], [0.0, 0.1, 0.2]])
    0.8333333333333334
    >>> mix_match_score(np.ones((4, 4)))
    0.5
    """
    similarity = check_similarity(similarity)
    check_enough_candidates(len(similarity))
    return mix_match_from_counts(*count_greater_and_tied(similarity))


def check_enough_candidates(n_candidates: int) -> None:
    """Check that there is a wrong candidate to compare with."""
    if n_candidates < 2:
        raise ValueError(
            "Retrieval needs at least 2 candidates; got 1. Score more studies at once."
        )


def recall_curve(similarity) -> np.ndarray:
    """Recall at every k from 1 to the number of candidates.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each query (row) with each candidate (column), true pairs on the
        diagonal.

    Returns
    -------
    recall : ndarray of shape (n,), float64
        ``recall[k - 1]`` is :func:`recall_at_k`; it never falls, and ends at 1. Chance
        is ``k / n``.

    Raises
    ------
    ValueError
        If the similarity is not a finite square matrix.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import recall_curve
    >>> recall_curve([[0.9, 0.1], [0.3, 0.2]])
    array([0.5, 1. ])
    """
    similarity = check_similarity(similarity)
    return curve_from_counts(*count_greater_and_tied(similarity))


def curve_from_counts(n_greater, n_tied) -> np.ndarray:
    """Sum the rows' recall curves, each a ramp from n_greater to n_greater + n_tied."""
    n = len(n_greater)
    curve = np.zeros(n)
    for n_ties in np.unique(n_tied):
        starts = n_greater[n_tied == n_ties]
        slopes = np.bincount(starts, minlength=n + 1)
        slopes -= np.bincount(starts + n_ties, minlength=n + 1)
        # Whole numbers until here, so that the curve never falls and ends at 1.
        curve += np.cumsum(np.cumsum(slopes[:n])) / n_ties
    return curve / n


def recall_curve_auc(recall) -> float:
    """Area under a recall curve, drawn against the share of candidates looked at.

    The trapezoidal area from (0, 0) through all ``(k / n, recall at k)`` to (1, 1).
    Chance is 0.5; a perfect model has ``1 - 1 / (2 n)``. It is mix&match on another
    scale, ``((n - 1) mix_match + 1 / 2) / n``, and given since others report it.

    Parameters
    ----------
    recall : array-like of shape (n,)
        What :func:`recall_curve` returns.

    Returns
    -------
    auc : float
        Area in [0, 1].

    Raises
    ------
    ValueError
        If the curve is not one-dimensional, or is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.metrics import recall_curve, recall_curve_auc
    >>> recall_curve_auc(recall_curve(np.zeros((4, 4))))
    0.5
    """
    recall = np.asarray(recall, dtype=np.float64)
    if recall.ndim != 1 or recall.size == 0:
        raise ValueError(
            f"recall has shape {recall.shape}; expected (n_candidates,), as "
            "recall_curve returns it."
        )
    return float((recall.sum() - 0.5 * recall[-1]) / recall.size)
