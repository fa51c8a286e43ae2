"""What a fitted model needs beside itself: mean map, terms, chance, reference maps."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice, pairwise

import numpy as np
from sklearn.base import clone
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from .._utils.validation import TERM_PATTERN, Integral
from .._utils.volumes import smooth_voxels
from ..model_selection import shuffled_folds
from ..models import scale_like_predictions

# Terms are words and pairs of words in the texts of so many studies, at least.
_MIN_STUDIES = 5
_N_TERMS = 1000
_N_REFERENCE = 1000
# Held-out studies that chance is measured with, at most, and one in how many is.
_N_HELD_OUT = 200
_N_FOLDS = 5
# A voxel's deviation by chance is not less than this quantile over voxels.
_FLOOR = 0.05


@dataclass(frozen=True, eq=False)
class TrainingStatistics:
    """What a trained model knows of its training studies.

    Parameters
    ----------
    terms : dict of str to int
        Terms of their texts, and the number of studies of each.
    mean : ndarray of shape (n_components,), float32
        Mean of their coefficients, as the model predicts them.
    z_scale : ndarray of shape (n_voxels,), float32, or None
        Deviation by chance of the maps predicted for held-out texts.
    reference : ndarray of shape (n_reference, n_components), float32
        Coefficients of some of them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference import TrainingStatistics
    >>> one = np.ones(3, dtype="float32")
    >>> TrainingStatistics({"pain": 12}, one, None, one[None]).terms
    {'pain': 12}
    """

    terms: dict
    mean: np.ndarray
    z_scale: np.ndarray | None
    reference: np.ndarray


def training_statistics(
    model,
    X,
    studies,
    masker,
    *,
    smoothing_fwhm=0.0,
    n_exchanges=5,
    random_state=0,
    on_progress=None,
) -> TrainingStatistics:
    r"""Gather what `NeuroContextModel` needs beside a model and its masker.

    The deviation by chance is measured by exchanging: the model is fitted to texts
    beside permuted maps, so that all but a few stand beside another study's,
    `n_exchanges` times anew, each time to four fifths of the studies, and predicts maps
    for up to 200 of the other texts. With
    :math:`\bar m` the mean map and :math:`m_{ei}` the map of text i after exchange e,
    it is at each voxel v

    .. math:: s(v) = \sqrt{\operatorname{mean}_{e,i} (m_{ei}(v) - \bar m(v))^2}

    and at least its 5 % quantile over voxels.

    Parameters
    ----------
    model : estimator
        Fitted to X and ``studies.y``.
    X : ndarray of shape (n_studies, …)
        What it was fitted to: embeddings or texts.
    studies : PreparedStudies
        The training studies.
    masker : KDEDiFuMoMasker
        The fitted masker that made ``studies.y``.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum of the Gaussian that smooths maps, in mm.
    n_exchanges : int, default=5
        Fits to permuted maps; 0 leaves the deviation out.
    random_state : int, default=0
        Seed of exchanges and choices.
    on_progress : callable or None, default=None
        Called as ``on_progress(n_done, n_exchanges)`` after each fit.

    Returns
    -------
    statistics : TrainingStatistics
        Terms are the 1,000 most frequent words, and pairs of words that stand side by
        side, in the texts of at least five studies; none holds a stop word, a number
        or a single letter. Reference studies are 1,000 at random, or all where there
        are fewer.

    Raises
    ------
    TypeError
        If `n_exchanges` is no integer.
    ValueError
        If it is below zero, if there are fewer than five studies and it is not 0, or
        if the model cannot be fitted to four fifths of the studies.

    Examples
    --------
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import make_masker, prepare_studies
    >>> from sklearn_neurocontext.inference import training_statistics
    >>> corpus = make_studies(n_studies=40, random_state=0)
    >>> masker = make_masker("geometric", 128)
    >>> studies = prepare_studies(corpus, "title", None, masker)
    >>> X = corpus.latent[studies.rows]
    >>> model = RidgeBaseline().fit(X, studies.y)
    >>> training_statistics(model, X, studies, masker, n_exchanges=1).mean.shape
    (128,)
    """
    check_exchanges(studies.groups, n_exchanges)
    mean = scale_like_predictions(model, studies.y, average=True)
    rng = np.random.default_rng(random_state)
    n_reference = min(_N_REFERENCE, len(studies.y))
    chosen = np.sort(rng.choice(len(studies.y), n_reference, replace=False))
    z_scale = None
    if n_exchanges:
        folds = shuffled_folds(studies.groups, _N_FOLDS, random_state)
        squares = []
        for done, (train, held_out) in enumerate(islice(cycle(folds), n_exchanges), 1):
            held_out = rng.permutation(held_out)[:_N_HELD_OUT]
            by_chance = clone(model).fit(X[train], studies.y[rng.permutation(train)])
            differences = by_chance.predict(X[held_out]) - mean
            voxels = masker.coefficients_to_voxels(differences).astype(np.float64)
            voxels = smooth_voxels(voxels, masker.mask_img_, smoothing_fwhm)
            squares.append((voxels**2).mean(axis=0))
            if on_progress is not None:
                on_progress(done, n_exchanges)
        z_scale = deviation_by_chance(squares).astype(np.float32)
    return TrainingStatistics(
        terms=_count_terms(studies.texts),
        mean=mean.astype(np.float32),
        z_scale=z_scale,
        reference=studies.y[chosen],
    )


def deviation_by_chance(squares) -> np.ndarray:
    """Give the root mean square of each voxel, and at least its 5 % quantile.

    Parameters
    ----------
    squares : array-like of shape (n_exchanges, n_voxels)
        Mean square, after each exchange, of what maps deviate from the mean map by.

    Returns
    -------
    deviation : ndarray of shape (n_voxels,)
        The quantile is over voxels.
    """
    deviation = np.sqrt(np.mean(squares, axis=0))
    return np.maximum(deviation, np.quantile(deviation, _FLOOR))


def _count_terms(texts) -> dict:
    """Count the studies of the most frequent terms, in the order of the alphabet.

    A pair is not more frequent than its words, so words rarer than the last of the
    most frequent ones need not be paired.
    """
    analyze = CountVectorizer(token_pattern=r"(?u)\b\w+\b").build_analyzer()
    words = Counter()
    for text in texts:
        words.update({word for word in analyze(text) if _is_term(word)})
    words = _most_frequent(words)
    pairs = Counter()
    for text in texts:
        # Of all words: a pair has nothing between its words.
        beside = pairwise(analyze(text))
        pairs.update({f"{a} {b}" for a, b in beside if a in words and b in words})
    terms = words | _most_frequent(pairs)
    ranking = sorted(terms, key=lambda term: (-terms[term], term))
    return {term: terms[term] for term in sorted(ranking[:_N_TERMS])}


def _is_term(word) -> bool:
    return (
        word not in ENGLISH_STOP_WORDS and re.fullmatch(TERM_PATTERN, word) is not None
    )


def _most_frequent(counts) -> dict:
    """Give what is in studies enough, and as often as the last of the first terms."""
    ranked = sorted(counts.values(), reverse=True)
    least = max(_MIN_STUDIES, ranked[_N_TERMS - 1] if len(ranked) >= _N_TERMS else 0)
    return {term: n for term, n in counts.items() if n >= least}


def check_exchanges(groups, n_exchanges) -> None:
    """Refuse a number of exchanges that is none, or that studies are too few for.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        The study of each row.
    n_exchanges : int
        Fits to permuted maps.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is below zero, or there are fewer than five studies and it is not 0.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import check_exchanges
    >>> check_exchanges(["a", "b", "c", "d", "e"], 1)
    """
    if not isinstance(n_exchanges, Integral) or isinstance(n_exchanges, bool):
        raise TypeError(f"n_exchanges is {n_exchanges!r}; expected an integer.")
    if n_exchanges < 0:
        raise ValueError(f"n_exchanges is {n_exchanges}; expected 0 or more.")
    n_studies = len(np.unique(groups))
    if n_exchanges and n_studies < _N_FOLDS:
        raise ValueError(
            f"{n_studies} studies are too few to measure chance with; expected at "
            f"least {_N_FOLDS}, or n_exchanges=0, which leaves it out."
        )
