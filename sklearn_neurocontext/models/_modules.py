"""Torch modules of the neural networks, and the symmetric InfoNCE loss."""

import math

import torch
from torch import nn
from torch.nn import functional

# A logit scale beyond 100 makes the loss numerically flat (Radford et al. 2021).
MAX_LOG_LOGIT_SCALE = math.log(100)


def clamp_log_logit_scale(log_logit_scale):
    """Limit the logit scale to at most 100, that is, τ to at least 0.01."""
    return log_logit_scale.clamp(max=MAX_LOG_LOGIT_SCALE)


def info_nce(text_latents, brain_latents, log_logit_scale):
    """Compute the symmetric InfoNCE loss of a batch of text-map pairs.

    Latents have shape (n_pairs, latent_dim) and rows of norm one. The logit scale is
    1/τ. The loss is in nats: log(n_pairs) at chance level, and 0 for perfect matches.
    It is the loss of van den Oord et al. (2018, eq. 4), averaged over both directions
    as in CLIP (contrastive language-image pretraining, Radford et al. 2021).
    """
    logits = text_latents @ brain_latents.T * log_logit_scale.exp()
    pairs = torch.arange(len(logits), device=logits.device)
    text_to_brain = functional.cross_entropy(logits, pairs)
    brain_to_text = functional.cross_entropy(logits.T, pairs)
    return (text_to_brain + brain_to_text) / 2


class InfoNCE(nn.Module):
    """Loss module that applies `info_nce` to the outputs of `TwoTowers`."""

    def forward(self, outputs, _target):
        """Compute the loss of one batch."""
        return info_nce(*outputs)


class Dropout(nn.Module):
    """Dropout that draws uniform random numbers instead of Bernoulli numbers.

    Its output has the same distribution as that of `torch.nn.Dropout`, which takes four
    times as long on a CPU.
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
    """Linear projection, followed by a GELU and a linear layer with skip connection."""

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
    """Linear layer and GELU with a skip connection."""

    def __init__(self, dim, dropout):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        """Map (n, dim) to (n, dim)."""
        return self.norm(x + self.dropout(functional.gelu(self.linear(x))))


class TwoTowers(nn.Module):
    """Text encoder and brain encoder with a common latent space and a learned τ.

    The text encoder has a projection head and two residual heads. The brain encoder has
    three residual heads. If `latent_dim` differs from `n_components`, a projection head
    replaces the first head of the brain encoder. The learned parameter is log(1/τ).
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
    """Network that predicts standardized coefficients from text latents."""

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
