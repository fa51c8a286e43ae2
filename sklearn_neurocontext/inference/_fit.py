"""Fit a model to the studies of a corpus and measure its training statistics."""

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ._calibration import training_statistics
from ._neurocontext_model import NeuroContextModel


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
    """Fit an estimator to all studies and return a model that is ready to use.

    Parameters
    ----------
    estimator : estimator
        Not fitted; takes X.
    X : ndarray of shape (n_studies, ...)
        Texts, or their embeddings by `embedder`.
    y : ndarray of shape (n_studies, n_components)
        Coefficients of the studies.
    masker : KDEDiFuMoMasker
        The fitted masker that computed y.
    texts : sequence of str
        Texts of the studies, in which terms are counted.
    groups : array-like of shape (n_studies,) or None, default=None
        Study of each row, if several rows belong to one study.
    embedder : LLMChunkEmbedder or None, default=None
        Fitted; computed X. None if X holds texts.
    smoothing_fwhm : float, default=14.0
        Full width at half maximum of the Gaussian that smooths predicted maps, in mm.
    n_permutations : int, default=5
        Number of refits on permuted text-map pairs, see `training_statistics`; 0 gives
        a model without z maps.
    random_state : int, default=0
        Seed of the permutations and of the choice of reference studies.
    card : dict or None, default=None
        Metadata of the model; numbers of studies and permutations are added.
    on_progress : callable or None, default=None
        Called as ``on_progress(n_done, n_permutations)`` after each refit.

    Returns
    -------
    model : NeuroContextModel
        Takes texts.

    Raises
    ------
    ValueError
        If the estimator cannot be fitted, or there are too few studies.

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
        reference=statistics.reference,
        card={
            **(card or {}),
            "n_studies": len(y),
            "n_reference": len(statistics.reference),
            "n_permutations": n_permutations,
        },
    )
