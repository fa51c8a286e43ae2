"""A multilayer perceptron from embeddings to coefficients."""

import numpy as np

from .._utils.validation import Integral, Interval, Real, StrOptions, fit_context
from ._base import TextBrainEstimator
from ._trained import NetEstimatorMixin


class MLPBaseline(NetEstimatorMixin, TextBrainEstimator):
    """Three linear layers trained on the squared error of standardised coefficients.

    Layer norm stands after the first two layers, dropout after the first. Up to 1,000
    studies of the training part choose the epoch, by the same rule as in
    `ContrastiveTextBrain`: the least mean log rank of their true maps, here by the
    cosine of predicted and observed coefficients in standardised units.

    Parameters
    ----------
    hidden_dim : int, default=512
        Width of the two hidden layers.
    max_epochs : int, default=50
        Epochs at most.
    batch_size : int, default=128
        Studies in a batch.
    lr : float, default=0.0005
        Learning rate of Adam.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, batches, dropout and the choice of validation studies.
    dropout : float, default=0.5
        After the first layer, in [0, 1).
    n_validation : int, default=1000
        Studies of the training part put aside to choose the epoch, at most a tenth of
        them; with fewer than 20 studies, none, and the training loss chooses.
    patience : int or None, default=5
        Epochs without a better one after which training stops; None never stops.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        ``"unit"`` divides each study's coefficients by their L2 norm and standardises
        them on the training part; ``"sqrt"`` takes signed square roots first; None only
        removes the mean.
    device : str, default="cpu"
        Torch device of training and inference.

    Attributes
    ----------
    module_ : torch.nn.Module
        The perceptron, with the weights of the best epoch.
    best_epoch_ : int
        Epoch whose weights were kept, counted from 1.
    n_epochs_ : int
        Epochs that were run.
    history_ : list of dict
        For each epoch: ``train_loss`` and ``valid_loss`` (mean squared error),
        ``monitor`` (mean log rank), ``dur`` (seconds).
    y_mean_, y_scale_ : ndarray of shape (n_components_,), float32
        Mean and deviation of the normalised training coefficients.
    n_components_ : int
        Number of coefficients.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    RidgeBaseline : The linear baseline.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText, MICCAI 2024, Table 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import MLPBaseline
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X @ rng.normal(size=(5, 8)) + rng.normal(size=(200, 8))
    >>> MLPBaseline(random_state=0, max_epochs=10).fit(X, y).predict(X[:3]).shape
    (3, 8)
    """

    _parameter_constraints = {
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_validation": [Interval(Integral, 0, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "y_scaling": [StrOptions({"unit", "sqrt"}), None],
        "device": [str],
    }

    def __init__(
        self,
        hidden_dim=512,
        max_epochs=50,
        *,
        batch_size=128,
        lr=5e-4,
        random_state=None,
        dropout=0.5,
        n_validation=1000,
        patience=5,
        y_scaling="unit",
        device="cpu",
    ):
        self.hidden_dim = hidden_dim
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.dropout = dropout
        self.n_validation = n_validation
        self.patience = patience
        self.y_scaling = y_scaling
        self.device = device

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train the perceptron.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings, standardised (put a StandardScaler before this estimator).
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : MLPBaseline
            The fitted estimator.

        Raises
        ------
        ValueError
            If the loss becomes NaN.
        """
        import torch

        from ._modules import Perceptron
        from ._net import seeded
        from ._selection import rank_of_predictions, split_validation

        X, standardized = self._check_fit_input(X, y, dtype=np.float32)
        seed = self._draw_seed()
        with seeded(seed, self.device):
            self.module_ = Perceptron(
                self.n_features_in_, self.n_components_, self.hidden_dim, self.dropout
            )
            record = self._train(
                self.module_,
                torch.nn.MSELoss,
                {"text": X},
                standardized,
                monitor=rank_of_predictions,
                rows=split_validation(len(X), self.n_validation, seed),
                optimizer=torch.optim.Adam,
                weight_decay=0.0,
            )
        self._record(record)
        return self

    def _predict_standardized(self, X):
        return self._forward(self.module_, X)
