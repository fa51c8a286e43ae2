"""Tables, metadata and viewers of reports."""

import re

import nibabel as nib
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader
from sklearn.utils import Bunch

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.packages import library_versions
from sklearn_neurocontext._utils.volumes import keep_strongest
from sklearn_neurocontext.inference._report import _draw_map
from sklearn_neurocontext.inference._report_parts import (
    _flatten,
    _shorten,
    table,
    viewer,
)
from tests.inference.pages import HOSTILE
from tests.text_model import make_parts


def _render_table(content):
    loader = PackageLoader("sklearn_neurocontext.inference")
    environment = Environment(loader=loader, autoescape=True)
    return environment.get_template("parts.html").module.table(content)


def test_viewer_and_pictures_show_the_same_voxels(monkeypatch):
    seen = {}

    def view_img(img, threshold, cut_coords, **_):
        seen["values"], seen["threshold"] = img.get_fdata(), threshold
        seen["start"] = cut_coords
        return Bunch(html="", height=300)

    monkeypatch.setattr("nilearn.plotting.view_img", view_img)
    model = NeuroContextModel(**make_parts())
    img = model("pain")["brain_map"]
    _draw_map(model, img, 0.1)
    kept = keep_strongest(img, 0.1, "map").get_fdata() > 0
    np.testing.assert_array_equal(seen["values"] > seen["threshold"], kept)
    # It starts at the strongest voxel.
    voxel = nib.affines.apply_affine(np.linalg.inv(img.affine), seen["start"])
    volume = img.get_fdata()
    assert volume[tuple(voxel.round().astype(int))] == volume[kept].max()


def test_viewer_displays_zero_without_decimal_point():
    img = NeuroContextModel(**make_parts())("pain")["brain_map"]
    document = viewer(keep_strongest(img, 0.1, ""))["document"]
    (function,) = re.findall(r"function displayFloat\(.*?\}", document)
    assert r'replace(/\.?0+$/,"")' in function


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
    assert "<th>long_<wbr>&lt;n&gt;</th>" in written


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
