"""Tests of the torch modules."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from sklearn_neurocontext.models._modules import (
    Decoder,
    Dropout,
    Perceptron,
    ProjectionHead,
    ResidualHead,
    TwoTowers,
)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_keeps_the_mean(rate):
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


def test_dropout_passes_the_gradient_of_what_it_kept():
    x = torch.ones(50, 50, requires_grad=True)
    out = Dropout(0.5)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_projection_head_by_hand():
    head = ProjectionHead(5, 3, 0.5).eval()
    x = torch.randn(4, 5)
    projected = x @ head.projection.weight.T + head.projection.bias
    inner = functional.gelu(projected) @ head.linear.weight.T + head.linear.bias
    expected = functional.layer_norm(projected + inner, (3,))
    assert torch.allclose(head(x), expected, atol=1e-6)


def test_residual_head_by_hand():
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


def test_towers_never_grow_colder_than_the_limit():
    towers = TwoTowers(2, 2, 2, 0.0, 1e-4)
    scale = towers(torch.randn(3, 2), torch.randn(3, 2))[2]
    assert scale.exp().item() == pytest.approx(100, rel=1e-5)


def test_decoder_has_two_residual_heads():
    decoder = Decoder(3, 8, 0.5)
    assert [type(head) for head in decoder.heads] == [ResidualHead, ResidualHead]
    assert decoder(torch.randn(4, 3)).shape == (4, 8)


def test_perceptron_is_the_one_of_the_paper():
    layers = list(Perceptron(5, 8, 512, 0.5).layers)
    kinds = [type(layer) for layer in layers if not isinstance(layer, nn.GELU)]
    linear, norm = nn.Linear, nn.LayerNorm
    assert kinds == [linear, norm, Dropout, linear, norm, linear]
    widths = [layer.out_features for layer in layers if isinstance(layer, nn.Linear)]
    assert widths == [512, 512, 8]
