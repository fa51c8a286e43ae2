"""Tests of the tables and files of BenchmarkResult."""

import json

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext.experiments import BenchmarkResult, _result
from sklearn_neurocontext.experiments._result import format_ranks, parse_ranks
from sklearn_neurocontext.metrics import (
    make_retrieval_scorer,
    recall_curve,
    recall_curve_auc,
    true_ranks,
)
from sklearn_neurocontext.plotting import plot_recall_curves

N = 40


def make_records(rng, n_splits=5):
    """Return records of two estimators; the similarities of the second have ties."""
    records = []
    for split in range(n_splits):
        for name, decimals in (("ridge", 9), ("net", 0)):
            matrix = (rng.normal(size=(N, N)) + np.eye(N)).round(decimals)
            auc = recall_curve_auc(recall_curve(matrix))
            records.append(
                {
                    "split": split,
                    "estimator": name,
                    **make_retrieval_scorer((10,)).from_similarity(matrix),
                    "recall_curve_auc": auc,
                    "fit_seconds": rng.uniform(1, 2),
                    "recall_curve": [0.4, 0.6, 0.8, 1.0] if split else [0.5, 1.0],
                    "ranks": format_ranks(true_ranks(matrix)),
                    "ranks_brain_to_text": format_ranks(true_ranks(matrix.T)),
                    "settings_hash": "0",
                    **({"best_epoch": 3} if name == "net" else {}),
                }
            )
    return records


@pytest.fixture
def result(rng):
    """A result whose test sets of 40 studies are drawn from 60 studies."""
    studies = [rng.choice(60, N, replace=False) for _ in range(5)]
    return BenchmarkResult(make_records(rng), reference="ridge", studies=studies)


def values_of(result, name, metric):
    return np.array([r[metric] for r in result.records if r["estimator"] == name])


@pytest.mark.parametrize("name", ["ridge", "net"])
@pytest.mark.parametrize("metric", ["recall_at_10", "mix_match", "fit_seconds"])
def test_summary_is_mean_and_standard_deviation(result, name, metric):
    row = result.summary().set_index(["estimator", "metric"]).loc[(name, metric)]
    values = values_of(result, name, metric)
    assert row["mean"] == pytest.approx(values.mean())
    assert row["std"] == pytest.approx(values.std(ddof=1))
    assert row["n_splits"] == 5
    assert row["n_candidates"] == N


def test_chance_level_of_scores_and_costs(result):
    chance = result.summary().groupby("metric")["chance"].first()
    assert chance["recall_at_10"] == pytest.approx(0.25)
    assert chance["mix_match"] == chance["mix_match_brain_to_text"] == 0.5
    assert np.isnan(chance["fit_seconds"])


def test_cost_of_a_single_estimator(result):
    summary = result.summary()
    with_epoch = summary[summary["metric"] == "best_epoch"]
    assert list(with_epoch["estimator"]) == ["net"]


def score_of_each_study(result, name, metric):
    """Return the scores of each study as a dictionary from study to list."""
    scores = {study: [] for study in np.concatenate(result.studies)}
    for record in result.records:
        if record["estimator"] == name:
            reverse = "_brain_to_text" * metric.endswith("_brain_to_text")
            pairs = zip(
                result.studies[record["split"]],
                record["ranks" + reverse].split(),
                strict=True,
            )
            for study, word in pairs:
                ranks = [int(rank) for rank in word.split("-")]
                possible = range(ranks[0], ranks[-1] + 1)
                value = {
                    "recall_at_10": np.mean([rank <= 10 for rank in possible]),
                    "mix_match": np.mean([(N - rank) / (N - 1) for rank in possible]),
                    "recall_curve_auc": np.mean([(N - r + 0.5) / N for r in possible]),
                }[metric.removesuffix(reverse)]
                scores[study].append(value)
    return scores


METRICS = (
    "recall_at_10",
    "mix_match",
    "recall_curve_auc",
    "recall_at_10_brain_to_text",
    "mix_match_brain_to_text",
)


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_equal_an_explicit_bootstrap_over_studies(
    result, metric, monkeypatch
):
    monkeypatch.setattr(_result, "_N_DRAWS", 100)
    studies = np.unique(np.concatenate(result.studies))
    drawn = np.random.RandomState(0).randint(len(studies), size=(100, len(studies)))
    means = {"net": [], "ridge": []}
    for name, of_draws in means.items():
        scores = score_of_each_study(result, name, metric)
        assert np.mean(np.concatenate(list(scores.values()))) == pytest.approx(
            values_of(result, name, metric).mean()
        )
        for sample in studies[drawn]:
            of_draws.append(np.mean(np.concatenate([scores[one] for one in sample])))
        row = result.summary().set_index(["estimator", "metric"]).loc[(name, metric)]
        expected = np.quantile(of_draws, [0.025, 0.975])
        assert row[["low", "high"]].tolist() == pytest.approx(expected)
    # The difference of two estimators is computed on the same bootstrap samples.
    expected = np.quantile(np.subtract(means["net"], means["ridge"]), [0.025, 0.975])
    row = result.differences().set_index("metric").loc[metric]
    net, ridge = (values_of(result, name, metric) for name in ("net", "ridge"))
    assert row["mean"] == pytest.approx((net - ridge).mean())
    assert row[["low", "high"]].tolist() == pytest.approx(expected)
    assert row[["estimator", "n_splits"]].tolist() == ["net", 5]


def test_splits_of_unequal_size_are_equally_important(rng):
    records = [
        {
            "split": split,
            "estimator": "a",
            "n_candidates": n,
            "mix_match": float(split),
            "ranks": " ".join([str(1 if split else n)] * n),
        }
        for split, n in enumerate((20, 80))
    ]
    studies = [np.arange(20), np.arange(20, 100)]
    row = BenchmarkResult(records, studies=studies).summary().iloc[0]
    assert row["mean"] == 0.5
    assert row["low"] < 0.5 < row["high"]
    assert row["low"] + row["high"] == pytest.approx(1.0, abs=0.1)


def test_duplicates_are_drawn_together(result):
    # Each study has four copies with the same ranks, which add no information.
    records = [record for record in result.records if record["split"] == 0]
    copies = [{**record, "split": split} for split in range(4) for record in records]
    study = np.arange(N)
    alone = BenchmarkResult(records, "ridge", studies=[study])
    same = BenchmarkResult(copies, "ridge", studies=[study] * 4)
    new = [study + N * split for split in range(4)]
    independent = BenchmarkResult(copies, "ridge", studies=new)
    for table in ("summary", "differences"):
        widths = [
            (one["high"] - one["low"]).dropna().to_numpy()
            for one in (getattr(of, table)() for of in (alone, same, independent))
        ]
        np.testing.assert_allclose(widths[1], widths[0])
        np.testing.assert_allclose(widths[2], widths[0] / 2, rtol=0.15)


def test_estimators_with_other_splits(result):
    whole = result.summary().set_index(["estimator", "metric"])
    result.records = [
        record
        for record in result.records
        if record["estimator"] == "ridge" or record["split"] in (1, 3)
    ]
    part = result.summary().set_index(["estimator", "metric"])
    pd.testing.assert_frame_equal(part.loc[["ridge"]], whole.loc[["ridge"]])
    widths = [(one["high"] - one["low"])["net", "mix_match"] for one in (whole, part)]
    assert widths[0] < widths[1]
    rows = result.differences()
    assert set(rows["n_splits"]) == {2}
    assert rows["low"].notna().all()


@pytest.mark.parametrize("text", ["3", "3 17 1", "1-40 2 3-4"])
def test_ranks_of_a_line(text):
    ranks = parse_ranks(text)
    assert ranks.shape == (len(text.split()), 2)
    assert format_ranks(ranks) == text


def test_no_differences_without_reference(rng):
    result = BenchmarkResult(make_records(rng))
    assert result.differences().empty
    assert "minus" not in result.to_markdown()


def test_intervals_of_a_single_split(rng):
    records = make_records(rng, n_splits=1)
    result = BenchmarkResult(records, reference="ridge", studies=[np.arange(N)])
    rows = result.differences()
    assert (rows["low"] < rows["mean"]).all()
    assert (rows["mean"] < rows["high"]).all()
    assert "nan" not in result.to_markdown()


@pytest.mark.parametrize("missing", ["ranks", "studies"])
def test_no_interval_without_ranks(result, missing):
    if missing == "studies":
        result.studies = None
    for record in result.records:
        record.pop(missing, None)
    assert result.differences()["low"].isna().all()
    assert result.summary()["low"].isna().all()
    text = result.to_markdown()
    assert "nan" not in text
    assert "] |" not in text


def test_curves_are_resampled_to_the_smallest_test_part(result):
    curves = result.recall_curves()
    np.testing.assert_allclose(curves["net"], [[0.5, 1.0], *[[0.6, 1.0]] * 4])


def test_resampled_curves_keep_their_chance_level():
    records = [
        {"estimator": "a", "recall_curve": recall_curve(np.zeros((n, n)))}
        for n in (21, 22, 30)
    ]
    curves = BenchmarkResult(records).recall_curves()["a"]
    np.testing.assert_allclose(curves, [np.arange(1, 22) / 21] * 3)


def test_curves_of_unequal_folds_can_be_plotted(rng):
    # The true maps of the larger fold rank last: only its last k reaches 1.
    records = [
        {"estimator": "a", "recall_curve": recall_curve(matrix)}
        for matrix in (np.eye(21), 1 - np.eye(22))
    ]
    curves = BenchmarkResult(records).recall_curves()
    assert plot_recall_curves(curves).get_xlabel() == "k (of 21 candidates)"


def test_markdown_tables(result):
    text = result.to_markdown()
    row = result.summary().set_index(["estimator", "metric"]).loc["net", "recall_at_10"]
    mean, low, high = (f"{100 * row[key]:.1f}" for key in ("mean", "low", "high"))
    assert f"| net | {mean} [{low}, {high}] | " in text
    there, back = text.split("| brain→text (%) |")
    assert there.startswith("| text→brain (%) | recall@10 | mix&match |")
    assert back.startswith(" recall@10 | mix&match |")
    assert "fit (s)" in there
    assert "fit (s)" not in back
    assert "| chance | 25.0 | 50.0 | " in there
    assert "5 splits with 40 candidates each" in text
    assert "Brackets contain 95 % intervals of a bootstrap over test studies" in text
    assert "do not include the variability of training" in text
    assert "± standard deviations over splits" in text
    assert "overlap" not in text


def test_note_on_overlapping_test_parts(result):
    result.overlapping = True
    assert "Test sets overlap" in result.to_markdown()


def test_note_on_different_machines(rng):
    here, there = ({"versions": {}, "machine": name} for name in ("here", "there"))
    records = make_records(rng)
    for runs, expected in (([here, here], False), ([here, there], True)):
        text = BenchmarkResult(records, provenance=runs).to_markdown()
        assert ("different versions or machines" in text) is expected


def test_names_are_escaped_in_markdown(rng):
    records = [{**record, "estimator": "a|b"} for record in make_records(rng, 1)[:1]]
    assert "| a\\|b | " in BenchmarkResult(records).to_markdown()


def test_note_on_numbers_of_candidates(rng):
    records = make_records(rng)
    records[0]["n_candidates"] = 39
    assert "39 to 40 candidates" in BenchmarkResult(records).to_markdown()


def test_written_files(result, tmp_path):
    paths = result.write(tmp_path / "new" / "folder")
    names = [path.name for path in paths]
    assert sorted(names) == sorted(path.name for path in paths[0].parent.iterdir())
    assert (paths[0].parent / "table.md").read_text() == result.to_markdown()
    pd.testing.assert_frame_equal(
        pd.read_csv(paths[0].parent / "summary.csv"), result.summary()
    )
    content = json.loads((paths[0].parent / "results.json").read_text())
    assert content["records"] == result.records
    assert content["reference"] == "ridge"
    studies = [[int(one) for one in line.split()] for line in content["studies"]]
    assert studies == [one.tolist() for one in result.studies]
    assert "NaN" not in (paths[0].parent / "results.json").read_text()
