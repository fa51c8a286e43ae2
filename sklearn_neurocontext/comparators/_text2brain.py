"""Text2Brain, a network that predicts the density of a study at each voxel."""

import math

import numpy as np

from .._utils.validation import (
    Integral,
    Interval,
    Real,
    calling_regression_metric,
    fit_context,
)
from ..maskers import load_mask
from ..models import NetworkEstimator

# The network doubles the size of a volume three times.
_ENLARGEMENT = 8


def place_in_box(inside: np.ndarray):
    """Return the shape of a box around a mask, and an order of the voxels of the box.

    The network can return volumes of 8s + 8 voxels along an axis, where s is a positive
    integer. The box has the smallest of these shapes that covers the mask, and the
    mask is in its center. The order is an array of shape (n_box,) with the flat indices
    of all voxels of the box; the voxels in the mask `inside` come first.
    """
    voxels = np.argwhere(inside)
    low, extent = voxels.min(axis=0), np.ptp(voxels, axis=0) + 1
    start = np.maximum(np.ceil(extent / _ENLARGEMENT).astype(int) - 1, 1)
    shape = tuple((_ENLARGEMENT * (start + 1)).tolist())
    voxels = voxels - low + (shape - extent) // 2
    in_mask = np.ravel_multi_index(tuple(voxels.T), shape)
    is_outside = np.ones(math.prod(shape), bool)
    is_outside[in_mask] = False
    return shape, np.concatenate([in_mask, np.flatnonzero(is_outside)])


def divide_by_largest(y: np.ndarray) -> np.ndarray:
    """Divide each row by its largest absolute value; rows of zeros stay zero.

    The rows of `y` are densities, so their largest absolute value is their maximum. The
    result is float32.
    """
    largest = np.abs(y).max(axis=1, keepdims=True)
    return (y / np.where(largest > 0, largest, 1)).astype(np.float32)


class Text2Brain(NetworkEstimator):
    """Convolutional network that predicts densities from embeddings (Ngo et al. 2021).

    A linear layer, dropout and a ReLU transform an embedding to small volumes with
    `n_channels` channels. Three transposed 3D convolutions enlarge these volumes. They
    have F, F/2 and F/4 output channels, where F is `n_filters`. A 3D convolution then
    returns a single volume, the box. After each convolution, there is a batch
    normalization, and values are clipped to [-6, 6]. For the mask of the package,
    the small volumes have 4 x 5 x 4 voxels and the box has 40 x 48 x 40 voxels of 4 mm,
    as in the released code. The box always covers the whole mask.

    The target of a study is its density divided by its maximum, and zero outside the
    mask. The network minimizes the squared error summed over the voxels of the box,
    with AdamW. Some training studies are held out for validation. The model keeps the
    weights of the epoch with the smallest error for these studies.

    Parameters
    ----------
    mask_img : "mni", path-like or 3D Nifti image, default="mni"
        Mask whose voxels are the columns of y. ``"mni"`` is nilearn's MNI mask with
        voxels of 4 mm. It equals the `mask_img_` of a `KDEDiFuMoMasker` with default
        parameters. Other masks are not resampled. `save_model` can save ``"mni"`` and
        paths, but not images.
    max_epochs : int, default=10
        Maximum number of epochs.
    batch_size : int, default=16
        Number of studies per batch.
    lr : float, default=0.001
        Learning rate of AdamW.
    random_state : int, RandomState instance or None, default=None
        Controls initial weights, batches, dropout and the choice of validation studies.
        Pass an int for reproducible results.
    n_channels : int, default=64
        Number of channels of the small volumes.
    n_filters : int, default=32
        Number of output channels of the first transposed convolution; at least 4.
    dropout : float, default=0.55
        Dropout rate after the linear layer, in [0, 1).
    weight_decay : float, default=1e-06
        Weight decay of AdamW.
    n_validation : int, default=1000
        Maximum number of training studies that are held out for validation, that is,
        to choose the best epoch. At most one tenth of the training studies is held out.
        If fewer than two studies would be held out, all studies are used for training,
        and the best epoch is the epoch with the smallest training loss.
    patience : int or None, default=5
        Training stops after this number of epochs without improvement. If None,
        training always runs for `max_epochs` epochs.
    device : str, default="cpu"
        Torch device for training and inference. Inputs and outputs are NumPy arrays.
    verbose : bool, default=False
        Whether to show the epoch and the time left on standard error during training.

    Attributes
    ----------
    module_ : torch.nn.Module
        The network, with the weights of the best epoch.
    box_shape_ : tuple of 3 int
        Number of voxels of the box along each axis of the mask.
    best_epoch_ : int
        Epoch whose weights were kept, counted from 1.
    n_epochs_ : int
        Number of epochs for which the network was trained.
    history_ : list of dict
        One dictionary per epoch, with these keys:

        - ``epoch``: number of the epoch, counted from 1;
        - ``train_loss``: squared error summed over the box, averaged over the training
          studies;
        - ``valid_loss``: the same, averaged over the validation studies;
        - ``monitor``: the same as ``valid_loss``, or as ``train_loss`` if there are no
          validation studies;
        - ``dur``: duration of the epoch in seconds.

        Without validation studies, ``valid_loss`` is missing.
    y_mean_ : ndarray of shape (n_components_,), float32
        Mean of the targets of the training studies.
    n_components_ : int
        Number of columns of y, that is, of voxels in the mask.
    n_features_in_ : int
        Number of features of X.

    See Also
    --------
    sklearn_neurocontext.KDEDiFuMoMasker.peaks_to_voxels : Compute y from peaks.
    sklearn_neurocontext.KDEDiFuMoMasker.voxels_to_coefficients : Convert predictions to
        coefficients.

    Notes
    -----
    There are three differences from the released code. First, the embeddings are
    computed in advance, so the language model is not trained together with the network,
    and no dropout is applied to embeddings. Second, the learning rate is constant.
    Third, the output initially has the mean and the standard deviation of the targets,
    instead of 0 and 1. Otherwise, the network would first learn to predict zero
    everywhere, and would need many more epochs.

    References
    ----------
    Ngo, Nguyen, Chen and Sabuncu, Text2Brain: Synthesis of Brain Activation Maps from
    Free-Form Text Query, MICCAI 2021.

    Examples
    --------
    >>> import nibabel as nib
    >>> import numpy as np
    >>> from sklearn_neurocontext.comparators import Text2Brain
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(40, 5)), rng.random(size=(40, 27))
    >>> mask_img = nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4))
    >>> small = {"n_channels": 4, "n_filters": 4, "max_epochs": 2, "random_state": 0}
    >>> model = Text2Brain(mask_img, **small).fit(X, y)
    >>> model.box_shape_, model.predict(X[:2]).shape
    ((16, 16, 16), (2, 27))
    """

    _y_name = "densities"
    _y_from_peaks = "KDEDiFuMoMasker(…).fit().peaks_to_voxels(peaks)"
    _parameter_constraints = {
        "mask_img": "no_validation",
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "n_filters": [Interval(Integral, 4, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "n_validation": [Interval(Integral, 0, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str],
        "verbose": ["boolean"],
    }

    def __init__(
        self,
        mask_img="mni",
        max_epochs=10,
        *,
        batch_size=16,
        lr=1e-3,
        random_state=None,
        n_channels=64,
        n_filters=32,
        dropout=0.55,
        weight_decay=1e-6,
        n_validation=1000,
        patience=5,
        device="cpu",
        verbose=False,
    ):
        self.mask_img = mask_img
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.n_channels = n_channels
        self.n_filters = n_filters
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.n_validation = n_validation
        self.patience = patience
        self.device = device
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_studies, n_features)
            Embeddings with standardized features, for example the output of a
            StandardScaler.
        y : array-like of shape (n_studies, n_voxels)
            Densities of the same studies in the same order, in any unit. The columns
            are the voxels of the mask, as in the output of
            `KDEDiFuMoMasker.peaks_to_voxels`.

        Returns
        -------
        self : Text2Brain
            The fitted estimator.

        Raises
        ------
        ValueError
            If the number of columns of y is not the number of voxels in the mask, or if
            the training loss becomes NaN or infinite.
        """
        from torch.optim import AdamW

        from ._text2brain_network import BoxError, box_error

        X, y = self._check_X_y(X, y, dtype=np.float32)
        self.box_shape_, order = place_in_box(self._load_mask(y))
        target = divide_by_largest(y)
        self.y_mean_ = target.mean(axis=0)
        self._fit_network(
            lambda: self._initial_network(order, target),
            X,
            target,
            criterion=BoxError,
            monitor=box_error,
            optimizer=AdamW,
            weight_decay=self.weight_decay,
            verbose=self.verbose,
        )
        return self

    def predict(self, X):
        """Predict the density of each text.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_features)
            Embeddings, as in `fit`.

        Returns
        -------
        densities : ndarray of shape (n_texts, n_voxels), float32
            Predicted densities at the voxels of the mask. Their scale is that of the
            training targets, which are densities divided by their maximum.

        Raises
        ------
        ValueError
            If `predict` is called by a regression scorer of scikit-learn, such as
            ``scoring="r2"``. It would compare the predictions with y, which has another
            scale.
        """
        metric = calling_regression_metric()
        if metric is not None:
            raise ValueError(
                f"{metric} needs predictions that have the scale of y; Text2Brain "
                "predicts densities that are divided by their maximum. Score with "
                "mix_match_scorer, which does not depend on the scale, or use "
                f"{metric}(y / y.max(axis=1, keepdims=True), model.predict(X))."
            )
        densities = self._predict_voxels(self._check_X(X))
        return densities[:, 0] if self._single_component else densities

    def similarity(self, X, y):
        """Compute the similarity of each text with each density.

        Each density in y is first divided by its maximum. The mean of the training
        targets is then subtracted from it and from the predicted density. The
        similarity is the cosine between the two results.

        Parameters
        ----------
        X : array-like of shape (n_texts, n_features)
            Embeddings, as in `fit`.
        y : array-like of shape (n_maps, n_voxels)
            Densities.

        Returns
        -------
        similarity : ndarray of shape (n_texts, n_maps), float32
            Cosines in [-1, 1].
        """
        return super().similarity(X, y)

    def _load_mask(self, y):
        """Return the mask as an array; check that y has one column per voxel in it."""
        is_default = isinstance(self.mask_img, str) and self.mask_img == "mni"
        mask_img = load_mask(self.mask_img, 4.0 if is_default else None)
        inside = np.asarray(mask_img.dataobj) > 0
        n_voxels = np.count_nonzero(inside)
        if y.shape[1] != n_voxels:
            raise ValueError(
                f"y must have one column per voxel of mask_img, which has {n_voxels} "
                f"voxels; got shape {y.shape}. Pass y={self._y_from_peaks} and the "
                "mask_img_ of this masker."
            )
        return inside

    def _standardize(self, y):
        return divide_by_largest(self._check_y(y)) - self.y_mean_

    def _predict_standardized(self, X):
        return self._predict_voxels(X) - self.y_mean_

    def _predict_voxels(self, X):
        return self._forward(self.module_.predict_voxels, X)

    def _initial_network(self, order, target):
        """Return a network whose output has the mean and the scale of the targets."""
        network = self._make_network(order, self.n_channels, self.n_filters)
        # In the part of the box outside the mask, the targets are zero.
        n_values = len(target) * len(order)
        mean, mean_square = target.sum() / n_values, (target**2).sum() / n_values
        network.set_output_scale(mean, np.sqrt(mean_square - mean**2))
        return network

    def _make_network(self, order, n_channels, n_filters):
        from ._text2brain_network import Text2BrainNetwork

        return Text2BrainNetwork(
            self.n_features_in_,
            self.n_components_,
            order,
            tuple(size // _ENLARGEMENT - 1 for size in self.box_shape_),
            n_channels,
            n_filters,
            self.dropout,
        )

    def _empty_network(self, attribute, weights):
        # The sizes are read from the weights, because the parameters may have been
        # changed after fitting.
        n_channels, n_filters = weights["upsample.0.0.weight"].shape[:2]
        order = np.arange(math.prod(self.box_shape_))
        return self._make_network(order, n_channels, n_filters)
