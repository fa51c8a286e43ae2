"""Pages about a corpus and about a benchmark."""

import re

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_neurocontext import NeuroContextModel
from tests.inference.pages import HOSTILE, facts, parse
from tests.text_model import make_corpus, make_parts

REPORT = "sklearn_neurocontext.inference._report"


def test_a_corpus_is_scored_beside_chance(corpus_report):
    words = " ".join(parse(corpus_report.html).words)
    assert "150 candidates" in words
    assert "recall@10" in words
    assert f"{10 / 150:.1%}" in words
    assert "150 studies with" in words
    for heading in ("Studies found best", "Studies found worst", "Mean map of the"):
        assert heading in words


def test_ranks_of_a_corpus_are_those_of_the_similarity(monkeypatch):
    from sklearn_neurocontext.inference._report_corpus import corpus_sections
    from sklearn_neurocontext.metrics import similarity

    monkeypatch.setattr(
        REPORT + "_corpus.map_sections",
        lambda *_, **__: [],
    )
    corpus, parts = make_corpus(), make_parts()
    sections = dict(corpus_sections(NeuroContextModel(**parts), corpus, 150, 0.1))
    y = parts["masker"].transform(corpus.peaks)
    matrix = similarity(parts["model"], corpus.studies["title"].tolist(), y)
    own = np.diag(matrix)[:, None]
    ranks = 1 + (matrix > own).sum(axis=1) + ((matrix == own).sum(axis=1) - 1) / 2
    expected = dict(zip(corpus.studies["study_id"], ranks, strict=True))
    for heading, sign in (("Studies found best", 1), ("Studies found worst", -1)):
        cells = re.findall(r"<td.*?>(.*?)</td>", sections[heading])
        found = dict(zip(cells[::3], map(float, cells[2::3]), strict=True))
        assert found == expected
        assert (np.diff([sign * rank for rank in found.values()]) >= 0).all()


@pytest.mark.parametrize(("y_scaling", "norm"), [("unit", 2), ("sqrt", 1)])
def test_the_mean_map_is_of_studies_scaled_as_predictions_are(
    y_scaling, norm, monkeypatch
):
    from sklearn_neurocontext.inference._report_corpus import corpus_sections

    imgs = []
    monkeypatch.setattr(
        "sklearn_neurocontext.inference._report_corpus.map_sections",
        lambda _, img, *__: imgs.append(img) or [],
    )
    corpus, parts = make_corpus(), make_parts()
    y = parts["masker"].transform(corpus.peaks)
    model = clone(parts["model"]).set_params(ccabaseline__y_scaling=y_scaling)
    model.fit(corpus.studies["title"].tolist(), y)
    corpus_sections(NeuroContextModel(**parts | {"model": model}), corpus, 5, 0.1)
    scaled = y / np.linalg.norm(y, norm, axis=1, keepdims=True)
    expected = parts["masker"].inverse_transform(scaled.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(
        imgs[0].get_fdata(), expected.get_fdata()[..., 0], rtol=1e-4, atol=1e-9
    )


def test_a_benchmark_has_its_numbers(benchmark_report):
    result, report = benchmark_report
    words = " ".join(parse(report.html).words)
    summary = result.summary().set_index(["estimator", "metric"])
    one = summary.loc[("ridge", "recall_at_10")]
    assert f"{100 * one['mean']:.1f} ± {100 * one['std']:.1f}" in words
    assert "25.0" in words  # chance: 10 of 40
    assert "over 3 splits, in percent; on average 40 candidates" in words
    low = result.differences().iloc[0]["low"]
    assert f"{100 * low:+.1f} to " in words
    assert "recall@10" in words
    assert "recall_at_10" not in words
    assert f"Benchmark: {HOSTILE}"[:90] in words
    assert facts(parse(report.html))["runs › 1 › settings › corpus"] == HOSTILE


@pytest.mark.parametrize("which", ["corpus_report", "benchmark_report"])
def test_other_reports_are_escaped_and_self_contained(which, request):
    report = request.getfixturevalue(which)
    report = report[1] if isinstance(report, tuple) else report
    page = parse(report.html)
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert HOSTILE in " ".join(page.words)
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, name)
