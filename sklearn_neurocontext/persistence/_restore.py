"""Give an estimator what it had learned, after comparing it with what it must be."""

from contextlib import nullcontext

import numpy as np
from scipy.sparse import issparse

from ._local import only_local
from ._values import Module

# Coefficients of the same masker on another machine differ in their last digits.
_TOLERANCE = 1e-4


def restore(kind, estimator, facts: dict, *, allow_download: bool) -> None:
    """Set the learned attributes of an estimator.

    Parameters
    ----------
    kind : Kind
        What the estimator's class learns.
    estimator : estimator
        With its parameters; changed in place.
    facts : dict
        Learned values by attribute; empty where it was not fitted.
    allow_download : bool
        Whether language models and atlases may be fetched.

    Raises
    ------
    ValueError
        If an attribute is missing, unknown, or of another type or shape.
    OSError
        If a language model or an atlas is not on this machine.
    """
    if not facts:
        return
    if kind.refit is not None:
        with nullcontext() if allow_download else only_local(estimator):
            _restore_by_fitting(kind, estimator, facts)
        return
    expected = kind.all_facts()
    unknown = sorted(set(facts) - set(expected))
    if unknown:
        raise ValueError(f"it has learned {', '.join(unknown)}, which is unknown")
    dimensions = {n: v for n, v in facts.items() if type(v) is int and v >= 0}
    for name, what in expected.items():
        if name in facts or not _may_be_left_out(what):
            _check_fact(name, facts.get(name), what, dimensions)
    _check_common(facts)
    nets = {n: v for n, v in facts.items() if isinstance(v, Module)}
    vars(estimator).update({n: v for n, v in facts.items() if n not in nets})
    for name, net in nets.items():
        from ..models import build_module

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


def _check_common(facts) -> None:
    """Check what scikit-learn's own code keeps in any estimator."""
    n_features = facts.get("n_features_in_", 0)
    if n_features < 0:
        raise ValueError(f"n_features_in_ is {n_features}")
    names = facts.get("feature_names_in_")
    if names is not None and (names.dtype != object or len(names) != n_features):
        raise ValueError(f"feature_names_in_ are not {n_features} strings")
    config = facts.get("_sklearn_output_config", {})
    containers = ("default", "pandas", "polars")
    if set(config) - {"transform"} or set(config.values()) - {*containers, None}:
        raise ValueError(
            f"_sklearn_output_config is {config}; expected a transform among "
            f"{', '.join(containers)}"
        )


def _may_be_left_out(what) -> bool:
    return not isinstance(what, str) and isinstance(None, what)


def _check_fact(name, value, what, dimensions) -> None:
    """Compare a learned value with its description in `KINDS`."""
    if not isinstance(what, str):
        wrong = value is None or (what is not bool and isinstance(value, bool))
        if wrong or not isinstance(value, what):
            raise ValueError(f"{name} is {type(value).__name__}; expected {what}")
        return
    if value is None and what.endswith("?"):
        return
    what = what.removesuffix("?")
    if what == "net":
        if not isinstance(value, Module) and not hasattr(value, "get_params"):
            raise ValueError(f"{name} is no net")
        return
    words = what.split()
    first = words[0] if words[0] in ("int", "sparse") else ""
    words = words[1:] if first else words
    numbers = "whole numbers" if first == "int" else "floats"
    is_array = isinstance(value, np.ndarray) or (first == "sparse" and issparse(value))
    if not is_array or value.dtype.kind != ("i" if first == "int" else "f"):
        raise ValueError(f"{name} is no array of {numbers}")
    unknown = [w for w in words if w.endswith("_") and w not in dimensions]
    if unknown:
        raise ValueError(f"it lacks {unknown[0]}, a length of {name}")
    sizes = value.shape if value.ndim == len(words) else ()
    wanted = [dimensions.setdefault(w, n) for w, n in zip(words, sizes, strict=False)]
    if not words or list(sizes) != wanted:
        raise ValueError(
            f"{name} has shape {value.shape}; expected ({', '.join(words)}) with "
            f"{ {word: dimensions.get(word) for word in words} }"
        )
