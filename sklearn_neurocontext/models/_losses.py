"""The symmetric InfoNCE loss."""

import math

import torch
from torch import nn
from torch.nn import functional

# A logit scale beyond 100 makes the loss numerically flat (Radford et al. 2021).
MAX_LOG_LOGIT_SCALE = math.log(100)


def clamp_log_logit_scale(log_logit_scale):
    """Keep the logit scale below 100, that is τ above 0.01."""
    return log_logit_scale.clamp(max=MAX_LOG_LOGIT_SCALE)


def info_nce(text_latents, brain_latents, log_logit_scale):
    """Mean cross-entropy of finding each text's map and each map's text in a batch.

    Parameters
    ----------
    text_latents, brain_latents : tensor of shape (n_pairs, latent_dim)
        Rows of norm one; row i of both is the same study.
    log_logit_scale : tensor, scalar
        Logarithm of 1/τ.

    Returns
    -------
    loss : tensor, scalar
        In nats: log(n_pairs) where nothing is known, 0 at best.

    References
    ----------
    van den Oord et al. (2018), Representation learning with contrastive predictive
    coding, eq. 4; symmetric as in Radford et al. (2021), CLIP, Figure 3.
    """
    logits = text_latents @ brain_latents.T * log_logit_scale.exp()
    pairs = torch.arange(len(logits), device=logits.device)
    text_to_brain = functional.cross_entropy(logits, pairs)
    brain_to_text = functional.cross_entropy(logits.T, pairs)
    return (text_to_brain + brain_to_text) / 2


class InfoNCE(nn.Module):
    """`info_nce` of the outputs of two towers; there is no other target."""

    def forward(self, outputs, _target):
        """Compute the loss of one batch."""
        return info_nce(*outputs)
