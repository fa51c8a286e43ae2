"""Public docstrings are complete, and the defaults they state are the real ones."""

import ast
import inspect
import re

import pytest
from numpydoc.docscrape import FunctionDoc
from numpydoc.validate import validate

import sklearn_neurocontext

CHECKS = {
    "GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL10", "PR01", "PR02",
    "PR03", "PR04", "PR07", "PR10", "RT01", "RT03", "SS01", "SS02", "SS03",
    "SS04", "SS05", "YD01",
}  # fmt: skip
SUBPACKAGES = [name for name in sklearn_neurocontext._SUBPACKAGES if name != "cli"]
# What the summary of a function or method may begin with.
VERBS = {
    "Average", "Build", "Check", "Choose", "Close", "Compare", "Compute", "Convert",
    "Copy", "Count", "Create", "Decode", "Describe", "Download", "Draw", "Embed",
    "Find", "Fit", "Format", "Generate", "Get", "Highlight", "Index", "List",
    "Load", "Make", "Mark", "Merge", "Normalize", "Plot", "Predict", "Project",
    "Rank", "Read", "Remove", "Return", "Run", "Save", "Score", "Select", "Set",
    "Solve", "Split", "Store", "Stream", "Strip", "Train", "Transform", "Write",
}  # fmt: skip


def _public_objects():
    """Return exported classes and functions, and methods defined in the package."""
    for subpackage in SUBPACKAGES:
        module = getattr(sklearn_neurocontext, subpackage)
        for name in module.__all__:
            value = getattr(module, name)
            path = f"sklearn_neurocontext.{subpackage}.{name}"
            if inspect.isfunction(value):
                yield path, value
            elif inspect.isclass(value) and not issubclass(value, Exception):
                yield path, value
                yield from _public_methods(path, value)


def _public_methods(path, cls):
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        method = getattr(method, "fn", method)  # scikit-learn's available_if
        method = getattr(method, "__func__", method)
        own = str(getattr(method, "__module__", "")).startswith("sklearn_neurocontext")
        if not name.startswith("_") and inspect.isfunction(method) and own:
            yield f"{path}.{name}", method


PUBLIC = dict(_public_objects())
FUNCTIONS = [path for path, value in PUBLIC.items() if inspect.isfunction(value)]


@pytest.mark.parametrize("path", PUBLIC)
def test_docstring_is_complete(path):
    errors = [error for error in validate(path)["errors"] if error[0] in CHECKS]
    assert not errors


@pytest.mark.parametrize("path", FUNCTIONS)
def test_summary_begins_with_a_verb_of_the_list(path):
    summary = inspect.getdoc(PUBLIC[path])
    assert re.match(r"[A-Za-z&]+", summary)[0] in VERBS, summary.splitlines()[0]


@pytest.mark.parametrize("path", PUBLIC)
def test_documented_defaults_are_the_signatures(path):
    value = PUBLIC[path]
    parameters = inspect.signature(value).parameters
    for documented in FunctionDoc(value)["Parameters"]:
        stated = re.search(r"default=(.+)$", documented.type)
        if stated is None:
            continue
        real = parameters[documented.name].default
        try:
            expected = ast.literal_eval(stated.group(1))
        except (ValueError, SyntaxError):
            expected = stated.group(1)
            real = real if isinstance(real, str) else repr(real)
        assert real == expected, f"{path}: {documented.name}"


@pytest.mark.parametrize("path", PUBLIC)
def test_every_default_is_documented(path):
    value = PUBLIC[path]
    documented = {p.name: p.type for p in FunctionDoc(value)["Parameters"]}
    for name, parameter in inspect.signature(value).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            assert "default=" in documented[name], f"{path}: {name}"
