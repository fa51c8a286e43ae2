"""Adapt what autodoc reads to the conventions of the package."""

import inspect
import re
from pathlib import Path

import sklearn_neurocontext

# Public constants get the comment above their definition in place of the docstring of
# their type.
_COMMENT = r"((?:^# .*\n)+)^{name} = "
# In reStructuredText, a name with a final underscore would be a link: (n, n_elements_).
_FITTED_ATTRIBUTE = re.compile(r'(?<![`\w])([A-Za-z]\w*)_(?=[,)"])')


def _skip_members_of_other_packages(app, what, name, obj, skip, options):
    """Skip the methods that a class inherits from scikit-learn."""
    if what not in ("class", "exception"):
        return None
    obj = getattr(obj, "fn", obj)  # scikit-learn's available_if
    obj = getattr(obj, "fget", obj)
    module = str(getattr(inspect.unwrap(obj), "__module__", ""))
    return None if module.startswith(sklearn_neurocontext.__name__) else True


def _comment_of_constant(full_name):
    """Return the comment above the definition of a constant, or an empty list."""
    *package, name = full_name.split(".")[1:]
    folder = Path(sklearn_neurocontext.__file__).parent.joinpath(*package)
    for path in sorted(folder.glob("_*.py")):
        text = path.read_text(encoding="utf-8")
        found = re.search(_COMMENT.format(name=name), text, re.MULTILINE)
        if found:
            return [line[2:] for line in found[1].splitlines()]
    return []


def _adapt_docstring(app, what, name, obj, options, lines):
    """Change the lines of a docstring in place."""
    is_instance_of_package = type(obj).__module__.startswith("sklearn_neurocontext")
    if what == "data" and not is_instance_of_package:
        lines[:] = _comment_of_constant(name)
    lines[:] = [
        line
        if line.lstrip().startswith((">>>", "..."))
        else _FITTED_ATTRIBUTE.sub(r"\1\\_", line)
        for line in lines
    ]


def setup(app):
    """Connect the functions to Sphinx's events."""
    app.connect("autodoc-skip-member", _skip_members_of_other_packages)
    # After numpydoc, whose priority is 500.
    app.connect("autodoc-process-docstring", _adapt_docstring, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
