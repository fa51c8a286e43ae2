"""Pure functions that scale coefficients before an estimator sees them."""

import numpy as np

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
