"""Public docstrings are complete, and the defaults they state are the real ones."""

import ast
import inspect
import re

import pytest
from numpydoc.docscrape import FunctionDoc
from numpydoc.validate import validate

import sklearn_neurocontext

CHECKS = {"GL08", "PR01", "PR02", "PR03", "PR04", "PR07", "RT01", "RT03", "SS05"}
PARTS = (
    "datasets",
    "experiments",
    "inference",
    "maskers",
    "metrics",
    "model_selection",
    "models",
    "persistence",
    "plotting",
    "text",
)


def _public_names():
    paths = (
        f"sklearn_neurocontext.{part}.{name}"
        for part in PARTS
        for name in getattr(sklearn_neurocontext, part).__all__
    )
    return [path for path in paths if _is_documented_apart(_load(path))]


def _is_documented_apart(value):
    """Tell classes and functions that have a signature; exceptions have none."""
    if inspect.isclass(value):
        return not issubclass(value, Exception)
    return inspect.isfunction(value)


def _load(path):
    part, name = path.split(".")[1:]
    return getattr(getattr(sklearn_neurocontext, part), name)


@pytest.mark.parametrize("path", _public_names())
def test_docstring_is_complete(path):
    errors = [error for error in validate(path)["errors"] if error[0] in CHECKS]
    assert not errors


@pytest.mark.parametrize("path", _public_names())
def test_documented_defaults_are_the_signatures(path):
    value = _load(path)
    signature = inspect.signature(value)
    for parameter in FunctionDoc(value)["Parameters"]:
        stated = re.search(r"default=(.+)$", parameter.type)
        if stated is None:
            continue
        real = signature.parameters[parameter.name].default
        try:
            expected = ast.literal_eval(stated.group(1))
        except (ValueError, SyntaxError):
            expected = stated.group(1)
            real = real if isinstance(real, str) else repr(real)
        assert real == expected, f"{path}: {parameter.name}"


@pytest.mark.parametrize("path", _public_names())
def test_every_default_is_documented(path):
    value = _load(path)
    documented = {p.name: p.type for p in FunctionDoc(value)["Parameters"]}
    for name, parameter in inspect.signature(value).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            assert "default=" in documented[name], f"{path}: {name}"
