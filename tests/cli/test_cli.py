"""Commands run to their end, say what they made, and say errors in one line."""

import json
from argparse import Namespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sklearn_neurocontext import datasets, experiments
from sklearn_neurocontext.cli import _corpus_parsers, _main, main
from sklearn_neurocontext.datasets import _bunch, make_studies


@pytest.fixture
def small_corpus(monkeypatch):
    """Stand in for any named corpus: synthetic studies."""
    corpus = make_studies(n_studies=90, random_state=0)
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._steps.load_corpus", lambda name: corpus
    )
    return corpus


def test_demo_makes_what_it_names(small_corpus, tmp_path, capsys, monkeypatch):
    real = experiments.make_estimators

    def quick(*args, **kwargs):
        estimators = real(*args, **kwargs)
        for name in {"contrastive", "mlp"} & set(estimators):
            estimators[name][-1].set_params(max_epochs=1)
        return estimators

    for module in ("_demo", "_steps"):
        monkeypatch.setattr(f"sklearn_neurocontext.cli.{module}.make_estimators", quick)
    monkeypatch.setattr("sklearn_neurocontext.cli._demo._N_COMPONENTS", 128)
    monkeypatch.setattr("sklearn_neurocontext.cli._demo._N_FOLDS", 3)
    sentence = "Alzheimer's [disease]"
    assert main(["demo", "--sentence", sentence, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for words in ("90 studies, 3 folds", "mix&match", "chance", sentence):
        assert words in printed
    assert "Recall among 30 candidates compares with nothing published" in printed
    assert printed.strip().endswith(f"Look into: {tmp_path}")
    for name in ("recall_curves", "predicted_and_observed", "sentence"):
        path = tmp_path / f"{name}.png"
        assert path.name in printed or name == "recall_curves"
        assert path.read_bytes().startswith(b"\x89PNG")
    assert nib.load(tmp_path / "sentence.nii.gz").ndim == 3
    results = json.loads((tmp_path / "results.json").read_text())
    assert {r["estimator"] for r in results["records"]} == set(experiments.ESTIMATORS)
    assert len(results["records"]) == 3 * 4


def test_benchmark_writes_tables_and_pictures(small_corpus, tmp_path, capsys, request):
    output = tmp_path / "results"
    arguments = ["benchmark", "--corpus", "nimare", "--text", "title", "--folds", "3"]
    arguments += ["--candidates", "fold", "--ks", "1,5", "--components", "128"]
    arguments += ["--estimators", "ridge,cca", "--output", str(output)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for words in ("mix&match", "recall@5", "chance", "cca minus ridge", str(output)):
        assert words in printed
    assert "90 studies, 3 splits, 30 candidates" in printed
    results = json.loads((output / "results.json").read_text())
    assert results["provenance"][0]["settings"]["n_studies"] == 90
    assert len(results["records"]) == 6
    for name in ("recall_curves.png", "predicted_and_observed.png"):
        assert (output / name).read_bytes().startswith(b"\x89PNG")
    # A second call reads the records instead of fitting again.
    request.getfixturevalue("quick_pictures")
    written = {path: path.stat().st_mtime_ns for path in output.glob("records/*.json")}
    assert main(arguments) == 0
    for path, modified in written.items():
        assert path.stat().st_mtime_ns == modified


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--candidates", "80"], "90 studies are too few for test parts of 80 beside"),
        (["--candidates", "fold", "--folds", "91"], "too few for 91 folds"),
    ],
)
def test_too_few_studies_are_said_before_any_is_embedded(
    options, words, small_corpus, tmp_path, capsys, monkeypatch
):
    embedded = []

    def make_embedder(name):
        return Bunch(fit=embedded.append, transform=embedded.append)

    monkeypatch.setattr("sklearn_neurocontext.cli._steps.make_embedder", make_embedder)
    arguments = ["benchmark", "--corpus", "nimare", "--output", str(tmp_path)]
    assert main([*arguments, "--components", "128", *options]) == 1
    assert words in capsys.readouterr().err
    assert not embedded


@pytest.mark.usefixtures("quick_pictures")
def test_benchmark_of_what_takes_texts_embeds_none(
    small_corpus, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("sklearn_neurocontext.cli._steps.make_embedder", None)
    arguments = ["benchmark", "--text", "abstract", "--folds", "2", "--ks", "1"]
    arguments += ["--candidates", "fold", "--components", "128"]
    arguments += ["--estimators", "best_text_brain", "--output", str(tmp_path)]
    assert main(arguments) == 0
    assert "predicted by best_text_brain" in capsys.readouterr().out
    (record, _) = json.loads((tmp_path / "results.json").read_text())["records"]
    assert record["mix_match"] > 0.6


@pytest.mark.usefixtures("quick_pictures")
def test_full_training_is_reported_beside(small_corpus, tmp_path, capsys, monkeypatch):
    real = experiments.make_estimators

    def quick(*args, **kwargs):
        estimators = real(*args, **kwargs)
        estimators["contrastive"].set_params(contrastivetextbrain__max_epochs=2)
        return estimators

    monkeypatch.setattr("sklearn_neurocontext.cli._benchmark.make_estimators", quick)
    monkeypatch.setattr("sklearn_neurocontext.cli._steps.make_estimators", quick)
    arguments = ["benchmark", "--folds", "2", "--candidates", "fold", "--ks", "1"]
    arguments += ["--estimators", "contrastive", "--components", "128"]
    arguments += ["--full-training", "--output", str(tmp_path)]
    assert main(arguments) == 0
    assert "All 2 epochs on the first split: recall@1" in capsys.readouterr().out
    assert (tmp_path / "full_training" / "results.json").is_file()


def test_fit_predicts_and_retrieves_for_sentences(small_corpus, tmp_path, capsys):
    arguments = ["fit", "nimare", "--estimator", "ridge", "--components", "128"]
    arguments += ["--sentence", "pain heat", "--sentence", "finger tapping"]
    stale = tmp_path / "prediction_3.png"
    stale.write_text("of an earlier run")
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert str(tmp_path) in printed
    assert "prediction_2.png: the map predicted for “finger tapping”" in printed
    assert not stale.exists()
    predictions = pd.read_csv(tmp_path / "predictions.csv")
    assert predictions["text"].tolist() == ["pain heat", "finger tapping"]
    assert predictions.shape == (2, 129)
    assert nib.load(tmp_path / "predictions.nii.gz").shape[3] == 2
    nearest = pd.read_csv(tmp_path / "nearest_studies.csv")
    assert len(nearest) == 20
    for _, found in nearest.groupby("sentence"):
        assert np.all(np.diff(found["similarity"]) <= 0)
    assert len(pd.read_csv(tmp_path / "studies.csv")) == 90
    assert (tmp_path / "prediction_2.png").is_file()


def test_fit_without_sentence_marks_that_it_predicts_its_studies(
    small_corpus, tmp_path, capsys
):
    arguments = ["fit", "nimare", "--estimator", "contrastive", "--components", "128"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    predictions = pd.read_csv(tmp_path / "training_predictions.csv")
    ids = small_corpus.studies["study_id"].tolist()
    assert predictions["study_id"].tolist() == ids
    printed = capsys.readouterr().out
    assert "the 90 studies that the model was fitted to" in " ".join(printed.split())
    assert not (tmp_path / "predictions.csv").exists()
    training = pd.read_csv(tmp_path / "training.csv")
    assert {"epoch", "train_loss"} <= set(training.columns)
    assert (tmp_path / "training.png").is_file()


def test_an_error_is_one_line_and_code_1(tmp_path, capsys):
    assert main(["fit", str(tmp_path / "nowhere"), "--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("neurocontext: ")
    assert "neither a folder nor one of" in error
    assert "Traceback" not in error
    with pytest.raises(ValueError, match="neither a folder"):
        main(["--traceback", "fit", str(tmp_path / "nowhere")])


def test_a_corpus_too_small_for_the_paper_splits_says_what_to_do(
    small_corpus, tmp_path, capsys
):
    assert main(["benchmark", "--components", "128", "--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "--candidates fold" in error
    assert "n_candidates" not in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--components 100000", "--components 100000 is more than the 29398 voxels"),
        ("--atlas nowhere.nii", "--atlas 'nowhere.nii' is no file here"),
        ("--encoder nowhere --exchanges 0", "and pass its path as --encoder."),
        ("--estimator ridge", "expected at least 5, or --exchanges 0, which leaves"),
        (
            "--estimator best_text_brain --exchanges 0",
            "of 3 studies too few do. Take a larger",
        ),
    ],
)
def test_errors_name_what_the_command_line_has(
    arguments, words, small_corpus, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._steps.load_corpus",
        lambda name: make_studies(n_studies=3, random_state=0),
    )
    # Only the numbers of maps that come with the package need no clustering.
    few = "--components 128 " if "--components" not in arguments else ""
    output = ["--text", "title", "--output", str(tmp_path)]
    assert main(["fit", "nimare", *(few + arguments).split(), *output]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "Lower n_components, or n_candidates.",
            "Lower --components, or n_candidates.",
        ),
        ("pass atlas='n_components='", "pass --atlas 'n_components='"),
        ("'/data/n_components.csv' is no file",) * 2,
        ("/data/n_components.csv and n_components.csv are no files",) * 2,
        ("the shape is (3, 4), not (n_components, n_voxels)",) * 2,
        ("studies' n_components; yours'", "studies' --components; yours'"),
        ("the atlas, model_name and n_components_ stay",) * 2,
    ],
)
def test_only_options_that_the_command_has_are_named(error, words):
    arguments = Namespace(atlas="geometric", components=5)
    assert _main._in_one_line(ValueError(error), arguments) == words


def test_unknown_estimators_are_named_before_any_work(tmp_path, capsys):
    assert main(["benchmark", "--estimators", "svm", "--output", str(tmp_path)]) == 1
    assert "Unknown estimators: 'svm'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["benchmark", "--folds", "no"],
        ["benchmark", "--candidates", "-1"],
        ["benchmark", "--estimators", ","],
        ["demo", "--sentence", " "],
        ["demo", "--output", __file__],
        ["fit", "nimare", "--sentence", ""],
    ],
)
def test_wrong_arguments_leave_with_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: neurocontext" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit nimare", "benchmark"])
def test_ctrl_c_leaves_with_code_130(command, monkeypatch, tmp_path, capsys):
    def stop(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_neurocontext.cli._steps.load_corpus", stop)
    assert main([*command.split(), "--output", str(tmp_path)]) == 130
    error = capsys.readouterr().err
    assert "Stopped." in error
    assert ("goes on" in error) is (command == "benchmark")


@pytest.mark.parametrize("command", ["demo", "embed", "fit", "benchmark"])
def test_help_explains_each_option(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert "--output" in printed
    assert "(default: None)" not in printed
    commands = _main._parser()._subparsers._group_actions[0].choices
    assert all(action.help for action in commands[command]._actions)


def test_words_of_the_command_line_are_those_of_the_package():
    assert _corpus_parsers._ESTIMATORS == experiments.ESTIMATORS
    assert _corpus_parsers._TEXT_ESTIMATORS == experiments.TEXT_ESTIMATORS
    assert _corpus_parsers._PARTS == _bunch._TEXT_PARTS
    assert all(name in _corpus_parsers._CORPUS for name in datasets.CORPORA)
