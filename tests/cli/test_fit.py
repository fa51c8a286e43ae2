"""Tests of the command fit."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sklearn_neurocontext import (
    NeuroContextModel,
    datasets,
    experiments,
    inference,
    plotting,
)
from sklearn_neurocontext.cli import _fit
from sklearn_neurocontext.datasets import make_studies
from tests.cli.console import run

TEXTS = ["pain heat", "finger tapping"]


@pytest.fixture(scope="module", params=["ridge", "best_text_brain"])
def fitted(request, synthetic_corpus, tmp_path_factory):
    """Fit a model and return the output folder."""
    output = tmp_path_factory.mktemp(request.param)
    arguments = ["--estimator", request.param, "--n-components", 128]
    for text in TEXTS:
        arguments += ["--text", text]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load_corpus", lambda name: synthetic_corpus)
        # Each figure of nilearn takes seconds.
        patch.setattr(plotting, "plot_maps", lambda *_, **__: Figure())
        options = ["--n-permutations", 1, "--output", output]
        result = run("fit", "nimare", *arguments, *options)
    assert result.exit_code == 0
    assert f"pass --model {output} to the commands map, decode" in result.stdout
    assert "prediction_2.png: predicted map of “finger tapping”" in result.stdout
    assert result.stdout.endswith(f"All results are in {output}\n")
    return output


def test_map_equals_prediction_of_fit(fitted, tmp_path):
    predicted = nib.load(fitted / "predictions.nii.gz").get_fdata()
    assert predicted.shape[3] == 2
    for index, text in enumerate(TEXTS):
        path = tmp_path / "map.nii.gz"
        assert run("map", text, "-o", path, "--model", fitted).exit_code == 0
        found = nib.load(path).get_fdata()
        np.testing.assert_allclose(found, predicted[..., index], atol=1e-6)
        assert found.any()


def test_model_has_z_maps_terms_and_card(fitted, tmp_path):
    folder = fitted / "model"  # equivalent to the folder above it
    z_map, table = tmp_path / "z.nii.gz", tmp_path / "table.csv"
    options = ["--model", folder]
    assert run("map", "pain", "--z", "-o", z_map, *options).exit_code == 0
    assert run("decode", z_map, "-k", 5, "-o", table, *options).exit_code == 0
    assert len(pd.read_csv(table)) == 5
    model = NeuroContextModel.from_pretrained(fitted)
    settings = model.card["settings"]
    assert settings["estimator"] in fitted.name
    model_names = {"ridge": "minilm", "best_text_brain": None}
    assert settings.get("model_name") == model_names[settings["estimator"]]
    assert model.smoothing_fwhm == 14
    assert model.card["n_studies"] == 90


def test_tables_contain_predictions_and_nearest_studies(fitted):
    predictions = pd.read_csv(fitted / "predictions.csv")
    assert predictions["text"].tolist() == TEXTS
    assert predictions.shape == (2, 129)
    nearest = pd.read_csv(fitted / "nearest_studies.csv")
    assert len(nearest) == 20
    for _, found in nearest.groupby("text"):
        assert np.all(np.diff(found["similarity"]) <= 0)
    assert len(pd.read_csv(fitted / "studies.csv")) == 90
    assert (fitted / "prediction_2.png").is_file()


@pytest.fixture
def fit(any_corpus, tmp_path):
    """Return a function that fits an estimator without z maps."""
    options = ["--n-components", 128, "--n-permutations", 0]
    options += ["--output", tmp_path / "out"]

    def fit(estimator, *more):
        return run("fit", "nimare", "--estimator", estimator, *options, *more)

    return fit


def _estimator_of(folder):
    return NeuroContextModel.from_pretrained(folder).card["settings"]["estimator"]


def _content(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_training_studies_are_predicted_without_text(fit, synthetic_corpus, tmp_path):
    result = fit("contrastive")
    assert result.exit_code == 0
    output = tmp_path / "out"
    predictions = pd.read_csv(output / "training_predictions.csv")
    ids = synthetic_corpus.studies["study_id"].tolist()
    assert predictions["study_id"].tolist() == ids
    assert "coefficients of the 90 training studies" in result.stdout
    assert not (output / "predictions.csv").exists()
    training = pd.read_csv(output / "training.csv")
    assert {"epoch", "train_loss"} <= set(training.columns)
    assert (output / "training.png").is_file()


@pytest.mark.usefixtures("quick_pictures")
def test_second_fit_replaces_model_and_tables(fit, tmp_path):
    output = tmp_path / "out"
    assert fit("cca", "--text", "pain", "--text", "heat").exit_code == 0
    own = [output / name for name in ("prediction_mine.png", "prediction_1.png.txt")]
    for path in own:
        path.write_text("keep")
    # These files would be left by a contrastive model and a third text.
    for name in ("training.csv", "training.png", "prediction_3.png"):
        (output / name).write_text("old")
    assert fit("ridge").exit_code == 0
    assert _estimator_of(output / "model") == "ridge"
    left = {"model", "studies.csv", "training_predictions.csv"}
    left |= {path.name for path in own}
    assert {path.name for path in output.iterdir()} == left
    result = run("map", "pain", "--z", "--model", output, "-o", tmp_path / "z.nii.gz")
    assert result.exit_code == 1
    assert "--z needs a model with z maps" in result.stderr


def _save_half(self, directory, **options):
    raise OSError("disk full")


def _stop(*args, **options):
    raise KeyboardInterrupt


@pytest.mark.usefixtures("quick_pictures")
@pytest.mark.parametrize(
    ("owner", "name", "fail", "code"),
    [(NeuroContextModel, "save", _save_half, 1), (inference, "fit_model", _stop, 130)],
)
def test_failed_fit_keeps_earlier_model(
    owner, name, fail, code, fit, tmp_path, monkeypatch
):
    assert fit("cca", "--text", "pain").exit_code == 0
    before = _content(tmp_path / "out")
    monkeypatch.setattr(owner, name, fail)
    assert fit("ridge").exit_code == code
    assert _content(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["mine.txt", "index/mine.txt", "index/model.json"])
def test_other_files_raise_before_fitting(name, fit, tmp_path, monkeypatch):
    monkeypatch.setattr(_fit, "prepare", _stop)
    own = tmp_path / "out" / "model" / name
    own.parent.mkdir(parents=True)
    own.write_text("keep")
    result = fit("cca")
    assert result.exit_code == 1
    assert "is not a saved model or contains other files" in result.stderr
    assert own.read_text() == "keep"


def test_best_text_brain_needs_no_language_model(fit, tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "make_embedder", None)
    assert fit("best_text_brain", "--text-field", "title").exit_code == 0
    assert _estimator_of(tmp_path / "out" / "model") == "best_text_brain"


def test_card_has_names_without_folders(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "atlas.nii.gz").write_text("")
    settings = {
        "corpus": str(tmp_path / "mine"),
        "atlas": str(tmp_path / "atlas.nii.gz"),
        "model_name": "some/model",
        "n_components": 128,
    }
    found = _fit._describe_settings(settings)
    assert found["corpus"] == "mine"
    assert found["atlas"] == "atlas.nii.gz"
    assert found["model_name"] == "some/model"
    assert Path(settings["corpus"]) == tmp_path / "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--n-components 100000", "n_components must be at most 29398"),
        ("--atlas nowhere.nii", "atlas must be"),
        ("--model-name nowhere", "model_name"),
        ("--estimator ridge --n-permutations 1", "3 studies are too few"),
        ("--estimator best_text_brain", "Pass more studies or longer texts"),
    ],
)
def test_errors_contain_parameter(options, words, fit, any_corpus):
    any_corpus(make_studies(n_studies=3, random_state=0))
    result = fit("contrastive", "--text-field", "title", *options.split())
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if "Error: " in line]
    assert words in line
    assert "n_permutations=" not in line


def test_model_without_terms_says_why(fit, any_corpus, tmp_path):
    any_corpus(make_studies(n_studies=4, random_state=0))
    result = fit("ridge", "--text-field", "title")
    assert result.exit_code == 0
    assert "no terms, because no term occurs in five or more studies" in result.stdout
    assert "decode then needs --text or --corpus" in result.stdout


def test_full_disk_keeps_older_model_and_results(any_corpus, tmp_path, full_disk):
    arguments = ["--estimator", "ridge", "--n-components", 128, "--n-permutations", 0]
    arguments += ["--text-field", "title", "--output", tmp_path]
    assert run("fit", "nimare", *arguments).exit_code == 0

    def read():
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {path.relative_to(tmp_path): path.read_bytes() for path in files}

    older = read()
    assert len(older) > 5
    # Of all files, only the arrays of the model are larger.
    with full_disk(max(map(len, older.values())) - 1):
        result = run("fit", "nimare", *arguments, "--random-state", 1)
    assert result.exit_code == 1
    assert "File too large" in result.stderr
    assert read() == older
