"""Tests of the torch modules and of the symmetric InfoNCE loss."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sklearn_neurocontext.models._modules import (
    Decoder,
    Dropout,
    InfoNCE,
    JointLoss,
    Perceptron,
    ProjectionHead,
    ResidualHead,
    TowersWithDecoder,
    TwoTowers,
    clamp_log_logit_scale,
    info_nce,
)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_rate_and_mean(rate):
    out = Dropout(rate)(torch.ones(200, 500))
    n, kept = out.numel(), 1 - rate
    standard_error = math.sqrt(rate * kept / n)
    assert float((out == 0).float().mean()) == pytest.approx(
        rate, abs=4 * standard_error
    )
    assert float(out.mean()) == pytest.approx(1, abs=4 * standard_error / kept)
    assert torch.allclose(out.unique(), torch.tensor([0, 1 / kept]))


def test_dropout_is_the_identity_outside_training():
    x = torch.randn(3, 4)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_dropout_gradient():
    x = torch.ones(50, 50, requires_grad=True)
    out = Dropout(0.5)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_projection_head_equals_the_formula():
    head = ProjectionHead(5, 3, 0.5).eval()
    x = torch.randn(4, 5)
    projected = x @ head.projection.weight.T + head.projection.bias
    inner = functional.gelu(projected) @ head.linear.weight.T + head.linear.bias
    expected = functional.layer_norm(projected + inner, (3,))
    assert torch.allclose(head(x), expected, atol=1e-6)


def test_residual_head_equals_the_formula():
    head = ResidualHead(3, 0.5).eval()
    x = torch.randn(4, 3)
    inner = functional.gelu(x @ head.linear.weight.T + head.linear.bias)
    expected = functional.layer_norm(x + inner, (3,))
    assert torch.allclose(head(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("latent_dim", "first"), [(7, ResidualHead), (3, ProjectionHead)]
)
def test_two_towers(latent_dim, first):
    towers = TwoTowers(5, 7, latent_dim, 0.5, 0.1).eval()
    heads = [type(head) for head in towers.text], [type(head) for head in towers.brain]
    assert heads[0] == [ProjectionHead, ResidualHead, ResidualHead]
    assert heads[1] == [first, ResidualHead, ResidualHead]
    text, brain, log_logit_scale = towers(torch.randn(4, 5), torch.randn(4, 7))
    assert text.shape == brain.shape == (4, latent_dim)
    for latents in (text, brain):
        assert torch.allclose(latents.norm(dim=1), torch.ones(4), atol=1e-6)
    assert log_logit_scale.exp().item() == pytest.approx(10)


def test_two_towers_clamp_the_logit_scale():
    towers = TwoTowers(2, 2, 2, 0.0, 1e-4)
    scale = towers(torch.randn(3, 2), torch.randn(3, 2))[2]
    assert scale.exp().item() == pytest.approx(100, rel=1e-5)


def test_decoder_has_two_residual_heads():
    decoder = Decoder(3, 8, 0.5)
    assert [type(head) for head in decoder.heads] == [ResidualHead, ResidualHead]
    assert decoder(torch.randn(4, 3)).shape == (4, 8)


def test_perceptron_has_the_layers_of_the_paper():
    layers = list(Perceptron(5, 8, 512, 0.5).layers)
    kinds = [type(layer) for layer in layers if not isinstance(layer, nn.GELU)]
    linear, norm = nn.Linear, nn.LayerNorm
    assert kinds == [linear, norm, Dropout, linear, norm, linear]
    widths = [layer.out_features for layer in layers if isinstance(layer, nn.Linear)]
    assert widths == [512, 512, 8]


# The loss


def _unit_rows(n_pairs, latent_dim, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n_pairs, latent_dim, generator=generator, dtype=torch.float64)
    return functional.normalize(rows, dim=1)


def _info_nce_slow(text, brain, temperature):
    """Compute the formula of ContrastiveTextBrain in loops."""
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
def test_loss_equals_the_slow_formula(latents, temperature):
    loss = info_nce(*latents, torch.tensor(-math.log(temperature)))
    assert float(loss) == pytest.approx(_info_nce_slow(*latents, temperature))


def test_loss_is_symmetric(latents):
    text, brain = latents
    scale = torch.tensor(2.0)
    assert float(info_nce(text, brain, scale)) == pytest.approx(
        float(info_nce(brain, text, scale))
    )


@pytest.mark.parametrize("n_pairs", [1, 2, 128])
def test_loss_of_constant_latents_is_chance(n_pairs):
    constant = torch.ones(n_pairs, 4) / 2
    loss = info_nce(constant, constant, torch.tensor(2.3))
    assert float(loss) == pytest.approx(math.log(n_pairs), abs=1e-6)


def test_loss_of_orthogonal_pairs_vanishes():
    latents = torch.eye(5)
    assert float(info_nce(latents, latents, torch.tensor(math.log(100)))) < 1e-6


def test_loss_ignores_the_order_of_pairs(latents):
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    scale = torch.tensor(1.5)
    permuted = info_nce(*(side[order] for side in latents), scale)
    assert float(permuted) == pytest.approx(float(info_nce(*latents, scale)))


def test_loss_of_permuted_pairs_is_larger():
    text = _unit_rows(20, 8, 0)
    scale = torch.tensor(2.0)
    assert info_nce(text, text.roll(1, 0), scale) > info_nce(text, text, scale)


def test_loss_of_a_repeated_batch(latents):
    """The two copies of a pair are not distinguishable, which adds log(2)."""
    scale = torch.tensor(1.5)
    doubled = info_nce(*(side.repeat(2, 1) for side in latents), scale)
    once = info_nce(*latents, scale)
    assert float(doubled) == pytest.approx(float(once) + math.log(2))


def test_loss_gradient(latents):
    text, brain = (side.clone().requires_grad_() for side in latents)
    scale = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(info_nce, (text, brain, scale))


def test_loss_module_equals_the_function(latents):
    scale = torch.tensor(1.2)
    loss = InfoNCE()((*latents, scale), None)
    assert float(loss) == float(info_nce(*latents, scale))


def test_joint_loss_is_a_weighted_sum(latents):
    scale, target = torch.tensor(1.2), _unit_rows(7, 5, 2)
    predicted = _unit_rows(7, 5, 3)
    error = sum(
        (a - b) ** 2 for a, b in zip(predicted.ravel(), target.ravel(), strict=True)
    ) / (7 * 5)
    for weight in (0, 0.3, 2):
        loss = JointLoss(weight)((*latents, scale, predicted), target)
        expected = float(info_nce(*latents, scale)) + weight * float(error)
        assert float(loss) == pytest.approx(expected)


def test_gradients_of_the_joint_loss_reach_all_networks():
    towers, decoder = TwoTowers(5, 7, 7, 0.5, 0.1), Decoder(7, 7, 0.5)
    net = TowersWithDecoder(towers, decoder)
    text, brain = torch.randn(8, 5), torch.randn(8, 7)
    JointLoss(1.0)(net(text, brain), brain).backward()
    for part in (towers.text, towers.brain, decoder):
        assert all(bool(weight.grad.any()) for weight in part.parameters())
    # Without InfoNCE, the error alone trains the text encoder and the decoder.
    net.zero_grad()
    functional.mse_loss(net(text, brain)[-1], brain).backward()
    assert all(bool(weight.grad.any()) for weight in towers.text.parameters())
    assert all(weight.grad is None for weight in towers.brain.parameters())


def test_logit_scale_is_at_most_one_hundred():
    scales = torch.log(torch.tensor([0.5, 10.0, 1e4]))
    np.testing.assert_allclose(
        clamp_log_logit_scale(scales).exp(), [0.5, 10, 100], rtol=1e-5
    )
