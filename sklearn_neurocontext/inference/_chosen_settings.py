"""Copy estimators together with the settings that were chosen on the data."""

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import FeatureUnion, Pipeline

from ..models import ContrastiveTextBrain, TextBrainEnsemble


def clone_with_chosen_settings(estimator):
    """Return an unfitted copy of a fitted estimator that keeps its chosen settings.

    Some estimators choose settings when they are fitted, for example the penalty of a
    ridge regression. An estimator that is fitted to permuted pairs of texts and maps
    would choose other settings. Its maps would then not be a null distribution of the
    maps of the first estimator. The copy does not choose these settings again:

    - `RidgeBaseline`, `RidgeCV` and other estimators with the parameter ``alphas``: the
      penalty, or the penalty of each target.
    - `MLPBaseline`, `ContrastiveTextBrain` and `Text2Brain`: the number of epochs. All
      training studies are used for training, because no study is needed to choose the
      best epoch. If the decoder of `ContrastiveTextBrain` is trained after the
      encoders, it is trained for the same number of epochs as the encoders.
    - `ContrastiveTextBrain` with ``decoder="ridge"``: also the penalty of the decoder.
    - ``GridSearchCV`` and other searches: the parameters of ``best_estimator_``.

    The steps of pipelines, the estimators of a `TextBrainEnsemble` and the estimators
    inside other estimators are copied in the same way. `KernelCCA` and `CCABaseline`
    choose no settings.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator. Its pipelines and ensembles may be nested.

    Returns
    -------
    copy : estimator
        Unfitted estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import RidgeBaseline
    >>> from sklearn_neurocontext.inference import clone_with_chosen_settings
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 3))
    >>> y = X @ rng.normal(size=(3, 4)) + rng.normal(size=(50, 4))
    >>> model = RidgeBaseline().fit(X, y)
    >>> clone_with_chosen_settings(model).alphas == [model.alpha_]
    True
    """
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        return estimator  # for example "passthrough"
    if hasattr(estimator, "best_estimator_"):
        return clone_with_chosen_settings(estimator.best_estimator_)
    copy = clone(estimator)
    params = copy.get_params(deep=False)
    if "alphas" in params and hasattr(estimator, "alpha_"):
        return _keep_penalty(copy, estimator)
    if "max_epochs" in params and hasattr(estimator, "best_epoch_"):
        return _keep_epochs(copy, estimator)
    return copy.set_params(**_inner_copies(estimator, params))


def _keep_penalty(copy, fitted):
    """Return the copy of a ridge regression with the penalty of the fitted one."""
    if np.ndim(fitted.alpha_) == 0:
        return copy.set_params(alphas=[float(fitted.alpha_)])
    if not isinstance(fitted, RidgeCV):
        raise TypeError(
            "Only RidgeCV can have one penalty per target; got "
            f"{type(fitted).__name__}. Use one penalty for all targets."
        )
    return Ridge(alpha=fitted.alpha_, fit_intercept=fitted.fit_intercept)


def _keep_epochs(copy, fitted):
    """Return the copy of a network that is trained for the chosen number of epochs."""
    params = {"patience": None, "n_validation": 0, "max_epochs": fitted.best_epoch_}
    if "restore_best" in copy.get_params(deep=False):
        params["restore_best"] = False
        if not fitted.restore_best:
            params["max_epochs"] = fitted.n_epochs_
    if isinstance(getattr(fitted, "decoder_", None), RidgeCV):
        kind = _make_fixed_decoder(float(fitted.decoder_.alpha_))
        copy = kind(**copy.get_params(deep=False))
    return copy.set_params(**params)


def _make_fixed_decoder(alpha):
    """Return a class of `ContrastiveTextBrain` whose ridge decoder has the penalty."""

    class FixedDecoder(ContrastiveTextBrain):
        def _fit_decoder(self, latents, standardized, rows):
            # The penalty is not a parameter of ContrastiveTextBrain.
            self.decoder_ = RidgeCV(alphas=[alpha]).fit(latents, standardized)

    return FixedDecoder


def _inner_copies(estimator, params) -> dict:
    """Return copies of the estimators inside an estimator, by parameter."""
    if isinstance(estimator, Pipeline):
        return {"steps": _copy_pairs(estimator.steps)}
    if isinstance(estimator, FeatureUnion):
        return {"transformer_list": _copy_pairs(estimator.transformer_list)}
    if isinstance(estimator, ColumnTransformer):
        fitted = {name: one for name, one, _ in estimator.transformers_}
        copies = [
            (name, clone_with_chosen_settings(fitted[name]), columns)
            for name, _, columns in estimator.transformers
        ]
        return {"transformers": copies}
    if isinstance(estimator, TextBrainEnsemble):
        names = [name for name, _ in estimator.estimators]
        pairs = zip(names, estimator.estimators_, strict=True)
        return {"estimators": _copy_pairs(pairs)}
    # Estimators such as TransformedTargetRegressor fit a copy of their parameter
    # `regressor` and store it in `regressor_`.
    return {
        name: clone_with_chosen_settings(getattr(estimator, f"{name}_"))
        for name, value in params.items()
        if hasattr(value, "fit") and hasattr(estimator, f"{name}_")
    }


def _copy_pairs(pairs) -> list:
    """Return pairs of a name and the copy of an estimator."""
    return [(name, clone_with_chosen_settings(one)) for name, one in pairs]
