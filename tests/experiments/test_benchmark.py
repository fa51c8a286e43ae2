"""Tests of run_benchmark: scores, resuming, provenance and errors."""

import json
import os
import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import RidgeBaseline
from sklearn_neurocontext.comparators import NeurosynthMaps
from sklearn_neurocontext.experiments import _benchmark, run_benchmark
from sklearn_neurocontext.experiments._benchmark import settings_hash
from sklearn_neurocontext.experiments._result import parse_ranks
from sklearn_neurocontext.metrics import (
    mix_match_score,
    recall_at_k,
    recall_curve,
    true_ranks,
)
from sklearn_neurocontext.model_selection import paper_splits


class Regressor(BaseEstimator):
    """Ridge regression that counts the fits of all its clones."""

    n_fits = 0

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        type(self).n_fits += 1
        self.ridge_ = Ridge(alpha=self.alpha).fit(X, y)
        self.best_epoch_ = 7
        return self

    def similarity(self, X, y):
        return self.ridge_.predict(X) @ np.asarray(y).T


class Lengths(Regressor):
    """Ridge regression on the lengths of texts."""

    def fit(self, X, y):
        return super().fit(np.array([[len(text)] for text in X], float), y)

    def similarity(self, X, y):
        return super().similarity(np.array([[len(text)] for text in X], float), y)


@pytest.fixture
def problem(rng):
    X = rng.normal(size=(150, 5))
    y = X @ rng.normal(size=(5, 8)) + 2 * rng.normal(size=(150, 8))
    splits = paper_splits(150, n_splits=3, n_candidates=40, n_development=20)
    estimators = {
        "ridge": make_pipeline(StandardScaler(), Regressor()),
        "strong ridge": make_pipeline(StandardScaler(), Regressor(alpha=1e4)),
    }
    return estimators, X, y, splits


def test_records_equal_an_explicit_loop(problem):
    estimators, X, y, splits = problem
    result = run_benchmark(estimators, X, y, splits, ks=(1, 10))
    assert len(result.records) == 6
    for record in result.records:
        train, test = splits[record["split"]]
        model = clone(estimators[record["estimator"]]).fit(X[train], y[train])
        matrix = model[-1].similarity(model[:-1].transform(X[test]), y[test])
        for suffix, oriented in (("", matrix), ("_brain_to_text", matrix.T)):
            assert record[f"recall_at_1{suffix}"] == recall_at_k(oriented, 1)
            assert record[f"recall_at_10{suffix}"] == recall_at_k(oriented, 10)
            assert record[f"mix_match{suffix}"] == mix_match_score(oriented)
            ranks = parse_ranks(record[f"ranks{suffix}"])
            np.testing.assert_array_equal(ranks, true_ranks(oriented))
        np.testing.assert_allclose(
            record["recall_curve"], recall_curve(matrix), atol=1e-6
        )
        assert record["n_candidates"] == 40
        assert record["n_train"] == 110
        assert record["best_epoch"] == 7
        assert record["fit_seconds"] > 0
        assert record["score_seconds"] > 0


def test_input_of_each_estimator(problem):
    estimators, X, y, splits = problem
    texts = np.array(["x" * (i % 7 + 1) for i in range(len(y))], dtype=object)
    both = {"lengths": Lengths(), "ridge": estimators["ridge"]}
    found = run_benchmark(both, {"lengths": texts, "ridge": X}, y, splits, ks=(1,))
    for name, taken in (("lengths", texts.tolist()), ("ridge", X)):
        alone = run_benchmark({name: both[name]}, taken, y, splits, ks=(1,))
        scores = [one["mix_match"] for one in found.records if one["estimator"] == name]
        assert scores == [one["mix_match"] for one in alone.records]
    with pytest.raises(ValueError, match="got ridge"):
        run_benchmark(both, {"ridge": X}, y, splits)


def test_estimators_stay_unfitted(problem):
    run_benchmark(*problem, ks=(10,))
    assert not hasattr(problem[0]["ridge"][-1], "ridge_")


def test_second_run_reads_records(problem, tmp_path):
    first = run_benchmark(*problem, output=tmp_path)
    n_fits = Regressor.n_fits
    second = run_benchmark(*problem, output=tmp_path)
    assert Regressor.n_fits == n_fits
    assert second.records == first.records


def test_interrupted_run_resumes(problem, tmp_path):
    def stop(n_done, n_total, record):
        if n_done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_benchmark(*problem, output=tmp_path, on_progress=stop)
    # A crash of the machine may truncate a record.
    done = sorted((tmp_path / "records").iterdir())
    assert len(done) == 4
    done[0].write_text('{"split": 0, "estim')
    seen = []
    n_fits = Regressor.n_fits
    with pytest.warns(UserWarning, match=re.escape(str(done[0]))):
        run_benchmark(
            *problem, output=tmp_path, on_progress=lambda *now: seen.append(now)
        )
    assert Regressor.n_fits - n_fits == 3
    assert [(done, total) for done, total, _ in seen] == [(i, 6) for i in range(1, 7)]


@pytest.mark.parametrize("change", ["X", "y", "splits", "ks", "alpha"])
def test_changed_settings_are_fitted_again(problem, tmp_path, change):
    estimators, X, y, splits = problem
    run_benchmark(*problem, output=tmp_path)
    ks = (5,) if change == "ks" else (10, 100)
    if change == "splits":
        splits = paper_splits(
            150, n_splits=3, n_candidates=40, n_development=20, random_state=1
        )
    if change == "alpha":
        for estimator in estimators.values():
            estimator.set_params(regressor__alpha=3.0)
    n_fits = Regressor.n_fits
    run_benchmark(
        estimators,
        X + 1 * (change == "X"),
        y + 1 * (change == "y"),
        splits,
        ks=ks,
        output=tmp_path,
    )
    assert Regressor.n_fits - n_fits == 6


def test_settings_hash_depends_on_the_order_of_steps():
    X = np.zeros((4, 1))
    split = (np.arange(2), np.arange(2, 4))
    steps = [("scale", StandardScaler()), ("reduce", TruncatedSVD(1))]
    digests = {
        settings_hash("a", Pipeline(order), joblib.hash(X), *split, (1,))
        for order in (steps, steps[::-1], steps)
    }
    assert len(digests) == 2


def test_code_of_comparators_is_hashed_for_comparators_only():
    subpackages = _benchmark._places_of_code(make_pipeline(NeurosynthMaps()))
    assert {"comparators", "maskers"} <= set(subpackages)
    subpackages = _benchmark._places_of_code(make_pipeline(RidgeBaseline()))
    assert set(subpackages) == {"metrics", "models", "text"}


def test_settings_hash_is_equal_in_other_processes(tmp_path):
    code = (
        "import numpy as np\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "from sklearn.decomposition import TruncatedSVD\n"
        "from sklearn_neurocontext import RidgeBaseline, TextBrainEnsemble\n"
        "from sklearn_neurocontext.experiments._benchmark import settings_hash\n"
        "pipe = make_pipeline(StandardScaler(), TruncatedSVD(2, random_state=0))\n"
        "pipe.steps.append(('e', TextBrainEnsemble([('a', RidgeBaseline())])))\n"
        "print(settings_hash('a', pipe, 'x', np.arange(3), np.arange(2), (10, 100)))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_records_contain_provenance(problem, tmp_path):
    run_benchmark(
        *problem, output=tmp_path, settings={"corpus": "made", "random_state": 0}
    )
    path = next((tmp_path / "records").glob("split-00_strong-ridge_*.json"))
    record = json.loads(path.read_text())
    assert record["provenance"]["settings"] == {"corpus": "made", "random_state": 0}
    assert record["provenance"]["versions"]["numpy"] == np.__version__
    assert record["provenance"]["machine"]["cpu_count"] >= 1


def test_records_of_an_earlier_run_keep_their_provenance(problem, tmp_path):
    estimators, X, y, splits = problem
    run_benchmark(
        estimators, X, y, splits[:1], output=tmp_path, settings={"run": "first"}
    )
    result = run_benchmark(
        estimators, X, y, splits, output=tmp_path, settings={"run": "second"}
    )
    runs = [run["settings"]["run"] for run in result.provenance]
    assert runs == ["first", "second"]
    assert [record["run"] for record in result.records] == [0, 0, 1, 1, 1, 1]


def test_estimators_with_similar_names_do_not_share_records(problem, tmp_path):
    _, X, y, splits = problem
    estimators = {"a b": Regressor(), "a-b": Regressor()}
    names = ["a b", "a-b"] * 3
    for _ in range(2):
        result = run_benchmark(estimators, X, y, splits, output=tmp_path, ks=(5,))
        assert [record["estimator"] for record in result.records] == names


PEAK_MEMORY = """
import numpy as np

from sklearn_neurocontext import RidgeBaseline
from sklearn_neurocontext.experiments import run_benchmark


class Hungry(RidgeBaseline):
    def fit(self, X, y):
        np.ones(40_000_000)  # 320 MB, released at once
        return super().fit(X, y)


X = np.random.default_rng(0).normal(size=(60, 4))
estimators = {"hungry": Hungry(), "modest": RidgeBaseline()}
splits = [(np.arange(40), np.arange(40, 60))]
records = run_benchmark(estimators, X, X, splits, ks=(5,)).records
print(*(record["peak_memory_mb"] for record in records))
"""


def test_peak_memory_of_each_fit():
    # In a process of its own: after other tests, memory that they have released may be
    # used again, so that the memory of the process does not grow.
    result = subprocess.run(
        [sys.executable, "-c", PEAK_MEMORY], capture_output=True, text=True, check=True
    )
    hungry, modest = result.stdout.split()
    if hungry == "None":
        pytest.skip("this system cannot reset the peak memory")
    assert float(hungry) - float(modest) > 200


@pytest.mark.parametrize(
    ("memory", "is_reset"),
    [
        ({"VmHWM": 500.0, "VmRSS": 499.0}, True),
        ({"VmHWM": 900.0, "VmRSS": 499.0}, False),
        ({"VmHWM": None, "VmRSS": None}, False),
    ],
)
def test_peak_memory_is_unknown_without_a_reset(problem, monkeypatch, memory, is_reset):
    # Some systems have no peak, or forbid or ignore its reset.
    monkeypatch.setattr(_benchmark, "_read_memory_mb", memory.get)
    _, X, y, splits = problem
    result = run_benchmark({"modest": Regressor()}, X, y, splits[:1], ks=(5,))
    expected = memory["VmHWM"] if is_reset else None
    assert result.records[0]["peak_memory_mb"] == expected


@pytest.mark.parametrize("kind", [list, pd.Series])
def test_texts_as_input(rng, kind):
    texts = kind(["word " * n for n in rng.integers(1, 30, size=60)])
    y = rng.normal(size=(60, 4))
    folds = list(KFold(4).split(y))
    result = run_benchmark({"lengths": Lengths()}, texts, y, folds, ks=(1, 15))
    assert "recall_at_1" in result.records[0]
    assert "recall_at_15" not in result.records[0]
    assert result.reference is None
    assert not result.overlapping


def test_errors(problem):
    estimators, X, y, splits = problem
    with pytest.raises(ValueError, match="got 0 estimators and 3 splits"):
        run_benchmark({}, X, y, splits)
    with pytest.raises(ValueError, match="got 0 estimators and 3 splits"):
        run_benchmark({}, {"ridge": X}, y, splits)
    with pytest.raises(ValueError, match="got 150 and 149 rows"):
        run_benchmark(estimators, X, y[:-1], splits)
    with pytest.raises(ValueError, match=r"contains row .* paper_splits\(100\)"):
        run_benchmark(estimators, X[:100], y[:100], splits)
    with pytest.raises(ValueError, match="both its training and its test set"):
        run_benchmark(estimators, X, y, [(np.arange(100), np.arange(90, 120))])


def test_groups_in_both_parts_raise(problem):
    estimators, X, y, splits = problem
    studies = np.arange(150).astype(str)
    result = run_benchmark(estimators, X, y, splits, groups=studies)
    for (_, test), numbers in zip(splits, result.studies, strict=True):
        assert np.unique(studies)[numbers].tolist() == studies[test].tolist()
    studies[splits[1][0][0]] = studies[splits[1][1][0]]
    with pytest.raises(ValueError, match=r"has analyses of study .*GroupKFold"):
        run_benchmark(estimators, X, y, splits, groups=studies)
    with pytest.raises(ValueError, match="must have 150 rows"):
        run_benchmark(estimators, X, y, splits, groups=studies[:3])


def _without(name):
    return lambda record: json.dumps({k: v for k, v in record.items() if k != name})


def _with(**values):
    return lambda record: json.dumps(record | values)


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: json.dumps(record).encode("utf-16"),
        lambda record: b"\xff\xfe\x00",
        lambda record: json.dumps(record)[:-9],
        lambda record: "",
        lambda record: "[1, 2]",
        lambda record: "null",
        lambda record: "[" * 100_000,
        _without("recall_curve"),
        _without("mix_match"),
        _without("recall_at_1_brain_to_text"),
        _without("n_candidates"),
        _without("ranks"),
        _with(ranks_brain_to_text=[1] * 10),
        _with(ranks="1 2 3"),
        _with(ranks="0 " * 10),
        _with(ranks="11 " * 10),
        _with(ranks="4-3 " * 10),
        _with(ranks="x " * 10),
        _without("fit_seconds"),
        _without("provenance"),
        _without("settings_hash"),
        _with(mix_match="0.5"),
        _with(mix_match=float("nan")),
        _with(mix_match=1.5),
        _with(recall_curve=[0.5]),
        _with(estimator="other"),
        _with(provenance={"versions": {}}),
        _with(best_epoch="7"),
    ],
)
def test_damaged_records_are_computed_again(damage, tmp_path, rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 4))
    splits = [(np.arange(30), np.arange(30, 40)), (np.arange(10, 40), np.arange(10))]
    arguments = {"ridge": RidgeBaseline()}, X, y, splits
    first = run_benchmark(*arguments, ks=(1,), output=tmp_path).records
    damaged, whole = sorted((tmp_path / "records").iterdir())
    before = whole.stat().st_mtime_ns
    new = damage(json.loads(damaged.read_text()))
    damaged.write_bytes(new if isinstance(new, bytes) else new.encode())
    message = rf"{re.escape(str(damaged))}.* is damaged. It is computed again"
    with pytest.warns(UserWarning, match=message) as caught:
        second = run_benchmark(*arguments, ks=(1,), output=tmp_path).records
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert whole.stat().st_mtime_ns == before
    scores = ("mix_match", "recall_at_1", "recall_curve")
    for old, again in zip(first, second, strict=True):
        assert [old[name] for name in scores] == [again[name] for name in scores]
    assert run_benchmark(*arguments, ks=(1,), output=tmp_path).records == second
