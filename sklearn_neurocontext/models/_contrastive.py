"""Contrastive text-brain model of the NeuroConText paper."""

from types import MappingProxyType

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

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

# Parameters with which `ContrastiveTextBrain` is trained as in the paper.
PAPER_SETTINGS = MappingProxyType(
    {
        "latent_dim": None,
        "max_epochs": 50,
        "batch_size": 128,
        "lr": 5e-4,
        "temperature": 0.1,
        "weight_decay": 0.1,
        "dropout": 0.5,
        "n_validation": 0,
        "patience": None,
        "restore_best": False,
        "decoder": "residual",
        "reconstruction_weight": 0.0,
        "y_scaling": None,
    }
)
"""Parameters of the NeuroConText paper (MICCAI 2024); see `ContrastiveTextBrain.paper`.

These values are also the defaults of `ContrastiveTextBrain`, except for `n_validation`,
`patience`, `restore_best` and `y_scaling`.
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

    The encoders are two neural networks. They transform texts and brain maps to vectors
    of the same space. These vectors are called latents. The encoders are trained to
    minimize the symmetric InfoNCE (information noise-contrastive estimation) loss over
    batches of N text-map pairs,

    .. math:: -\frac{1}{2N} \sum_i \left( \log \frac{e^{s_{ii}/\tau}}{\sum_j
        e^{s_{ij}/\tau}} + \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}} \right),

    where :math:`s_{ij}` is the cosine of the latents of text i and map j. The
    temperature τ is learned.

    The encoders are built from two types of blocks. A residual head consists of a
    linear layer and a GELU (Gaussian error linear unit), with a skip connection around
    both. A projection head starts with a linear layer that changes the dimension. Then
    a GELU and a second linear layer follow, with a skip connection around both. The
    text encoder consists of a projection head and two residual heads. The brain encoder
    consists of three residual heads. If `latent_dim` differs from the number of
    components, a projection head replaces the first head of the brain encoder.

    Some training studies are held out for validation. After each epoch, the validation
    maps are ranked for each validation text by the cosine of their latents. The true
    map of a text is the map of the same study. The logarithm of the rank of the true
    map is averaged over validation texts. The epoch with the smallest average is the
    best epoch. The model keeps the weights of the best epoch.

    When the training of the encoders has ended, a decoder is trained to predict
    coefficients from text latents. With a positive `reconstruction_weight`, the decoder
    is instead trained together with the encoders.

    The defaults of `n_validation`, `patience`, `restore_best` and `y_scaling` differ
    from the settings of the NeuroConText paper. The classmethod `paper` returns a
    pipeline with the settings of the paper.

    Parameters
    ----------
    latent_dim : int or None, default=None
        Dimension of the shared space. If None, it is the number of components of y.
    max_epochs : int, default=50
        Maximum number of epochs. If encoders and residual decoder are trained one after
        the other, the maximum applies to each of the two trainings.
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
        Maximum number of training studies that are held out for validation, that is,
        to choose the best epoch. At most one tenth of the training studies is held out.
        If fewer than two studies would be held out, all studies are used for training,
        and the best epoch is the epoch with the smallest training loss.
    patience : int or None, default=5
        Training stops after this number of epochs without improvement. If None,
        training always runs for `max_epochs` epochs.
    restore_best : bool, default=True
        Whether to keep the weights of the best epoch. If False, the weights of the last
        epoch are kept.
    decoder : {"residual", "ridge"} or None, default="residual"
        Decoder from text latents to coefficients. ``"residual"`` is a network with two
        residual heads and a linear layer. ``"ridge"`` is a ridge regression. If None,
        no decoder is fitted, and the estimator has no method ``predict``.
    reconstruction_weight : float, default=0.0
        Weight β of the decoder's error in the loss. If β is 0, the decoder is trained
        after the encoders. If β is positive, encoders and residual decoder are trained
        together to minimize InfoNCE + β MSE. Here, MSE is the mean squared error of the
        standardized coefficients that the decoder predicts from text latents. Ghayem,
        Meudec et al. (see References) use the loss α InfoNCE + β MSE. In this class, α
        is 1. Other values of α are not needed, because AdamW takes the same steps if
        both terms of the loss are multiplied by the same factor.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        Scaling of y before the model is fitted:

        - ``"unit"``: the coefficients of each study are divided by their L2 norm. Then
          each component is standardized.
        - ``"sqrt"``: each coefficient is replaced by its signed square root. Then the
          same two steps as for ``"unit"`` follow.
        - None: the mean of each component is subtracted. There is no other scaling.
    device : str, default="cpu"
        Torch device for training and inference. Inputs and outputs are NumPy arrays
        for all devices.

    Attributes
    ----------
    module_ : torch.nn.Module
        The two encoders, with the weights of the best epoch, or of the last epoch if
        ``restore_best=False``.
    decoder_ : torch.nn.Module or RidgeCV
        The decoder. Not set if ``decoder=None``.
    temperature_ : float
        Learned temperature τ.
    latent_dim_ : int
        Dimension of the shared space.
    best_epoch_ : int
        Best epoch of the encoders, counted from 1.
    n_epochs_ : int
        Number of epochs for which the encoders were trained.
    history_ : list of dict
        Training history of the encoders, one dictionary per epoch, with the keys:

        - ``epoch``: number of the epoch, counted from 1;
        - ``train_loss`` and ``valid_loss``: loss for the training and the validation
          studies. The loss is InfoNCE in nats, plus β MSE if `reconstruction_weight` is
          positive;
        - ``monitor``: mean logarithm of the rank of the true map, for the validation
          studies;
        - ``dur``: duration in seconds.

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
    CCABaseline : Closed-form model that is much faster to fit.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText: Contrastive Text-to-Brain Mapping for
    Neuroscientific Literature, MICCAI 2024.

    Ghayem, Meudec et al., NeuroConText: Contrastive Learning for Neuroscience
    Meta-Analysis with Rich Text Representation, bioRxiv 2025.05.23.655707 (joint loss).

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
        "restore_best": ["boolean"],
        "decoder": [StrOptions({"residual", "ridge"}), None],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
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
        restore_best=True,
        decoder="residual",
        reconstruction_weight=0.0,
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
        self.restore_best = restore_best
        self.decoder = decoder
        self.reconstruction_weight = reconstruction_weight
        self.y_scaling = y_scaling
        self.device = device

    @classmethod
    def paper(cls, **params):
        """Return a pipeline with the settings of the NeuroConText paper.

        The encoders are trained for 50 epochs on all training studies and keep the
        weights of the last epoch. As in the published code, embeddings are divided by
        their L2 norm and standardized. The coefficients are not scaled; only the mean
        of each component is subtracted. Unlike in the published code, log(1/τ) is
        learned instead of the temperature τ, and log(1/τ) has no weight decay.

        Parameters
        ----------
        **params
            Parameters of `ContrastiveTextBrain`, for example ``random_state=0``. They
            take precedence over the settings of the paper.

        Returns
        -------
        pipeline : Pipeline
            Unfitted pipeline of a Normalizer, a StandardScaler and a
            ContrastiveTextBrain. The input of the pipeline is embeddings. To pass texts
            instead, put the pipeline after an embedder in another pipeline.

        Examples
        --------
        >>> from sklearn_neurocontext import ContrastiveTextBrain
        >>> pipeline = ContrastiveTextBrain.paper(random_state=0)
        >>> [name for name, _ in pipeline.steps]
        ['normalizer', 'standardscaler', 'contrastivetextbrain']
        >>> pipeline[-1].patience is None, pipeline[-1].random_state
        (True, 0)
        """
        model = cls(**PAPER_SETTINGS | params)
        return make_pipeline(Normalizer(), StandardScaler(), model)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the encoders and the decoder.

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
            If the loss becomes NaN or infinite, or if `reconstruction_weight` is
            positive and `decoder` is not ``"residual"``.
        """
        from ._net import seeded, split_validation

        if self.reconstruction_weight > 0 and self.decoder != "residual":
            raise ValueError(
                "reconstruction_weight must be 0 unless decoder='residual', because no "
                "other decoder can be trained together with the encoders; got "
                f"reconstruction_weight={self.reconstruction_weight!r} and "
                f"decoder={self.decoder!r}."
            )
        X, standardized = self._check_fit_input(X, y, dtype=np.float32)
        self.latent_dim_ = self.latent_dim or self.n_components_
        seed = draw_seed(self.random_state)
        rows = split_validation(len(X), self.n_validation, seed)
        vars(self).pop("decoder_", None)  # from an earlier fit
        with seeded(seed, self.device):
            self._fit_encoders(X, standardized, rows)
            if self.decoder is not None and self.reconstruction_weight == 0:
                self._fit_decoder(self._text_latents(X), standardized, rows)
        return self

    def _fit_encoders(self, X, standardized, rows):
        from ._modules import (
            InfoNCE,
            JointLoss,
            TowersWithDecoder,
            clamp_log_logit_scale,
        )
        from ._net import rank_of_latents

        self.module_ = self._empty_network("module_")
        trained, criterion = self.module_, InfoNCE()
        if self.reconstruction_weight > 0:
            self.decoder_ = self._empty_network("decoder_")
            trained = TowersWithDecoder(self.module_, self.decoder_)
            criterion = JointLoss(self.reconstruction_weight)
        inputs = {"text": X, "brain": standardized}
        record = self._learn(
            trained, criterion, inputs, standardized, rows, rank_of_latents
        )
        self.best_epoch_ = record.best_epoch
        self.n_epochs_ = record.n_epochs
        self.history_ = record.history
        log_scale = clamp_log_logit_scale(self.module_.log_logit_scale)
        self.temperature_ = float((-log_scale.detach()).exp())

    def _fit_decoder(self, latents, standardized, rows):
        from torch.nn import MSELoss

        from ._net import squared_error

        if self.decoder == "ridge":
            self.decoder_ = RidgeCV(alphas=np.logspace(-3, 3, 13))
            self.decoder_.fit(latents, standardized)
            return
        self.decoder_ = self._empty_network("decoder_")
        inputs = {"latents": latents}
        self._learn(self.decoder_, MSELoss, inputs, standardized, rows, squared_error)

    def _empty_network(self, attribute, weights=None):
        from ._modules import Decoder, TwoTowers

        if attribute == "decoder_":
            return Decoder(self.latent_dim_, self.n_components_, self.dropout)
        return TwoTowers(
            self.n_features_in_,
            self.n_components_,
            self.latent_dim_,
            self.dropout,
            self.temperature,
        )

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
            restore_best=self.restore_best,
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
