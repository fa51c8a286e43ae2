"""Ensemble that sums the similarities of several models."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import InputTags, get_tags, resample

from .._utils.validation import (
    BaseComposition,
    array_output,
    available_if,
    check_is_fitted,
    check_numbers,
    fit_context,
    innermost_model,
)
from ..metrics import similarity
from ._base import MixMatchMixin, draw_seed

# Maximum number of training studies from which the mean and the standard deviation of
# similarities are computed.
_N_SCALE = 1000


def wrong_pair_statistics(matrix: np.ndarray) -> tuple[float, float]:
    """Compute the mean and standard deviation of the similarities of wrong pairs.

    `matrix` has shape (n_studies, n_studies). It contains the similarity of each text
    with each map of the same studies. A pair of a text and a map is wrong if they
    belong to different studies. Therefore, wrong pairs lie outside the diagonal. If the
    similarities of all wrong pairs are equal, the standard deviation is replaced by 1.
    """
    wrong = matrix[~np.eye(len(matrix), dtype=bool)]
    return float(wrong.mean()), float(wrong.std()) or 1.0


def _check_names(estimators: list) -> list[str]:
    """Check that each entry is a pair of a name and a model, and return the names."""
    if not estimators:
        raise ValueError("estimators must hold at least one estimator; got [].")
    for place, entry in enumerate(estimators):
        is_pair = isinstance(entry, tuple | list) and len(entry) == 2
        if not is_pair or not isinstance(entry[0], str):
            raise TypeError(
                f"estimators[{place}] must be a pair of a name and an estimator, such "
                f"as ('words', KernelCCA()); got {_describe(entry)}."
            )
        _check_model(*entry)
    return [name for name, _ in estimators]


def _check_model(name, estimator):
    """Check that an estimator is, or ends in, a model with a method `similarity`."""
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(
            f"{name!r} must be an estimator; got {_describe(estimator)}. To drop "
            "an estimator, remove its pair from the list."
        )
    model = innermost_model(estimator)
    if not hasattr(model, "similarity"):
        raise TypeError(
            f"{name!r} must be or end in a model with a method similarity, such as "
            f"KernelCCA or RidgeBaseline; got {_describe(model)}. Pass such a model, a "
            "Pipeline that ends in such a model, or a search with refit=True."
        )


def _describe(value):
    return repr(value) if isinstance(value, str | None) else type(value).__name__


def _check_weights(weights, n_estimators: int) -> np.ndarray:
    """Check the weights and return them as float64.

    If `weights` is None, all returned weights are 1.
    """
    if weights is None:
        return np.ones(n_estimators)
    return check_numbers(
        "weights",
        weights,
        lambda array: (
            array.shape == (n_estimators,) and (array >= 0).all() and array.any()
        ),
        f"None or {n_estimators} finite numbers, one per estimator, of which none is "
        "negative and at least one is positive",
    )


def _first_step(estimator):
    """Return the first step of a Pipeline, or of a search over a Pipeline.

    Other estimators are returned unchanged.
    """
    if isinstance(estimator, Pipeline):
        steps = [s for _, s in estimator.steps if s not in (None, "passthrough")]
        return _first_step(steps[0])
    if hasattr(estimator, "refit") and hasattr(estimator, "estimator"):
        return _first_step(estimator.estimator)
    return estimator


def _input_tags(estimators: list) -> InputTags:
    """Return the input tags of the first estimator.

    They hold for the whole ensemble, because all estimators receive the same X.
    """
    try:
        _, estimator = estimators[0]
        tags, first = get_tags(estimator).input_tags, get_tags(_first_step(estimator))
    except (TypeError, ValueError, IndexError, AttributeError):
        return InputTags()  # the list is invalid; fit raises an informative error
    # These two tags are read from the first step, because a Pipeline or search does not
    # copy them from its steps.
    tags.string = first.input_tags.string
    tags.two_d_array = first.input_tags.two_d_array
    return tags


def _all_predict(ensemble):
    """Return True if all estimators have a method predict.

    Otherwise, raise AttributeError.
    """
    estimators = getattr(ensemble, "estimators_", None)
    if estimators is None:
        estimators = [estimator for _, estimator in ensemble.estimators]
    lacking = [one for one in estimators if not hasattr(one, "predict")]
    if lacking:
        name = type(innermost_model(lacking[0])).__name__
        raise AttributeError(
            f"{name} in this TextBrainEnsemble has no method predict. Set the "
            f"parameter decoder of {name}, or remove {name} from the ensemble."
        )
    return True


def _shared_y_scaling(estimators):
    """Return the common y_scaling of the estimators.

    If the estimators differ in y_scaling, raise ValueError.
    """
    scalings = {getattr(innermost_model(one), "y_scaling", None) for one in estimators}
    if len(scalings) > 1:
        raise ValueError(
            "predict requires that all estimators of a TextBrainEnsemble have the same "
            "y_scaling, because y_scaling determines the scale of predictions; got "
            f"{sorted(map(str, scalings))}. Set the same y_scaling in all estimators."
        )
    return scalings.pop()


class TextBrainEnsemble(MixMatchMixin, BaseComposition, BaseEstimator):
    r"""Weighted sum of the standardized similarities of several models.

    The similarity of text i and map j is

    .. math:: s_{ij} = \sum_m w_m \frac{s^{(m)}_{ij} - \mu_m}{\sigma_m}

    where :math:`w_m` is the weight of model m, and :math:`s^{(m)}_{ij}` is the
    similarity that model m computes. The method `fit` computes the mean :math:`\mu_m`
    and the standard deviation :math:`\sigma_m` of the similarities between training
    texts and the maps of *other* training studies. Because these statistics come from
    training studies, the similarity of a text and a map does not depend on the other
    candidate maps.

    The statistics are computed from studies to which the models were also fitted. For
    these studies, the similarities of an overfitted model vary more. Therefore, an
    overfitted model has a larger :math:`\sigma_m` and contributes less to the sum.

    Parameters
    ----------
    estimators : list or tuple of (str, estimator)
        Pairs of a name and an estimator. An estimator is a model of this package
        (possibly another ensemble), a Pipeline that ends in such a model, or a
        hyperparameter search over such a model or Pipeline. All estimators must accept
        the same X: texts, term counts or embeddings.
    weights : array-like of shape (n_estimators,) or None, default=None
        Weight :math:`w_m` of each estimator. Weights must be finite and at least 0, and
        at least one must be positive. If None, all weights are 1.
    random_state : int, RandomState instance or None, default=None
        Controls the random choice of the 1,000 training studies from which
        :math:`\mu_m` and :math:`\sigma_m` are computed. If there are fewer training
        studies, all of them are used. This `random_state` does not affect the fit of
        the estimators.

    Attributes
    ----------
    estimators_ : list of estimator
        Fitted clones of the estimators, in the same order.
    means_, stds_ : ndarray of shape (n_estimators,), float64
        Mean :math:`\mu_m` and standard deviation :math:`\sigma_m` of the similarities
        of each estimator.
    n_features_in_ : int
        Number of features of X. Present only if the first estimator has this attribute.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features. Present only if the first estimator has this attribute.
    y_scaling : {"unit", "sqrt"} or None
        The ``y_scaling`` that all estimators share. If the estimators differ in
        ``y_scaling``, access to this attribute raises ValueError.

    See Also
    --------
    KernelCCA : Model that is well suited as an estimator of the ensemble.
    best_text_brain : Build an ensemble of four `KernelCCA` models for titles.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import CCABaseline, RidgeBaseline, TextBrainEnsemble
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X @ rng.normal(size=(5, 8)) + rng.normal(size=(200, 8))
    >>> model = TextBrainEnsemble([("cca", CCABaseline()), ("ridge", RidgeBaseline())])
    >>> bool(model.fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.9)
    True
    """

    _parameter_constraints = {
        "estimators": [list, tuple],
        "weights": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(self, estimators, *, weights=None, random_state=None):
        self.estimators = estimators
        self.weights = weights
        self.random_state = random_state

    def get_params(self, deep=True):
        """Get the parameters of the ensemble and of its estimators.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the estimators and their parameters.

        Returns
        -------
        params : dict
            Values of the parameters by name. A parameter of an estimator is named
            ``<name>__<parameter>``, for example ``words__alpha_text``.
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params):
        """Set parameters of the ensemble and of its estimators.

        Parameters
        ----------
        **params
            Values of the parameters by name. A parameter of an estimator is named
            ``<name>__<parameter>``, for example ``words__alpha_text``.

        Returns
        -------
        self : TextBrainEnsemble
            The estimator.
        """
        self._set_params("estimators", **params)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    @array_output()
    def fit(self, X, y):
        """Fit all estimators, then compute `means_` and `stds_`.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str
            Input of the estimators, one row per study.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : TextBrainEnsemble
            The fitted ensemble.

        Raises
        ------
        ValueError
            If `estimators` is empty or two names are equal, or if `weights` is invalid.
        TypeError
            If an estimator has no name or no method ``similarity``.
        """
        self._validate_names(_check_names(self.estimators))
        _check_weights(self.weights, len(self.estimators))
        fitted = [clone(estimator).fit(X, y) for _, estimator in self.estimators]
        # Some estimators draw training studies as Nyström components, and they fit the
        # drawn studies more closely than other studies. If the ensemble passed its own
        # random_state to `resample`, and this random_state were the same integer as in
        # the estimators, the same studies would be drawn again. The statistics would
        # then be biased. Therefore, a new seed is drawn for `resample`.
        some_X, some_y = resample(
            X,
            y,
            replace=False,
            n_samples=min(_N_SCALE, len(y)),
            random_state=draw_seed(self.random_state),
        )
        statistics = [
            wrong_pair_statistics(similarity(estimator, some_X, some_y))
            for estimator in fitted
        ]
        self.estimators_ = fitted
        self.means_, self.stds_ = np.array(statistics).T
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)  # from an earlier fit
            if hasattr(fitted[0], name):
                setattr(self, name, getattr(fitted[0], name))
        return self

    @property
    def y_scaling(self):
        """The ``y_scaling`` that all estimators share."""
        return _shared_y_scaling(self.estimators_)

    def _fitted_weights(self):
        return _check_weights(self.weights, len(self.estimators_))

    @array_output()
    def similarity(self, X, y):
        """Compute the similarity of each text with each map.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str
            Input of the estimators, one row per text.
        y : array-like of shape (n_maps, n_components)
            Coefficients.

        Returns
        -------
        similarity : ndarray of shape (n_texts, n_maps)
            Weighted sum of standardized similarities. If X and y contain the same
            studies in the same order, the diagonal contains the similarities of texts
            and maps of the same study.
        """
        check_is_fitted(self)
        terms = zip(
            self._fitted_weights(),
            self.estimators_,
            self.means_,
            self.stds_,
            strict=True,
        )
        return sum(
            weight * (similarity(estimator, X, y) - mean) / std
            for weight, estimator, mean, std in terms
        )

    @available_if(_all_predict)
    @array_output()
    def predict(self, X):
        """Predict the coefficients of the brain map of each text.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str
            Input of the estimators, one row per text.

        Returns
        -------
        coefficients : ndarray of shape (n_texts, n_components)
            Weighted average of the predictions of the estimators, which can be passed
            to ``masker.inverse_transform``. Predictions have the scale of the training
            coefficients after the following step, which depends on `y_scaling`:

            - ``"unit"``: the coefficients of each study are divided by their L2 norm.
            - ``"sqrt"``: the coefficients of each study are divided by their L1 norm.
            - None: the coefficients are unchanged.

        Raises
        ------
        ValueError
            If the estimators differ in ``y_scaling``.
        """
        check_is_fitted(self)
        _shared_y_scaling(self.estimators_)
        predictions = [estimator.predict(X) for estimator in self.estimators_]
        return np.average(predictions, axis=0, weights=self._fitted_weights())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = _input_tags(self.estimators)
        return tags
