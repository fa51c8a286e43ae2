"""Configuration of the documentation; `make docs` builds it in docs/_build/html."""

import os
import sys
import warnings
from pathlib import Path

# Set before anything imports torch, transformers or matplotlib.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import sklearn_neurocontext

project = "sklearn_neurocontext"
author = "The sklearn_neurocontext developers"
copyright = author
version = release = sklearn_neurocontext.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    # Those of docs/_ext.
    "api_links",
    "command_help",
    "docstrings",
    "front_page_maps",
    "mathml",
]
exclude_patterns = ["_build", "_ext", "_templates"]
templates_path = ["_templates"]

# Every reference must have a target, except those to other packages.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(sklearn|numpy|scipy|pandas|nilearn|nibabel|joblib|skorch|torch)\..*"),
]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

# Each subpackage lists its public names in `__all__`, private modules define them.
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
# Code in docstrings has single backticks.
default_role = "literal"
# Blocks of Markdown without a language are commands.
highlight_language = "text"
numpydoc_show_class_members = False
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"
html_theme_options = {
    "logo": {"text": project},
    "navbar_align": "left",
    "header_links_before_dropdown": 4,
    "show_prev_next": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "search_as_you_type": False,
}
# Pages without subpages need no list of subpages.
html_sidebars = {
    page: []
    for page in (
        "index",
        "results",
        "experiments",
        "glossary",
        "cite",
        "changes",
        "contributing",
    )
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("sklearn_neurocontext",),
    "reference_url": {"sklearn_neurocontext": None},
    "backreferences_dir": "api/examples",
    "inspect_global_variables": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "min_reported_time": 0,
    "abort_on_example_error": True,
    "plot_gallery": True,
}

# Figures are saved, not shown.
warnings.filterwarnings("ignore", "You are using the 'agg' matplotlib backend")
# Examples print warnings without the path of the machine that built the page.
warnings.formatwarning = lambda message, category, *_: (
    f"{category.__name__}: {message}\n"
)
