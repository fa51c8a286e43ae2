"""Torch modules of the neural networks, and the symmetric InfoNCE loss."""

import math

import torch
from torch import nn
from torch.nn import functional

# A logit scale beyond 100 makes the loss numerically flat (Radford et al. 2021).
MAX_LOG_LOGIT_SCALE = math.log(100)


def clamp_log_logit_scale(log_logit_scale):
    """Limit the logit scale to 100, hence τ to at least 0.01."""
    return log_logit_scale.clamp(max=MAX_LOG_LOGIT_SCALE)


def info_nce(text_latents, brain_latents, log_logit_scale):
    """Compute the mean cross-entropy of matching texts and maps in a batch.

    Latents are unit rows (n_pairs, latent_dim), and the logit scale is 1/τ. The loss is
    in nats, log(n_pairs) at chance level and 0 at best (van den Oord et al. 2018, eq.
    4, symmetrized as in CLIP, Radford et al. 2021).
    """
    logits = text_latents @ brain_latents.T * log_logit_scale.exp()
    pairs = torch.arange(len(logits), device=logits.device)
    text_to_brain = functional.cross_entropy(logits, pairs)
    brain_to_text = functional.cross_entropy(logits.T, pairs)
    return (text_to_brain + brain_to_text) / 2


class InfoNCE(nn.Module):
    """Loss module that computes `info_nce` of the outputs of `TwoTowers`."""

    def forward(self, outputs, _target):
        """Compute the loss of one batch."""
        return info_nce(*outputs)


class Dropout(nn.Module):
    """Dropout that compares uniform numbers with the rate.

    It has the distribution of `torch.nn.Dropout`, which takes four times as long on a
    CPU because it draws Bernoulli numbers.
    """

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        """Zero values with probability `rate` and divide the others by 1 - rate."""
        if not self.training or self.rate == 0:
            return x
        kept = 1 - self.rate
        return x * torch.rand_like(x).lt_(kept).div_(kept)


class ProjectionHead(nn.Module):
    """Linear projection, then a second linear layer around a skip connection."""

    def __init__(self, in_dim, out_dim, dropout):
        super().__init__()
        self.projection = nn.Linear(in_dim, out_dim)
        self.linear = nn.Linear(out_dim, out_dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(out_dim)

    def forward(self, x):
        """Map (n, in_dim) to (n, out_dim)."""
        projected = self.projection(x)
        return self.norm(
            projected + self.dropout(self.linear(functional.gelu(projected)))
        )


class ResidualHead(nn.Module):
    """Linear layer and GELU around a skip connection."""

    def __init__(self, dim, dropout):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        """Map (n, dim) to (n, dim)."""
        return self.norm(x + self.dropout(functional.gelu(self.linear(x))))


class TwoTowers(nn.Module):
    """Text and brain encoders into one latent space, with a learned log(1/τ).

    The text encoder has a projection head and two residual heads. The brain encoder has
    three residual heads, the first replaced by a projection head if `latent_dim`
    differs from `n_components`.
    """

    def __init__(self, n_features, n_components, latent_dim, dropout, temperature):
        super().__init__()
        self.text = nn.Sequential(
            ProjectionHead(n_features, latent_dim, dropout),
            ResidualHead(latent_dim, dropout),
            ResidualHead(latent_dim, dropout),
        )
        if latent_dim == n_components:
            first = ResidualHead(latent_dim, dropout)
        else:
            first = ProjectionHead(n_components, latent_dim, dropout)
        self.brain = nn.Sequential(
            first,
            ResidualHead(latent_dim, dropout),
            ResidualHead(latent_dim, dropout),
        )
        self.log_logit_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def encode_text(self, text):
        """Map embeddings to latents of norm one."""
        return functional.normalize(self.text(text), dim=1)

    def encode_brain(self, brain):
        """Map standardized coefficients to latents of norm one."""
        return functional.normalize(self.brain(brain), dim=1)

    def forward(self, text, brain):
        """Compute text latents, brain latents and the clamped log(1/τ)."""
        return (
            self.encode_text(text),
            self.encode_brain(brain),
            clamp_log_logit_scale(self.log_logit_scale),
        )


class Decoder(nn.Module):
    """Two residual heads from text latents to standardized coefficients."""

    def __init__(self, latent_dim, n_components, dropout):
        super().__init__()
        self.heads = nn.Sequential(
            ResidualHead(latent_dim, dropout), ResidualHead(latent_dim, dropout)
        )
        self.output = nn.Linear(latent_dim, n_components)

    def forward(self, latents):
        """Map (n, latent_dim) to (n, n_components)."""
        return self.output(self.heads(latents))


class Perceptron(nn.Module):
    """Perceptron of `MLPBaseline`."""

    def __init__(self, n_features, n_components, hidden_dim, dropout):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, hidden_dim),
            nn.LayerNorm(hidden_dim),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim),
            nn.LayerNorm(hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, n_components),
        )

    def forward(self, text):
        """Map (n, n_features) to (n, n_components)."""
        return self.layers(text)
