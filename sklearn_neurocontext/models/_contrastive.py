"""Contrastive text-brain model of the NeuroConText paper."""

from types import MappingProxyType

import numpy as np
from sklearn.linear_model import RidgeCV

from .._utils.validation import (
    Integral,
    Interval,
    Real,
    StrOptions,
    available_if,
    check_is_fitted,
    fit_context,
)
from ._base import SharedSpaceEstimator, draw_seed

PAPER_SETTINGS = MappingProxyType(
    {
        "latent_dim": None,
        "max_epochs": 50,
        "batch_size": 128,
        "lr": 5e-4,
        "weight_decay": 0.1,
        "dropout": 0.5,
    }
)
"""Parameters of the NeuroConText paper (MICCAI 2024).

The defaults of `ContrastiveTextBrain` have the same values.
"""


def _has_decoder(estimator):
    """Return True if an estimator has a decoder, else raise AttributeError."""
    if estimator.decoder is None:
        raise AttributeError(
            "This ContrastiveTextBrain has decoder=None, so it cannot predict maps. "
            "Fit it with decoder='residual' or decoder='ridge'."
        )
    return True


class ContrastiveTextBrain(SharedSpaceEstimator):
    r"""Contrastive model with a text encoder and a brain map encoder.

    The encoders are two neural networks. They map texts and brain maps to the same
    latent space. They are trained to minimize the symmetric InfoNCE (information
    noise-contrastive estimation) loss over batches of N text-map pairs,

    .. math:: -\frac{1}{2N} \sum_i \left( \log \frac{e^{s_{ii}/\tau}}{\sum_j
        e^{s_{ij}/\tau}} + \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}} \right),

    where :math:`s_{ij}` is the cosine of the latents of text i and map j, and the
    temperature τ is learned.

    A residual head is a linear layer and a GELU (Gaussian error linear unit) with a
    skip connection. A projection head is a linear layer that changes the dimension,
    followed by a GELU and a second linear layer with a skip connection. The text
    encoder consists of a projection head and two residual heads. The brain encoder
    consists of three residual heads. If `latent_dim` differs from the number of
    components, a projection head replaces the first head of the brain encoder.

    Some training studies are held out for validation. After each epoch, the validation
    maps are ranked for each validation text by the cosine between the latent of the
    text and the latent of the map. The best epoch has the smallest mean logarithm of
    the rank of the true map, and the model keeps the weights of this epoch. After the
    encoders, a decoder is trained to predict coefficients from text latents.

    Parameters
    ----------
    latent_dim : int or None, default=None
        Dimension of the shared space. None uses the number of components of y.
    max_epochs : int, default=50
        Maximum number of epochs. It applies to the training of the encoders, and also
        to the training of the residual decoder.
    batch_size : int, default=128
        Number of studies per batch.
    lr : float, default=0.0005
        Learning rate of AdamW.
    temperature : float, default=0.1
        Initial value of the temperature τ in the loss; positive.
    random_state : int, RandomState instance or None, default=None
        Controls initial weights, batches, dropout and the choice of validation studies.
        Pass an int for reproducible results.
    weight_decay : float, default=0.1
        Weight decay of AdamW. The temperature has no weight decay.
    dropout : float, default=0.5
        Dropout rate in each head, in [0, 1).
    n_validation : int, default=1000
        Number of training studies that are held out to choose the best epoch. At most a
        tenth of the training studies is held out. If fewer than two studies would be
        held out, all studies are used for training, and the best epoch has the smallest
        training loss.
    patience : int or None, default=5
        Number of epochs without improvement before training stops. None trains for
        `max_epochs`.
    decoder : {"residual", "ridge"} or None, default="residual"
        Decoder from text latents to coefficients. ``"residual"`` is a network with two
        residual heads and a linear layer. ``"ridge"`` is a ridge regression. With None,
        no decoder is fitted, and the estimator has no method ``predict``.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        Scaling of y:

        - ``"unit"`` divides the coefficients of each study by their L2 norm, then
          standardizes each component.
        - ``"sqrt"`` replaces each coefficient by its signed square root, then
          continues as ``"unit"``.
        - None subtracts the mean of each component and changes nothing else.
    device : str, default="cpu"
        Torch device for training and inference. Inputs and outputs are NumPy arrays
        for all devices.

    Attributes
    ----------
    module_ : torch.nn.Module
        The two encoders, with the weights of the best epoch.
    decoder_ : torch.nn.Module or RidgeCV
        The decoder. Not set if ``decoder=None``.
    temperature_ : float
        Learned temperature τ.
    latent_dim_ : int
        Dimension of the shared space.
    best_epoch_ : int
        Best epoch of the encoders, counted from 1. `module_` has its weights.
    n_epochs_ : int
        Number of epochs for which the encoders were trained.
    history_ : list of dict
        Training history of the encoders, one dictionary per epoch, with the keys:

        - ``epoch``: number of the epoch, counted from 1;
        - ``train_loss`` and ``valid_loss``: InfoNCE loss in nats, for the training and
          the validation studies;
        - ``monitor``: mean logarithm of the rank of the true map, for the validation
          studies;
        - ``dur``: duration in seconds.

        Without validation studies, ``valid_loss`` is missing and ``monitor`` is the
        training loss.
    y_mean_, y_scale_ : ndarray of shape (n_components_,), float32
        Mean and standard deviation of each component over the training studies. If
        `y_scaling` includes a square root or a division by the norm, they are computed
        after these steps. If ``y_scaling=None``, `y_scale_` is 1.
    n_components_ : int
        Number of components of y.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    CCABaseline : Closed-form model that is much faster to fit.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText: Contrastive Text-to-Brain Mapping for
    Neuroscientific Literature, MICCAI 2024. The defaults are the paper settings.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import ContrastiveTextBrain
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X @ rng.normal(size=(5, 8)) + rng.normal(size=(200, 8))
    >>> model = ContrastiveTextBrain(random_state=0, max_epochs=10).fit(X, y)
    >>> model.transform(X[:3]).shape, model.predict(X[:3]).shape
    ((3, 8), (3, 8))
    """

    _parameter_constraints = {
        "latent_dim": [Interval(Integral, 1, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_validation": [Interval(Integral, 0, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "decoder": [StrOptions({"residual", "ridge"}), None],
        "y_scaling": [StrOptions({"unit", "sqrt"}), None],
        "device": [str],
    }

    def __init__(
        self,
        latent_dim=None,
        max_epochs=50,
        *,
        batch_size=128,
        lr=5e-4,
        temperature=0.1,
        random_state=None,
        weight_decay=0.1,
        dropout=0.5,
        n_validation=1000,
        patience=5,
        decoder="residual",
        y_scaling="unit",
        device="cpu",
    ):
        self.latent_dim = latent_dim
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.temperature = temperature
        self.random_state = random_state
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.n_validation = n_validation
        self.patience = patience
        self.decoder = decoder
        self.y_scaling = y_scaling
        self.device = device

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the encoders, then the decoder.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings with standardized features, for example the output of a
            StandardScaler.
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : ContrastiveTextBrain
            The fitted estimator.

        Raises
        ------
        ValueError
            If the loss becomes NaN or infinite.
        """
        from ._net import seeded, split_validation

        X, standardized = self._check_fit_input(X, y, dtype=np.float32)
        self.latent_dim_ = self.latent_dim or self.n_components_
        seed = draw_seed(self.random_state)
        rows = split_validation(len(X), self.n_validation, seed)
        vars(self).pop("decoder_", None)  # from an earlier fit
        with seeded(seed, self.device):
            self._fit_encoders(X, standardized, rows)
            if self.decoder is not None:
                self._fit_decoder(self._text_latents(X), standardized, rows)
        return self

    def _fit_encoders(self, X, standardized, rows):
        from ._modules import InfoNCE, TwoTowers, clamp_log_logit_scale
        from ._net import rank_of_latents

        self.module_ = TwoTowers(
            self.n_features_in_,
            self.n_components_,
            self.latent_dim_,
            self.dropout,
            self.temperature,
        )
        inputs = {"text": X, "brain": standardized}
        record = self._learn(
            self.module_, InfoNCE, inputs, standardized, rows, rank_of_latents
        )
        self.best_epoch_ = record.best_epoch
        self.n_epochs_ = record.n_epochs
        self.history_ = record.history
        log_scale = clamp_log_logit_scale(self.module_.log_logit_scale)
        self.temperature_ = float((-log_scale.detach()).exp())

    def _fit_decoder(self, latents, standardized, rows):
        from torch.nn import MSELoss

        from ._modules import Decoder
        from ._net import squared_error

        if self.decoder == "ridge":
            self.decoder_ = RidgeCV(alphas=np.logspace(-3, 3, 13))
            self.decoder_.fit(latents, standardized)
            return
        self.decoder_ = Decoder(self.latent_dim_, self.n_components_, self.dropout)
        inputs = {"latents": latents}
        self._learn(self.decoder_, MSELoss, inputs, standardized, rows, squared_error)

    def _learn(self, module, criterion, inputs, target, rows, monitor):
        """Train a module in place and return its training record."""
        from torch.optim import AdamW

        from ._net import train_net

        return train_net(
            module,
            criterion,
            inputs,
            target,
            monitor=monitor,
            rows=rows,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            optimizer=AdamW,
            lr=self.lr,
            weight_decay=self.weight_decay,
            device=self.device,
        )

    def _forward(self, function, array):
        from ._net import forward_rows

        return forward_rows(function, array, self.device)

    def _text_latents(self, X):
        return self._forward(self.module_.encode_text, X)

    def _brain_latents(self, standardized):
        return self._forward(self.module_.encode_brain, standardized)

    predict = available_if(_has_decoder)(SharedSpaceEstimator.predict)

    def _predict_standardized(self, X):
        check_is_fitted(self, "decoder_")
        latents = self._text_latents(X)
        if isinstance(self.decoder_, RidgeCV):
            return self.decoder_.predict(latents).reshape(len(X), -1)
        return self._forward(self.decoder_, latents)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
