"""Fit a model to studies, and compute the statistics that calibrate its maps."""

import string
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from scipy.stats import norm
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline

from .._utils.progress import delayed_progress_bar
from .._utils.validation import (
    Integral,
    american_spelling,
    array_output,
    check_texts,
    select_rows,
)
from .._utils.volumes import smooth_voxels
from ..model_selection import shuffled_folds
from ..models import scale_like_predictions
from ._chosen_settings import clone_with_chosen_settings
from ._neurocontext_model import (
    NeuroContextModel,
    compute_support,
    interpolate_scale,
    split_words,
)
from ._terms import count_terms

# Maximum number of reference studies, whose maps are used to compute p values.
_N_REFERENCE = 1000
_N_FOLDS = 5
# Maximum number of held-out texts whose maps are predicted in each permutation.
_N_HELD_OUT = 200
# Values of the null standard deviation below this quantile over voxels are replaced by
# the quantile. Otherwise, z values would be very large at the few voxels where maps
# hardly vary.
_FLOOR = 0.05
# Numbers of short texts whose maps are predicted in each permutation: known words and
# terms (about this number), and texts of random letters.
_N_SHORT = 200
_N_MADE_UP = 50
# `compute_null_scale` matches this quantile of z values to that of a normal
# distribution. It uses every 8th voxel to save memory, and intervals of support with at
# least 5 texts. The quantile of fewer texts would be too variable.
_TAIL = 0.99
_VOXEL_STEP = 8
_MIN_TEXTS = 5
# The default `z_threshold` is this quantile of the largest z values of null maps.
_LARGEST = 0.95
# Default `support_threshold`, in studies. The shipped model has the same threshold.
_SUPPORT_THRESHOLD = 5.0


@dataclass(frozen=True, eq=False)
class TrainingStatistics:
    """Statistics of the training studies of a model.

    Parameters
    ----------
    terms : dict of str to int
        Number of training studies that contain each term.
    mean : ndarray of shape (n_components,), float32
        Mean coefficients of the training studies, on the scale of the predictions.
    null_std : ndarray of shape (n_voxels,), float32, or None
        Null standard deviation of the predicted maps at each voxel (defined in
        `training_statistics`), or None if it was not estimated.
    null_std_difference : ndarray of shape (n_voxels,), float32, or None
        Null standard deviation of the difference between the predicted maps of two
        texts at each voxel (defined in `training_statistics`), or None if it was not
        estimated. It is not estimated if each fold contains a single text.
    reference : ndarray of shape (n_reference, n_components), float32
        Coefficients of randomly chosen training studies. `NeuroContextModel.decode`
        uses them to compute p values.
    word_counts : dict of str to int
        Number of training studies that contain each word.
    null_scale : ndarray of shape (n_levels, 2), float32, or None
        Factor of the null standard deviation for texts of different support (defined in
        `null_statistics`), or None if it was not estimated.
    z_threshold : float
        95 % quantile of the largest z values of maps in models that were fitted to
        permuted pairs, or 0 if it was not estimated. The quantile is computed for
        held-out texts and for short texts; the larger one is used.
    null : dict of str to float
        Figures of the null distribution, see `describe_null`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference import TrainingStatistics
    >>> one, counts = np.ones(3, dtype="float32"), {"pain": 12}
    >>> statistics = TrainingStatistics(
    ...     counts, one, None, None, one[None], counts, None, 0.0, {}
    ... )
    >>> statistics.terms
    {'pain': 12}
    """

    terms: dict
    mean: np.ndarray
    null_std: np.ndarray | None
    null_std_difference: np.ndarray | None
    reference: np.ndarray
    word_counts: dict
    null_scale: np.ndarray | None
    z_threshold: float
    null: dict


@array_output()
def training_statistics(
    model,
    X,
    y,
    masker,
    *,
    texts=None,
    groups=None,
    embedder=None,
    smoothing_fwhm=0.0,
    n_permutations=5,
    random_state=0,
    on_progress=None,
) -> TrainingStatistics:
    r"""Compute the statistics that calibrate the maps of a `NeuroContextModel`.

    The null standard deviation is estimated by permutations. The studies are split into
    five folds. In each permutation, one fold is held out. The texts of the other four
    folds are paired with the maps of the same studies in random order, and a copy of
    the model is fitted to these pairs. The copy keeps the settings that the model has
    chosen on the data, such as a penalty (see `clone_with_chosen_settings`). The copy
    then predicts the maps of the texts in the held-out fold. At most 200 of these texts
    are used. Let :math:`\bar m` be the mean map of all studies, and let :math:`m_{pi}`
    be the predicted map of text i in permutation p. Both maps are smoothed. The null
    standard deviation at voxel v is

    .. math:: s(v) = \sqrt{\operatorname{mean}_{p,i} (m_{pi}(v) - \bar m(v))^2}

    Let q be the 5 % quantile of s over voxels. Values of s below q are replaced by q.

    The null standard deviation of the difference between the maps of two texts is

    .. math::

        s_\Delta(v) = \sqrt{\operatorname{mean}_{p,i \ne j}
        (m_{pi}(v) - m_{pj}(v))^2}

    This equals :math:`\sqrt{2 V(v)}`, where :math:`V(v)` is the variance of
    :math:`m_{pi}(v)` over the texts i of a permutation p, averaged over permutations.
    Up to sampling error, :math:`s_\Delta(v)` is at most :math:`\sqrt{2}\, s(v)`,
    because the part of :math:`m_{pi} - \bar m` that all texts have in common cancels in
    the difference.

    The maps of texts that few training studies support vary more. Therefore, each copy
    also predicts the maps of short texts: about 200 words and terms of training
    studies, which `draw_short_texts` draws evenly over numbers of studies, and 50 texts
    that consist of random letters. `null_statistics` computes the factor of the null
    standard deviation from their z values and from those of the held-out texts.

    Parameters
    ----------
    model : estimator
        Estimator fitted to X and y.
    X : array-like of shape (n_studies, n_features), or sequence of str
        Embeddings or texts.
    y : array-like of shape (n_studies, n_components)
        Coefficients of the studies.
    masker : KDEDiFuMoMasker
        The fitted masker that computed y.
    texts : sequence of str or None, default=None
        Texts of the studies, in which words and terms are counted. If None, no words
        and no terms are counted, and `null_scale` is None.
    groups : array-like of shape (n_studies,) or None, default=None
        Identifier of the study of each row. Rows with the same identifier are in the
        same fold. If None, each row is a separate study.
    embedder : LLMChunkEmbedder or None, default=None
        Fitted embedder that computed X. If X contains embeddings and `embedder` is
        None, the maps of words cannot be predicted, and `null_scale` is None.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum of the Gaussian kernel that smooths maps, in mm.
    n_permutations : int, default=5
        Number of permutations. In each of them, a copy of the model is fitted to texts
        and maps in random pairs. If 0, `null_std` is None.
    random_state : int, default=0
        Seed of the folds, the permutations and the choice of reference studies.
    on_progress : callable or None, default=None
        Function called as ``on_progress(n_done, n_permutations)`` after each
        permutation. If None, terminals and notebooks show a progress bar.

    Returns
    -------
    statistics : TrainingStatistics
        The terms are words and pairs of adjacent words that contain no stop word,
        number or single letter. At most 1,000 terms are kept: the most frequent terms
        among those that occur in at least five studies. The reference studies are 1,000
        studies chosen at random, or all studies if there are fewer.

    Raises
    ------
    TypeError
        If `n_permutations` is not an integer.
    ValueError
        If `n_permutations` is negative, or if it is positive and there are fewer than
        five studies. If the model cannot be fitted to four fifths of the studies.

    Examples
    --------
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import make_masker, prepare_studies
    >>> from sklearn_neurocontext.inference import training_statistics
    >>> corpus = make_studies(n_studies=40, random_state=0)
    >>> masker = make_masker("geometric", 128)
    >>> studies = prepare_studies(corpus, "title", None, masker)
    >>> X, y = corpus.latent[studies.rows], studies.y
    >>> model = RidgeBaseline().fit(X, y)
    >>> statistics = training_statistics(model, X, y, masker, n_permutations=1)
    >>> statistics.null_std.shape
    (29398,)
    """
    y = np.asarray(y)
    groups = np.arange(len(y)) if groups is None else groups
    check_n_permutations(groups, n_permutations)
    mean = scale_like_predictions(model, y, average=True)
    rng = np.random.default_rng(random_state)
    n_reference = min(_N_REFERENCE, len(y))
    chosen = np.sort(rng.choice(len(y), n_reference, replace=False))
    texts, null = [] if texts is None else list(texts), {}
    word_counts, occurrences = _count_words(texts)
    terms = count_terms(texts)
    if n_permutations:
        short = []
        if word_counts and (embedder is not None or _holds_texts(X)):
            short = draw_short_texts(word_counts | terms, rng)
        short_X = np.array(short, dtype=object)
        if short and embedder is not None:
            short_X = embedder.transform(short)
        folds = shuffled_folds(groups, _N_FOLDS, random_state)
        differences, supports = [], []
        bar = delayed_progress_bar("refitting on permuted pairs")
        with nullcontext(on_progress) if on_progress else bar as update:
            for train, held_out in islice(cycle(folds), n_permutations):
                held_out = rng.permutation(held_out)[:_N_HELD_OUT]
                null_model = clone_with_chosen_settings(model)
                null_model.fit(select_rows(X, train), y[rng.permutation(train)])
                predicted = [null_model.predict(select_rows(X, held_out))]
                if short:
                    predicted.append(null_model.predict(short_X))
                    in_train = np.asarray(occurrences[train].sum(axis=0)).ravel()
                    counts = dict(zip(word_counts, in_train, strict=True))
                    queries = [*(texts[row] for row in held_out), *short]
                    supports.append(
                        [compute_support(one, counts, len(train)) for one in queries]
                    )
                differences.append([one - mean for one in predicted])
                update(len(differences), n_permutations)
        null = null_statistics(
            differences, masker, supports=supports, smoothing_fwhm=smoothing_fwhm
        )
    return TrainingStatistics(
        terms=terms,
        mean=mean.astype(np.float32),
        null_std=null.get("null_std"),
        null_std_difference=null.get("null_std_difference"),
        reference=y[chosen],
        word_counts=word_counts,
        null_scale=null.get("null_scale"),
        z_threshold=_choose_threshold(null.get("null", {})),
        null=null.get("null", {}),
    )


def null_statistics(differences, masker, *, supports=(), smoothing_fwhm=0.0) -> dict:
    """Compute the null distribution of z maps from the predictions of permuted fits.

    The null standard deviations are defined in `training_statistics`. They are computed
    from held-out texts. The maps of texts with little support vary more. Therefore, the
    null standard deviation is multiplied by a factor, ``null_scale``.

    To compute this factor, texts are sorted into intervals of support, from each power
    of two to the next. Maps of densities are skewed: large positive differences are
    more frequent than in a normal distribution with the same standard deviation, most
    of all for texts with little support. Therefore, the factor of an interval is the
    99 % quantile of the z values of its texts, divided by the 99 % quantile of the
    standard normal distribution. A factor that is smaller than that of an interval with
    more support is replaced by the latter, so that factors never increase with support.
    Intervals with fewer than five texts are omitted.

    Parameters
    ----------
    differences : sequence of sequence of ndarray of shape (n_texts, n_components)
        For each permutation, an array for the held-out texts, and optionally an array
        for other texts. Both contain predicted coefficients minus mean coefficients.
        The other texts are only used to compute ``null_scale``.
    masker : KDEDiFuMoMasker
        Fitted masker that computed the coefficients.
    supports : sequence of sequence of float, default=()
        For each permutation: the support of the held-out texts, followed by that of the
        other texts (see `NeuroContextModel.support`). If empty, ``null_scale`` is None.
    smoothing_fwhm : float, default=0.0
        Full width at half maximum of the Gaussian kernel that smooths maps, in mm.

    Returns
    -------
    statistics : dict
        Dictionary with these keys, which are described in `TrainingStatistics`:
        ``null_std``, ``null_std_difference``, ``null_scale`` and ``null``. The first
        column of ``null_scale`` contains the center of each interval of support (the
        geometric mean of its limits), and the second column contains its factor.
        ``null_scale`` is None if all intervals have fewer than five texts.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.inference import null_statistics
    >>> masker = KDEDiFuMoMasker("geometric", 128).fit()
    >>> rng = np.random.default_rng(0)
    >>> found = null_statistics([[rng.normal(size=(10, 128))]], masker)
    >>> bool(0.9 < found["null"]["z_mean_square"] <= 1)
    True
    """

    def to_voxels(coefficients):
        """Return the smoothed maps of coefficients."""
        voxels = masker.coefficients_to_voxels(coefficients).astype(np.float64)
        return smooth_voxels(voxels, masker.mask_img_, smoothing_fwhm)

    # The maps are computed twice, because the maps of all permutations may not fit into
    # memory.
    squares, variances = [], []
    for held_out, *_ in differences:
        voxels = to_voxels(held_out)
        squares.append((voxels**2).mean(axis=0))
        if len(voxels) > 1:
            # The mean squared difference between two different rows.
            variances.append(2 * voxels.var(axis=0, ddof=1))
    null_std = compute_null_std(squares).astype(np.float32)
    null_std_difference = null_scale = None
    if variances:
        null_std_difference = compute_null_std(variances).astype(np.float32)
    z, largest, support = [], [], []
    for row, parts in enumerate(differences):
        maps = to_voxels(np.concatenate(parts)) / np.where(null_std > 0, null_std, 1)
        z.append(maps[:, ::_VOXEL_STEP].astype(np.float32))
        largest.append(maps.max(axis=1))
        if len(supports):
            support.append(np.asarray(supports[row], dtype=np.float64))
    scales = [np.ones(len(one)) for one in z]
    if support:
        null_scale = compute_null_scale(np.concatenate(z), np.concatenate(support))
    if null_scale is not None:
        scales = [interpolate_scale(null_scale, one) for one in support]
    n_held_out = [len(parts[0]) for parts in differences]
    blocks = list(zip(z, largest, scales, n_held_out, strict=True))
    held_out_z = [one[:n] / scale[:n, None] for one, _, scale, n in blocks]
    held_out = [one[:n] / scale[:n] for _, one, scale, n in blocks]
    others = [one[n:] / scale[n:] for _, one, scale, n in blocks]
    return {
        "null_std": null_std,
        "null_std_difference": null_std_difference,
        "null_scale": null_scale,
        "null": describe_null(
            np.concatenate(held_out_z), np.concatenate(held_out), np.concatenate(others)
        ),
    }


def describe_null(z, largest, largest_of_words=()) -> dict:
    """Compute the mean square and the quantiles of null z maps.

    A null z map is the z map of a model that was fitted to permuted text-map pairs.

    Parameters
    ----------
    z : ndarray of shape (n_maps, n_voxels)
        Values of null z maps.
    largest : ndarray of shape (n_maps,)
        Largest value of each map.
    largest_of_words : ndarray of shape (n_words,), default=()
        Largest value of each null z map of a word or another short text.

    Returns
    -------
    null : dict of str to float
        ``z_mean_square``, quantiles of `z` such as ``z_quantile_0.99``, quantiles of
        `largest` such as ``z_largest_quantile_0.95``, and quantiles of
        `largest_of_words` such as ``z_largest_of_words_quantile_0.95``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference import describe_null
    >>> z = np.array([[1.0, -1.0], [1.0, 3.0]])
    >>> null = describe_null(z, z.max(axis=1))
    >>> null["z_mean_square"], null["z_largest_quantile_0.5"]
    (3.0, 2.0)
    """
    null = {"z_mean_square": float((z.astype(np.float64) ** 2).mean())}
    for quantile in (0.001, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999):
        null[f"z_quantile_{quantile}"] = float(np.quantile(z, quantile))
    for quantile in (0.025, 0.05, 0.5, _LARGEST, 0.975):
        null[f"z_largest_quantile_{quantile}"] = float(np.quantile(largest, quantile))
        if len(largest_of_words):
            name = f"z_largest_of_words_quantile_{quantile}"
            null[name] = float(np.quantile(largest_of_words, quantile))
    return null


def compute_null_scale(z, support) -> np.ndarray | None:
    """Compute the factor of `null_statistics`, of shape (n_levels, 2), or None.

    `z` has shape (n_maps, n_voxels), and `support`, of the texts of the maps, has shape
    (n_maps,).

    >>> z = np.random.default_rng(0).normal(size=(10, 1000))
    >>> z[:5] *= 3
    >>> scale = compute_null_scale(z, np.repeat([1, 64], 5))
    >>> scale[:, 0].round().tolist(), scale[:, 1].round().tolist()
    ([1.0, 91.0], [3.0, 1.0])
    """
    intervals = np.floor(np.log2(support)).astype(int)
    levels, scales = [], []
    for interval in np.unique(intervals):
        chosen = z[intervals == interval]
        if len(chosen) >= _MIN_TEXTS:
            levels.append(2 ** (interval + 0.5))
            scales.append(np.quantile(chosen, _TAIL) / norm.ppf(_TAIL))
    if not levels:
        return None
    scales = np.maximum.accumulate(scales[::-1])[::-1]
    return np.column_stack([levels, scales]).astype(np.float32)


def _choose_threshold(null) -> float:
    """Return the largest 95 % quantile of largest z values, or 0 if there is none."""
    kinds = ("z_largest_quantile", "z_largest_of_words_quantile")
    return max(null.get(f"{kind}_{_LARGEST}", 0.0) for kind in kinds)


def _holds_texts(X) -> bool:
    """Return whether X is a sequence of texts, in contrast to a matrix of features."""
    return getattr(X, "ndim", 1) == 1 and isinstance(next(iter(X)), str)


def _count_words(texts):
    """Return the numbers of texts with each word, and the words of each text.

    The words of texts are a sparse matrix of shape (n_texts, n_words) of ones.
    """
    vectorizer = CountVectorizer(analyzer=split_words, binary=True)
    try:
        occurrences = vectorizer.fit_transform(texts)
    except ValueError:  # The texts contain no words.
        return {}, None
    counts = np.asarray(occurrences.sum(axis=0)).ravel().tolist()
    words = vectorizer.get_feature_names_out().tolist()
    return dict(zip(words, counts, strict=True)), occurrences


def draw_short_texts(counts, rng, n_texts=_N_SHORT) -> list:
    """Draw words and terms evenly over numbers of studies, and make up 50 texts.

    Parameters
    ----------
    counts : dict of str to int
        Number of studies that contain each word or term; positive.
    rng : numpy.random.Generator
        Random number generator.
    n_texts : int, default=200
        Number of words and terms to draw. The numbers of studies are sorted into
        intervals, from each power of two to the next. The same number of words and
        terms is drawn from each interval, or all of them if there are fewer.

    Returns
    -------
    texts : list of str
        Words and terms, and 50 texts made by `make_up_text`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference import draw_short_texts
    >>> counts = {"heat": 9, "pain": 40}
    >>> draw_short_texts(counts, np.random.default_rng(0))[:2]
    ['heat', 'pain']
    """
    by_interval = defaultdict(list)
    for text in sorted(counts):
        by_interval[int(np.log2(counts[text]))].append(text)
    n_each = -(-n_texts // max(len(by_interval), 1))
    drawn = [
        texts[row]
        for _, texts in sorted(by_interval.items())
        for row in rng.permutation(len(texts))[:n_each]
    ]
    return drawn + [make_up_text(rng) for _ in range(_N_MADE_UP)]


def make_up_text(rng) -> str:
    """Make a text of one to four words that consist of random letters.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.

    Returns
    -------
    text : str
        Words of four to nine letters.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference import make_up_text
    >>> text = make_up_text(np.random.default_rng(0))
    >>> text.replace(" ", "").isalpha()
    True
    """
    letters = list(string.ascii_lowercase)
    words = [
        "".join(rng.choice(letters, rng.integers(4, 10)))
        for _ in range(rng.integers(1, 5))
    ]
    return " ".join(words)


def compute_null_std(squares) -> np.ndarray:
    """Return the square root of the mean over permutations, of shape (n_voxels,).

    `squares` has shape (n_permutations, n_voxels). Values below the 5 % quantile over
    voxels are replaced by this quantile.

    >>> compute_null_std([[1.0, 16.0], [1.0, 0.0]]).round(3).tolist()
    [1.091, 2.828]
    """
    null_std = np.sqrt(np.mean(squares, axis=0))
    return np.maximum(null_std, np.quantile(null_std, _FLOOR))


def check_n_permutations(groups, n_permutations) -> None:
    """Check the number of permutations, and check that there are enough studies.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Identifier of the study of each row.
    n_permutations : int
        Number of permutations, in which texts and maps are paired at random.

    Raises
    ------
    TypeError
        If `n_permutations` is not an integer.
    ValueError
        If `n_permutations` is negative, or if it is positive and there are fewer than
        five studies.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import check_n_permutations
    >>> check_n_permutations(["a", "b", "c", "d", "e"], 1)
    """
    if not isinstance(n_permutations, Integral) or isinstance(n_permutations, bool):
        raise TypeError(f"n_permutations must be an integer; got {n_permutations!r}.")
    if n_permutations < 0:
        raise ValueError(f"n_permutations must be 0 or more; got {n_permutations}.")
    n_studies = len(np.unique(groups))
    if n_permutations and n_studies < _N_FOLDS:
        raise ValueError(
            f"{n_studies} studies are too few to estimate the null distribution; "
            f"expected at least {_N_FOLDS}. Set n_permutations to 0 to fit a model "
            "without z maps."
        )


@array_output()
def fit_model(
    estimator,
    X,
    y,
    masker,
    *,
    texts,
    groups=None,
    embedder=None,
    smoothing_fwhm=14.0,
    n_permutations=5,
    random_state=0,
    card=None,
    on_progress=None,
) -> NeuroContextModel:
    """Fit an estimator to all studies and return a `NeuroContextModel`.

    Parameters
    ----------
    estimator : estimator
        Estimator whose clone is fitted to X and y.
    X : array-like of shape (n_studies, n_features), or sequence of str
        Texts, or embeddings of the texts computed by `embedder`. Texts are converted
        to American spelling, because the returned model converts each text in the same
        way before it predicts the map of the text.
    y : array-like of shape (n_studies, n_components)
        Coefficients of the studies.
    masker : KDEDiFuMoMasker
        The fitted masker that computed y.
    texts : sequence of str
        Texts of the studies, in which terms are counted.
    groups : array-like of shape (n_studies,) or None, default=None
        Identifier of the study of each row. If None, each row is a separate study.
    embedder : LLMChunkEmbedder or None, default=None
        Fitted embedder that computed X. Pass None if X contains texts.
    smoothing_fwhm : float, default=14.0
        Full width at half maximum, in mm, of the Gaussian kernel that smooths predicted
        maps.
    n_permutations : int, default=5
        Number of permutations. In each of them, a copy of the model is fitted to texts
        and maps in random pairs (see `training_statistics`). If 0, the model has no z
        maps.
    random_state : int, default=0
        Seed of the folds, the permutations and the choice of reference studies.
    card : dict or None, default=None
        Metadata of the model. The card of the returned model also contains the numbers
        of studies, reference studies and permutations.
    on_progress : callable or None, default=None
        Function called as ``on_progress(n_done, n_permutations)`` after each
        permutation. If None, terminals and notebooks show a progress bar.

    Returns
    -------
    model : NeuroContextModel
        Fitted model that predicts maps from texts.

    Raises
    ------
    ValueError
        If the estimator cannot be fitted, or if there are too few studies for the
        permutations.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import best_text_brain
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import make_masker, prepare_studies
    >>> from sklearn_neurocontext.inference import fit_model
    >>> corpus = make_studies(n_studies=90, random_state=0)
    >>> masker = make_masker("geometric", 128)
    >>> studies = prepare_studies(corpus, "title", None, masker)
    >>> texts = np.array(studies.texts, dtype=object)
    >>> estimator = best_text_brain("title")
    >>> model = fit_model(
    ...     estimator, texts, studies.y, masker, texts=texts, n_permutations=0
    ... )
    >>> model.predict_img(["pain"]).shape[3]
    1
    """
    if embedder is None:
        X = [american_spelling(text) for text in check_texts(X, "X")]
        X = np.array(X, dtype=object)
    fitted = clone(estimator).fit(X, y)
    statistics = training_statistics(
        fitted,
        X,
        y,
        masker,
        texts=texts,
        groups=groups,
        embedder=embedder,
        smoothing_fwhm=smoothing_fwhm,
        n_permutations=n_permutations,
        random_state=random_state,
        on_progress=on_progress,
    )
    if embedder is not None:
        steps = fitted.steps if isinstance(fitted, Pipeline) else [("model", fitted)]
        fitted = Pipeline([("llmchunkembedder", embedder), *steps])
    return NeuroContextModel(
        fitted,
        masker,
        smoothing_fwhm=smoothing_fwhm,
        terms=statistics.terms,
        mean=statistics.mean,
        null_std=statistics.null_std,
        null_std_difference=statistics.null_std_difference,
        null_scale=statistics.null_scale,
        z_threshold=statistics.z_threshold,
        word_counts=statistics.word_counts,
        n_studies=len(y),
        support_threshold=_SUPPORT_THRESHOLD if statistics.word_counts else 0.0,
        reference=statistics.reference,
        card={
            **(card or {}),
            "n_studies": len(y),
            "n_reference": len(statistics.reference),
            "n_permutations": n_permutations,
            "null": statistics.null,
        },
    )
