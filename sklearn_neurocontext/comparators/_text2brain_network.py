"""Neural network of Text2Brain, and its loss. Importing this module requires torch."""

import math

import torch
from torch import nn
from torch.nn import functional

# Outside training, texts are passed to the network in blocks of this size, because each
# text needs several megabytes of memory.
_FORWARD_ROWS = 32


def _upsample(n_in, n_out):
    """Return layers that enlarge volumes from s to 2s + 1 voxels per axis."""
    return nn.Sequential(
        nn.ConvTranspose3d(
            n_in, n_out, kernel_size=4, stride=2, padding=1, output_padding=1
        ),
        nn.BatchNorm3d(n_out),
        nn.Hardtanh(-6, 6),
    )


class Text2BrainNetwork(nn.Module):
    """Network from embeddings to volumes: a linear layer and four convolutions.

    The linear layer returns `n_channels` volumes of shape `start_shape`. If s is the
    size of one axis of this shape, the three transposed convolutions return 2s + 1,
    4s + 3 and 8s + 7 voxels along this axis. The last convolution returns 8s + 9
    voxels. The first of them is dropped, so that 8s + 8 voxels remain. The resulting
    volume is called the box.

    `order`, an integer array of shape (n_box,), contains the flat indices of the voxels
    of the box in the order in which the network returns these voxels. The first
    `n_voxels` of them are the voxels in the mask.
    """

    def __init__(
        self, n_features, n_voxels, order, start_shape, n_channels, n_filters, dropout
    ):
        super().__init__()
        self.start_shape = start_shape
        self.n_voxels = n_voxels
        self.linear = nn.Linear(n_features, n_channels * math.prod(start_shape))
        self.dropout = nn.Dropout(dropout)
        self.upsample = nn.Sequential(
            _upsample(n_channels, n_filters),
            _upsample(n_filters, n_filters // 2),
            _upsample(n_filters // 2, n_filters // 4),
        )
        self.output = nn.Sequential(
            nn.Conv3d(n_filters // 4, 1, kernel_size=3, padding=2),
            nn.BatchNorm3d(1),
            nn.Hardtanh(-6, 6),
        )
        self.register_buffer("order", torch.as_tensor(order))

    def set_output_scale(self, mean, std):
        """Set the initial mean and standard deviation of the output."""
        # Without this step, the mean is 0 and the standard deviation is 1, although
        # targets are much smaller. The network would first learn to predict zero
        # everywhere, and would hardly improve afterwards.
        nn.init.constant_(self.output[1].weight, std)
        nn.init.constant_(self.output[1].bias, mean)

    def forward(self, text):
        """Predict all voxels of the box, (n, n_box), from embeddings."""
        if self.training:
            return self._decode(text)
        return torch.cat([self._decode(rows) for rows in text.split(_FORWARD_ROWS)])

    def predict_voxels(self, text):
        """Predict the voxels in the mask, (n, n_voxels), from embeddings."""
        blocks = text.split(_FORWARD_ROWS)
        return torch.cat([self._decode(rows)[:, : self.n_voxels] for rows in blocks])

    def _decode(self, text):
        channels = functional.relu(self.dropout(self.linear(text)))
        volumes = channels.unflatten(1, (-1, *self.start_shape))
        # With this order of values in memory, training is almost twice as fast.
        volumes = volumes.contiguous(memory_format=torch.channels_last_3d)
        box = self.output(self.upsample(volumes))[:, 0, 1:, 1:, 1:]
        return box.flatten(1)[:, self.order]


class BoxError(nn.Module):
    """Squared error summed over the voxels of the box, averaged over studies."""

    def forward(self, predicted, target):
        """Compute the error of predictions, (n, n_box), for targets, (n, n_voxels).

        The target of the voxels outside the mask is zero.
        """
        n_outside = predicted.shape[1] - target.shape[1]
        target = functional.pad(target, (0, n_outside))
        return functional.mse_loss(predicted, target, reduction="sum") / len(target)


def box_error(predicted, target):
    """Compute the error that `BoxError` defines, as a float."""
    return float(BoxError()(predicted, target))
