"""Scaling of coefficients: before an estimator sees them, and back to densities."""

import numpy as np

from .._utils.estimators import innermost_model

Y_SCALINGS = ("unit", "sqrt", None)


def normalize_studies(coefficients: np.ndarray, y_scaling: str | None) -> np.ndarray:
    """Bring the coefficients of each study to a common norm.

    Parameters
    ----------
    coefficients : ndarray of shape (n_studies, n_components)
        Coefficients of each study.
    y_scaling : {"unit", "sqrt"} or None
        ``"unit"`` divides each row by its L2 norm; ``"sqrt"`` takes signed square roots
        ``sign(c) * sqrt(abs(c))`` first; None leaves the values alone.

    Returns
    -------
    normalized : ndarray of shape (n_studies, n_components)
        Rows of norm one, or of norm zero where a study has no coefficient but zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models._scaling import normalize_studies
    >>> normalize_studies(np.array([[3.0, 4.0], [0.0, 0.0]]), "unit").tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    if y_scaling is None:
        return coefficients
    if y_scaling == "sqrt":
        coefficients = np.sign(coefficients) * np.sqrt(np.abs(coefficients))
    return unit_rows(coefficients)


def to_densities(normalized: np.ndarray, y_scaling: str | None) -> np.ndarray:
    """Undo the square roots of `normalize_studies`; signs are kept."""
    if y_scaling == "sqrt":
        return normalized * np.abs(normalized)
    return normalized


def scale_like_predictions(estimator, y, *, average=False) -> np.ndarray:
    """Scale coefficients of studies as the predictions of an estimator are scaled.

    Parameters
    ----------
    estimator : estimator
        Model of this package, a Pipeline that ends in one, or a search over one; a
        `TextBrainEnsemble` must be fitted.
    y : array-like of shape (n_studies, n_components)
        Coefficients of the studies.
    average : bool, default=False
        Whether to return one row, the prediction that a text without information would
        get: the mean over studies in the units that the model is fitted to, which for
        ``y_scaling="sqrt"`` are square roots, and then the density of this mean.

    Returns
    -------
    densities : ndarray of shape (n_studies, n_components) or (n_components,)
        Rows of L2 norm one for ``y_scaling="unit"``, of L1 norm one for ``"sqrt"``, `y`
        itself for None.

    Raises
    ------
    ValueError
        If the members of an ensemble differ in ``y_scaling``.

    Examples
    --------
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.models import scale_like_predictions
    >>> y = [[3.0, -4.0], [0.0, 2.0]]
    >>> scale_like_predictions(RidgeBaseline(y_scaling="unit"), y).tolist()
    [[0.6, -0.8], [0.0, 1.0]]
    >>> scale_like_predictions(RidgeBaseline(y_scaling="sqrt"), y).round(2).tolist()
    [[0.43, -0.57], [0.0, 1.0]]
    """
    y_scaling = getattr(innermost_model(estimator), "y_scaling", None)
    normalized = normalize_studies(np.asarray(y), y_scaling)
    return to_densities(normalized.mean(axis=0) if average else normalized, y_scaling)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Divide each row by its L2 norm; rows of zeros stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def learn_scale(
    normalized: np.ndarray, y_scaling: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Learn the mean and the deviation of each component on training studies.

    Parameters
    ----------
    normalized : ndarray of shape (n_studies, n_components)
        What `normalize_studies` gave.
    y_scaling : {"unit", "sqrt"} or None
        With None the deviation is one: only the mean is removed.

    Returns
    -------
    mean, scale : ndarray of shape (n_components,)
        Standardised values are ``(normalized - mean) / scale``. A component that never
        varies has scale one.
    """
    mean = normalized.mean(axis=0)
    if y_scaling is None:
        return mean, np.ones_like(mean)
    scale = normalized.std(axis=0)
    constant = scale <= 10 * np.finfo(normalized.dtype).eps * np.abs(mean)
    return mean, np.where(constant, 1, scale).astype(normalized.dtype)
