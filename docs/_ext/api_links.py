"""Link the public names that pages print as code to the API reference."""

import importlib

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

import sklearn_neurocontext


def public_names():
    """Return the full name of each public name, by the forms in which pages print it.

    A page may print a name alone, after its subpackage, or in full.
    """
    full_names = {}
    for subpackage in sklearn_neurocontext._SUBPACKAGES:
        if subpackage == "cli":  # has a page of its own
            continue
        module = importlib.import_module(f"sklearn_neurocontext.{subpackage}")
        for name in module.__all__:
            full = f"{module.__name__}.{name}"
            for form in (name, f"{subpackage}.{name}", full):
                full_names[form] = full
        full_names[module.__name__] = module.__name__
    for name in sklearn_neurocontext.__all__:
        full_names[f"sklearn_neurocontext.{name}"] = full_names[name]
    return full_names


class LinkPublicNames(SphinxPostTransform):
    """Replace code that is a public name by a reference to its page."""

    default_priority = 5  # before Sphinx resolves references

    def run(self, **kwargs):
        """Transform one document."""
        full_names = public_names()
        for literal in list(self.document.findall(nodes.literal)):
            parents = (nodes.reference, addnodes.pending_xref, nodes.title)
            full = self._full_name(literal.astext().split("(")[0], full_names)
            if full is None or _is_inside(literal, parents):
                continue
            reference = addnodes.pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=full,
                refdoc=self.env.current_document.docname,
                refexplicit=True,
                refwarn=True,
            )
            literal.replace_self(reference)
            reference += literal

    def _full_name(self, code, full_names):
        """Return the full name of a public name or of a method, or None."""
        if code in full_names:
            return full_names[code]
        owner, _, method = code.rpartition(".")
        full = f"{full_names.get(owner)}.{method}"
        return full if full in self.env.domains.python_domain.objects else None


def _is_inside(node, kinds):
    while node is not None:
        if isinstance(node, kinds):
            return True
        node = node.parent
    return False


def _add_names_of_the_package(app, env):
    """Let references use the names that the package itself exports."""
    objects = env.domains.python_domain.objects
    full_names = public_names()
    short_names = {
        full_names[name]: f"sklearn_neurocontext.{name}"
        for name in sklearn_neurocontext.__all__
    }
    for full, entry in list(objects.items()):
        owner, _, method = full.rpartition(".")
        if full in short_names:
            objects[short_names[full]] = entry._replace(aliased=True)
        elif owner in short_names:
            objects[f"{short_names[owner]}.{method}"] = entry._replace(aliased=True)


def _add_them_to_the_search_index(app):
    """Write the same names to the search index, which sphinx-gallery reads for links.

    The index contains no aliases. References are resolved before this step, so that
    each name still has one target.
    """
    objects = app.env.domains.python_domain.objects
    for name in sklearn_neurocontext.__all__:
        full = f"sklearn_neurocontext.{name}"
        objects[full] = objects[full]._replace(aliased=False)
    return []


def setup(app):
    """Register the transform, and connect the functions to Sphinx's events."""
    app.add_post_transform(LinkPublicNames)
    app.connect("env-check-consistency", _add_names_of_the_package)
    app.connect("html-collect-pages", _add_them_to_the_search_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
