"""Multilayer perceptron that predicts coefficients from embeddings."""

import numpy as np

from .._utils.validation import Integral, Interval, Real, StrOptions, fit_context
from ._network import NetworkEstimator


class MLPBaseline(NetworkEstimator):
    """Multilayer perceptron that minimizes the squared error of coefficients.

    The perceptron predicts standardized coefficients. It has three linear layers. Each
    of the first two linear layers is followed by layer normalization and a GELU
    activation. Dropout follows the first GELU activation.

    Some training studies are held out for validation. After each epoch, the perceptron
    predicts standardized coefficients for each validation text. All validation maps are
    then ranked by the cosine between their standardized coefficients and the
    prediction. The true map of a text is the map of the same study. The logarithm of
    the rank of the true map is averaged over validation texts. The model keeps the
    weights of the epoch with the smallest average.

    Parameters
    ----------
    hidden_dim : int, default=512
        Width of the two hidden layers.
    max_epochs : int, default=50
        Maximum number of epochs.
    batch_size : int, default=128
        Number of studies per batch.
    lr : float, default=0.0005
        Learning rate of Adam.
    random_state : int, RandomState instance or None, default=None
        Controls initial weights, batches, dropout and the choice of validation studies.
        Pass an int for reproducible results.
    dropout : float, default=0.5
        Dropout rate after the first hidden layer, in [0, 1).
    n_validation : int, default=1000
        Maximum number of training studies that are held out for validation, that is,
        to choose the best epoch. At most one tenth of the training studies is held out.
        If fewer than two studies would be held out, all studies are used for training,
        and the best epoch is the epoch with the smallest training loss.
    patience : int or None, default=5
        Training stops after this number of epochs without improvement. If None,
        training always runs for `max_epochs` epochs.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        Scaling of y before the model is fitted:

        - ``"unit"``: the coefficients of each study are divided by their L2 norm. Then
          each component is standardized.
        - ``"sqrt"``: each coefficient is replaced by its signed square root. Then the
          same two steps as for ``"unit"`` follow.
        - None: the mean of each component is subtracted. There is no other scaling.
    device : str, default="cpu"
        Torch device for training and inference. Inputs and outputs are NumPy arrays.

    Attributes
    ----------
    module_ : torch.nn.Module
        The perceptron, with the weights of the best epoch.
    best_epoch_ : int
        Epoch whose weights were kept, counted from 1.
    n_epochs_ : int
        Number of epochs for which the perceptron was trained.
    history_ : list of dict
        One dictionary per epoch, with these keys:

        - ``epoch``: number of the epoch, counted from 1;
        - ``train_loss``: mean squared error on the training studies;
        - ``valid_loss``: mean squared error on the validation studies;
        - ``monitor``: mean logarithm of the rank of the true map, for the validation
          studies;
        - ``dur``: duration of the epoch in seconds.

        Without validation studies, ``valid_loss`` is missing and ``monitor`` is the
        training loss.
    y_mean_, y_scale_ : ndarray of shape (n_components_,), float32
        Mean and standard deviation of each component over the training studies. If
        `y_scaling` is ``"unit"`` or ``"sqrt"``, they are computed after the
        coefficients of each study are divided by their norm. If ``y_scaling=None``, all
        values of `y_scale_` are 1.
    n_components_ : int
        Number of components of y.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    RidgeBaseline : Linear baseline.

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
        """Fit the perceptron.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings with standardized features, for example the output of a
            StandardScaler.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : MLPBaseline
            The fitted estimator.

        Raises
        ------
        ValueError
            If the training loss becomes NaN or infinite.
        """
        from torch.nn import MSELoss
        from torch.optim import Adam

        from ._modules import Perceptron
        from ._net import rank_of_predictions

        X, standardized = self._check_fit_input(X, y, dtype=np.float32)
        self._fit_network(
            lambda: Perceptron(
                self.n_features_in_, self.n_components_, self.hidden_dim, self.dropout
            ),
            X,
            standardized,
            criterion=MSELoss,
            monitor=rank_of_predictions,
            optimizer=Adam,
            weight_decay=0.0,
        )
        return self

    def _predict_standardized(self, X):
        return self._forward(self.module_, X)

    def _empty_network(self, attribute, weights):
        from ._modules import Perceptron

        # The width is read from the weights, because the parameter hidden_dim may have
        # been changed after fitting.
        width = len(weights.get("layers.0.bias", ())) or self.hidden_dim
        return Perceptron(self.n_features_in_, self.n_components_, width, self.dropout)
