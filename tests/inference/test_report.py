"""The page about a text: what it should hold, nothing foreign, nothing outside."""

import html
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import Bunch

from sklearn_neurocontext import NeuroContextModel, TextBrainEnsemble
from sklearn_neurocontext.inference import Report, make_report
from sklearn_neurocontext.inference._report_text import density_unit
from tests.inference.pages import HOSTILE, facts, parse
from tests.text_model import make_corpus, make_parts

REPORT = "sklearn_neurocontext.inference._report"


def test_texts_and_titles_are_escaped(report):
    page = parse(report.html)
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags  # those of the viewer are inside the frame
    assert tags.count("iframe") == 1
    assert tags.count("img") == 2
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "".join(page.words).count(HOSTILE) >= 1 + 5  # the text, and the studies
    assert HOSTILE not in page.frames[0]


def test_the_page_says_what_it_should(report):
    words = " ".join(parse(report.html).words)
    for heading in (
        "Predicted map",
        "Terms with similar maps",
        "Studies with",
        "Where",
    ):
        assert heading in words
    known = facts(parse(report.html))
    assert next(iter(known)) == "made"
    assert known["versions › sklearn_neurocontext"]
    assert known["model › note"] == "</td><script>document.title='owned'</script>"


def test_matching_studies_stand_beside_all_others(report):
    words = " ".join(parse(report.html).words)
    model = NeuroContextModel(**make_parts()).index_corpus(make_corpus())
    scores = model.similar_documents(HOSTILE, k=150)["similarity"]
    median, high = np.quantile(scores, (0.5, 0.95))
    assert f"150 studies of the corpus, whose median is {median:.2f};" in words
    assert f"one in twenty reaches {high:.2f}" in words


def test_a_text_that_says_nothing_is_told_on_page_and_glass_brain(monkeypatch):
    figures = []

    def keep(figure, words):
        figures.append(figure)
        return ""

    monkeypatch.setattr(REPORT + "_text.picture", keep)
    monkeypatch.setattr(REPORT + "_text.viewer", lambda img: "")
    monkeypatch.setattr(
        REPORT + "_text.plot_surface_maps",
        lambda *_, **__: None,
    )
    quiet = make_report(NeuroContextModel(**make_parts()), "pain").html
    assert 'class="caveat"' not in quiet
    model = NeuroContextModel(**make_parts(), z_threshold=1e6)
    with pytest.warns(UserWarning, match="stands out"):
        page = make_report(model, "pain").html
        note = model.caveat(model("pain")["z_map"])
    assert f'<p class="caveat">{note}</p>' in page
    plain, _, noted, _ = (figure and figure.texts for figure in figures)
    words = [" ".join(text.get_text().split()) for text in noted]
    assert note in words
    assert len(noted) == len(plain) + 1


def test_nothing_outside_is_named(report):
    page = parse(report.html)
    for tag, attrs in [*page.tags, *parse(page.frames[0]).tags]:
        for name in ("src", "href", "action", "data"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, name)
    assert not re.search(r"url\(\s*['\"]?https?:", html.unescape(report.html))
    policy = next(attrs for tag, attrs in page.tags if attrs.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")


def test_it_is_saved_and_shown(report, tmp_path):
    path = report.save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == report.html
    frame = parse(Report("<p>&amp;</p>")._repr_html_())
    assert frame.frames == ["<p>&amp;</p>"]


def test_without_corpus_or_terms_there_are_fewer_sections(monkeypatch):
    # Pictures take most of the time and are the same.
    monkeypatch.setattr(REPORT + "_text.map_sections", lambda *_, **__: [])
    parts = make_parts()
    model = NeuroContextModel(parts["model"], parts["masker"])
    words = " ".join(parse(make_report(model, "pain").html).words)
    assert "Terms with" not in words
    assert "Studies with" not in words


@pytest.mark.parametrize("top", [2, 0, "a"])
def test_a_top_out_of_range_is_named(top):
    model = NeuroContextModel(**make_parts())
    with pytest.raises(ValueError, match=re.escape(f"in (0, 1]; got {top!r}")):
        make_report(model, "pain", top=top)


def test_an_ensemble_has_its_page(monkeypatch):
    monkeypatch.setattr(REPORT + "_text.map_sections", lambda *_, **__: [])
    parts = make_parts()
    corpus = make_corpus()
    y = parts["masker"].transform(corpus.peaks)
    member = clone(parts["model"]).set_params(ccabaseline__y_scaling=None)
    ensemble = TextBrainEnsemble([("words", member)], random_state=0)
    ensemble.fit(corpus.studies["title"].tolist(), y)
    settings = {"model": ensemble, "term_features": None}
    model = NeuroContextModel(**parts | settings)
    assert density_unit(model) == "density of peaks"
    assert "heat" in make_report(model, "pain heat").html


def test_what_is_no_result_is_refused():
    with pytest.raises(TypeError, match="results is a list; expected a text, a c"):
        make_report(None, ["pain", "faces"])
    corpus = make_corpus()
    one = Bunch(studies=corpus.studies.iloc[:1], peaks=corpus.peaks[:1])
    with pytest.raises(ValueError, match="compares at least two"):
        make_report(NeuroContextModel(**make_parts()), one)
