"""Tests of the symmetric InfoNCE loss."""

import math

import numpy as np
import pytest
import torch

from sklearn_neurocontext.models._losses import (
    InfoNCE,
    clamp_log_logit_scale,
    info_nce,
)


def _unit_rows(n_pairs, latent_dim, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n_pairs, latent_dim, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


def _info_nce_slow(text, brain, temperature):
    """Sum over pairs of the formula in the class docstring, without any library."""
    n = len(text)
    s = [[float(t @ b) / temperature for b in brain] for t in text]
    total = 0.0
    for i in range(n):
        true = math.exp(s[i][i])
        total += math.log(true / sum(math.exp(s[i][j]) for j in range(n)))
        total += math.log(true / sum(math.exp(s[j][i]) for j in range(n)))
    return -total / (2 * n)


@pytest.fixture
def latents():
    return _unit_rows(7, 4, 0), _unit_rows(7, 4, 1)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_equals_the_slow_formula(latents, temperature):
    loss = info_nce(*latents, torch.tensor(-math.log(temperature)))
    assert float(loss) == pytest.approx(_info_nce_slow(*latents, temperature))


def test_symmetric_in_its_towers(latents):
    text, brain = latents
    scale = torch.tensor(2.0)
    assert float(info_nce(text, brain, scale)) == pytest.approx(
        float(info_nce(brain, text, scale))
    )


@pytest.mark.parametrize("n_pairs", [1, 2, 128])
def test_constant_latents_know_nothing(n_pairs):
    constant = torch.ones(n_pairs, 4) / 2
    loss = info_nce(constant, constant, torch.tensor(2.3))
    assert float(loss) == pytest.approx(math.log(n_pairs), abs=1e-6)


def test_orthogonal_pairs_lose_nothing_when_cold():
    latents = torch.eye(5)
    assert float(info_nce(latents, latents, torch.tensor(math.log(100)))) < 1e-6


def test_joint_permutation_of_pairs_changes_nothing(latents):
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    scale = torch.tensor(1.5)
    permuted = info_nce(*(side[order] for side in latents), scale)
    assert float(permuted) == pytest.approx(float(info_nce(*latents, scale)))


def test_permuted_pairs_lose_more():
    text = _unit_rows(20, 8, 0)
    scale = torch.tensor(2.0)
    assert info_nce(text, text.roll(1, 0), scale) > info_nce(text, text, scale)


def test_duplicates_in_a_batch_share_the_evidence(latents):
    """Two copies of a batch cannot be told apart: exactly log(2) is lost."""
    scale = torch.tensor(1.5)
    doubled = info_nce(*(side.repeat(2, 1) for side in latents), scale)
    once = info_nce(*latents, scale)
    assert float(doubled) == pytest.approx(float(once) + math.log(2))


def test_gradient(latents):
    text, brain = (side.clone().requires_grad_() for side in latents)
    scale = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(info_nce, (text, brain, scale))


def test_module_takes_what_the_towers_give(latents):
    scale = torch.tensor(1.2)
    loss = InfoNCE()((*latents, scale), "there is no target")
    assert float(loss) == float(info_nce(*latents, scale))


def test_logit_scale_is_at_most_one_hundred():
    scales = torch.log(torch.tensor([0.5, 10.0, 1e4]))
    np.testing.assert_allclose(
        clamp_log_logit_scale(scales).exp(), [0.5, 10, 100], rtol=1e-5
    )
