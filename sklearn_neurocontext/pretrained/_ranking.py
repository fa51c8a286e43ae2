"""Candidates ranked for a map, beside what chance would give."""

import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.utils import gen_batches

# Candidates whose null is computed at a time: bounds memory.
_BLOCK = 2048


def rank_candidates(names, similarity, null_similarity) -> pd.DataFrame:
    r"""Rank candidates by their similarity with a map.

    The p value of a candidate is :math:`(1 + \#\{j : s_j \ge s\}) / (1 + n)`, where s
    is its similarity with the map and :math:`s_j` that with the maps of n studies: the
    pairing of candidate and map is permuted.

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
    p_values = []
    for rows in gen_batches(len(names), _BLOCK):
        null = null_similarity(rows)
        as_good = (null >= similarity[rows, None]).sum(axis=1)
        p_values.extend((1 + as_good) / (1 + null.shape[1]))
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
