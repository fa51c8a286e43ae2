"""How the best epoch is chosen: on which studies, and by what."""

import numpy as np
import torch
from torch.nn.functional import normalize


def split_validation(n_studies, n_validation, seed):
    """Put aside studies of the training part to choose the epoch on.

    Parameters
    ----------
    n_studies : int
        Studies in the training part.
    n_validation : int
        At most this many, and at most a tenth, are put aside; with fewer than 20
        studies none.
    seed : int
        Seed of the choice.

    Returns
    -------
    train, validation : ndarray of int64
        Disjoint rows, together all.
    """
    order = np.random.default_rng(seed).permutation(n_studies)
    size = min(n_validation, n_studies // 10) if n_studies >= 20 else 0
    size = 0 if size < 2 else size
    return np.sort(order[size:]), np.sort(order[:size])


def mean_log_rank(similarity):
    """Mean logarithm of the rank of the true candidate, ties counted half.

    Unlike the loss it does not depend on the temperature, and unlike recall it needs no
    k: it tells apart epochs on 30 validation studies and on 1,000.

    Parameters
    ----------
    similarity : tensor of shape (n, n)
        True pairs on the diagonal.

    Returns
    -------
    mean_log_rank : float
        0 at best, log(n) at worst.
    """
    true = similarity.diagonal()[:, None]
    greater = (similarity > true).sum(1)
    tied = (similarity == true).sum(1) - 1
    return float(torch.log1p(greater + tied / 2).mean())


def rank_of_latents(outputs, _target):
    """Mean log rank of the maps among the latents that two towers gave."""
    text, brain, _ = outputs
    return mean_log_rank(text @ brain.T)


def rank_of_predictions(predicted, target):
    """Mean log rank of the maps by their cosine with predicted coefficients."""
    return mean_log_rank(normalize(predicted, dim=1) @ normalize(target, dim=1).T)


def squared_error(predicted, target):
    """Mean squared error."""
    return float(((predicted - target) ** 2).mean())
