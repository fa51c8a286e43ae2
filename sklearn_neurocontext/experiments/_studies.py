"""Prepare the studies of a corpus and compute the maps of a typical study."""

import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from .._utils.validation import array_output, select_rows
from ..datasets import DoubtfulPeaksWarning, study_texts, usable_rows
from ..metrics import dice_score
from ..models import scale_like_predictions

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
    dice : float
        Dice overlap of the voxels with the highest values in the two maps, in [0, 1].
    dice_of_all : ndarray of shape (n_candidates,), float64
        Dice overlap of the predicted and the observed map of each study of the test
        set.
    predicted_img, observed_img : Nifti1Image of shape (nx, ny, nz)
        The predicted and the observed map, both on the scale of the predictions of the
        estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.experiments import StudyMaps
    >>> StudyMaps(3, 0.5, np.array([0.5]), None, None).row
    3
    """

    row: int
    dice: float
    dice_of_all: np.ndarray
    predicted_img: object
    observed_img: object


@array_output()
def median_study_maps(estimator, X, y, split, masker, *, top=0.1) -> StudyMaps:
    """Predict the maps of the test set and select the study with the median Dice.

    A figure of this study shows the accuracy of a typical prediction.

    Parameters
    ----------
    estimator : estimator
        Unfitted estimator with a method ``predict``. A clone of it is fitted.
    X : array-like of shape (n_studies, n_features), or sequence of str
        Input of the estimator: embeddings or texts.
    y : array-like of shape (n_studies, n_components)
        Coefficients.
    split : tuple of ndarray
        Indices of the training rows and of the test rows.
    masker : KDEDiFuMoMasker
        Fitted masker that computed y.
    top : float, default=0.1
        Fraction of voxels to compare, as in `dice_score`. The voxels with the highest
        values are compared.

    Returns
    -------
    maps : StudyMaps
        Index and maps of the study with the median Dice, and the Dice overlap of each
        test study.

    Examples
    --------
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.datasets import make_studies
    >>> from sklearn_neurocontext.experiments import make_masker, median_study_maps
    >>> corpus = make_studies(n_studies=60, random_state=0)
    >>> masker = make_masker("geometric", 128)
    >>> y = masker.fit_transform(corpus.peaks)
    >>> split = (range(40), range(40, 60))
    >>> maps = median_study_maps(RidgeBaseline(), corpus.latent, y, split, masker)
    >>> maps.predicted_img.shape == maps.observed_img.shape
    True
    """
    train, test = (np.asarray(rows) for rows in split)
    y = np.asarray(y)
    model = clone(estimator).fit(select_rows(X, train), y[train])
    predicted = model.predict(select_rows(X, test))
    overlaps = np.array(
        [
            dice_score(*masker.coefficients_to_voxels(pair), top=top)
            for pair in zip(y[test], predicted, strict=True)
        ]
    )
    median = int(np.argsort(overlaps, kind="stable")[len(overlaps) // 2])
    observed = scale_like_predictions(model, y[test][median][None])[0]
    maps_img = masker.inverse_transform(np.stack([predicted[median], observed]))
    return StudyMaps(
        row=int(test[median]),
        dice=float(overlaps[median]),
        dice_of_all=overlaps,
        predicted_img=maps_img.slicer[..., 0],
        observed_img=maps_img.slicer[..., 1],
    )
