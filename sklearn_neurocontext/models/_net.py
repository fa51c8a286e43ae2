"""Functions that train neural networks with skorch. No other file imports skorch."""

import copy
import math
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from sklearn.utils import gen_batches
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.helper import predefined_split
from torch.nn.functional import normalize

# Outside training, rows are passed to a network in blocks of this size to limit memory.
_FORWARD_ROWS = 8192
# To scale rows to norm one, each row is divided by its norm. If a norm is smaller than
# this number, the row is divided by this number, to avoid a division by zero.
_TINY = torch.finfo(torch.float32).tiny


# Choice of the best epoch


def split_validation(n_studies, n_validation, seed):
    """Split row indices into sorted training rows and sorted validation rows.

    The number of validation rows is the smaller of `n_validation` and a tenth of
    `n_studies`. If this number is less than 2, there are no validation rows.
    """
    order = np.random.default_rng(seed).permutation(n_studies)
    size = min(n_validation, n_studies // 10) if n_studies >= 20 else 0
    size = 0 if size < 2 else size  # the rank of a single study is always 1
    return np.sort(order[size:]), np.sort(order[:size])


def mean_log_rank(similarity):
    """Compute the mean logarithm of the rank of the true candidate.

    `similarity` has shape (n_queries, n_candidates), with true pairs on the diagonal.
    The rank is 1 plus the number of candidates that are more similar to the query than
    the true candidate is. Each wrong candidate that is as similar as the true candidate
    adds one half to the rank. The best value is 0, and the worst is log(n_candidates).
    Unlike the InfoNCE loss, the value does not depend on the temperature. Unlike
    recall@k, it does not depend on a choice of k.
    """
    true = similarity.diagonal()[:, None]
    greater = (similarity > true).sum(1)
    tied = (similarity == true).sum(1) - 1
    return float(torch.log1p(greater + tied / 2).mean())


def rank_of_latents(outputs, _target):
    """Compute `mean_log_rank` from the cosines of text and brain latents."""
    text, brain, *_ = outputs
    return mean_log_rank(text @ brain.T)


def rank_of_predictions(predicted, target):
    """Compute `mean_log_rank` from the cosines of predictions and targets."""
    # With the default `eps`, rows whose norm is below 1e-12 would not get norm one.
    predicted = normalize(predicted, dim=1, eps=_TINY)
    target = normalize(target, dim=1, eps=_TINY)
    return mean_log_rank(predicted @ target.T)


def squared_error(predicted, target):
    """Compute the mean squared error."""
    return float(((predicted - target) ** 2).mean())


class _KeepBestEpoch(Callback):
    """Callback that stops training early and restores the weights of the best epoch.

    The best epoch has the smallest value of ``monitor(output, target)`` for the
    validation studies. Training stops after `patience` epochs without improvement. If
    `restore_best` is False, the weights of the last epoch are kept. The learning rate
    `lr` is only used in an error message.
    """

    def __init__(self, monitor, patience, restore_best, lr):
        self.monitor = monitor
        self.patience = patience
        self.restore_best = restore_best
        self.lr = lr

    def on_train_begin(self, net, **kwargs):
        """Reset the attributes of the callback."""
        self.best_value_ = math.inf
        self.best_epoch_ = 0
        self.best_weights_ = None
        self.n_finished_ = 0
        self.stopped_ = False

    def on_epoch_begin(self, net, **kwargs):
        """Reset the value of the monitor."""
        self.value_ = None

    def on_batch_end(self, net, batch, training, y_pred, **kwargs):
        """Compute the value of the monitor for the validation studies."""
        if not training:  # all validation studies form one batch
            self.value_ = float(self.monitor(y_pred, batch[1]))

    def on_epoch_end(self, net, **kwargs):
        """Store weights if the epoch is the best so far; stop training if needed.

        Training stops after `patience` epochs without improvement.
        """
        epoch = len(net.history)
        train_loss = net.history[-1, "train_loss"]
        self._check_finite(net, train_loss, epoch)
        value = float(train_loss) if self.value_ is None else self.value_
        net.history.record("monitor", value)
        self.n_finished_ = epoch
        if value < self.best_value_:
            self.best_value_, self.best_epoch_ = value, epoch
            # The weights are copied, because state_dict() returns references to them,
            # and later epochs change the weights in place.
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        elif self.patience is not None and epoch - self.best_epoch_ >= self.patience:
            self.stopped_ = True
            raise KeyboardInterrupt  # skorch catches it and ends the training

    def on_train_end(self, net, **kwargs):
        """Restore the best weights."""
        if self.restore_best and self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)

    def _check_finite(self, net, train_loss, epoch):
        # The last optimizer step of an epoch can set weights to NaN. The training loss
        # of this epoch was computed before that step and can still be finite.
        # Therefore, the weights are checked as well.
        finite = all(bool(w.isfinite().all()) for w in net.module_.parameters())
        loss = train_loss if finite else math.nan
        if not math.isfinite(loss):
            raise ValueError(
                f"The training loss became {loss} in epoch {epoch}. Lower lr "
                f"(currently {self.lr}), or check X and y for extreme values."
            )


class _CountStudies(Callback):
    """Callback that counts training studies on a progress bar."""

    def __init__(self, bar):
        self.bar = bar

    def on_train_begin(self, net, X, **kwargs):
        """Show an empty bar."""
        self.task_ = self.bar.add_task("", total=net.max_epochs * len(X))

    def on_epoch_begin(self, net, **kwargs):
        """Show the number of the epoch."""
        label = f"epoch {len(net.history)} of {net.max_epochs}"
        self.bar.update(self.task_, description=label)

    def on_batch_end(self, net, batch, training, **kwargs):
        """Count the studies of a training batch."""
        if training:
            self.bar.advance(self.task_, len(batch[1]))


@contextmanager
def _progress(verbose):
    """Yield the callbacks of a progress bar, or an empty list if not `verbose`.

    The progress bar is shown on standard error.
    """
    if not verbose:
        yield []
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield [("progress", _CountStudies(bar))]


# Training


class PairedTensors(torch.utils.data.Dataset):
    """Dataset of named inputs and a target, indexed by arrays of row indices."""

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
    """Iterator that reads all rows of a batch in one indexing operation.

    This is faster than reading each study separately. If the last batch would contain a
    single study, this study is added to the previous batch, because the InfoNCE loss of
    a single pair is always 0.
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


@dataclass(frozen=True)
class TrainingRecord:
    """Best epoch, number of epochs, and history with one dictionary per epoch."""

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
    restore_best=True,
    verbose=False,
):
    """Train a module in place and restore the weights of its best epoch.

    `inputs` is a dictionary. Its keys are argument names of the module, and its values
    are float32 arrays of shape (n_studies, n_inputs). `target` is a float32 array of
    shape (n_studies, n_targets). `rows` is a tuple of two index arrays, which select
    the training rows and the validation rows. The best epoch has the smallest
    ``monitor(output, target)`` for the validation rows. Without validation rows, the
    best epoch has the smallest training loss. If `restore_best` is False, the module
    keeps the weights of the last epoch. If `verbose` is True, a progress bar is shown.
    ValueError is raised if the training loss or a weight becomes NaN or infinite.
    """
    train, validation = (_take_rows(inputs, target, part, device) for part in rows)
    validation = validation if len(validation) else None
    keep_best = _KeepBestEpoch(monitor, patience, restore_best, lr)
    net = NeuralNet(
        module,
        criterion=criterion,
        optimizer=optimizer,
        optimizer__lr=lr,
        optimizer__weight_decay=weight_decay,
        optimizer__fused=True,  # four times as fast as fused=False
        optimizer__param_groups=[("*log_logit_scale", {"weight_decay": 0.0})],
        max_epochs=max_epochs,
        batch_size=batch_size,
        iterator_train=WholeBatches,
        iterator_train__shuffle=True,
        iterator_valid=WholeBatches,
        iterator_valid__batch_size=-1,
        train_split=predefined_split(validation) if validation else None,
        verbose=0,
        device=device,
    )
    with _progress(verbose) as shown:
        net.set_params(callbacks=[("keep_best", keep_best), *shown])
        net.fit(train, y=None)
    if not keep_best.stopped_ and keep_best.n_finished_ < max_epochs:
        # The user pressed Ctrl-C. skorch catches this interrupt and returns an
        # incomplete fit, so the interrupt is raised again.
        raise KeyboardInterrupt
    module.eval()
    names = ("epoch", "train_loss", "valid_loss", "monitor", "dur")
    return TrainingRecord(
        best_epoch=keep_best.best_epoch_,
        n_epochs=len(net.history),
        history=[
            {name: epoch[name] for name in names if name in epoch}
            for epoch in net.history
        ],
    )


def _take_rows(inputs, target, rows, device):
    """Return the given rows of inputs and target as tensors on the device."""

    def take(array):
        return torch.from_numpy(array[rows]).to(device)

    return PairedTensors(
        {name: take(array) for name, array in inputs.items()}, take(target)
    )


def forward_rows(function, array, device):
    """Compute the output of a module, or of a method of a module, for an array.

    Blocks of rows are moved to the device one after the other.
    """
    # The module may be on another device, because pickling moves networks to the CPU.
    getattr(function, "__self__", function).to(device)
    with torch.inference_mode():
        # Blocks are copied, because torch warns about arrays that are read-only.
        pieces = [
            function(torch.from_numpy(array[rows].copy()).to(device)).cpu()
            for rows in gen_batches(len(array), _FORWARD_ROWS)
        ]
    return torch.cat(pieces).numpy()


@contextmanager
def seeded(seed, device):
    """Seed torch inside the context and restore the previous random state after it."""
    kind = torch.device(device)
    with torch.random.fork_rng(devices=[kind] if kind.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
