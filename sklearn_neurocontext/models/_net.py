"""Training of torch modules through skorch, which nothing else here imports."""

import copy
import math
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.helper import predefined_split

# Rows of a forward pass outside training: bounds memory, whatever the input.
_FORWARD_ROWS = 8192


class PairedTensors(torch.utils.data.Dataset):
    """Inputs by name and a target, sliced together by an index of rows."""

    def __init__(self, inputs, target):
        self.inputs = inputs
        self.target = target

    def __len__(self):
        return len(self.target)

    def __getitem__(self, rows):
        return (
            {name: tensor[rows] for name, tensor in self.inputs.items()},
            self.target[rows],
        )


class WholeBatches:
    """Iterator of batches that slices tensors, without a step in Python per study.

    A last batch of a single study joins the one before it: InfoNCE learns nothing from
    one pair.
    """

    def __init__(self, dataset, batch_size, shuffle=False):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self):
        n = len(self.dataset)
        order = torch.randperm(n) if self.shuffle else torch.arange(n)
        starts = list(range(0, n, self.batch_size))
        if len(starts) > 1 and n - starts[-1] == 1:
            starts.pop()
        for start, stop in zip(starts, [*starts[1:], n], strict=True):
            yield self.dataset[order[start:stop]]


class _KeepBestEpoch(Callback):
    """Copy the weights of the best epoch, stop when none is better, then restore."""

    def __init__(self, monitor, patience, lr):
        self.monitor = monitor
        self.patience = patience
        self.lr = lr

    def on_train_begin(self, net, **kwargs):
        self.best_value_ = math.inf
        self.best_epoch_ = 0
        self.best_weights_ = None
        self.n_finished_ = 0
        self.stopped_ = False

    def on_epoch_begin(self, net, **kwargs):
        self.value_ = None

    def on_batch_end(self, net, batch, training, y_pred, **kwargs):
        if not training:  # all validation studies are one batch
            self.value_ = float(self.monitor(y_pred, batch[1]))

    def on_epoch_end(self, net, **kwargs):
        epoch = len(net.history)
        train_loss = net.history[-1, "train_loss"]
        self._check_finite(net, train_loss, epoch)
        value = float(train_loss) if self.value_ is None else self.value_
        net.history.record("monitor", value)
        self.n_finished_ = epoch
        if value < self.best_value_:
            self.best_value_, self.best_epoch_ = value, epoch
            # A copy: state_dict() alone is a view of weights that go on changing.
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        elif self.patience is not None and epoch - self.best_epoch_ >= self.patience:
            self.stopped_ = True
            raise KeyboardInterrupt  # how a skorch callback ends the training

    def on_train_end(self, net, **kwargs):
        if self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)

    def _check_finite(self, net, train_loss, epoch):
        # The last step of an epoch can spoil weights that no training loss has seen.
        if all(bool(weight.isfinite().all()) for weight in net.module_.parameters()):
            loss = train_loss
        else:
            loss = math.nan
        if not math.isfinite(loss):
            raise ValueError(
                f"The training loss became {loss} in epoch {epoch}. Lower lr "
                f"(it is {self.lr}), or check X and y for extreme values."
            )


@dataclass(frozen=True)
class TrainingRecord:
    """What a training gave: epochs and, for each, the losses and the monitor."""

    best_epoch: int
    n_epochs: int
    history: list


def train_net(
    module,
    criterion,
    inputs,
    target,
    *,
    monitor,
    rows,
    max_epochs,
    batch_size,
    patience,
    optimizer,
    lr,
    weight_decay,
    device,
):
    """Train a module in place and leave it with the weights of its best epoch.

    Parameters
    ----------
    module : torch.nn.Module
        Called with the inputs by name.
    criterion : type
        Loss module, called with the module's output and the target.
    inputs : dict of str to ndarray of shape (n_studies, n), float32
        What the module takes.
    target : ndarray of shape (n_studies, m), float32
        What the criterion compares with.
    monitor : callable
        ``monitor(output, target) -> float`` on validation studies; least is best.
    rows : tuple of ndarray
        Rows of training and of validation; without any of the latter the training
        loss is monitored.
    max_epochs, batch_size : int
        Upper bounds.
    patience : int or None
        Epochs without a better one after which training stops; None never stops.
    optimizer : type
        Torch optimizer.
    lr, weight_decay : float
        Its settings; the logit scale is never decayed.
    device : str
        Torch device.

    Returns
    -------
    record : TrainingRecord
        The epochs.

    Raises
    ------
    ValueError
        If the loss becomes NaN or infinite.
    """
    train, validation = (_take_rows(inputs, target, part, device) for part in rows)
    validation = validation if len(validation) else None
    net = NeuralNet(
        module,
        criterion=criterion,
        optimizer=optimizer,
        optimizer__lr=lr,
        optimizer__weight_decay=weight_decay,
        optimizer__fused=True,  # one pass over the weights: a quarter of the time
        optimizer__param_groups=[("*log_logit_scale", {"weight_decay": 0.0})],
        max_epochs=max_epochs,
        batch_size=batch_size,
        iterator_train=WholeBatches,
        iterator_train__shuffle=True,
        iterator_valid=WholeBatches,
        iterator_valid__batch_size=-1,
        train_split=predefined_split(validation) if validation else None,
        callbacks=[("keep_best", _KeepBestEpoch(monitor, patience, lr))],
        verbose=0,
        device=device,
    )
    net.fit(train, y=None)
    keep_best = dict(net.callbacks_)["keep_best"]
    if not keep_best.stopped_ and keep_best.n_finished_ < max_epochs:
        raise KeyboardInterrupt  # skorch swallows Ctrl-C; half a training is no fit
    module.eval()
    return TrainingRecord(
        best_epoch=keep_best.best_epoch_,
        n_epochs=len(net.history),
        history=[_epoch_facts(epoch) for epoch in net.history],
    )


def _take_rows(inputs, target, rows, device):
    def take(array):
        return torch.from_numpy(array[rows]).to(device)

    return PairedTensors(
        {name: take(array) for name, array in inputs.items()}, take(target)
    )


def _epoch_facts(epoch):
    names = ("epoch", "train_loss", "valid_loss", "monitor", "dur")
    return {name: epoch[name] for name in names if name in epoch}


def forward_rows(function, array, device):
    """Apply a function of tensors to an array, in bounded pieces and without gradient.

    Parameters
    ----------
    function : callable
        Takes and gives a tensor with one row per study.
    array : ndarray of shape (n_studies, n), float32
        Input.
    device : str
        Where the function computes.

    Returns
    -------
    output : ndarray of shape (n_studies, m), float32
        Output for each row.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    with torch.inference_mode():
        pieces = [
            function(piece.to(device)).cpu() for piece in tensor.split(_FORWARD_ROWS)
        ]
    return torch.cat(pieces).numpy()


@contextmanager
def seeded(seed, device):
    """Seed torch inside the context and leave the caller's generators untouched."""
    kind = torch.device(device)
    with torch.random.fork_rng(devices=[kind] if kind.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
