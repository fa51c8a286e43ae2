"""Hubness: candidates that are near to everything, corrected by training studies."""

import numpy as np


def soft_maximum(similarity: np.ndarray, temperature: float) -> np.ndarray:
    r"""Smooth maximum of each row, :math:`\tau \log \frac{1}{n} \sum_j e^{s_j / \tau}`.

    Parameters
    ----------
    similarity : ndarray of shape (n, n_references)
        Similarities of studies with references.
    temperature : float
        τ; towards 0 it is the maximum, for large values the mean. Positive.

    Returns
    -------
    soft : ndarray of shape (n,)
        Between the mean and the maximum of each row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models._hubness import soft_maximum
    >>> soft_maximum(np.array([[0.0, 1.0]]), 0.01).round(2)
    array([0.99])
    """
    largest = similarity.max(axis=1)
    shifted = np.exp((similarity - largest[:, None]) / temperature)
    return largest + temperature * np.log(shifted.mean(axis=1))


def correct_hubness(
    text: np.ndarray,
    brain: np.ndarray,
    text_references: np.ndarray,
    brain_references: np.ndarray,
    *,
    temperature: float,
    weight: float,
) -> np.ndarray:
    r"""Cosines less what each side has in common with training studies.

    .. math:: s_{ij} = t_i \cdot b_j - w\, m(t_i B^T) - w\, m(b_j T^T)

    where m is `soft_maximum`, and T and B are latents of the training texts and maps.
    A map that suits every text (a hub) is pushed back. Only training studies enter the
    correction: an entry depends on its own text and map, on no other candidate.

    Parameters
    ----------
    text : ndarray of shape (n_texts, latent_dim)
        Latents, rows of norm one.
    brain : ndarray of shape (n_maps, latent_dim)
        Latents, rows of norm one.
    text_references, brain_references : ndarray of shape (n_references, latent_dim)
        Latents of training studies, rows of norm one.
    temperature : float
        τ of the soft maximum; positive.
    weight : float
        w; 0 gives cosines.

    Returns
    -------
    similarity : ndarray of shape (n_texts, n_maps)
        Corrected similarities; no longer in [-1, 1].

    References
    ----------
    After Conneau et al. (2018), Word translation without parallel data, eq. 2 (CSLS),
    with training studies in the place of the candidates and a soft maximum in the place
    of nearest neighbours.
    """
    similarity = text @ brain.T
    if weight == 0:
        return similarity
    of_text = soft_maximum(text @ brain_references.T, temperature)
    of_map = soft_maximum(brain @ text_references.T, temperature)
    return similarity - weight * (of_text[:, None] + of_map)
