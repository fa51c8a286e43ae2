"""Packed layers give the numbers of plain ones; other layers stay."""

import pytest
import torch

from sklearn_neurocontext.text import _packed_linear
from sklearn_neurocontext.text._packed_linear import PackedLinear, pack_linear_layers

pytestmark = pytest.mark.skipif(
    not _packed_linear._works(), reason="this torch was built without oneDNN"
)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 48), (3, 7, 48), (2, 5, 7, 48)])
def test_a_packed_layer_equals_the_plain_one(bias, shape):
    torch.manual_seed(0)
    linear = torch.nn.Linear(48, 33, bias=bias)
    inputs = torch.randn(shape)
    with torch.inference_mode():
        packed = PackedLinear(linear)
        torch.testing.assert_close(packed(inputs), linear(inputs), atol=1e-5, rtol=0)
        # A view that is not contiguous.
        turned = torch.randn(48, 6).T
        torch.testing.assert_close(packed(turned), linear(turned), atol=1e-5, rtol=0)


def test_only_plain_single_precision_layers_are_packed():
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 4),
        torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4)),
        torch.nn.Linear(4, 4, dtype=torch.bfloat16),
    )
    assert pack_linear_layers(model) == 2
    assert [type(m).__name__ for m in (model[0], model[1][0], model[2])] == [
        *("PackedLinear", "PackedLinear", "Linear")
    ]


def test_without_onednn_layers_stay(monkeypatch):
    monkeypatch.setattr(_packed_linear, "_works", lambda: False)
    assert pack_linear_layers(torch.nn.Sequential(torch.nn.Linear(4, 4))) == 0
