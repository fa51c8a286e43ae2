"""Ridge regression from embeddings to coefficients."""

import numpy as np
from sklearn.linear_model import RidgeCV

from .._utils.validation import StrOptions, fit_context
from ._base import TextBrainEstimator


class RidgeBaseline(TextBrainEstimator):
    r"""Ridge regression whose penalty is chosen by leave-one-out cross-validation.

    Minimises :math:`\|Z - XW\|^2 + \alpha \|W\|^2` for standardised coefficients
    Z, with one alpha for all components. Similarity is the cosine of predicted and
    observed coefficients in those standardised units.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,) or None, default=None
        Penalties to choose from, positive; None takes 13 from 1e-1 to 1e5.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        ``"unit"`` divides each study's coefficients by their L2 norm and standardises
        them on the training part; ``"sqrt"`` takes signed square roots first; None only
        removes the mean.

    Attributes
    ----------
    alpha_ : float
        The penalty chosen.
    coef_ : ndarray of shape (n_components_, n_features_in_), float64
        Weights, in standardised units of y.
    intercept_ : ndarray of shape (n_components_,), float64
        Intercepts, likewise.
    y_mean_, y_scale_ : ndarray of shape (n_components_,), float64
        Mean and deviation of the normalised training coefficients.
    n_components_ : int
        Number of coefficients.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    CCABaseline : A closed form that is made for retrieval.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024, Table 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X @ rng.normal(size=(5, 8)) + rng.normal(size=(200, 8))
    >>> RidgeBaseline().fit(X[:150], y[:150]).predict(X[150:]).shape
    (50, 8)
    """

    _parameter_constraints = {
        "alphas": ["array-like", None],
        "y_scaling": [StrOptions({"unit", "sqrt"}), None],
    }

    def __init__(self, alphas=None, *, y_scaling="unit"):
        self.alphas = alphas
        self.y_scaling = y_scaling

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Choose the penalty and fit the weights.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : RidgeBaseline
            The fitted estimator.
        """
        X, standardized = self._check_fit_input(X, y, dtype=np.float64)
        alphas = np.logspace(-1, 5, 13) if self.alphas is None else self.alphas
        ridge = RidgeCV(alphas=alphas).fit(X, standardized)
        self.alpha_ = float(ridge.alpha_)
        self.coef_ = ridge.coef_.reshape(self.n_components_, -1)
        self.intercept_ = np.reshape(ridge.intercept_, self.n_components_)
        return self

    def _predict_standardized(self, X):
        return X @ self.coef_.T + self.intercept_
