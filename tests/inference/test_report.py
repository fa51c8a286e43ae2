"""Reports on texts, corpora and benchmarks are complete, escaped and self-contained."""

import base64
import gzip
import hashlib
import html
import json
import re
from functools import partial

import nibabel as nib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import Bunch

from sklearn_neurocontext import NeuroContextModel, TextBrainEnsemble
from sklearn_neurocontext._utils.pages import report_script
from sklearn_neurocontext.inference import (
    LowConfidenceWarning,
    Report,
    _report,
    find_peaks,
    make_report,
)
from sklearn_neurocontext.inference._report import density_unit
from sklearn_neurocontext.metrics import similarity
from sklearn_neurocontext.plotting import plot_maps
from tests.inference.pages import HOSTILE, metadata, parse
from tests.text_model import make_corpus, make_parts


@pytest.fixture
def without_map(monkeypatch):
    """Omit the viewer and the pictures, which take most of the time."""
    kept = []
    monkeypatch.setattr(
        _report, "_draw_map", lambda _, imgs, *a, **k: kept.append(imgs)
    )
    return kept


@pytest.fixture
def page(request):
    """One of the three pages, parsed."""
    return parse(request.getfixturevalue(request.param).html)


every_page = pytest.mark.parametrize(
    "page", ["report", "corpus_report", "benchmark_report"], indirect=True
)


@every_page
def test_all_text_is_escaped(page):
    # The only scripts are the maps and the script of the package.
    assert page.scripts[1:] in ([], [report_script()])
    assert len(page.scripts) == sum(tag == "script" for tag, _ in page.tags)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert HOSTILE in " ".join(page.words)
    assert not any(HOSTILE in script for script in page.scripts)


@every_page
def test_page_requests_no_external_resources(page):
    for tag, attrs in page.tags:
        # Browsers load nothing from the address of a link before a click.
        for name in ("src", "action", "data", *(["href"] if tag != "a" else [])):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, name)
    policy = next(attrs for _, attrs in page.tags if attrs.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")
    digest = base64.b64encode(hashlib.sha256(report_script().encode()).digest())
    assert f"script-src 'sha256-{digest.decode()}';" in policy["content"]


def test_text_report_is_complete(report):
    page = parse(report.html)
    words = " ".join(page.words)
    for heading in (
        "Predicted map",
        "Terms with similar maps",
        "Studies with matching",
        "How to cite",
    ):
        assert heading in words
    tags = [tag for tag, _ in page.tags]
    assert (tags.count("iframe"), tags.count("img")) == (0, 1)
    assert "".join(page.words).count(HOSTILE) >= 1 + 5  # the text, and the studies
    assert not re.search(r"url\(\s*['\"]?https?:", html.unescape(report.html))
    known = metadata(page)
    assert next(iter(known)) == "made"
    assert known["versions › sklearn_neurocontext"]
    assert known["model › note"] == "</td><script>document.title='owned'</script>"


def test_text_report_contains_the_maps_and_their_peaks(report):
    content = json.loads(parse(report.html).scripts[0])
    assert content["title"] == HOSTILE
    model = NeuroContextModel(**make_parts())
    maps = model.transform([HOSTILE])
    assert set(content["maps"]) == {"z_map", "brain_map"}
    for name, found in content["maps"].items():
        (img,) = maps[name]
        bytes_ = gzip.decompress(base64.b64decode(found["nifti"]))
        written = nib.Nifti1Image.from_bytes(bytes_)
        np.testing.assert_array_equal(written.get_fdata(), img.get_fdata())
        assert found["peaks"] == find_peaks(img).to_dict("records")
    values = maps["brain_map"][0].get_fdata()[model.masker.mask_img_.get_fdata() > 0]
    shown = np.mean(np.abs(values) >= content["maps"]["brain_map"]["threshold"])
    # Voxels of the same parcel have equal values.
    assert shown == pytest.approx(0.1, abs=0.01)
    assert content["maps"]["z_map"]["threshold"] == 3


def test_studies_link_to_pubmed():
    model = NeuroContextModel(**make_parts()).index_corpus(make_corpus())
    model.studies.table.loc[:, "pmid"] = 17
    page = parse(make_report(model, "pain", k=3).html)
    links = [attrs["href"] for tag, attrs in page.tags if "rel" in attrs]
    assert links == ["https://pubmed.ncbi.nlm.nih.gov/17/"] * 3


def test_text_report_shows_quantiles_of_similarity(report):
    words = " ".join(parse(report.html).words)
    model = NeuroContextModel(**make_parts()).index_corpus(make_corpus())
    scores = model.similar_documents(HOSTILE, k=150)["similarity"]
    median, high = np.quantile(scores, (0.5, 0.95))
    assert "150 studies of the corpus" in words
    assert f"median similarity is {median:.2f}" in words
    assert f"95th percentile is {high:.2f}" in words


def test_low_confidence_message_is_on_page_and_glass_brain(monkeypatch):
    figures = []

    def keep(figure, description):
        figures.append(figure)
        return {"description": "", "width": 1, "source": ""}

    monkeypatch.setattr(_report, "picture", keep)
    monkeypatch.setattr(
        _report, "map_content", lambda *_, **__: {"data": {}, "script": ""}
    )
    monkeypatch.setattr(_report, "plot_maps", partial(plot_maps, views="glass"))
    confident = make_report(NeuroContextModel(**make_parts()), "pain").html
    assert 'class="warning"' not in confident
    model = NeuroContextModel(**make_parts(), z_threshold=1e6)
    with pytest.warns(LowConfidenceWarning, match="reaches the z threshold"):
        page = make_report(model, "pain").html
        message = model.low_confidence_message(model("pain")["z_map"])
    assert f'<p class="warning">{message}</p>' in page
    plain, noted = (figure.texts for figure in figures)
    assert message in [" ".join(text.get_text().split()) for text in noted]
    assert len(noted) == len(plain) + 1


def test_page_states_support():
    counted = {"word_counts": {"pain": 30}, "n_studies": 150, "support_threshold": 40}
    model = NeuroContextModel(**make_parts(), **counted)
    with pytest.warns(LowConfidenceWarning, match="supported by about 30"):
        page = make_report(model, "pain").html
    assert "Supported by about 30 of 150 training studies." in page
    assert "about 30 training studies (threshold 40)" in page


def test_report_is_saved_and_displayed(report, tmp_path):
    path = report.save(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == report.html
    frame = parse(Report("<p>&amp;</p>")._repr_html_())
    assert frame.frames == ["<p>&amp;</p>"]


def test_empty_sections_are_omitted(without_map):
    parts = make_parts()
    model = NeuroContextModel(parts["model"], parts["masker"])
    words = " ".join(parse(make_report(model, "pain").html).words)
    assert "Terms with" not in words
    assert "Studies with" not in words
    assert "The model has no terms." in words


@pytest.mark.parametrize("top", [2, 0, "a"])
def test_top_must_be_a_fraction(top):
    model = NeuroContextModel(**make_parts())
    with pytest.raises(ValueError, match=re.escape(f"in (0, 1]; got {top!r}")):
        make_report(model, "pain", top=top)


def test_report_and_unit_of_ensemble(without_map):
    parts = make_parts()
    assert density_unit(NeuroContextModel(**parts)) == "predicted peak density (a.u.)"
    corpus = make_corpus()
    y = parts["masker"].transform(corpus.peaks)
    plain = clone(parts["model"]).set_params(ccabaseline__y_scaling=None)
    ensemble = TextBrainEnsemble([("words", plain)], random_state=0)
    ensemble.fit(corpus.studies["title"].tolist(), y)
    settings = {"model": ensemble, "term_features": None}
    model = NeuroContextModel(**parts | settings)
    assert density_unit(model) == "density of peaks"
    assert "heat" in make_report(model, "pain heat").html


def test_invalid_results_raise():
    with pytest.raises(TypeError, match=r"results must be a text, .* got a list"):
        make_report(None, ["pain", "faces"])
    corpus = make_corpus()
    one = Bunch(studies=corpus.studies.iloc[:1], peaks=corpus.peaks[:1])
    with pytest.raises(ValueError, match="must have at least two studies"):
        make_report(NeuroContextModel(**make_parts()), one)


def test_corpus_report_is_complete(corpus_report):
    words = " ".join(parse(corpus_report.html).words)
    assert "150 candidates" in words
    assert "recall@10" in words
    assert f"{10 / 150:.1%}" in words
    assert "150 studies with" in words
    for heading in ("the best ranks", "the worst ranks", "Mean map of the"):
        assert heading in words


def test_ranks_in_corpus_report_match_similarity(without_map):
    corpus, parts = make_corpus(), make_parts()
    content = _report._describe_corpus(NeuroContextModel(**parts), corpus, 150, 0.1)
    y = parts["masker"].transform(corpus.peaks)
    matrix = similarity(parts["model"], corpus.studies["title"].tolist(), y)
    true = np.diag(matrix)[:, None]
    ranks = 1 + (matrix > true).sum(axis=1) + ((matrix == true).sum(axis=1) - 1) / 2
    expected = dict(zip(corpus.studies["study_id"], ranks, strict=True))
    for name, sign in (("best", 1), ("worst", -1)):
        found = {row[0]: float(row[-1]) for row in content[name]["rows"]}
        assert found == expected
        assert (np.diff([sign * rank for rank in found.values()]) >= 0).all()


@pytest.mark.parametrize(("y_scaling", "norm"), [("unit", 2), ("sqrt", 1)])
def test_mean_map_in_corpus_report_is_scaled_like_predictions(
    y_scaling, norm, without_map
):
    corpus, parts = make_corpus(), make_parts()
    y = parts["masker"].transform(corpus.peaks)
    model = clone(parts["model"]).set_params(ccabaseline__y_scaling=y_scaling)
    model.fit(corpus.studies["title"].tolist(), y)
    make_report(NeuroContextModel(**parts | {"model": model}), corpus)
    scaled = y / np.linalg.norm(y, norm, axis=1, keepdims=True)
    expected = parts["masker"].inverse_transform(scaled.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(
        without_map[0]["brain_map"].get_fdata(),
        expected.get_fdata()[..., 0],
        rtol=1e-4,
        atol=1e-9,
    )


def test_benchmark_report_shows_scores(benchmark_result, benchmark_report):
    result, page = benchmark_result, parse(benchmark_report.html)
    words = " ".join(page.words)
    summary = result.summary().set_index(["estimator", "metric"])
    one = summary.loc[("ridge", "recall_at_10")]
    mean, low, high = (f"{100 * one[key]:.1f}" for key in ("mean", "low", "high"))
    assert f"{mean} [{low}, {high}]" in words
    assert "Brackets contain 95 % intervals of a bootstrap over test studies" in words
    assert "means ± standard deviations over splits" in words
    assert "25.0" in words  # chance level: 10 of 40
    assert "over 3 splits, in percent; 40 candidates on average" in words
    low = result.differences().iloc[0]["low"]
    assert f"{100 * low:+.1f} to " in words
    assert "recall@10" in words
    assert "recall_at_10" not in words
    assert f"Benchmark: {HOSTILE}"[:90] in words
    assert metadata(page)["runs › 1 › settings › corpus"] == HOSTILE
