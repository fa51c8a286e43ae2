"""Select the terms of a model that belong to a list of the package."""

from functools import cache
from importlib.resources import files

TERM_LISTS = ("terms", "methods", "all_terms")


def select_terms(terms, name) -> list:
    """Return the indices of those terms of a model that belong to a list.

    `name` is ``"terms"`` (terms of neuroscience), ``"methods"`` (terms of methods) or
    ``"all_terms"``. `terms` are in lower case and in American spelling.
    """
    if name == "all_terms":
        return list(range(len(terms)))
    listed = _read_list(name)
    kept = [index for index, term in enumerate(terms) if term in listed]
    if not kept:
        raise ValueError(
            f"None of the {len(terms):,} terms of the model is in the list {name!r} of "
            "the package. To rank all terms, pass candidates='all_terms'."
        )
    return kept


@cache
def _read_list(name) -> frozenset:
    """Return the terms of a list of the package."""
    path = files(__package__) / "data" / "terms" / f"{name}.txt"
    return frozenset(path.read_text(encoding="utf-8").splitlines())
