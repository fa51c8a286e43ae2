"""The members of an ensemble: checks before any is fitted, and what they have alike."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import InputTags, get_tags

from .._utils.estimators import innermost_model


def check_members(estimators: list) -> list[str]:
    """Check that each member has a name and a similarity.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Models, or Pipelines and searches that hold one; not fitted yet.

    Returns
    -------
    names : list of str
        Those of the members.

    Raises
    ------
    ValueError
        If there is none.
    TypeError
        If an entry is no pair of a name and an estimator, or that holds no model.
    """
    if not estimators:
        raise ValueError("TextBrainEnsemble got no estimator; expected some.")
    for place, entry in enumerate(estimators):
        if not _is_named(entry):
            raise TypeError(
                f"estimators[{place}] is {_kind(entry)}; expected a pair of a name and "
                "an estimator, such as ('words', KernelCCA())."
            )
        _check_model(*entry)
    return [name for name, _ in estimators]


def _is_named(entry):
    return (
        isinstance(entry, tuple | list)
        and len(entry) == 2
        and isinstance(entry[0], str)
    )


def _kind(value):
    return repr(value) if isinstance(value, str | None) else type(value).__name__


def _check_model(name, estimator):
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(
            f"Member {name!r} is {_kind(estimator)}; expected an estimator. To do "
            "without a member, take it off the list."
        )
    model = innermost_model(estimator)
    if not hasattr(model, "similarity"):
        raise TypeError(
            f"Member {name!r} is or ends in {_kind(model)}, which has no method "
            "similarity. Expected a model such as KernelCCA or RidgeBaseline, a "
            "Pipeline that ends in one, or a search over one that refits it."
        )


def check_weights(weights, n_members: int) -> np.ndarray:
    """Check the weights of members.

    Parameters
    ----------
    weights : array-like of shape (n_members,) or None
        None weighs all alike.
    n_members : int
        Number of members.

    Returns
    -------
    weights : ndarray of shape (n_members,), float64
        The same, ones for None.

    Raises
    ------
    ValueError
        If they are not one number per member, finite, none negative, not all 0.

    Examples
    --------
    >>> from sklearn_neurocontext.models._members import check_weights
    >>> check_weights([2, 1], 2)
    array([2., 1.])
    """
    if weights is None:
        return np.ones(n_members)
    try:
        array = np.asarray(weights)
    except ValueError:  # rows of several lengths
        array = np.asarray(None)
    if array.dtype.kind in "biuf" and array.shape == (n_members,):
        array = array.astype(np.float64)
        if np.isfinite(array).all() and (array >= 0).all() and array.any():
            return array
    raise ValueError(
        f"weights is {weights!r} for {n_members} estimators; expected one finite "
        "number for each, none negative and not all 0, or None."
    )


def input_tags_of(estimators: list) -> InputTags:
    """Say what the first member takes, which is what all have to take.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Members, which nobody has checked yet.

    Returns
    -------
    tags : InputTags
        Those of the first member; scikit-learn's defaults where there is none.
    """
    try:
        _, member = estimators[0]
        tags, first = get_tags(member).input_tags, get_tags(_first_step(member))
    except (TypeError, ValueError, IndexError, AttributeError):
        return InputTags()  # fit says what is wrong with the list
    # Of Pipelines and searches scikit-learn passes on the other tags alone.
    tags.string = first.input_tags.string
    tags.two_d_array = first.input_tags.two_d_array
    return tags


def _first_step(estimator):
    """Give what sees X first in Pipelines and searches."""
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps]
        seeing = [step for step in steps if step not in (None, "passthrough")]
        return _first_step(seeing[0])
    if hasattr(estimator, "refit") and hasattr(estimator, "estimator"):
        return _first_step(estimator.estimator)
    return estimator
