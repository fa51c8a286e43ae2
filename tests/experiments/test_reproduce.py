"""Tests of the tables of the paper: studies, rows, splits, resumed runs and output."""

import json
import re

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_neurocontext import CCABaseline, KernelCCA, similarity
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import (
    ReproducedTable,
    _benchmark,
    _corrections,
    describe_table,
    list_paper_tables,
    reproduce,
)
from sklearn_neurocontext.experiments import _paper_tables as tables
from sklearn_neurocontext.experiments._corrections import (
    CorrectedByCandidates,
    HubnessCorrected,
)
from sklearn_neurocontext.experiments._paper_studies import (
    prepare_paper_studies,
    random_subset,
)
from sklearn_neurocontext.experiments._paper_tables import Row
from sklearn_neurocontext.experiments._reproduce import _select_rows
from sklearn_neurocontext.metrics import csls
from sklearn_neurocontext.models import _net
from sklearn_neurocontext.text import TermCounts

OPTIONS = {"n_components": 128, "n_splits": 2}


@pytest.fixture(scope="module")
def corpus():
    """Return studies with titles, abstracts and, for most of them, bodies."""
    corpus = make_studies(n_studies=90, random_state=0)
    bodies = corpus.studies["abstract"].str.repeat(3)
    corpus.studies["body"] = bodies.where(corpus.studies.index < 70, "")
    return corpus


def test_studies_of_each_field(corpus):
    prepared = prepare_paper_studies(
        corpus, ("title", "body"), n_candidates=20, n_splits=3, n_components=128
    )
    assert len(prepared["title"].rows) == 90
    assert len(prepared["body"].rows) == 70
    # 90 studies are too few for 600 development studies, so the splits are folds.
    assert prepared["title"].development is None
    assert [len(test) for _, test in prepared["title"].splits] == [30, 30, 30]
    counts = prepared["body"].model_input
    assert counts.shape[0] == 70
    assert prepared["title"].model_input == prepared["title"].texts


def test_same_studies_have_the_same_splits(corpus):
    prepared = prepare_paper_studies(
        corpus, ("title", "abstract", "body"), same_studies=True, **OPTIONS
    )
    first = prepared["title"]
    assert first.texts != prepared["abstract"].texts
    for other in prepared.values():
        np.testing.assert_array_equal(other.rows, np.arange(70))
        np.testing.assert_array_equal(other.y, first.y)
        for split, expected in zip(other.splits, first.splits, strict=True):
            np.testing.assert_array_equal(split[1], expected[1])


def test_development_studies_are_in_no_test_set():
    corpus = make_studies(n_studies=700, random_state=0)
    # Each title occurs twice.
    corpus.studies["title"] = [f"title number {row // 2}" for row in range(700)]
    [studies] = prepare_paper_studies(
        corpus, ("title",), n_candidates=40, **OPTIONS
    ).values()
    development = studies.development[1]
    assert len(development) == 600
    for train, test in studies.splits:
        assert len(test) == 40
        assert not np.isin(development, test).any()
        assert not np.isin(studies.groups[train], studies.groups[test]).any()
    more = prepare_paper_studies(
        corpus, ("title",), n_candidates=40, n_components=128, n_splits=5
    )["title"]
    np.testing.assert_array_equal(more.splits[1][1], studies.splits[1][1])


def test_duplicates_are_in_the_same_fold(corpus):
    titles = [f"title number {row // 2}" for row in range(90)]
    corpus = type(corpus)(**corpus | {"studies": corpus.studies.assign(title=titles)})
    [studies] = prepare_paper_studies(corpus, ("title",), **OPTIONS).values()
    assert studies.metadata["n_duplicates"] >= 45
    for train, test in studies.splits:
        assert not set(np.array(titles)[train]) & set(np.array(titles)[test])


def test_bodies_have_no_coordinates(corpus):
    bodies = corpus.studies["body"] + " Peaks were at -46, -56, -18 mm."
    corpus = type(corpus)(**corpus | {"studies": corpus.studies.assign(body=bodies)})
    [studies] = prepare_paper_studies(corpus, ("body",), **OPTIONS).values()
    assert not any("-46" in text for text in studies.texts)


def test_subsets_of_training_studies_are_nested(rng):
    train = np.sort(rng.choice(500, 300, replace=False))
    small, large = random_subset(train, 50), random_subset(train, 200)
    assert len(small) == 50
    assert np.isin(small, large).all()
    assert np.isin(large, train).all()


def test_correction_by_candidates_is_csls(rng):
    X, y = rng.normal(size=(60, 4)), rng.normal(size=(60, 6))
    corrected = CorrectedByCandidates(CCABaseline(), k=3).fit(X[:40], y[:40])
    plain = similarity(CCABaseline().fit(X[:40], y[:40]), X[40:], y[40:])
    np.testing.assert_allclose(corrected.similarity(X[40:], y[40:]), csls(plain, 3))


def test_hubness_correction_is_that_of_kernel_cca(rng):
    X, y = rng.normal(size=(80, 4)), rng.random(size=(80, 6))
    options = {"hubness_temperature": 0.1, "random_state": 0}
    built_in = KernelCCA(hubness_weight=0.75, **options).fit(X[:50], y[:50])
    plain = KernelCCA(hubness_weight=0, **options)
    corrected = HubnessCorrected(plain, weight=0.75, temperature=0.1)
    corrected.fit(X[:50], y[:50])
    expected = built_in.similarity(X[50:], y[50:])
    np.testing.assert_allclose(
        corrected.similarity(X[50:], y[50:]), expected, atol=1e-5
    )
    cosines = plain.fit(X[:50], y[:50]).similarity(X[50:51], y[:50])[0]
    assert corrected._soft_maximum(cosines[None]) == pytest.approx(
        0.1 * (logsumexp(cosines / 0.1) - np.log(50))
    )


def _closed_form(name, studies, splits=None):
    """Return a row whose estimator is a CCA of coefficients with themselves."""
    return Row(name, CCABaseline(), lambda: studies.y, studies, splits)


@pytest.fixture
def two_rows(monkeypatch):
    """Replace table1 by two closed-form estimators, one of them on one split."""

    def rows(experiment):
        return {
            name: [
                _closed_form("cca", studies),
                _closed_form("ridge", studies, studies.splits[:1]),
            ]
            for name, studies in experiment.prepare(("title", "body")).items()
        }

    rows.__doc__ = "Compare two estimators."
    monkeypatch.setitem(tables.TABLES, "table1", rows)


@pytest.mark.usefixtures("two_rows")
def test_a_second_run_reads_the_records(corpus, tmp_path):
    done = []
    options = OPTIONS | {"output": tmp_path / "out"}
    first = reproduce(
        "table1", corpus, on_progress=lambda *one: done.append(one), **options
    )
    assert done[-1] == (6, 6, "ridge, split 1")
    assert list(first.results) == ["title", "body"]
    records = first.results["title"].records
    assert [one["estimator"] for one in records] == ["cca", "cca", "ridge"]
    again = reproduce("table1", corpus, **options).results["title"].records
    seconds = [one["fit_seconds"] for one in records]
    assert [one["fit_seconds"] for one in again] == seconds


@pytest.mark.usefixtures("two_rows")
def test_some_rows(corpus):
    result = reproduce("table1", corpus, rows=["ridge"], **OPTIONS)
    records = result.results["body"].records
    assert [one["estimator"] for one in records] == ["ridge"]
    both = reproduce("table1", corpus, **OPTIONS).to_markdown()
    assert "means over 2 splits (ridge: 1) with" in both
    with pytest.raises(ValueError, match=r"too few studies for the rows 'mlp'"):
        reproduce("table1", corpus, rows=["mlp"], **OPTIONS)


def test_unknown_rows_are_found_before_any_work():
    message = r"rows must be among 'contrastive, paper recipe', .*; got 'lasso'"
    with pytest.raises(ValueError, match=message):
        reproduce("table1", "missing corpus", rows=["cca", "lasso"])


def test_texts_are_embedded_only_for_rows_that_need_them(corpus, monkeypatch):
    embedded = []

    def embed(self, studies, model_name):
        embedded.append(studies.text_field)
        return studies.y

    monkeypatch.setattr(tables.PaperExperiment, "_embed", embed)
    options = OPTIONS | {"text_fields": ["title", "body"]}
    reproduce("table1", corpus, rows=["best_text_brain"], **options)
    assert embedded == []
    reproduce("table1", corpus, rows=["ridge"], **options)
    assert embedded == ["title", "body"]


def test_rows_that_cannot_be_fitted(corpus, tmp_path):
    rows = ["NeurosynthMaps, voxels", "NeuroQuery, voxels"]
    done = []
    options = OPTIONS | {"text_fields": ["title"]}
    with pytest.raises(ValueError, match=r"No row of title .* Neurosynth"):
        reproduce("comparators", corpus, rows=rows, **options)
    result = reproduce(
        "comparators",
        corpus,
        rows=["best_text_brain", "NeuroQuery, voxels"],
        on_progress=lambda *one: done.append(one),
        **options,
    )
    text = result.to_markdown()
    assert "| NeuroQuery, voxels | – | – |" in text
    sentence = r"NeuroQuery, voxels could not be fitted: [^.]*100[^.]*\."
    assert re.search(sentence, text)
    assert done[-1][0] == done[-1][1]
    result.write(tmp_path)
    content = json.loads((tmp_path / "title" / "results.json").read_text())
    assert list(content["failures"]) == ["NeuroQuery, voxels"]


def test_all_rows_have_the_same_ks(monkeypatch):
    corpus = make_studies(n_studies=202, random_state=0)

    def rows(experiment):
        [studies] = experiment.prepare(("title",)).values()
        # The first test set has 101 studies. The second test set is smaller.
        studies.splits[1] = studies.splits[1][0], studies.splits[1][1][:100]
        first = studies.splits[:1]
        chosen = [_closed_form("cca", studies), _closed_form("ridge", studies, first)]
        return {"title": chosen}

    rows.__doc__ = "Compare two estimators."
    monkeypatch.setitem(tables.TABLES, "table1", rows)
    records = reproduce("table1", corpus, **OPTIONS).results["title"].records
    assert not any("recall_at_100" in record for record in records)
    assert all("recall_at_10" in record for record in records)


def test_code_of_corrections_changes_only_records_that_use_it(monkeypatch):
    plain = make_pipeline(TermCounts(), CCABaseline())
    dense = make_pipeline(
        TermCounts(), FunctionTransformer(_corrections.to_dense), CCABaseline()
    )
    corrected = HubnessCorrected(plain)

    def hashes():
        _benchmark._code_hash.cache_clear()
        return [
            _benchmark.settings_hash("a", one, "data", [0], [1], (10,))
            for one in (plain, dense, corrected)
        ]

    before = hashes()
    instructions = _benchmark._instructions
    monkeypatch.setattr(
        _benchmark,
        "_instructions",
        lambda source: instructions(source.replace("logsumexp(values", "max(values")),
    )
    after = hashes()
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert after[2] != before[2]


@pytest.mark.usefixtures("two_rows")
def test_written_files(corpus, tmp_path):
    result = reproduce("table1", corpus, text_fields=["title"], **OPTIONS)
    result.write(tmp_path)
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert (
        "others, the language model is Mistral-7B unless stated otherwise and" in text
    )
    assert text.startswith("# table1\n\nCompare two estimators.\n\n## title")
    assert "| NeuroConText | 22.6 ± 1.4 | 57.8 ± 1.6 | 84.2 ± 0.9 |" in text
    assert "Meudec" in text
    for name in ("scores.png", "recall_curves.png"):
        assert (tmp_path / "title" / name).read_bytes().startswith(b"\x89PNG")
    content = json.loads((tmp_path / "title" / "results.json").read_text())
    for one in content["provenance"]:
        assert one["settings"]["random_state"] == 0
        assert {"versions", "machine"} <= set(one)


def test_differences_from_published_scores():
    table = ReproducedTable("table1", "", {}, "difumo", ("mistralai/Mistral-7B-v0.1",))
    text = table.to_markdown()
    assert "directly: the articles are others." in text
    table = ReproducedTable("table1", "", {}, "difumo", ("mpnet",))
    assert "others and the language model is Mistral-7B" in table.to_markdown()


@pytest.fixture
def quick_networks(monkeypatch):
    """Train each neural network for one epoch."""
    train = _net.train_net

    def train_one_epoch(*args, **options):
        return train(*args, **options | {"max_epochs": 1})

    monkeypatch.setattr(_net, "train_net", train_one_epoch)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_networks")
@pytest.mark.parametrize(
    "name", sorted(set(list_paper_tables()) - {"table2", "titles", "comparators"})
)
def test_all_tables_on_few_studies(corpus, name, tmp_path):
    options = OPTIONS | {"cache": tmp_path / "store.sqlite"}
    if name == "settings":
        with pytest.raises(ValueError, match=r"90 studies .* too few for development"):
            reproduce(name, corpus, text_fields=["title"], **options)
        return
    result = reproduce(name, corpus, **options)
    known = set(tables.row_names(name, ["minilm"]))
    for one in result.results.values():
        summary = one.summary()
        assert summary["mean"].notna().all()
        assert len(summary["estimator"].unique()) >= 2
        assert set(summary["estimator"]) | set(one.failures) <= known
    assert describe_table(name) in result.to_markdown()


def test_abstracts_are_added_to_training_sets_only(corpus):
    abstracts = corpus.studies["abstract"].where(corpus.studies.index % 2 == 0, "")
    corpus = type(corpus)(
        **corpus | {"studies": corpus.studies.assign(abstract=abstracts)}
    )
    [studies] = prepare_paper_studies(corpus, ("title",), **OPTIONS).values()
    more = tables._add_abstracts(corpus, studies)
    assert len(more.texts) == 90 + 45
    for (train, test), (few, same) in zip(more.splits, studies.splits, strict=True):
        np.testing.assert_array_equal(test, same)
        np.testing.assert_array_equal(train[: len(few)], few)
        further = train[len(few) :]
        # Each further row is the abstract of a training study with the same maps.
        np.testing.assert_array_equal(more.rows[further], few[few % 2 == 0])
        np.testing.assert_array_equal(more.y[further], more.y[more.rows[further]])
        texts = [more.texts[row] for row in further]
        assert texts == abstracts.iloc[more.rows[further]].tolist()


@pytest.mark.slow
def test_features_have_the_settings_of_best_text_brain(corpus, tmp_path):
    experiment = tables.PaperExperiment(
        corpus, ("body",), cache=tmp_path / "store.sqlite", **OPTIONS
    )
    rows = {row.name: row.estimator for row in tables.features(experiment)["body"]}
    best = rows["best_text_brain"][-1].get_params()
    kernel = rows["KernelCCA, words"][-1].get_params()
    linear = rows["cca, words"][-1].get_params()
    assert kernel == best | {"hubness_weight": 0}
    assert linear == kernel | {"kernel_width": None}


@pytest.mark.slow
def test_table_of_titles(corpus, tmp_path):
    result = reproduce(
        "titles",
        corpus,
        model_names=["minilm"],
        cache=tmp_path / "store.sqlite",
        **OPTIONS,
    )
    n_train = {
        one["estimator"]: one["n_train"] for one in result.results["title"].records
    }
    assert n_train["ridge (MiniLM), titles"] == 45
    assert n_train["best_text_brain (MiniLM), titles and abstracts"] == 90


@pytest.mark.slow
@pytest.mark.usefixtures("quick_networks")
def test_table_of_comparators(monkeypatch, tmp_path):
    corpus = make_studies(n_studies=330, random_state=0)
    monkeypatch.setattr(tables, "_N_TRAIN_OF_TEXT2BRAIN", 20)
    terms = tables._term_maps

    def rare_terms(experiment, studies):
        rows = terms(experiment, studies)
        for row in rows:
            row.estimator.set_params(min_studies=3)
        return rows

    monkeypatch.setattr(tables, "_term_maps", rare_terms)
    result = reproduce(
        "comparators",
        corpus,
        text_fields=["title"],
        cache=tmp_path / "store.sqlite",
        **OPTIONS,
    )
    assert list(result.results) == ["title", "title, 20 training studies"]
    whole, few = result.results.values()
    names = {one["estimator"] for one in whole.records}
    assert {"NeurosynthMaps, voxels", "NeuroQuery, coefficients"} <= names
    assert {one["n_train"] for one in few.records} == {20}
    assert "Text2Brain" in {one["estimator"] for one in few.records}
    tests = [one["n_candidates"] for one in (whole.records[0], few.records[0])]
    assert tests == [165, 165]


@pytest.mark.usefixtures("quick_networks")
def test_table_of_language_models(corpus, tmp_path):
    result = reproduce(
        "table2",
        corpus,
        text_fields=["title"],
        model_names=["minilm"],
        n_splits=2,
        cache=tmp_path / "store.sqlite",
    )
    names = [one["estimator"] for one in result.results["title"].records]
    assert "MiniLM, 256 components: cca" in names
    assert "MiniLM, 512 components: contrastive" in names


def test_errors(corpus):
    with pytest.raises(ValueError, match=r"table must be one of table1, .*'table3'"):
        reproduce("table3", corpus)
    with pytest.raises(ValueError, match="'counts' needs NeuroQuery's counts"):
        reproduce("table1", corpus, text_fields=["counts"], **OPTIONS)
    untitled = type(corpus)(**corpus | {"studies": corpus.studies.assign(title="")})
    with pytest.raises(ValueError, match="corpus has no texts for sizes"):
        reproduce("sizes", untitled, **OPTIONS)
    with pytest.raises(OSError, match="'missing/model'"):
        reproduce("table1", corpus, model_names=["missing/model"], **OPTIONS)


@pytest.mark.parametrize("name", list_paper_tables())
def test_names_of_rows(name):
    corpus = make_studies(n_studies=700, random_state=0)
    models = ("minilm", "mpnet") if name in ("table2", "titles") else ("minilm",)
    experiment = tables.PaperExperiment(
        corpus,
        ("abstract",) if name == "features" else ("title",),
        models,
        n_candidates=20,
        **OPTIONS,
    )
    sections = tables.TABLES[name](experiment).values()
    built = {row.name for rows in sections for row in rows}
    known = set(tables.row_names(name, models))
    assert built <= known
    # The corpus is too small for some numbers of training studies.
    assert all(one.endswith("000 studies") for one in known - built)


def test_figure2_counts_the_terms_of_texts_once(corpus):
    experiment = tables.PaperExperiment(corpus, ("title",), **OPTIONS)
    rows = {row.name: row for row in tables.figure2(experiment)["title"]}
    counts = rows["NeurosynthMaps, voxels"].get_X()
    assert rows["NeuroQuery, coefficients"].get_X() is counts
    model = clone(rows["NeurosynthMaps, voxels"].estimator).set_params(min_studies=12)
    texts, peaks = corpus.studies["title"].tolist(), corpus.peaks
    expected = clone(model).fit(texts, peaks).similarity(texts, peaks)
    found = model.fit(counts, peaks).similarity(counts, peaks)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_text2brain_is_computed_on_request(corpus):
    experiment = tables.PaperExperiment(corpus, ("title",), **OPTIONS)
    sections = tables.figure2(experiment)
    [usual] = _select_rows(sections, None).values()
    assert "NeuroQuery, voxels" in {row.name for row in usual}
    assert "Text2Brain" not in {row.name for row in usual}
    [[row]] = _select_rows(sections, ["Text2Brain"]).values()
    assert len(row.splits) == 1
    assert row.get_y().shape[0] == 90
