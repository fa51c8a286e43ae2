"""Parts of pages: tables, facts, the viewer, units."""

import re

import nibabel as nib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import Bunch

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.versions import library_versions
from sklearn_neurocontext._utils.volumes import keep_strongest
from sklearn_neurocontext.inference._report_page import page, provenance, table, viewer
from sklearn_neurocontext.inference._report_text import density_unit, map_sections
from tests.inference.pages import HOSTILE, facts, parse
from tests.text_model import make_corpus, make_parts


def test_the_viewer_shows_what_the_pictures_show(monkeypatch):
    seen = {}

    def view_img(img, threshold, cut_coords, **_):
        seen["values"], seen["threshold"] = img.get_fdata(), threshold
        seen["start"] = cut_coords
        return Bunch(html="", height=300)

    monkeypatch.setattr("nilearn.plotting.view_img", view_img)
    model = NeuroContextModel(**make_parts())
    img = model("pain")["brain_map"]
    map_sections(model, img, 0.1)
    kept = keep_strongest(img, 0.1, "map").get_fdata() > 0
    np.testing.assert_array_equal(seen["values"] > seen["threshold"], kept)
    # It starts where the map is strongest.
    voxel = nib.affines.apply_affine(np.linalg.inv(img.affine), seen["start"])
    volume = img.get_fdata()
    assert volume[tuple(voxel.round().astype(int))] == volume[kept].max()


def test_the_viewer_writes_zero_whole():
    img = keep_strongest(
        NeuroContextModel(**make_parts())("pain")["brain_map"], 0.1, ""
    )
    frame = parse(viewer(img)).frames[0]
    (function,) = re.findall(r"function displayFloat\(.*?\}", frame)
    assert r'replace(/\.?0+$/,"")' in function


def test_units_are_those_of_the_model():
    parts = make_parts()
    model = NeuroContextModel(**parts)
    assert density_unit(model) == "peak density (a.u.)"
    plain = clone(parts["model"]).set_params(ccabaseline__y_scaling=None)
    corpus = make_corpus()
    y = parts["masker"].transform(corpus.peaks)
    plain.fit(corpus.studies["title"].tolist(), y)
    model = NeuroContextModel(plain, parts["masker"])
    assert density_unit(model) == "density of peaks"


def test_missing_values_stay_empty():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["<", None], "c": [None, None]})
    assert re.findall(
        "<t[dh].*?>(.*?)</t[dh]>", table(frame, {"a": "{:.2f}".format})
    ) == [
        "a",
        "b",
        "1.00",
        "&lt;",
        "",
        "",
    ]


def test_numbers_are_set_apart_and_headings_may_break():
    frame = pd.DataFrame({"long_name": ["a b"], "<n>": [0.123]})
    written = table(frame, {"<n>": "{:.2f}".format})
    assert '<td class="number">0.12</td>' in written
    assert "<td>a b</td>" in written
    assert "<th>long_<wbr>name</th>" in written
    assert "&lt;n&gt;" in written


def test_facts_are_rows_named_by_their_paths():
    card = {"scores": {"dice": 0.123456789}, HOSTILE: [1, "b"], "runs": [{"n": 3}]}
    card["versions"] = library_versions()
    card |= {"step": 100000.5, "none": None, "empty": {"list": [], "text": ""}}
    written = provenance(model=card)
    known = facts(parse(page("title", [("Where this comes from", written)])))
    assert known["model › scores › dice"] == "0.123456789"
    assert known["model › step"] == "100000.5"
    for name in ("none", "empty › list", "empty › text"):
        assert known[f"model › {name}"] == "–"
    assert known[f"model › {HOSTILE}"] == "1, b"
    assert known["model › runs › 1 › n"] == "3"
    assert known["model › versions"] == "as above"
    assert "{" not in written
    assert "script" not in [tag for tag, _ in parse(written).tags]
