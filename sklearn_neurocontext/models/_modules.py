"""Torch modules of the neural networks, and the symmetric InfoNCE loss.

Encoders transform texts and brain maps to vectors of the same space, called latents.
"""

import math

import torch
from torch import nn
from torch.nn import functional

# The logits of the InfoNCE loss are the cosines between text latents and brain latents,
# multiplied by the logit scale 1/τ, where τ is the temperature. The logit scale is
# limited to 100, because training is unstable with larger values (Radford et al. 2021).
MAX_LOG_LOGIT_SCALE = math.log(100)


def clamp_log_logit_scale(log_logit_scale):
    """Return log(1/τ), limited so that the logit scale 1/τ is at most 100."""
    return log_logit_scale.clamp(max=MAX_LOG_LOGIT_SCALE)


def info_nce(text_latents, brain_latents, log_logit_scale):
    """Compute the symmetric InfoNCE loss of a batch of text-map pairs.

    Latents have shape (n_pairs, latent_dim), and each row has norm one.
    `log_logit_scale` is log(1/τ), where τ is the temperature. The loss is measured in
    nats. It equals log(n_pairs) at chance level and 0 for perfect matches. InfoNCE was
    proposed by van den Oord et al. (2018, eq. 4). As in CLIP (contrastive
    language-image pretraining, Radford et al. 2021), the loss for the retrieval of maps
    and the loss for the retrieval of texts are averaged.
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

    The output has the same distribution as the output of `torch.nn.Dropout`. On a CPU,
    this class is four times as fast as `torch.nn.Dropout`.
    """

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        """Set values to 0 with probability `rate`; divide the others by 1 - rate."""
        if not self.training or self.rate == 0:
            return x
        kept = 1 - self.rate
        return x * torch.rand_like(x).lt_(kept).div_(kept)


class ProjectionHead(nn.Module):
    """Neural network block that changes the dimension from `in_dim` to `out_dim`.

    It computes ``norm(p + dropout(linear(gelu(p))))``, where p is a linear projection
    of the input.
    """

    def __init__(self, in_dim, out_dim, dropout):
        super().__init__()
        self.projection = nn.Linear(in_dim, out_dim)
        self.linear = nn.Linear(out_dim, out_dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(out_dim)

    def forward(self, x):
        """Transform an input of shape (n, in_dim) to shape (n, out_dim)."""
        projected = self.projection(x)
        return self.norm(
            projected + self.dropout(self.linear(functional.gelu(projected)))
        )


class ResidualHead(nn.Module):
    """Neural network block with a skip connection; its input has dimension `dim`.

    It computes ``norm(x + dropout(gelu(linear(x))))`` for the input x.
    """

    def __init__(self, dim, dropout):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        """Transform an input of shape (n, dim) to an output of the same shape."""
        return self.norm(x + self.dropout(functional.gelu(self.linear(x))))


class TwoTowers(nn.Module):
    """Text encoder and brain encoder with a shared latent space.

    The text encoder has a projection head and two residual heads. The brain encoder has
    three residual heads. If `latent_dim` differs from `n_components`, a projection head
    replaces the first head of the brain encoder. The module also learns the temperature
    τ. Its parameter `log_logit_scale` is log(1/τ).
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
        """Transform embeddings to latents of norm one."""
        return functional.normalize(self.text(text), dim=1)

    def encode_brain(self, brain):
        """Transform standardized coefficients to latents of norm one."""
        return functional.normalize(self.brain(brain), dim=1)

    def forward(self, text, brain):
        """Compute text latents, brain latents and log(1/τ).

        The value of log(1/τ) is limited to log(100).
        """
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
        """Predict coefficients (n, n_components) from latents (n, latent_dim)."""
        return self.output(self.heads(latents))


class TowersWithDecoder(nn.Module):
    """Encoders and decoder that are trained together."""

    def __init__(self, towers, decoder):
        super().__init__()
        self.towers = towers
        self.decoder = decoder

    def forward(self, text, brain):
        """Compute the outputs of the encoders and the predicted coefficients."""
        text_latents, brain_latents, log_logit_scale = self.towers(text, brain)
        predicted = self.decoder(text_latents)
        return text_latents, brain_latents, log_logit_scale, predicted


class JointLoss(nn.Module):
    """InfoNCE loss plus the weighted mean squared error of the predicted coefficients.

    The loss is computed from the outputs of `TowersWithDecoder`.
    """

    def __init__(self, reconstruction_weight):
        super().__init__()
        self.reconstruction_weight = reconstruction_weight

    def forward(self, outputs, target):
        """Compute the loss of one batch."""
        *latents, predicted = outputs
        error = functional.mse_loss(predicted, target)
        return info_nce(*latents) + self.reconstruction_weight * error


class Perceptron(nn.Module):
    """Multilayer perceptron with three linear layers; used by `MLPBaseline`."""

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
        """Predict coefficients (n, n_components) from embeddings (n, n_features)."""
        return self.layers(text)
