"""Tests of the commands benchmark and demo."""

import json

import nibabel as nib
import pytest
from sklearn.utils import Bunch

from sklearn_neurocontext import experiments
from sklearn_neurocontext.cli import _benchmark
from sklearn_neurocontext.cli._benchmark import _print_differences, _print_scores
from tests.cli.console import run

FOLDS = ["benchmark", "nimare", "--n-candidates", "fold", "--n-components", 128]


@pytest.fixture
def quick_networks(monkeypatch):
    """Train each neural network for one epoch."""
    real = experiments.make_estimators

    def make(*args, **kwargs):
        estimators = real(*args, **kwargs)
        for name in {"contrastive", "mlp"} & set(estimators):
            estimators[name][-1].set_params(max_epochs=1)
        return estimators

    monkeypatch.setattr(experiments, "make_estimators", make)


@pytest.mark.slow
@pytest.mark.usefixtures("any_corpus", "quick_networks")
def test_demo_writes_files(tmp_path, monkeypatch):
    settings = _benchmark._DEMO_SETTINGS | {"n_components": 128}
    monkeypatch.setattr(_benchmark, "_DEMO_SETTINGS", settings)
    monkeypatch.setattr(_benchmark, "_DEMO_N_SPLITS", 3)
    text = "Alzheimer's [disease]"
    result = run("demo", "--text", text, "--output", tmp_path)
    assert result.exit_code == 0
    for words in ("90 studies, 3 folds", "mix&match", "chance", text):
        assert words in result.stdout
    assert "Recall among 30 candidates is not comparable" in result.stdout
    assert "at the 90th, 50th, 10th percentile of the Dice score" in result.stdout
    assert result.stdout.endswith(f"Results are in: {tmp_path}\n")
    for name in ("recall_curves", "predicted_and_observed", "text"):
        path = tmp_path / f"{name}.png"
        assert path.name in result.stdout or name == "recall_curves"
        assert path.read_bytes().startswith(b"\x89PNG")
    assert nib.load(tmp_path / "text.nii.gz").ndim == 3
    results = json.loads((tmp_path / "results.json").read_text())
    assert {r["estimator"] for r in results["records"]} == set(experiments.ESTIMATORS)
    assert len(results["records"]) == 3 * 4


@pytest.mark.slow
@pytest.mark.usefixtures("any_corpus")
def test_benchmark_writes_tables_and_figures(tmp_path, request):
    output = tmp_path / "results"
    arguments = [*FOLDS, "--n-splits", 3, "--ks", "1,5", "--estimators", "ridge,cca"]
    result = run(*arguments, "--output", output)
    assert result.exit_code == 0
    for words in ("mix&match", "recall@5", "chance", "cca minus ridge", str(output)):
        assert words in result.stdout
    assert "90 studies, 3 splits, 30 candidates" in result.stdout
    results = json.loads((output / "results.json").read_text())
    settings = results["provenance"][0]["settings"]
    assert settings["n_studies"] == 90
    assert settings["n_components"] == "128"
    assert len(results["records"]) == 6
    for name in ("recall_curves.png", "predicted_and_observed.png"):
        assert (output / name).read_bytes().startswith(b"\x89PNG")
    # A second run reads the records instead of fitting again.
    request.getfixturevalue("quick_pictures")
    written = {path: path.stat().st_mtime_ns for path in output.glob("records/*.json")}
    assert run(*arguments, "--output", output).exit_code == 0
    for path, modified in written.items():
        assert path.stat().st_mtime_ns == modified


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--n-candidates", 80], ["90 studies", "--n-candidates 80", "pass --n-can"]),
        (["--n-candidates", "fold", "--n-splits", 91], ["too few for 91 folds"]),
    ],
)
def test_too_few_studies_raise_before_embedding(
    options, words, any_corpus, tmp_path, monkeypatch
):
    embedded = []

    def make_embedder(name):
        return Bunch(fit=embedded.append, transform=embedded.append)

    monkeypatch.setattr(experiments, "make_embedder", make_embedder)
    result = run(*FOLDS, *options, "--output", tmp_path)
    assert result.exit_code == 1
    assert all(word in result.stderr for word in words)
    assert not embedded


@pytest.mark.usefixtures("any_corpus", "quick_pictures")
def test_best_text_brain_needs_no_embeddings(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "make_embedder", None)
    arguments = [*FOLDS, "--text-field", "abstract", "--n-splits", 2, "--ks", "1,50"]
    result = run(*arguments, "--estimators", "best_text_brain", "--output", tmp_path)
    assert result.exit_code == 0
    assert "map predicted by best_text_brain" in result.stdout
    assert "Skipped recall@50: the smallest test set has 45" in result.stderr
    (record, _) = json.loads((tmp_path / "results.json").read_text())["records"]
    assert record["mix_match"] > 0.6


@pytest.mark.usefixtures("any_corpus", "quick_pictures", "quick_networks")
def test_full_training_is_reported(tmp_path):
    arguments = [*FOLDS, "--n-splits", 2, "--ks", 1, "--estimators", "contrastive"]
    result = run(*arguments, "--full-training", "--output", tmp_path)
    assert result.exit_code == 0
    assert "Without early stopping, first split: recall@1" in result.stdout
    assert (tmp_path / "full_training" / "results.json").is_file()


def test_printed_scores_of_one_split_and_names_with_markup(capsys):
    scores = {"n_candidates": 30, "mix_match": 0.7, "fit_seconds": 1.0}
    names = ("ridge", "[/x] mine")
    records = [{"split": 0, "estimator": name, **scores} for name in names]
    result = experiments.BenchmarkResult(records, reference="ridge")
    _print_scores(result, {"mix_match": "mix&match, %"}, "my[old] corpus [/x]")
    _print_differences(result, {"mix_match": "mix&match, %"})
    printed = capsys.readouterr().out
    assert "my[old] corpus [/x]" in printed
    assert "[/x] mine" in printed
    assert "70.0" in printed
    assert "nan" not in printed


def test_printed_intervals_are_defined(capsys):
    shared = {"split": 0, "n_candidates": 3, "fit_seconds": 1.0}
    scores = {"ridge": (0.5, "1 2 3"), "cca": (1.0, "1 1 1")}
    records = [
        {**shared, "estimator": name, "mix_match": score, "ranks": ranks}
        for name, (score, ranks) in scores.items()
    ]
    result = experiments.BenchmarkResult(records, "ridge", studies=[[0, 1, 2]])
    _print_scores(result, {"mix_match": "mix&match, %"}, "title")
    _print_differences(result, {"mix_match": "mix&match, %"})
    printed = capsys.readouterr().out
    assert "[0.0, 100.0]" in printed
    assert "[100.0, 100.0]" in printed
    assert "Brackets contain 95 % intervals of a bootstrap over test studies" in printed
    assert "points [paired 95 % interval]: +50.0 [+0.0, +100.0]" in printed
