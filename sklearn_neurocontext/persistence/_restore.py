"""Give an estimator what it had learned, after comparing it with what it must be."""

import numpy as np

from ._values import Module

# Coefficients of the same masker on another machine differ in their last digits.
_TOLERANCE = 1e-4
# Kinds of arrays, as NumPy and as errors name them.
_FLOATS, _WHOLE = ("f", "floats"), ("i", "whole numbers")


def restore(kind, estimator, facts: dict) -> None:
    """Set the learned attributes of an estimator.

    Parameters
    ----------
    kind : Kind
        What the estimator's class learns.
    estimator : estimator
        With its parameters; changed in place.
    facts : dict
        Learned values by attribute; empty where it was not fitted.

    Raises
    ------
    ValueError
        If an attribute is missing, unknown, or of another type or shape.
    """
    if not facts:
        return
    if kind.refit is not None:
        _restore_by_fitting(kind, estimator, facts)
        return
    expected = kind.all_facts()
    unknown = sorted(set(facts) - set(expected))
    if unknown:
        raise ValueError(f"it has learned {', '.join(unknown)}, which is unknown")
    dimensions = {n: v for n, v in facts.items() if type(v) is int and v >= 0}
    for name, what in expected.items():
        _check_fact(name, facts.get(name), what, dimensions)
    nets = {n: v for n, v in facts.items() if isinstance(v, Module)}
    vars(estimator).update({n: v for n, v in facts.items() if n not in nets})
    for name, net in nets.items():
        from ..models._weights import build_module

        setattr(estimator, name, build_module(estimator, name, net.weights))
    if kind.check is not None:
        kind.check(estimator)


def _restore_by_fitting(kind, estimator, facts) -> None:
    kind.refit(estimator)
    found = kind.identify(estimator)
    if not same_identity(facts, found):
        differing = [name for name in found if facts.get(name) != found[name]]
        shown = ", ".join(
            f"{name} {str(found[name])[:70]} instead of {str(facts.get(name))[:70]}"
            for name in differing
        )
        raise ValueError(
            f"what is installed here is not what the model was trained with: {shown}. "
            "Install the same atlas and language model, or train the model again"
        )


def same_identity(one: dict, other: dict) -> bool:
    """Whether two identities are equal, lists of numbers but for rounding."""
    if set(one) != set(other):
        return False
    return all(_same_value(value, other[name]) for name, value in one.items())


def _same_value(one, other) -> bool:
    if not (isinstance(one, list) and isinstance(other, list)):
        return type(one) is type(other) and one == other
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max(initial=0) <= _TOLERANCE * np.abs(one).max())


def _check_fact(name, value, what, dimensions) -> None:
    """Compare a learned value with its description in `KINDS`."""
    if not isinstance(what, str):
        if not isinstance(value, what) or (what is int and isinstance(value, bool)):
            raise ValueError(f"{name} is {type(value).__name__}; expected {what}")
        return
    if value is None and what.endswith("?"):
        return
    what = what.removesuffix("?")
    if what == "net":
        if not isinstance(value, Module) and not hasattr(value, "get_params"):
            raise ValueError(f"{name} is no net")
        return
    kind, numbers = (
        ("i", "whole numbers") if what.startswith("int ") else ("f", "floats")
    )
    if not isinstance(value, np.ndarray) or value.dtype.kind != kind:
        raise ValueError(f"{name} is no array of {numbers}")
    words = what.removeprefix("int ").split()
    sizes = value.shape if value.ndim == len(words) else ()
    wanted = [dimensions.setdefault(w, n) for w, n in zip(words, sizes, strict=False)]
    if not words or list(sizes) != wanted:
        raise ValueError(
            f"{name} has shape {value.shape}; expected ({', '.join(words)}) with "
            f"{ {word: dimensions.get(word) for word in words} }"
        )
