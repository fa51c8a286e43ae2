"""From a corpus to the X and y that every estimator sees."""

import time
from dataclasses import dataclass

import numpy as np

from ..datasets import study_texts, usable_rows

# Texts embedded between two calls of `on_progress`.
_STEP = 128


@dataclass(frozen=True, eq=False)
class PreparedStudies:
    """Usable studies of a corpus as embeddings and coefficients.

    Parameters
    ----------
    rows : ndarray of shape (n_studies,), int64
        Rows of the corpus.
    texts : list of str
        One per study.
    X : ndarray of shape (n_studies, embedding_dim), float32, or None
        Embeddings of the texts, where they were asked for.
    y : ndarray of shape (n_studies, n_components), float32
        Coefficients of the peaks.
    groups : ndarray of shape (n_studies,), str
        The study of each row, where rows are analyses.
    seconds : dict of str to float
        Time spent on ``"coefficients"`` and ``"embeddings"``.

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
    corpus, part, embedder, masker, *, check=None, on_progress=None
) -> PreparedStudies:
    """Embed the texts and compute the coefficients of a corpus's usable studies.

    Neither step learns from the studies, so both are done once, before any split.

    Parameters
    ----------
    corpus : Bunch
        What a loader of this package gave.
    part : {"title", "abstract", "body", "title+abstract"}
        Part of the text.
    embedder : LLMChunkEmbedder or None
        Texts to embeddings; None makes none.
    masker : KDEDiFuMoMasker
        Peaks to coefficients.
    check : callable or None, default=None
        Called as ``check(groups)``, with the study of each usable row, before texts are
        embedded, which takes long: what it raises is raised.
    on_progress : callable or None, default=None
        Called as ``on_progress(n_done, n_total)`` while texts are embedded.

    Returns
    -------
    studies : PreparedStudies
        Studies that have a text and at least one peak in the mask.

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
    y = masker.fit(corpus.peaks).transform(corpus.peaks)
    texts = study_texts(corpus, part)
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
    for start in range(0, len(texts), _STEP):
        X.append(embedder.transform(texts[start : start + _STEP]))
        if on_progress is not None:
            on_progress(min(start + _STEP, len(texts)), len(texts))
    return np.concatenate(X)
