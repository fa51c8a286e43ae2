"""Weights of nets as arrays by name, and back; no net is ever pickled."""

import torch

from ._modules import Decoder, Perceptron, TwoTowers


def read_weights(module) -> dict:
    """Read the weights of a net.

    Parameters
    ----------
    module : torch.nn.Module
        On any device.

    Returns
    -------
    weights : dict of str to ndarray
        Copies, by the names that torch gives them.
    """
    return {
        name: weight.detach().cpu().numpy().copy()
        for name, weight in module.state_dict().items()
    }


def build_module(estimator, attribute: str, weights: dict):
    """Build the net that an estimator keeps under a name, with these weights.

    Parameters
    ----------
    estimator : ContrastiveTextBrain or MLPBaseline
        With its parameters and all fitted attributes that are no nets.
    attribute : {"module_", "decoder_"}
        Where the estimator keeps the net.
    weights : dict of str to ndarray
        What `read_weights` gave.

    Returns
    -------
    module : torch.nn.Module
        Ready to predict, on the estimator's device.

    Raises
    ------
    ValueError
        If weights are missing, too many, or of other shapes than the estimator's.
    """
    tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    try:
        # Without memory and random numbers: shapes are compared, then taken over.
        with torch.device("meta"):
            module = _empty_module(estimator, attribute, weights)
        module.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise ValueError(
            f"The weights of {type(estimator).__name__}.{attribute} do not fit its "
            f"dimensions ({error}). The saved model was altered; save it again."
        ) from error
    try:
        return module.to(estimator.device).eval()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={estimator.device!r} is not usable here ({error}). Name another: "
            "load_model(directory, device='cpu')."
        ) from error


def _empty_module(estimator, attribute, weights):
    if attribute == "decoder_":
        return Decoder(
            estimator.latent_dim_, estimator.n_components_, estimator.dropout
        )
    if hasattr(estimator, "latent_dim_"):
        return TwoTowers(
            estimator.n_features_in_,
            estimator.n_components_,
            estimator.latent_dim_,
            estimator.dropout,
            estimator.temperature,
        )
    hidden_dim = len(weights.get("layers.0.bias", ()))
    return Perceptron(
        estimator.n_features_in_,
        estimator.n_components_,
        hidden_dim or estimator.hidden_dim,
        estimator.dropout,
    )
