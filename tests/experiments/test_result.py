"""Tests of the tables and files of BenchmarkResult."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sklearn_neurocontext.experiments import BenchmarkResult
from sklearn_neurocontext.metrics import recall_curve
from sklearn_neurocontext.plotting import plot_recall_curves


def make_records(rng, n_splits=5):
    return [
        {
            "split": split,
            "estimator": name,
            "recall_at_10": rng.uniform(0.1, 0.3),
            "mix_match": rng.uniform(0.6, 0.9),
            "mix_match_brain_to_text": rng.uniform(0.6, 0.9),
            "recall_curve_auc": rng.uniform(0.6, 0.9),
            "n_candidates": 100,
            "fit_seconds": rng.uniform(1, 2),
            "recall_curve": [0.4, 0.6, 0.8, 1.0] if split else [0.5, 1.0],
            "settings_hash": "0",
            **({"best_epoch": 3} if name == "net" else {}),
        }
        for split in range(n_splits)
        for name in ("ridge", "net")
    ]


@pytest.fixture
def result(rng):
    return BenchmarkResult(make_records(rng), reference="ridge")


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
    assert row["n_candidates"] == 100


def test_chance_level_of_scores_and_costs(result):
    chance = result.summary().groupby("metric")["chance"].first()
    assert chance["recall_at_10"] == pytest.approx(0.1)
    assert chance["mix_match"] == chance["mix_match_brain_to_text"] == 0.5
    assert np.isnan(chance["fit_seconds"])


def test_cost_of_a_single_estimator(result):
    summary = result.summary()
    with_epoch = summary[summary["metric"] == "best_epoch"]
    assert list(with_epoch["estimator"]) == ["net"]


def test_interval_is_that_of_a_paired_t_test(result):
    rows = result.differences().set_index("metric")
    assert set(rows["estimator"]) == {"net"}
    for metric in ("recall_at_10", "mix_match"):
        net, ridge = (values_of(result, name, metric) for name in ("net", "ridge"))
        expected = stats.ttest_rel(net, ridge).confidence_interval(0.95)
        assert rows.loc[metric, "mean"] == pytest.approx((net - ridge).mean())
        assert rows.loc[metric, "low"] == pytest.approx(expected.low)
        assert rows.loc[metric, "high"] == pytest.approx(expected.high)


def test_no_differences_without_reference(rng):
    result = BenchmarkResult(make_records(rng))
    assert result.differences().empty
    assert "minus" not in result.to_markdown()


def test_no_interval_with_one_split(rng):
    result = BenchmarkResult(make_records(rng, n_splits=1), reference="ridge")
    assert result.differences()["low"].isna().all()
    assert "nan" not in result.to_markdown()


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
    mean = 100 * values_of(result, "net", "recall_at_10").mean()
    assert f"| net | {mean:.1f} ± " in text
    there, back = text.split("| brain→text (%) |")
    assert there.startswith("| text→brain (%) | recall@10 | mix&match |")
    assert back.startswith(" mix&match |")
    assert "fit (s)" in there
    assert "fit (s)" not in back
    assert "| chance | 10.0 | 50.0 | " in there
    assert "5 splits, 100 candidates" in text
    assert "overlap" not in text


def test_note_on_overlapping_test_parts(rng):
    result = BenchmarkResult(make_records(rng), reference="ridge", overlapping=True)
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
    records[0]["n_candidates"] = 99
    assert "99 to 100 candidates" in BenchmarkResult(records).to_markdown()


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
    assert "NaN" not in (paths[0].parent / "results.json").read_text()
