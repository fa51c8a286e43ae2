"""Batches of studies: whole, in order or shuffled."""

from itertools import chain

import pytest
import torch

from sklearn_neurocontext.models._net import PairedTensors, WholeBatches, seeded


def _batches(n_studies, batch_size, shuffle=False):
    dataset = PairedTensors({"text": torch.arange(n_studies)}, torch.arange(n_studies))
    return [batch[1].tolist() for batch in WholeBatches(dataset, batch_size, shuffle)]


@pytest.mark.parametrize(
    ("n_studies", "sizes"),
    [(8, [4, 4]), (10, [4, 4, 2]), (9, [4, 5]), (3, [3]), (1, [1]), (5, [5])],
)
def test_a_last_batch_of_one_study_joins_the_one_before(n_studies, sizes):
    batches = _batches(n_studies, 4)
    assert [len(batch) for batch in batches] == sizes
    assert list(chain(*batches)) == list(range(n_studies))


def test_shuffled_batches_hold_each_study_once_in_a_new_order():
    with seeded(0, "cpu"):
        first, second = _batches(50, 8, shuffle=True), _batches(50, 8, shuffle=True)
    assert first != second
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(50))


def test_inputs_and_target_stay_together():
    dataset = PairedTensors(
        {"a": torch.arange(9), "b": -torch.arange(9)}, 2 * torch.arange(9)
    )
    for inputs, target in WholeBatches(dataset, 4, shuffle=True):
        assert torch.equal(2 * inputs["a"], target)
        assert torch.equal(-2 * inputs["b"], target)
