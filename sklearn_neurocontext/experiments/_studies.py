"""Prepare the studies of a corpus and compute maps of held-out studies."""

import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from .._utils.validation import array_output, select_rows
from .._utils.volumes import smooth_voxels, voxels_to_imgs
from ..datasets import DoubtfulPeaksWarning, study_texts, usable_rows
from ..metrics import dice_score

# Number of texts embedded between two calls of `on_progress`.
_BLOCK_SIZE = 128


@dataclass(frozen=True, eq=False)
class PreparedStudies:
    """Hold the embeddings and coefficients of the usable studies of a corpus.

    Parameters
    ----------
    rows : ndarray of shape (n_studies,), int64
        Indices of the usable studies in the corpus.
    texts : list of str
        Text of each study.
    X : ndarray of shape (n_studies, embedding_dim), float32, or None
        Embeddings of the texts, or None if no embedder was given.
    y : ndarray of shape (n_studies, n_components), float32
        Coefficients of the peaks.
    groups : ndarray of shape (n_studies,), str
        Article of each row, for splits by article. Several rows may come from the same
        article, for example if each row is an analysis (contrast).
    seconds : dict of str to float
        Wall-clock time in seconds of the steps ``"coefficients"`` and ``"embeddings"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.experiments import PreparedStudies
    >>> one = np.ones((1, 4), dtype="float32")
    >>> rows, groups = np.array([0]), np.array(["a"])
    >>> studies = PreparedStudies(rows, ["pain"], one, one, groups, {})
    >>> len(studies.texts)
    1
    """

    rows: np.ndarray
    texts: list[str]
    X: np.ndarray | None
    y: np.ndarray
    groups: np.ndarray
    seconds: dict


def prepare_studies(
    corpus, text_field, embedder, masker, *, check=None, on_progress=None
) -> PreparedStudies:
    """Compute embeddings and coefficients of the usable studies of a corpus.

    A study is usable if it has a text and at least one peak in the mask. Embeddings and
    coefficients are not learned from the studies, so they can be computed once, before
    the studies are split.

    Parameters
    ----------
    corpus : Bunch
        Corpus returned by a loader of `sklearn_neurocontext.datasets`.
    text_field : {"title", "abstract", "body", "title+abstract"}
        Field of the studies that provides the texts.
    embedder : LLMChunkEmbedder or None
        Transformer that computes the embeddings. If None, no embeddings are computed.
    masker : KDEDiFuMoMasker
        Transformer that computes the coefficients.
    check : callable or None, default=None
        Function called as ``check(groups)`` before the texts are embedded, where
        ``groups`` contains the article of each usable study. The function may raise an
        error to avoid embedding the texts, which is the slowest step.
    on_progress : callable or None, default=None
        Function called as ``on_progress(n_done, n_total)`` while texts are embedded.

    Returns
    -------
    studies : PreparedStudies
        The usable studies.

    Raises
    ------
    ValueError
        If no study is usable.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import (
    ...     make_embedder,
    ...     make_masker,
    ...     prepare_studies,
    ... )
    >>> corpus = make_studies(n_studies=4, random_state=0)
    >>> masker = make_masker("geometric", 128)
    >>> prepare_studies(corpus, "title", make_embedder(), masker).X.shape
    (4, 384)
    """
    started = time.perf_counter()
    with warnings.catch_warnings():
        # The loader of the corpus already issued this warning, with the study ids.
        warnings.simplefilter("ignore", DoubtfulPeaksWarning)
        y = np.asarray(masker.fit(corpus.peaks).transform(corpus.peaks))
    texts = study_texts(corpus, text_field)
    rows = usable_rows(texts, y)
    texts = [texts[row] for row in rows]
    groups = corpus.groups[rows]
    if check is not None:
        check(groups)
    masked = time.perf_counter()
    X = None if embedder is None else _embed(texts, embedder, on_progress)
    embedded = time.perf_counter()
    return PreparedStudies(
        rows=rows,
        texts=texts,
        X=X,
        y=y[rows],
        groups=groups,
        seconds={"coefficients": masked - started, "embeddings": embedded - masked},
    )


def _embed(texts, embedder, on_progress) -> np.ndarray:
    embedder.fit(texts)
    X = []
    for start in range(0, len(texts), _BLOCK_SIZE):
        X.append(embedder.transform(texts[start : start + _BLOCK_SIZE]))
        if on_progress is not None:
            on_progress(min(start + _BLOCK_SIZE, len(texts)), len(texts))
    return np.concatenate(X)


@dataclass(frozen=True, eq=False)
class StudyMaps:
    """Hold the predicted and the observed map of one held-out study.

    Parameters
    ----------
    row : int
        Index of the study in X and y.
    percentile : float
        Percentile of the Dice overlap at which the study was selected, in [0, 100].
    dice : float
        Dice overlap of the voxels with the highest values in the two maps, in [0, 1].
    predicted_img : Nifti1Image of shape (nx, ny, nz)
        Predicted map, in the unit of the predictions of the estimator.
    observed_img : Nifti1Image of shape (nx, ny, nz)
        Density of the reported peaks at the voxels of the mask, in peaks per cm³.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import StudyMaps
    >>> StudyMaps(3, 50, 0.5, None, None).row
    3
    """

    row: int
    percentile: float
    dice: float
    predicted_img: object
    observed_img: object


@array_output()
def held_out_studies(
    estimator,
    X,
    y,
    peaks,
    split,
    masker,
    *,
    percentiles=(90, 50, 10),
    top=0.1,
    smoothing_fwhm=14.0,
) -> tuple[list[StudyMaps], np.ndarray]:
    """Predict the maps of the test set and select studies by their Dice overlap.

    The Dice overlap compares the predicted map of a study with the density of its
    peaks. Figures of studies at several percentiles show how much the accuracy differs
    between studies. Predicted maps are smoothed, as the maps of
    :func:`~sklearn_neurocontext.inference.fit_model` are. Otherwise, the components of
    a coarse atlas would be visible.

    Parameters
    ----------
    estimator : estimator
        Unfitted estimator with a method ``predict``. A clone of it is fitted.
    X : array-like of shape (n_studies, n_features), or sequence of str
        Input of the estimator: embeddings or texts.
    y : array-like of shape (n_studies, n_components)
        Coefficients.
    peaks : sequence of array-like of shape (n_peaks, 3)
        Peaks of each study in mm, in MNI space.
    split : tuple of ndarray
        Indices of the training rows and of the test rows.
    masker : KDEDiFuMoMasker
        Fitted masker that computed y.
    percentiles : sequence of float, default=(90, 50, 10)
        Percentiles of the Dice overlap, in [0, 100]. For each percentile, the study
        whose Dice is nearest to the percentile is selected.
    top : float, default=0.1
        Fraction of voxels to compare, as in `dice_score`. The voxels with the highest
        values are compared.
    smoothing_fwhm : float, default=14.0
        Full width at half maximum, in mm, of the Gaussian kernel that smooths the
        predicted maps. With 0, they are not smoothed.

    Returns
    -------
    studies : list of StudyMaps
        Index and maps of the study at each percentile.
    dice : ndarray of shape (n_test_studies,), float64
        Dice overlap of each study of the test set.

    Examples
    --------
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import held_out_studies, make_masker
    >>> corpus = make_studies(n_studies=60, random_state=0)
    >>> masker = make_masker("geometric", 128)
    >>> y = masker.fit_transform(corpus.peaks)
    >>> split = (range(40), range(40, 60))
    >>> studies, dice = held_out_studies(
    ...     RidgeBaseline(), corpus.latent, y, corpus.peaks, split, masker
    ... )
    >>> studies[0].dice > studies[1].dice > studies[2].dice
    True
    """
    train, test = (np.asarray(rows) for rows in split)
    y = np.asarray(y)
    model = clone(estimator).fit(select_rows(X, train), y[train])
    mask_img = masker.mask_img_
    observed = [peaks[row] for row in test]
    predicted = model.predict(select_rows(X, test))
    dice = np.empty(len(test))
    for place, coefficients in enumerate(predicted):
        pair = [
            masker.peaks_to_voxels([observed[place]])[0],
            _predicted_voxels(coefficients, masker, smoothing_fwhm),
        ]
        dice[place] = dice_score(*pair, top=top)
    voxel_cm3 = abs(np.linalg.det(mask_img.affine[:3, :3])) / 1000
    studies = []
    for percentile in percentiles:
        place = int(np.abs(dice - np.percentile(dice, percentile)).argmin())
        density = masker.peaks_to_voxels([observed[place]])[0] / voxel_cm3
        voxels = _predicted_voxels(predicted[place], masker, smoothing_fwhm)
        predicted_img, observed_img = voxels_to_imgs([voxels, density], mask_img)
        found = int(test[place]), percentile, float(dice[place])
        studies.append(StudyMaps(*found, predicted_img, observed_img))
    return studies, dice


def _predicted_voxels(coefficients, masker, fwhm) -> np.ndarray:
    """Return the smoothed map of predicted coefficients, of shape (n_voxels,)."""
    voxels = masker.coefficients_to_voxels(coefficients[np.newaxis])
    return smooth_voxels(voxels, masker.mask_img_, fwhm)[0]
