"""The similarity of a model, reached through whatever wraps it."""

import numpy as np
from sklearn.pipeline import Pipeline


def similarity(estimator, X, y) -> np.ndarray:
    """Similarity of texts and maps under an estimator, however it is wrapped.

    Parameters
    ----------
    estimator : estimator
        A fitted model of this package, a Pipeline that ends in one, a fitted search
        over one, or these nested.
    X : array-like of shape (n_texts, n_features), or sequence of str
        What the estimator takes: embeddings, or texts for a Pipeline with an embedder.
    y : array-like of shape (n_maps, n_components)
        Coefficients.

    Returns
    -------
    similarity : ndarray of shape (n_texts, n_maps)
        Rows are texts, columns are maps. Where row i of `X` and row i of `y` are the
        same study, true pairs lie on the diagonal.

    Raises
    ------
    TypeError
        If no model with a method ``similarity`` is found inside the estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_neurocontext import CCABaseline, similarity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 4))
    >>> y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(50, 6))
    >>> model = make_pipeline(StandardScaler(), CCABaseline()).fit(X, y)
    >>> similarity(model, X[:3], y[:5]).shape
    (3, 5)
    """
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            if step is not None and step != "passthrough":
                X = step.transform(X)
        return similarity(estimator.steps[-1][1], X, y)
    if hasattr(estimator, "similarity"):
        return estimator.similarity(X, y)
    if hasattr(estimator, "best_estimator_"):
        return similarity(estimator.best_estimator_, X, y)
    if hasattr(estimator, "param_distributions") or hasattr(estimator, "param_grid"):
        raise TypeError(
            f"{type(estimator).__name__} holds no best_estimator_. Fit it first, with "
            "refit set to True or to the name of a metric."
        )
    raise TypeError(
        f"{type(estimator).__name__} has no method similarity. Expected a model such "
        "as ContrastiveTextBrain or RidgeBaseline, a Pipeline that ends in one, or a "
        "fitted search over one."
    )
