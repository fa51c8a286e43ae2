"""Tests of the properties that MLPBaseline and ContrastiveTextBrain share."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_neurocontext.models import _modules, _net
from tests.models.synthetic_pairs import make_pairs, name_of, quick_estimators

_NETS = [one for one in quick_estimators() if hasattr(one, "max_epochs")]
NETS = pytest.mark.parametrize("estimator", _NETS, ids=name_of)


def _weights(model):
    return torch.cat([w.detach().ravel() for w in model.module_.parameters()]).numpy()


@NETS
def test_same_seed_repeats_the_fit(estimator, train, test, fits):
    first, again = fits[name_of(estimator)], clone(estimator).fit(*train)
    np.testing.assert_array_equal(_weights(first), _weights(again))
    np.testing.assert_array_equal(first.predict(test[0]), again.predict(test[0]))
    np.testing.assert_array_equal(first.similarity(*test), again.similarity(*test))
    assert first.best_epoch_ == again.best_epoch_


@NETS
def test_refit_equals_first_fit(estimator, train, fits):
    first = fits[name_of(estimator)]
    again = clone(estimator).fit(*make_pairs(40)).fit(*train)
    np.testing.assert_array_equal(_weights(first), _weights(again))


@NETS
def test_other_seed_changes_the_weights(estimator, train, fits):
    first = fits[name_of(estimator)]
    other = clone(estimator).set_params(random_state=1).fit(*train)
    assert np.abs(_weights(first) - _weights(other)).max() > 1e-2


@NETS
def test_random_state_instances(estimator, train):
    estimator = clone(estimator).set_params(max_epochs=1)
    states = [np.random.RandomState(5) for _ in range(2)]
    fits = [clone(estimator).set_params(random_state=s).fit(*train) for s in states]
    np.testing.assert_array_equal(_weights(fits[0]), _weights(fits[1]))
    further = clone(estimator).set_params(random_state=fits[0].random_state)
    assert np.abs(_weights(further.fit(*train)) - _weights(fits[0])).max() > 1e-2


@NETS
def test_fit_does_not_change_global_generators(estimator, train, test):
    torch_before = torch.get_rng_state()
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    model = clone(estimator).fit(*train)
    model.predict(test[0])
    assert torch.equal(torch.get_rng_state(), torch_before)
    kind_after, keys_after, *rest_after = np.random.get_state()  # noqa: NPY002
    assert (kind, rest) == (kind_after, rest_after)
    np.testing.assert_array_equal(keys, keys_after)


@NETS
def test_fit_does_not_depend_on_global_generators(estimator, train, fits):
    first = fits[name_of(estimator)]
    with torch.random.fork_rng():
        torch.manual_seed(2)
        again = clone(estimator).fit(*train)
    np.testing.assert_array_equal(_weights(first), _weights(again))


@NETS
def test_training_attributes(estimator, train):
    model = clone(estimator).set_params(max_epochs=9, patience=2).fit(*train)
    assert 1 <= model.best_epoch_ <= model.n_epochs_ <= 9
    assert model.n_epochs_ <= model.best_epoch_ + 2
    assert len(model.history_) == model.n_epochs_
    monitor = [epoch["monitor"] for epoch in model.history_]
    assert model.best_epoch_ == 1 + int(np.argmin(monitor))
    first, last = model.history_[0], model.history_[-1]
    assert last["train_loss"] < first["train_loss"]
    assert first["dur"] > 0


@NETS
def test_weights_are_those_of_the_best_epoch(estimator, train, test):
    """A fit that ends at the best epoch has the same weights as a longer fit."""
    long = clone(estimator).set_params(lr=0.03, max_epochs=15, patience=None)
    long.fit(*train)
    assert long.best_epoch_ < long.n_epochs_ == 15
    short = clone(long).set_params(max_epochs=long.best_epoch_).fit(*train)
    np.testing.assert_array_equal(_weights(long), _weights(short))


@NETS
def test_validation_studies_are_training_studies(estimator, train, monkeypatch):
    seen = []
    split = _net.split_validation

    def spy(*args):
        seen.append(args)
        return split(*args)

    monkeypatch.setattr(_net, "split_validation", spy)
    clone(estimator).set_params(n_validation=17, max_epochs=1).fit(*train)
    assert [args[:2] for args in seen] == [(240, 17)]


@pytest.mark.parametrize("n_studies", [2, 3, 19, 33])
@NETS
def test_fit_with_fewer_studies_than_a_batch(estimator, n_studies):
    X, y = make_pairs(n_studies)
    model = clone(estimator).set_params(batch_size=32).fit(X, y)
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]
    assert np.isfinite(model.predict(X)).all()


@NETS
def test_diverging_training_raises(estimator, train):
    estimator = clone(estimator).set_params(lr=1e38)
    message = (
        r"training loss became (nan|inf) in epoch \d+\. Lower lr \(currently 1e\+38\)"
    )
    with pytest.raises(ValueError, match=message):
        estimator.fit(*train)
    assert not hasattr(estimator, "best_epoch_")


@NETS
def test_ctrl_c_is_raised(estimator, train, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    target = {"MLPBaseline": torch.nn.MSELoss, "ContrastiveTextBrain": _modules.InfoNCE}
    monkeypatch.setattr(target[name_of(estimator)], "forward", interrupt)
    with pytest.raises(KeyboardInterrupt):
        clone(estimator).fit(*train)


@NETS
def test_unknown_device_raises(estimator, train):
    with pytest.raises(RuntimeError, match="nowhere"):
        clone(estimator).set_params(device="nowhere").fit(*train)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@NETS
def test_cuda_predictions_are_arrays(estimator, train, test):
    model = clone(estimator).set_params(device="cuda").fit(*train)
    assert isinstance(model.predict(test[0]), np.ndarray)
    assert model.score(*test) > 0.8


@NETS
def test_predictions_do_not_depend_on_the_block_size(
    estimator, train, fits, monkeypatch
):
    model = fits[name_of(estimator)]
    expected = model.predict(train[0])
    monkeypatch.setattr(_net, "_FORWARD_ROWS", 7)
    np.testing.assert_allclose(model.predict(train[0]), expected, atol=1e-5)
