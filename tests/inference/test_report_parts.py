"""Tables, metadata and viewers of reports."""

import numpy as np
import pandas as pd

from sklearn_neurocontext._utils.packages import library_versions
from sklearn_neurocontext._utils.pages import make_environment
from sklearn_neurocontext.inference._report_parts import (
    _flatten,
    _shorten,
    table,
)
from tests.inference.pages import HOSTILE


def _render_table(content):
    environment = make_environment("sklearn_neurocontext.inference")
    return environment.get_template("parts.html").module.table(content)


def test_table_omits_missing_values_and_empty_columns():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["<", None], "c": [None, None]})
    assert table(frame, {"a": "{:.2f}".format, "d": str}) == {
        "columns": [("a", True), ("b", False)],
        "rows": [["1.00", "<"], ["", ""]],
    }


def test_table_escapes_text_and_aligns_numbers():
    frame = pd.DataFrame({"long_<n>": ["a <b>"], "n": [0.123]})
    written = _render_table(table(frame, {"n": "{:.2f}".format}))
    assert '<td class="number">0.12</td>' in written
    assert "<td>a &lt;b&gt;</td>" in written
    assert '<th scope="col">long_<wbr>&lt;n&gt;</th>' in written


def test_first_cells_of_a_table_are_links():
    frame = pd.DataFrame({"title": ["a", "b"], "n": [1, 2]})
    written = _render_table(table(frame, {}, links=['https://x.org/"', ""]))
    assert '<td><a href="https://x.org/&#34;" target="_blank"' in written
    assert "<td>b</td>" in written


def test_metadata_is_flattened_to_paths():
    card = {"scores": {"dice": 0.123456789}, HOSTILE: [1, "b"], "runs": [{"n": 3}]}
    card["versions"] = library_versions()
    card |= {"step": 100000.5, "none": None, "empty": {"list": [], "text": ""}}
    known = dict(_flatten(_shorten({"model": card}, library_versions()), ()))
    assert known == {
        ("model", "scores", "dice"): "0.123456789",
        ("model", HOSTILE): "1, b",
        ("model", "runs", "1", "n"): "3",
        ("model", "versions"): "as above",
        ("model", "step"): "100000.5",
        ("model", "none"): "–",
        ("model", "empty", "list"): "–",
        ("model", "empty", "text"): "–",
    }
