"""Several models as one: their similarities, added."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import resample

from .._utils.estimators import innermost_model
from .._utils.validation import (
    BaseComposition,
    available_if,
    check_is_fitted,
    check_random_state,
    fit_context,
)
from ..metrics import mix_match_score, similarity
from ._members import check_members, check_weights, input_tags_of

# Training studies whose cross similarities give each member's scale.
_N_SCALE = 1000


def spread_of_wrong_pairs(matrix: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of the similarities of texts with other studies' maps.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        True pairs on the diagonal, which is left out.

    Returns
    -------
    mean, deviation : float
        The deviation is one where all entries are equal.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.models._ensemble import spread_of_wrong_pairs
    >>> spread_of_wrong_pairs(np.array([[9.0, 1.0], [3.0, 9.0]]))
    (2.0, 1.0)
    """
    wrong = matrix[~np.eye(len(matrix), dtype=bool)]
    return float(wrong.mean()), float(wrong.std()) or 1.0


def _all_predict(ensemble):
    members = getattr(ensemble, "estimators_", None)
    if members is None:
        members = [member for _, member in ensemble.estimators]
    lacking = [m for m in members if not hasattr(m, "predict")]
    if lacking:
        name = type(innermost_model(lacking[0])).__name__
        raise AttributeError(
            f"{name} in this TextBrainEnsemble has no predict. Give it a decoder, or "
            "leave it out."
        )
    return True


def _shared_y_scaling(members):
    """Return the y_scaling of all fitted members; raise an error where they differ."""
    scalings = {getattr(innermost_model(m), "y_scaling", None) for m in members}
    if len(scalings) > 1:
        raise ValueError(
            "Members of a TextBrainEnsemble that predicts must have one y_scaling, "
            "as their densities have different norms otherwise; got "
            f"{sorted(map(str, scalings))}. Set it alike for all members."
        )
    return scalings.pop()


class TextBrainEnsemble(BaseComposition, BaseEstimator):
    r"""Adds the similarities of several models, each on its own scale.

    .. math:: s_{ij} = \sum_m w_m \frac{s^{(m)}_{ij} - \mu_m}{\sigma_m}

    where μ and σ are the mean and deviation of member m's similarities between training
    texts and the maps of *other* training studies. They are constants once the ensemble
    is fitted: an entry depends on its own text and map, on no other candidate. The
    members were fitted with these studies: how much closer one fits them than others
    is part of its σ, and so of its share in the sum.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Models of this package, ensembles among them, or Pipelines and searches that
        end in one, all taking the same X: texts, counts or embeddings.
    weights : array-like of shape (n_estimators,) or None, default=None
        w: finite, none negative, not all 0; None weighs all alike.
    random_state : int, RandomState instance or None, default=None
        Choice of the 1,000 training studies that give the scales, where there are
        more; with fewer all do, and it has no effect. Members have their own.

    Attributes
    ----------
    estimators_ : list of estimator
        Fitted clones.
    means_, stds_ : ndarray of shape (n_estimators,), float64
        μ and σ.
    n_features_in_ : int
        Number of features of X; only where the first member knows it.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Their names; only where the first member knows them.
    y_scaling : {"unit", "sqrt"} or None
        That of all members; an error where they differ.

    See Also
    --------
    KernelCCA : The member of the best settings.

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
        "estimators": [list],
        "weights": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(self, estimators, *, weights=None, random_state=None):
        self.estimators = estimators
        self.weights = weights
        self.random_state = random_state

    def get_params(self, deep=True):
        """Get the parameters, those of the members under their names.

        Parameters
        ----------
        deep : bool, default=True
            Whether members and their parameters are among them.

        Returns
        -------
        params : dict
            Name to value.
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params):
        """Set parameters, of members as ``name__parameter``.

        Parameters
        ----------
        **params
            Name to value.

        Returns
        -------
        self : TextBrainEnsemble
            The estimator.
        """
        self._set_params("estimators", **params)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Fit all members, then learn their scales.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str
            What the members take, one row per study.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : TextBrainEnsemble
            The fitted ensemble.

        Raises
        ------
        ValueError
            If there is no member, names repeat, or weights are not one number for
            each, none negative, not all 0.
        TypeError
            If a member has no name or no similarity.
        """
        self._validate_names(check_members(self.estimators))
        check_weights(self.weights, len(self.estimators))
        members = [clone(member).fit(X, y) for _, member in self.estimators]
        n_scale = min(_N_SCALE, len(y))
        # A seed of its own: members with the same seed take the studies that come first
        # as landmarks, which they fit more closely than others.
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        some_X, some_y = resample(
            X, y, replace=False, n_samples=n_scale, random_state=seed
        )
        spreads = [
            spread_of_wrong_pairs(similarity(member, some_X, some_y))
            for member in members
        ]
        self.estimators_ = members
        self.means_, self.stds_ = np.array(spreads).T
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)  # of an earlier fit
            if hasattr(members[0], name):
                setattr(self, name, getattr(members[0], name))
        return self

    @property
    def y_scaling(self):
        """Scaling of y that all members have; it is the scale of their predictions."""
        return _shared_y_scaling(self.estimators_)

    def _weights(self):
        return check_weights(self.weights, len(self.estimators_))

    def similarity(self, X, y):
        """Similarity of each text with each map.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str
            What the members take, one row per text.
        y : array-like of shape (n_maps, n_components)
            Coefficients.

        Returns
        -------
        similarity : ndarray of shape (n_texts, n_maps)
            In deviations of wrong pairs, summed over members. Where rows of X and y are
            the same studies, true pairs lie on the diagonal.
        """
        check_is_fitted(self)
        facts = zip(
            self._weights(), self.estimators_, self.means_, self.stds_, strict=True
        )
        return sum(
            weight * (similarity(member, X, y) - mean) / deviation
            for weight, member, mean, deviation in facts
        )

    def score(self, X, y):
        """Mix&match: the share of wrong maps that the right one beats.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str
            What the members take, one row per study.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        mix_match : float
            In [0, 1]; 0.5 is chance, whatever the number of candidates.
        """
        return mix_match_score(self.similarity(X, y))

    @available_if(_all_predict)
    def predict(self, X):
        """Predict the coefficients to expect from each text: the members' average.

        Parameters
        ----------
        X : array-like, sparse matrix or sequence of str
            What the members take, one row per text.

        Returns
        -------
        coefficients : ndarray of shape (n_texts, n_components)
            Weighted average of the members' predictions: coefficients of densities,
            ready for ``masker.inverse_transform``, of studies scaled to L2 norm one
            where the members' ``y_scaling`` is ``"unit"``, to L1 norm one for
            ``"sqrt"``, raw ones for None.

        Raises
        ------
        ValueError
            If members differ in ``y_scaling``: their densities have different norms.
        """
        check_is_fitted(self)
        _shared_y_scaling(self.estimators_)
        predictions = [member.predict(X) for member in self.estimators_]
        return np.average(predictions, axis=0, weights=self._weights())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags = input_tags_of(self.estimators)
        return tags
