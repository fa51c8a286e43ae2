"""Candidates ranked for a map, beside what chance would give."""

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.utils import gen_batches

# Candidates whose null is computed at a time: bounds memory.
_BLOCK = 2048


def rank_candidates(names, similarity, null_similarity) -> pd.DataFrame:
    r"""Rank candidates by their similarity with a map.

    The similarities of a candidate with the maps of n reference studies have the mean
    :math:`\mu` and the deviation :math:`\sigma`; :math:`z = (s - \mu) / \sigma` is
    compared with all candidates' own such numbers. The p value is
    :math:`(1 + \#\{z_{cj} \ge z\}) / (1 + n_{candidates} n)`: pairs of text and map are
    exchanged, and the null is pooled over candidates. So p values can be small enough
    to remain below a bound when their number is accounted for, and none is below
    :math:`1 / (1 + n_{candidates} n)`.

    Parameters
    ----------
    names : sequence of str
        The candidates.
    similarity : ndarray of shape (n_candidates,)
        With the map.
    null_similarity : callable
        ``null_similarity(rows)`` gives the similarity of the candidates of a slice with
        the maps of reference studies, of shape (n_rows, n_maps).

    Returns
    -------
    ranking : DataFrame
        Columns ``candidate``, ``similarity``, ``p_value``, and ``q_value``, which
        accounts for the number of candidates (Benjamini-Hochberg); the best first.
    """
    scores, null = np.empty(len(names)), []
    for rows in gen_batches(len(names), _BLOCK):
        block = null_similarity(rows)
        mean = block.mean(axis=1, keepdims=True)
        deviation = block.std(axis=1, keepdims=True)
        deviation[deviation == 0] = 1
        scores[rows] = ((similarity[rows, None] - mean) / deviation)[:, 0]
        null.append(((block - mean) / deviation).astype(np.float32).ravel())
    null = np.sort(np.concatenate(null))
    as_good = len(null) - np.searchsorted(null, scores.astype(np.float32))
    p_values = (1 + as_good) / (1 + len(null))
    ranking = pd.DataFrame(
        {
            "candidate": list(names),
            "similarity": similarity,
            "p_value": p_values,
            "q_value": false_discovery_control(p_values),
        }
    )
    ranking = ranking.sort_values("similarity", ascending=False, kind="stable")
    return ranking.reset_index(drop=True)
