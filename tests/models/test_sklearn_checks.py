"""Tests that every model passes all checks of scikit-learn."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KernelCCA,
    MLPBaseline,
    RidgeBaseline,
    TextBrainEnsemble,
    models,
)

ESTIMATORS = [
    CCABaseline(),
    KernelCCA(random_state=0),
    KernelCCA(kernel_width=None, hubness_weight=0),
    RidgeBaseline(),
    TextBrainEnsemble([("cca", CCABaseline()), ("ridge", RidgeBaseline())]),
    TextBrainEnsemble([("kernel", KernelCCA(random_state=0))]),
    MLPBaseline(hidden_dim=8, max_epochs=2),
    ContrastiveTextBrain(latent_dim=4, max_epochs=2),
    ContrastiveTextBrain(latent_dim=4, max_epochs=2, decoder=None),
    ContrastiveTextBrain(latent_dim=4, max_epochs=2, decoder="ridge"),
]


@parametrize_with_checks(ESTIMATORS)
def test_sklearn_check(estimator, check):
    check(estimator)


def test_all_models_are_checked():
    public = (getattr(models, name) for name in models.__all__)
    estimators = {
        value
        for value in public
        if isinstance(value, type) and {"fit", "similarity"} <= set(dir(value))
    }
    assert estimators == {type(estimator) for estimator in ESTIMATORS}
