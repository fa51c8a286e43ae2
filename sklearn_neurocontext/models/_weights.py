"""Networks of a saved model, built again from their weights."""


def build_module(estimator, attribute: str, weights: dict):
    """Build the network that an estimator keeps in an attribute, with these weights.

    Parameters
    ----------
    estimator : ContrastiveTextBrain or MLPBaseline
        With its parameters and all fitted attributes that are not networks.
    attribute : {"module_", "decoder_"}
        Attribute of the network.
    weights : dict of str to ndarray
        Weights, by their names in the ``state_dict`` of the network.

    Returns
    -------
    module : torch.nn.Module
        Ready to predict, on the estimator's device.

    Raises
    ------
    ValueError
        If weights are missing, too many, or of other shapes than the estimator's.
    """
    import torch

    tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    try:
        # Uses no memory and no random numbers: shapes are compared, then taken over.
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
    """Return the network of an attribute, without values."""
    from ._modules import Decoder, Perceptron, TwoTowers

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
