"""The contrastive text-brain model of NeuroConText."""

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
from ._base import SharedSpaceEstimator
from ._trained import NetEstimatorMixin

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
"""Settings of the NeuroConText article (MICCAI 2024); `ContrastiveTextBrain`'s own."""


def _has_decoder(estimator):
    if estimator.decoder is None:
        raise AttributeError(
            "This ContrastiveTextBrain has decoder=None, so it cannot predict maps. "
            "Fit it with decoder='residual' or decoder='ridge'."
        )
    return True


class ContrastiveTextBrain(NetEstimatorMixin, SharedSpaceEstimator):
    r"""Two encoders that place texts and brain maps in one space.

    Minimises the symmetric InfoNCE loss over batches of N pairs,

    .. math:: -\frac{1}{2N} \sum_i \log \frac{e^{s_{ii}/\tau}}{\sum_j
        e^{s_{ij}/\tau}} + \log \frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}},

    where :math:`s_{ij}` is the cosine of the latents of text i and map j and the
    temperature τ is learned. The text encoder is a projection head and two residual
    heads, the brain encoder three residual heads. Up to 1,000 studies of the training
    part choose the epoch: the one with the least mean log rank of their true maps.
    A decoder from text latents to coefficients is trained afterwards.

    Parameters
    ----------
    latent_dim : int or None, default=None
        Dimensions of the shared space; None takes the number of components.
    max_epochs : int, default=50
        Epochs at most, for the encoders and for the decoder.
    batch_size : int, default=128
        Studies in a batch; fewer studies make one smaller batch.
    lr : float, default=0.0005
        Learning rate of AdamW.
    temperature : float, default=0.1
        τ at the start; positive.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, batches, dropout and the choice of validation studies. An int
        gives the same numbers at each fit.
    weight_decay : float, default=0.1
        Of AdamW; the temperature is not decayed.
    dropout : float, default=0.5
        In each head, in [0, 1).
    n_validation : int, default=1000
        Studies of the training part put aside to choose the epoch, at most a tenth of
        them; with fewer than 20 studies, none, and the training loss chooses.
    patience : int or None, default=5
        Epochs without a better one after which training stops; None never stops.
    decoder : {"residual", "ridge"} or None, default="residual"
        Two residual heads, or a ridge regression, from text latents to coefficients;
        with None there is no `predict`.
    y_scaling : {"unit", "sqrt"} or None, default="unit"
        ``"unit"`` divides each study's coefficients by their L2 norm and standardises
        them on the training part; ``"sqrt"`` takes signed square roots first; None only
        removes the mean.
    device : str, default="cpu"
        Torch device of training and inference; arrays go in and come out as NumPy.

    Attributes
    ----------
    module_ : torch.nn.Module
        The two encoders, with the weights of the best epoch.
    decoder_ : torch.nn.Module or RidgeCV
        The decoder; absent with ``decoder=None``.
    temperature_ : float
        Learned τ.
    latent_dim_ : int
        Dimensions of the shared space.
    best_epoch_ : int
        Epoch whose weights were kept, counted from 1.
    n_epochs_ : int
        Epochs that were run.
    history_ : list of dict
        For each epoch: ``train_loss`` and ``valid_loss`` (nats), ``monitor`` (mean log
        rank), ``dur`` (seconds).
    y_mean_, y_scale_ : ndarray of shape (n_components_,), float32
        Mean and deviation of the normalised training coefficients.
    n_components_ : int
        Number of coefficients.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    CCABaseline : A closed form, many times as fast.

    References
    ----------
    Meudec, Ghayem et al., NeuroConText: Contrastive Text-to-Brain Mapping for
    Neuroscientific Literature, MICCAI 2024. Settings are the article's.

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
        """Train the encoders, then the decoder.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings, standardised (put a StandardScaler before this estimator).
        y : array-like of shape (n_studies, n_components)
            Coefficients of the same studies in the same order.

        Returns
        -------
        self : ContrastiveTextBrain
            The fitted estimator.

        Raises
        ------
        ValueError
            If the loss becomes NaN.
        """
        from ._net import seeded
        from ._selection import split_validation

        X, standardized = self._check_fit_input(X, y, dtype=np.float32)
        self.latent_dim_ = self.latent_dim or self.n_components_
        seed = self._draw_seed()
        rows = split_validation(len(X), self.n_validation, seed)
        vars(self).pop("decoder_", None)  # of an earlier fit, for other latents
        with seeded(seed, self.device):
            self._fit_encoders(X, standardized, rows)
            if self.decoder is not None:
                self._fit_decoder(self._text_latents(X), standardized, rows)
        return self

    def _fit_encoders(self, X, standardized, rows):
        from ._losses import InfoNCE, clamp_log_logit_scale
        from ._modules import TwoTowers
        from ._selection import rank_of_latents

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
        self._record(record)
        log_scale = clamp_log_logit_scale(self.module_.log_logit_scale)
        self.temperature_ = float((-log_scale.detach()).exp())

    def _fit_decoder(self, latents, standardized, rows):
        from torch.nn import MSELoss

        from ._modules import Decoder
        from ._selection import squared_error

        if self.decoder == "ridge":
            self.decoder_ = RidgeCV(alphas=np.logspace(-3, 3, 13))
            self.decoder_.fit(latents, standardized)
            return
        self.decoder_ = Decoder(self.latent_dim_, self.n_components_, self.dropout)
        inputs = {"latents": latents}
        self._learn(self.decoder_, MSELoss, inputs, standardized, rows, squared_error)

    def _learn(self, module, criterion, inputs, target, rows, monitor):
        from torch.optim import AdamW

        return self._train(
            module,
            criterion,
            inputs,
            target,
            monitor=monitor,
            rows=rows,
            optimizer=AdamW,
            weight_decay=self.weight_decay,
        )

    def _text_latents(self, X):
        return self._forward(self.module_.encode_text, X)

    def _brain_latents(self, standardized):
        return self._forward(self.module_.encode_brain, standardized)

    @available_if(_has_decoder)
    def predict(self, X):
        """Predict the coefficients to expect from each text.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_features)
            Embeddings.

        Returns
        -------
        coefficients : ndarray of shape (n_texts, n_components), float32
            Coefficients of densities, ready for ``masker.inverse_transform``: of
            studies scaled to L2 norm one for ``y_scaling="unit"``, of studies scaled to
            L1 norm one for ``"sqrt"`` (signed squares of the predicted roots), raw ones
            for None.
        """
        return super().predict(X)

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
