"""Fit a model to studies, and compute the statistics that calibrate its maps."""

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from sklearn.base import clone
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
from ._neurocontext_model import NeuroContextModel
from ._terms import count_terms

# Maximum number of reference studies, whose maps are used to compute p values.
_N_REFERENCE = 1000
_N_FOLDS = 5
# Maximum number of held-out texts whose maps are predicted in each permutation.
_N_HELD_OUT = 200
# Values of the null standard deviation below this quantile over voxels are replaced by
# the quantile.
_FLOOR = 0.05


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

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.inference import TrainingStatistics
    >>> one = np.ones(3, dtype="float32")
    >>> TrainingStatistics({"pain": 12}, one, None, None, one[None]).terms
    {'pain': 12}
    """

    terms: dict
    mean: np.ndarray
    null_std: np.ndarray | None
    null_std_difference: np.ndarray | None
    reference: np.ndarray


@array_output()
def training_statistics(
    model,
    X,
    y,
    masker,
    *,
    texts=None,
    groups=None,
    smoothing_fwhm=0.0,
    n_permutations=5,
    random_state=0,
    on_progress=None,
) -> TrainingStatistics:
    r"""Compute the statistics that calibrate the maps of a `NeuroContextModel`.

    The null standard deviation is estimated by permutations. The studies are split into
    five folds. In each permutation, one fold is held out. The texts of the other four
    folds are paired with the maps of the same studies in random order, and a copy of
    the model is fitted to these pairs. The copy then predicts the maps of the texts in
    the held-out fold. At most 200 of these texts are used. Let :math:`\bar m` be the
    mean map of all studies, and let :math:`m_{pi}` be the predicted map of text i in
    permutation p. Both maps are smoothed. The null standard deviation at voxel v is

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
        Texts of the studies, in which terms are counted. If None, no terms are counted.
    groups : array-like of shape (n_studies,) or None, default=None
        Identifier of the study of each row. Rows with the same identifier are in the
        same fold. If None, each row is a separate study.
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
    null_std = null_std_difference = None
    if n_permutations:
        folds = shuffled_folds(groups, _N_FOLDS, random_state)
        squares, variances = [], []
        bar = delayed_progress_bar("refitting on permuted pairs")
        with nullcontext(on_progress) if on_progress else bar as update:
            for train, held_out in islice(cycle(folds), n_permutations):
                held_out = rng.permutation(held_out)[:_N_HELD_OUT]
                null_model = clone(model)
                null_model.fit(select_rows(X, train), y[rng.permutation(train)])
                differences = null_model.predict(select_rows(X, held_out)) - mean
                voxels = masker.coefficients_to_voxels(differences).astype(np.float64)
                voxels = smooth_voxels(voxels, masker.mask_img_, smoothing_fwhm)
                squares.append((voxels**2).mean(axis=0))
                if len(voxels) > 1:
                    # The mean squared difference between two different rows.
                    variances.append(2 * voxels.var(axis=0, ddof=1))
                update(len(squares), n_permutations)
        null_std = compute_null_std(squares).astype(np.float32)
        if variances:
            null_std_difference = compute_null_std(variances).astype(np.float32)
    return TrainingStatistics(
        terms=count_terms([] if texts is None else texts),
        mean=mean.astype(np.float32),
        null_std=null_std,
        null_std_difference=null_std_difference,
        reference=y[chosen],
    )


def compute_null_std(squares) -> np.ndarray:
    """Compute the null standard deviation of each voxel.

    Parameters
    ----------
    squares : array-like of shape (n_permutations, n_voxels)
        Squared difference between predicted map and mean map at each voxel, averaged
        over the texts of each permutation.

    Returns
    -------
    null_std : ndarray of shape (n_voxels,)
        Square root of the mean of `squares` over permutations. Values below the 5 %
        quantile over voxels are replaced by this quantile.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import compute_null_std
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
        reference=statistics.reference,
        card={
            **(card or {}),
            "n_studies": len(y),
            "n_reference": len(statistics.reference),
            "n_permutations": n_permutations,
        },
    )
