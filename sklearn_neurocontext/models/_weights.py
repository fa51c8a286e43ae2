"""Conversion of fitted neural networks to arrays and back, without pickle."""


def read_weights(module) -> dict:
    """Read the weights of a torch module as NumPy arrays.

    Parameters
    ----------
    module : torch.nn.Module
        The module, on any device.

    Returns
    -------
    weights : dict of str to ndarray
        Copies of the weights. The keys are those of the ``state_dict`` of the module.

    See Also
    --------
    build_module : Build a neural network from these weights.

    Examples
    --------
    >>> from torch.nn import Linear
    >>> from sklearn_neurocontext.models import read_weights
    >>> {name: array.shape for name, array in read_weights(Linear(3, 2)).items()}
    {'weight': (2, 3), 'bias': (2,)}
    """
    return {
        name: weight.detach().cpu().numpy().copy()
        for name, weight in module.state_dict().items()
    }


def build_module(estimator, attribute: str, weights: dict):
    """Build a neural network of an estimator from saved weights.

    Parameters
    ----------
    estimator : ContrastiveTextBrain, MLPBaseline or Text2Brain
        Estimator with all parameters and all fitted attributes, except that attributes
        that contain neural networks may be missing.
    attribute : {"module_", "decoder_"}
        Attribute of the estimator that holds the network.
    weights : dict of str to ndarray
        Weights from `read_weights`.

    Returns
    -------
    module : torch.nn.Module
        The network in evaluation mode, on the estimator's device.

    Raises
    ------
    ValueError
        If weights are missing, have unexpected names or have wrong shapes, or if the
        device of the estimator is not available.

    See Also
    --------
    read_weights : Reads the weights of a module.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext import MLPBaseline
    >>> from sklearn_neurocontext.models import build_module, read_weights
    >>> X, y = np.eye(4), np.eye(4)
    >>> model = MLPBaseline(hidden_dim=8, max_epochs=1).fit(X, y)
    >>> module = build_module(model, "module_", read_weights(model.module_))
    >>> type(module).__name__
    'Perceptron'
    """
    import torch

    tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    try:
        # On torch's meta device, a module uses no memory and draws no random numbers.
        with torch.device("meta"):
            module = estimator._empty_network(attribute, weights)
        module.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        raise ValueError(
            f"The weights of {type(estimator).__name__}.{attribute} do not match the "
            f"dimensions of the estimator ({error}). The saved model was altered; save "
            "it again."
        ) from error
    try:
        return module.to(estimator.device).eval()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={estimator.device!r} is not available ({error}). Try "
            "load_model(directory, device='cpu')."
        ) from error
