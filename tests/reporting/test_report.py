"""The page holds what it should, asks for nothing outside, and runs nothing foreign."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils import Bunch
from text_model import make_corpus, make_parts

from sklearn_neurocontext import (
    CCABaseline,
    NeuroContextModel,
    RidgeBaseline,
    TextBrainEnsemble,
    paper_splits,
)
from sklearn_neurocontext.evaluation import run_benchmark
from sklearn_neurocontext.plotting._glass_brain import keep_strongest
from sklearn_neurocontext.reporting import Report, make_report
from sklearn_neurocontext.reporting._page import table
from sklearn_neurocontext.reporting._text import density_unit, map_sections

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> & pain"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class _Elements(HTMLParser):
    """Gathers start tags, and the documents inside frames."""

    def __init__(self):
        super().__init__()
        self.tags, self.frames, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "iframe":
            self.frames.append(dict(attrs)["srcdoc"])

    def handle_data(self, data):
        self.words.append(data)


def _parse(text):
    parser = _Elements()
    parser.feed(text)
    parser.close()
    return parser


@pytest.fixture(scope="module")
def report():
    """A report on a hostile text, with a hostile title among the studies."""
    corpus = make_corpus()
    hostile = corpus.studies.assign(title=HOSTILE)
    corpus = Bunch(**{**corpus, "studies": hostile})
    model = NeuroContextModel(**make_parts()).index_corpus(corpus)
    model.card = {"note": "</pre><script>document.title='owned'</script>"}
    return make_report(model, HOSTILE, k=5)


def test_texts_and_titles_are_escaped(report):
    page = _parse(report.html)
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags  # those of the viewer are inside the frame
    assert tags.count("iframe") == 1
    assert tags.count("img") == 2
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "".join(page.words).count(HOSTILE) >= 1 + 5  # the text, and the studies
    assert HOSTILE not in page.frames[0]


def test_the_page_says_what_it_should(report):
    words = " ".join(_parse(report.html).words)
    for heading in (
        "Predicted map",
        "Terms with similar maps",
        "Studies with",
        "Where",
    ):
        assert heading in words
    facts = json.loads(re.search(r"\{\s*\"made\".*\}", words, re.DOTALL)[0])
    assert facts["versions"]["sklearn_neurocontext"]
    assert facts["model"]["note"].startswith("</pre>")


def test_nothing_outside_is_named(report):
    page = _parse(report.html)
    for tag, attrs in [*page.tags, *_parse(page.frames[0]).tags]:
        for name in ("src", "href", "action", "data"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, name)
    assert not re.search(r"url\(\s*['\"]?https?:", html.unescape(report.html))
    policy = next(attrs for tag, attrs in page.tags if attrs.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")


def test_it_is_saved_and_shown(report, tmp_path):
    path = report.save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == report.html
    frame = _parse(Report("<p>&amp;</p>")._repr_html_())
    assert frame.frames == ["<p>&amp;</p>"]


def test_without_corpus_or_terms_there_are_fewer_sections(monkeypatch):
    # Pictures take most of the time and are the same.
    monkeypatch.setattr(
        "sklearn_neurocontext.reporting._text.map_sections", lambda *_, **__: []
    )
    parts = make_parts()
    model = NeuroContextModel(parts["model"], parts["masker"])
    words = " ".join(_parse(make_report(model, "pain").html).words)
    assert "Terms with" not in words
    assert "Studies with" not in words


@pytest.fixture(scope="module")
def corpus_report():
    """A report on a corpus all of whose titles are hostile, each its own way."""
    corpus = make_corpus()
    titles = [f"{HOSTILE} {n}" for n in range(len(corpus.peaks))]
    corpus = {**corpus, "studies": corpus.studies.assign(title=titles)}
    corpus["description"] = HOSTILE
    return make_report(NeuroContextModel(**make_parts()), Bunch(**corpus), k=4)


def test_a_corpus_is_scored_beside_chance(corpus_report):
    words = " ".join(_parse(corpus_report.html).words)
    assert "150 candidates" in words
    assert "recall@10" in words
    assert f"{10 / 150:.1%}" in words
    assert "150 studies with" in words
    for heading in ("Studies found best", "Studies found worst", "Mean map of the"):
        assert heading in words


def test_ranks_of_a_corpus_are_those_of_the_similarity(monkeypatch):
    from sklearn_neurocontext.metrics import similarity
    from sklearn_neurocontext.reporting._corpus import corpus_sections

    monkeypatch.setattr(
        "sklearn_neurocontext.reporting._corpus.map_sections", lambda *_, **__: []
    )
    corpus, parts = make_corpus(), make_parts()
    sections = dict(corpus_sections(NeuroContextModel(**parts), corpus, 150, 0.1))
    y = parts["masker"].transform(corpus.peaks)
    matrix = similarity(parts["model"], corpus.studies["title"].tolist(), y)
    own = np.diag(matrix)[:, None]
    ranks = 1 + (matrix > own).sum(axis=1) + ((matrix == own).sum(axis=1) - 1) / 2
    expected = dict(zip(corpus.studies["study_id"], ranks, strict=True))
    for heading, sign in (("Studies found best", 1), ("Studies found worst", -1)):
        cells = re.findall(r"<td>(.*?)</td>", sections[heading])
        found = dict(zip(cells[::3], map(float, cells[2::3]), strict=True))
        assert found == expected
        assert (np.diff([sign * rank for rank in found.values()]) >= 0).all()


@pytest.fixture(scope="module")
def benchmark_report():
    """A report on two estimators, one of them with a hostile name."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 4))
    y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(160, 6))
    result = run_benchmark(
        {"ridge": RidgeBaseline(), HOSTILE: CCABaseline()},
        X,
        y,
        paper_splits(160, n_splits=3, n_test=40, n_development=20),
        ks=(10,),
        settings={"corpus": HOSTILE},
    )
    return result, make_report(None, result)


def test_a_benchmark_has_its_numbers(benchmark_report):
    result, report = benchmark_report
    words = " ".join(_parse(report.html).words)
    summary = result.summary().set_index(["estimator", "metric"])
    one = summary.loc[("ridge", "recall_at_10")]
    assert f"{100 * one['mean']:.1f} ± {100 * one['sd']:.1f}" in words
    assert "25.0" in words  # chance: 10 of 40
    assert "over 3 splits, in percent; on average 40 candidates" in words
    low = result.differences().iloc[0]["low"]
    assert f"{100 * low:+.1f}" in words
    facts = json.loads(re.search(r"\{\s*\"made\".*\}", words, re.DOTALL)[0])
    assert facts["runs"][0]["settings"] == {"corpus": HOSTILE}


@pytest.mark.parametrize("which", ["corpus_report", "benchmark_report"])
def test_other_reports_are_escaped_and_self_contained(which, request):
    report = request.getfixturevalue(which)
    report = report[1] if isinstance(report, tuple) else report
    page = _parse(report.html)
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert HOSTILE in " ".join(page.words)
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, name)


@pytest.mark.parametrize("top", [2, 0, "a"])
def test_a_top_out_of_range_is_named(top):
    model = NeuroContextModel(**make_parts())
    with pytest.raises(ValueError, match=re.escape(f"in (0, 1]; got {top!r}")):
        make_report(model, "pain", top=top)


def test_the_viewer_shows_what_the_pictures_show(monkeypatch):
    seen = {}

    def view_img(img, threshold, **_):
        seen["values"], seen["threshold"] = img.get_fdata(), threshold
        return Bunch(html="")

    monkeypatch.setattr("nilearn.plotting.view_img", view_img)
    model = NeuroContextModel(**make_parts())
    img = model("pain")["brain_map"]
    map_sections(model, img, 0.1)
    kept = keep_strongest(img, 0.1, "map").get_fdata() > 0
    np.testing.assert_array_equal(seen["values"] > seen["threshold"], kept)


def test_units_are_those_of_the_model():
    parts = make_parts()
    model = NeuroContextModel(**parts)
    assert density_unit(model) == "unit-norm density"
    plain = clone(parts["model"]).set_params(ccabaseline__y_scaling=None)
    corpus = make_corpus()
    y = parts["masker"].transform(corpus.peaks)
    plain.fit(corpus.studies["title"].tolist(), y)
    model = NeuroContextModel(plain, parts["masker"])
    assert density_unit(model) == "density of peaks"


def test_an_ensemble_has_its_page(monkeypatch):
    monkeypatch.setattr(
        "sklearn_neurocontext.reporting._text.map_sections", lambda *_, **__: []
    )
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


def test_missing_values_stay_empty():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["<", None], "c": [None, None]})
    assert re.findall("<t[dh]>(.*?)</t[dh]>", table(frame, {"a": "{:.2f}".format})) == [
        "a",
        "b",
        "1.00",
        "&lt;",
        "",
        "",
    ]


def test_what_is_no_result_is_refused():
    with pytest.raises(TypeError, match="results is a list; expected a text, a c"):
        make_report(None, ["pain", "faces"])
    corpus = make_corpus()
    one = Bunch(studies=corpus.studies.iloc[:1], peaks=corpus.peaks[:1])
    with pytest.raises(ValueError, match="compares at least two"):
        make_report(NeuroContextModel(**make_parts()), one)


def _open(path, profile):
    """Open a page in Chromium; give what its console says, and the document."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--log-level=0"]
    command += [f"--user-data-dir={profile}", "--enable-logging=stderr"]
    command += ["--virtual-time-budget=8000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return [ln for ln in done.stderr.splitlines() if "CONSOLE" in ln], done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_it_opens_in_a_browser_without_errors(report, tmp_path):
    spoiled = tmp_path / "spoiled.html"
    spoiled.write_text(report.html.replace("</body>", "<script>none()</script></body>"))
    console, _ = _open(spoiled, tmp_path / "profile")
    assert "none is not defined" in console[0]
    path = report.save(tmp_path / "report.html")
    console, document = _open(path, tmp_path / "profile")
    assert console == []
    title = re.search("<title>(.*?)</title>", document, re.DOTALL)[1]
    assert html.unescape(title).startswith("<script>document")
    assert "script" not in [tag for tag, _ in _parse(document).tags]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_browser_refuses_whatever_is_outside(report, tmp_path):
    path = tmp_path / "spoiled.html"
    outside = '<img src="http://localhost:9/a.png"></body>'
    path.write_text(report.html.replace("</body>", outside))
    console, _ = _open(path, tmp_path / "profile")
    assert "Content Security Policy" in console[0]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("which", ["corpus_report", "benchmark_report"])
def test_other_reports_open_without_errors(which, request, tmp_path):
    report = request.getfixturevalue(which)
    report = report[1] if isinstance(report, tuple) else report
    path = report.save(tmp_path / "report.html")
    console, document = _open(path, tmp_path / "profile")
    assert console == []
    assert "script" not in [tag for tag, _ in _parse(document).tags]
