"""Retrieval scores of a similarity matrix whose true pairs lie on the diagonal.

All scores are computed from two counts per query. A query is a row of the matrix, and
its candidates are the columns. The first count is the number of candidates that are
more similar to the query than the true candidate is. The second count is the number of
candidates that are as similar to the query as the true candidate, including the true
candidate itself.
"""

from numbers import Integral

import numpy as np

from .._utils.validation import check_similarity

_BLOCK_ELEMENTS = 4_000_000


def count_greater_and_tied(similarity) -> tuple[np.ndarray, np.ndarray]:
    """Count the candidates of each row that are at least as similar as the true one.

    Return two arrays with one count per row. The first array counts candidates that are
    more similar than the true candidate. The second array counts candidates that are as
    similar as the true candidate, including the true candidate itself.
    """
    n = len(similarity)
    n_greater = np.empty(n, dtype=np.int64)
    n_tied = np.empty(n, dtype=np.int64)
    true = np.diagonal(similarity)
    # Rows are compared in blocks to limit memory.
    step = max(1, _BLOCK_ELEMENTS // n)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        block, target = similarity[rows], true[rows, np.newaxis]
        n_greater[rows] = np.count_nonzero(block > target, axis=1)
        n_tied[rows] = np.count_nonzero(block == target, axis=1)
    return n_greater, n_tied


def recall_from_counts(n_greater, n_tied, k: int) -> float:
    """Compute recall at k from the counts of `count_greater_and_tied`."""
    # The recall of a row is clip(k - n_greater, 0, n_tied) / n_tied. Numerators of rows
    # with the same n_tied are summed before the division, because sums of integers have
    # no rounding errors.
    won = np.bincount(n_tied, weights=np.clip(k - n_greater, 0, n_tied))
    return float((won[1:] / np.arange(1, len(won))).sum() / len(n_tied))


def mix_match_from_counts(n_greater, n_tied) -> float:
    """Compute mix&match from the counts of `count_greater_and_tied`."""
    n = len(n_greater)
    below = n - n_greater - n_tied
    return float(((below + 0.5 * (n_tied - 1)) / (n - 1)).mean())


def check_k(k, n_candidates: int) -> None:
    """Check that `k` is an integer from 1 to the number of candidates minus one."""
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a positive integer; got {k!r}.")
    if k >= n_candidates:
        raise ValueError(
            f"k must be less than the number of candidates, {n_candidates}; got {k}. "
            "Recall at this k is always 1. Lower k, or score more studies at once."
        )


def check_enough_candidates(n_candidates: int) -> None:
    """Check that there are at least two candidates."""
    if n_candidates < 2:
        raise ValueError(
            "Retrieval needs at least 2 candidates; got 1. Score more studies at once."
        )


def recall_at_k(similarity, k: int = 10) -> float:
    r"""Compute recall at k of a similarity matrix.

    Recall at k is the fraction of queries whose true candidate is among the k most
    similar candidates. For query :math:`i`, let :math:`g_i` be the number of candidates
    that are more similar than the true candidate. Let :math:`t_i` be the number of
    candidates that are as similar as the true candidate, including the true candidate
    itself. Then recall at k is

    .. math:: R@k = \frac{1}{n} \sum_i \mathrm{clip}\!\left(
        \frac{k - g_i}{t_i}, 0, 1\right),

    where :math:`n` is the number of queries, which equals the number of candidates, and
    clip limits a value to [0, 1]. This is the expected recall if ties are broken at
    random. Because the chance level is ``k / n``, report ``n`` with every recall. To
    compare results with different numbers of candidates, prefer
    :func:`mix_match_score`.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each query (row) with each candidate (column). True pairs are on
        the diagonal. To retrieve maps for texts, pass texts as rows. To retrieve texts
        for maps, pass the transpose.
    k : int, default=10
        Number of most similar candidates to consider, at least 1 and less than ``n``.

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
    recall_curve : Recall at every k.
    mix_match_score : Score that does not depend on the number of candidates.

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


def mix_match_score(similarity) -> float:
    r"""Compute the mix&match score of a similarity matrix.

    Let :math:`s_{ij}` be the similarity of query :math:`i` and candidate :math:`j`. The
    true candidate of query :math:`i` is candidate :math:`i`; all others are wrong. For
    each query :math:`i`, the fraction of wrong candidates :math:`j` with :math:`s_{ij}
    < s_{ii}` is computed. A wrong candidate with :math:`s_{ij} = s_{ii}` counts as one
    half. The score is the mean of the fractions over queries. Its chance level is 0.5
    for any number of candidates. The score equals the mean of :func:`recall_at_k` over
    all k from 1 to ``n - 1``, where ``n`` is the number of candidates.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each query (row) with each candidate (column). True pairs are on
        the diagonal. ``n`` must be at least 2.

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
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024. This paper counts a tie as a
    failure. The score is adapted from Mitchell et al., Science 320, 2008.

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


def true_ranks(similarity) -> np.ndarray:
    """Compute the rank of the true candidate of each query.

    The most similar candidate has rank 1. If other candidates are as similar as the
    true candidate, the rank of the true candidate depends on the order of these
    candidates. Therefore, the best and the worst possible rank are returned. The two
    ranks are equal if no other candidate is as similar as the true candidate.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each query (row) with each candidate (column). True pairs are on
        the diagonal.

    Returns
    -------
    ranks : ndarray of shape (n, 2), int64
        Best rank (first column) and worst rank (second column) of each query.

    Raises
    ------
    ValueError
        If the similarity is not a finite square matrix.

    Examples
    --------
    >>> from sklearn_neurocontext.metrics import true_ranks
    >>> true_ranks([[0.9, 0.1, 0.2], [0.3, 0.4, 0.5], [0.2, 0.2, 0.2]])
    array([[1, 1],
           [2, 2],
           [1, 3]])
    """
    n_greater, n_tied = count_greater_and_tied(check_similarity(similarity))
    return np.column_stack([n_greater + 1, n_greater + n_tied])


def recall_curve(similarity) -> np.ndarray:
    """Compute recall at every k from 1 to the number of candidates.

    Parameters
    ----------
    similarity : array-like of shape (n, n)
        Similarity of each query (row) with each candidate (column). True pairs are on
        the diagonal.

    Returns
    -------
    recall : ndarray of shape (n,), float64
        ``recall[k - 1]`` equals ``recall_at_k(similarity, k)`` for k less than n. The
        curve never decreases, and its last value is 1. The chance level of recall at k
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
    n_greater, n_tied = count_greater_and_tied(check_similarity(similarity))
    n = len(n_greater)
    curve = np.zeros(n)
    # The recall of a row increases linearly with k, from 0 at k = n_greater to 1 at
    # k = n_greater + n_tied.
    for n_ties in np.unique(n_tied):
        starts = n_greater[n_tied == n_ties]
        slopes = np.bincount(starts, minlength=n + 1)
        slopes -= np.bincount(starts + n_ties, minlength=n + 1)
        # The cumulative sums are integers, so the curve never decreases and ends at
        # exactly 1.
        curve += np.cumsum(np.cumsum(slopes[:n])) / n_ties
    return curve / n


def recall_curve_auc(recall) -> float:
    """Compute the area under a recall curve.

    The curve shows recall at k as a function of ``k / n``, where n is the number of
    candidates. The curve starts at (0, 0) and ends at (1, 1). The area is computed with
    the trapezoidal rule. The chance level of the area is 0.5, and its best value is
    ``1 - 1 / (2 * n)``.

    The area equals ``((n - 1) * mix_match + 1 / 2) / n``, where ``mix_match`` is the
    result of :func:`mix_match_score`. The area therefore contains the same information
    as mix&match. Use the area to compare results with publications that report an area.

    Parameters
    ----------
    recall : array-like of shape (n,)
        Recall from :func:`recall_curve`.

    Returns
    -------
    auc : float
        Area in [0, 1].

    Raises
    ------
    ValueError
        If `recall` is not one-dimensional or is empty.

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
            "recall must have shape (n_candidates,), as recall_curve returns it; got "
            f"{recall.shape}."
        )
    return float((recall.sum() - 0.5 * recall[-1]) / recall.size)


def csls(similarity, k: int = 10) -> np.ndarray:
    r"""Compute cross-domain similarity local scaling (CSLS) of a similarity matrix.

    The corrected similarity of text i and map j is

    .. math:: 2 s_{ij} - r_i - c_j

    where :math:`s_{ij}` is the similarity of text i and map j, :math:`r_i` is the mean
    of the k largest entries of row i, and :math:`c_j` is the mean of the k largest
    entries of column j. CSLS lowers the similarities of hubs, that is, of candidates
    that are similar to most queries.

    CSLS is *transductive*: each corrected similarity depends on all texts and maps in
    the matrix. State this with every result that uses CSLS. No estimator and no scorer
    of this package applies CSLS. `KernelCCA` also lowers the similarities of hubs, but
    it detects them with training studies only.

    Parameters
    ----------
    similarity : array-like of shape (n_texts, n_maps)
        Similarity of texts and maps.
    k : int, default=10
        Number of largest entries to average; at least 1 and at most the smaller of
        n_texts and n_maps.

    Returns
    -------
    corrected : ndarray of shape (n_texts, n_maps), float64
        Corrected similarities.

    Raises
    ------
    ValueError
        If the similarity is not a finite and non-empty matrix, or if k is out of range.

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
