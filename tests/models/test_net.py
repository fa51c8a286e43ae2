"""Tests of training: batches, choice of the best epoch, failures."""

import copy
import math
from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_neurocontext.models import _net
from sklearn_neurocontext.models._modules import InfoNCE, Perceptron, TwoTowers
from sklearn_neurocontext.models._net import (
    PairedTensors,
    WholeBatches,
    forward_rows,
    mean_log_rank,
    rank_of_latents,
    rank_of_predictions,
    seeded,
    split_validation,
    squared_error,
    train_net,
)
from tests.models.synthetic_pairs import (
    N_COMPONENTS,
    N_FEATURES,
    cosines_by_hand,
    make_pairs,
)

ALL_ROWS = (np.arange(60), np.arange(0))
SPLIT_ROWS = (np.arange(50), np.arange(50, 60))


def _perceptron(dropout=0.0):
    return Perceptron(N_FEATURES, N_COMPONENTS, 8, dropout)


def _train(module, **changes):
    X, y = (side.astype(np.float32) for side in make_pairs(60))
    settings = {
        "monitor": squared_error,
        "rows": SPLIT_ROWS,
        "max_epochs": 4,
        "batch_size": 16,
        "patience": None,
        "optimizer": torch.optim.AdamW,
        "lr": 1e-3,
        "weight_decay": 0.1,
        "device": "cpu",
    }
    criterion = changes.pop("criterion", nn.MSELoss)
    inputs = changes.pop("inputs", {"text": X})
    return train_net(module, criterion, inputs, y, **settings | changes)


class _Monitor:
    """Monitor that returns prepared values and stores the weights of each epoch."""

    def __init__(self, module, values):
        self.module = module
        self.values = values
        self.weights = []

    def __call__(self, output, target):
        self.weights.append(copy.deepcopy(self.module.state_dict()))
        value = self.values[len(self.weights) - 1]
        if value is None:
            raise KeyboardInterrupt
        return value


def _same(weights, others):
    return all(torch.equal(weights[name], others[name]) for name in weights)


# Training


def test_training_equals_a_plain_torch_loop():
    """With the same seed, skorch and a plain loop train the same weights."""
    X, y = (torch.from_numpy(s.astype(np.float32)) for s in make_pairs(60))
    with seeded(0, "cpu"):
        trained = _perceptron(dropout=0.5)
        _train(trained, monitor=_Monitor(trained, [4, 3, 2, 1]))
    with seeded(0, "cpu"):
        plain = _perceptron(dropout=0.5)
        optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3, weight_decay=0.1)
        for _ in range(4):
            order = torch.randperm(50)
            for rows in order.split(16):
                optimizer.zero_grad()
                nn.functional.mse_loss(plain(X[rows]), y[rows]).backward()
                optimizer.step()
    for weight, expected in zip(trained.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-6)


def test_weights_of_the_best_epoch_are_restored():
    module = _perceptron()
    monitor = _Monitor(module, [3, 1, 2, 2])
    record = _train(module, monitor=monitor)
    assert (record.best_epoch, record.n_epochs) == (2, 4)
    assert _same(module.state_dict(), monitor.weights[1])
    assert not _same(module.state_dict(), monitor.weights[-1])
    assert not module.training


def test_first_of_equal_epochs_is_best():
    module = _perceptron()
    assert _train(module, monitor=_Monitor(module, [1, 1, 1, 1])).best_epoch == 1


def test_patience_stops_training():
    module = _perceptron()
    monitor = _Monitor(module, [3, 1, 2, 2, 2, 0])
    record = _train(module, monitor=monitor, max_epochs=6, patience=2)
    assert (record.best_epoch, record.n_epochs) == (2, 4)
    assert _same(module.state_dict(), monitor.weights[1])


def test_training_ignores_validation_studies():
    X, _ = (side.astype(np.float32) for side in make_pairs(60))
    changed = X.copy()
    changed[SPLIT_ROWS[1]] = 1e3
    weights = []
    for text in (X, changed):
        with seeded(0, "cpu"):
            module = _perceptron()
            monitor = _Monitor(module, [4, 3, 2, 1])
            _train(module, inputs={"text": text}, monitor=monitor)
        weights.append(module.state_dict())
    assert _same(*weights)


def test_monitor_receives_all_validation_studies_in_eval_mode():
    _, y = (side.astype(np.float32) for side in make_pairs(60))
    module = _perceptron(dropout=0.9)
    seen = []

    def monitor(output, target):
        assert not module.training
        seen.append(target.numpy())
        return 0.0

    _train(module, monitor=monitor, max_epochs=1)
    np.testing.assert_array_equal(seen, [y[SPLIT_ROWS[1]]])


def test_without_validation_training_loss_is_monitored():
    record = _train(_perceptron(), rows=ALL_ROWS, monitor=None)
    losses = [epoch["train_loss"] for epoch in record.history]
    assert [epoch["monitor"] for epoch in record.history] == losses
    assert record.best_epoch == 1 + int(np.argmin(losses))
    assert "valid_loss" not in record.history[0]


def test_training_with_fewer_studies_than_a_batch():
    module = _perceptron()
    before = copy.deepcopy(module.state_dict())
    record = _train(module, batch_size=1000)
    assert not _same(module.state_dict(), before)
    assert record.history[-1]["train_loss"] < record.history[0]["train_loss"]


def test_history_has_the_documented_keys():
    history = _train(_perceptron()).history
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4]
    assert all(
        set(epoch) == {"epoch", "train_loss", "valid_loss", "monitor", "dur"}
        for epoch in history
    )


class _NoGradient(nn.Module):
    def forward(self, outputs, target):
        return sum(0 * output.sum() for output in outputs)


def test_temperature_is_not_decayed():
    X, y = (side.astype(np.float32) for side in make_pairs(60))
    module = TwoTowers(N_FEATURES, N_COMPONENTS, 4, 0.0, 0.1)
    before = copy.deepcopy(module.state_dict())
    _train(
        module,
        criterion=_NoGradient,
        inputs={"text": X, "brain": y},
        monitor=_Monitor(module, [4, 3, 2, 1]),
        lr=0.1,
    )
    assert module.log_logit_scale == before["log_logit_scale"]
    weight = module.text[1].linear.weight
    shrunk = 0.99 ** (4 * 4) * before["text.1.linear.weight"]
    torch.testing.assert_close(weight, shrunk)


# Failures


def test_nan_loss_raises():
    X = np.full((60, N_FEATURES), np.nan, dtype=np.float32)
    message = r"training loss became nan in epoch 1\. Lower lr \(currently 0\.001\), or"
    with pytest.raises(ValueError, match=message):
        _train(_perceptron(), inputs={"text": X})


class _BreaksLastStep(nn.Module):
    """Finite loss with a gradient of NaN."""

    def forward(self, output, target):
        return output.sum() * 0 + torch.sqrt((output - output).abs()).sum()


@pytest.mark.parametrize("rows", [ALL_ROWS, SPLIT_ROWS])
def test_nan_weights_after_the_last_step_raise(rows):
    with pytest.raises(ValueError, match=r"became nan in epoch 1\. Lower lr"):
        _train(
            _perceptron(),
            criterion=_BreaksLastStep,
            batch_size=60,
            max_epochs=1,
            rows=rows,
        )


@pytest.mark.parametrize("epoch", [1, 4])
def test_ctrl_c_between_batches_is_raised(epoch):
    module = _perceptron()
    values = [None if e == epoch else 0 for e in range(1, 5)]
    with pytest.raises(KeyboardInterrupt):
        _train(module, monitor=_Monitor(module, values))


class _Interrupted(nn.Module):
    def forward(self, output, target):
        raise KeyboardInterrupt


def test_ctrl_c_within_a_batch_is_raised():
    with pytest.raises(KeyboardInterrupt):
        _train(_perceptron(), criterion=_Interrupted, max_epochs=1)


# Helpers


def test_seeded_restores_the_generator():
    before = torch.get_rng_state()
    with seeded(3, "cpu"):
        first = torch.rand(2)
    with seeded(3, "cpu"):
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_restores_the_generator_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(3, "cpu"):
        torch.rand(2)
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), before)


def test_forward_rows_does_not_depend_on_the_block_size(monkeypatch):
    X = make_pairs(10)[0].astype(np.float32)
    module = _perceptron().eval()
    at_once = forward_rows(module, X, "cpu")
    monkeypatch.setattr(_net, "_FORWARD_ROWS", 3)
    sizes = []
    module.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    in_pieces = forward_rows(module, X[:, ::-1][:, ::-1], "cpu")
    np.testing.assert_allclose(in_pieces, at_once, rtol=1e-5, atol=1e-6)
    assert sizes == [3, 3, 3, 1]
    assert in_pieces.dtype == np.float32


def test_contrastive_loss_decreases():
    X, y = (side.astype(np.float32) for side in make_pairs(60))
    with seeded(0, "cpu"):
        module = TwoTowers(N_FEATURES, N_COMPONENTS, 4, 0.0, 0.1)
        history = _train(
            module,
            criterion=InfoNCE,
            inputs={"text": X, "brain": y},
            rows=ALL_ROWS,
            max_epochs=10,
        ).history
    assert history[-1]["train_loss"] < history[0]["train_loss"] - 0.5


# Batches


def _batches(n_studies, batch_size, shuffle=False):
    dataset = PairedTensors({"text": torch.arange(n_studies)}, torch.arange(n_studies))
    return [batch[1].tolist() for batch in WholeBatches(dataset, batch_size, shuffle)]


@pytest.mark.parametrize(
    ("n_studies", "sizes"),
    [(8, [4, 4]), (10, [4, 4, 2]), (9, [4, 5]), (3, [3]), (1, [1]), (5, [5])],
)
def test_last_batch_of_one_study_is_merged(n_studies, sizes):
    batches = _batches(n_studies, 4)
    assert [len(batch) for batch in batches] == sizes
    assert list(chain(*batches)) == list(range(n_studies))


def test_shuffled_batches_contain_each_study_once():
    with seeded(0, "cpu"):
        first, second = _batches(50, 8, shuffle=True), _batches(50, 8, shuffle=True)
    assert first != second
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(50))


def test_batches_keep_inputs_and_target_aligned():
    dataset = PairedTensors(
        {"a": torch.arange(9), "b": -torch.arange(9)}, 2 * torch.arange(9)
    )
    for inputs, target in WholeBatches(dataset, 4, shuffle=True):
        assert torch.equal(2 * inputs["a"], target)
        assert torch.equal(-2 * inputs["b"], target)


# Choice of the best epoch


@pytest.mark.parametrize(
    ("n_studies", "n_validation", "size"),
    [(20_000, 1000, 1000), (500, 1000, 50), (20, 1000, 2), (19, 1000, 0), (500, 0, 0)],
)
def test_validation_split(n_studies, n_validation, size):
    train, validation = split_validation(n_studies, n_validation, seed=0)
    assert len(validation) == size
    np.testing.assert_array_equal(
        np.sort(np.concatenate([train, validation])), np.arange(n_studies)
    )


def test_single_validation_study_is_not_held_out():
    train, validation = split_validation(500, 1, seed=0)
    assert len(train) == 500
    assert len(validation) == 0


def test_validation_split_depends_on_the_seed():
    first, again, other = (split_validation(200, 50, seed=s)[1] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def _mean_log_rank_slow(similarity):
    logs = []
    for i, row in enumerate(similarity):
        greater = sum(value > row[i] for value in row)
        tied = sum(value == row[i] for value in row) - 1
        logs.append(math.log(1 + greater + tied / 2))
    return sum(logs) / len(logs)


def test_mean_log_rank_equals_slow_loops(rng):
    similarity = rng.integers(0, 5, size=(12, 12)).astype(float)
    assert mean_log_rank(torch.tensor(similarity)) == pytest.approx(
        _mean_log_rank_slow(similarity)
    )


def test_mean_log_rank_of_extremes():
    assert mean_log_rank(torch.eye(9)) == 0
    assert mean_log_rank(-torch.eye(9)) == pytest.approx(math.log(9))
    assert mean_log_rank(torch.ones(9, 9)) == pytest.approx(math.log(5))


def test_monitors_rank_by_cosine(rng):
    left, right = (torch.tensor(rng.normal(size=(8, 3))) for _ in range(2))
    expected = _mean_log_rank_slow(cosines_by_hand(left, right))
    assert rank_of_predictions(left, right) == pytest.approx(expected)
    units = (nn.functional.normalize(side, dim=1) for side in (left, right))
    assert rank_of_latents((*units, None), None) == pytest.approx(expected)


def test_squared_error():
    predicted, target = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 5.0]])
    assert squared_error(predicted, target) == pytest.approx(4.5)
