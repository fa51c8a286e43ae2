"""What fit wrote, map, decode and report take."""

from argparse import Namespace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.cli import _fit, main
from sklearn_neurocontext.cli._steps import words_for_few_studies
from sklearn_neurocontext.datasets import make_studies

SENTENCES = ["pain heat", "finger tapping"]


@pytest.fixture(scope="module")
def corpus():
    return make_studies(n_studies=90, random_state=0)


@pytest.fixture(scope="module", params=["ridge", "best_text_brain"])
def fitted(request, corpus, tmp_path_factory):
    """Folder of a fit."""
    output = tmp_path_factory.mktemp(request.param)
    arguments = ["fit", "nimare", "--estimator", request.param, "--components", "128"]
    for sentence in SENTENCES:
        arguments += ["--sentence", sentence]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sklearn_neurocontext.cli._steps.load_corpus", lambda name: corpus
        )
        assert main([*arguments, "--exchanges", "1", "--output", str(output)]) == 0
    return output


def test_map_gives_the_map_that_fit_predicted(fitted, tmp_path):
    predicted = nib.load(fitted / "predictions.nii.gz").get_fdata()
    for index, sentence in enumerate(SENTENCES):
        path = tmp_path / "map.nii.gz"
        assert main(["map", sentence, "-o", str(path), "--model", str(fitted)]) == 0
        found = nib.load(path).get_fdata()
        np.testing.assert_allclose(found, predicted[..., index], atol=1e-6)
        assert found.any()


def test_the_model_has_z_maps_terms_and_reference(fitted, tmp_path):
    folder = str(fitted / "model")  # as good as the folder above it
    z_map, table = tmp_path / "z.nii.gz", tmp_path / "table.csv"
    assert main(["map", "pain", "--z", "-o", str(z_map), "--model", folder]) == 0
    arguments = ["decode", str(z_map), "-k", "5", "-o", str(table), "--model", folder]
    assert main(arguments) == 0
    assert len(pd.read_csv(table)) == 5
    model = NeuroContextModel.from_pretrained(fitted)  # in Python, too
    assert model.card["settings"]["estimator"] in fitted.name
    assert model.smoothing_fwhm == 14
    assert model.card["n_studies"] == 90
    encoder = {"ridge": "minilm"}.get(model.card["settings"]["estimator"])
    assert model.card["settings"].get("encoder") == encoder


@pytest.fixture
def fit(corpus, tmp_path, monkeypatch, quick_pictures):
    """Fit into a folder, with the command line's options."""
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._steps.load_corpus", lambda name: corpus
    )

    def run(estimator, *options):
        arguments = ["fit", "nimare", "--estimator", estimator, "--components", "128"]
        arguments += ["--exchanges", "0", "--output", str(tmp_path / "out"), *options]
        return main(arguments)

    return run


def _estimator_of(folder):
    return NeuroContextModel.from_pretrained(folder).card["settings"]["estimator"]


def _content(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_chance_is_measured_with_maps_as_smooth_as_the_models(fit, monkeypatch):
    given = {}

    def measure(*_, **named):
        given.update(named)
        raise ValueError("enough")

    monkeypatch.setattr(_fit, "training_statistics", measure)
    assert fit("ridge") == 1
    assert given["smoothing_fwhm"] == 14


def test_a_second_fit_replaces_model_and_tables(fit, tmp_path, capsys):
    output = tmp_path / "out"
    assert fit("cca", "--sentence", "pain", "--sentence", "heat") == 0
    assert f"--model {output}" in capsys.readouterr().out
    own = [output / name for name in ("prediction_mine.png", "prediction_1.png.txt")]
    for path in own:
        path.write_text("keep")
    for name in ("training.csv", "training.png"):  # as of a contrastive model
        (output / name).write_text("stale")
    assert fit("ridge") == 0
    assert _estimator_of(output / "model") == "ridge"
    left = {
        "model",
        "studies.csv",
        "training_predictions.csv",
        *(path.name for path in own),
    }
    assert {path.name for path in output.iterdir()} == left
    options = ["--model", str(output), "-o", str(tmp_path / "z.nii.gz")]
    assert main(["map", "pain", "--z", *options]) == 1
    assert "does not know z maps" in capsys.readouterr().err


def _save_half(self, directory, **options):
    (Path(directory) / "index").mkdir(parents=True)
    raise OSError("disk full")


def _stop(*args, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("home", "name", "fail", "code"),
    [
        (NeuroContextModel, "save", _save_half, 1),
        (_fit, "training_statistics", _stop, 130),
    ],
)
def test_what_fails_leaves_the_older_fit_alone(
    home, name, fail, code, fit, tmp_path, monkeypatch
):
    assert fit("cca", "--sentence", "pain") == 0
    before = _content(tmp_path / "out")
    monkeypatch.setattr(home, name, fail)
    assert fit("ridge") == code
    assert _content(tmp_path / "out") == before
    assert not list((tmp_path / "out").glob(".*"))


def test_an_older_model_returns_where_the_new_cannot_take_its_place(
    fit, tmp_path, monkeypatch
):
    assert fit("cca") == 0
    before = _content(tmp_path / "out")
    rename = Path.rename

    def fail_once(self, target):
        if (self / "index").is_dir() and Path(target).name == "model":
            monkeypatch.setattr(Path, "rename", rename)
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    assert fit("ridge") == 1
    assert _content(tmp_path / "out") == before
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.parametrize("names", ["mine.txt", "index/mine.txt", "index/model.json"])
def test_a_strangers_folder_is_refused_before_any_work(
    names, fit, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(_fit, "prepare", _stop)
    own = tmp_path / "out" / "model" / names
    own.parent.mkdir(parents=True)
    own.write_text("keep")
    assert fit("cca") == 1
    assert "is there and no model" in capsys.readouterr().err
    assert own.read_text() == "keep"


def test_a_model_with_other_things_in_it_is_refused(fit, tmp_path, capsys):
    assert fit("cca") == 0
    model = tmp_path / "out" / "model"
    for place in (model, model / "masker"):
        (place / "notes.txt").write_text("keep")
        assert fit("ridge") == 1
        assert "holds other things too" in capsys.readouterr().err
        (place / "notes.txt").unlink()
    model.rename(tmp_path / "elsewhere")
    model.symlink_to(tmp_path / "elsewhere")
    assert fit("ridge") == 1
    assert model.is_symlink()
    assert _estimator_of(tmp_path / "elsewhere") == "cca"


def test_a_title_model_of_words_takes_no_encoder(fit, tmp_path, capsys):
    assert fit("best_text_brain", "--encoder", "some/model") == 1
    assert "best_text_brain takes no --encoder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert fit("best_text_brain", "--text", "title") == 0
    assert _estimator_of(tmp_path / "out" / "model") == "best_text_brain"


def test_the_card_has_names_and_no_paths(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "atlas.nii.gz").write_text("")
    arguments = {
        "corpus": tmp_path / "mine",
        "atlas": tmp_path / "atlas.nii.gz",
        "encoder": "some/model",
        "estimator": "ridge",
        "text": "title",
        "components": 128,
        "seed": 0,
    }
    found = _fit._settings(Namespace(**arguments))
    assert found["corpus"] == "mine"
    assert found["atlas"] == "atlas.nii.gz"
    assert found["encoder"] == "some/model"


def test_too_few_studies_are_said_before_the_fit(fit, monkeypatch, capsys):
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._steps.load_corpus",
        lambda name: make_studies(n_studies=3, random_state=0),
    )
    monkeypatch.setattr(_fit, "make_estimators", _stop)
    assert fit("ridge", "--exchanges", "1") == 1
    assert "3 studies are too few" in capsys.readouterr().err


def test_words_are_blamed_on_estimators_of_words_alone():
    with (
        pytest.raises(ValueError, match=r"^No term in min_df=3$"),
        words_for_few_studies(["ridge"], 3),
    ):
        raise ValueError("No term in min_df=3")
    with (
        pytest.raises(ValueError, match="of 3 studies too few do"),
        words_for_few_studies(["ridge", "best_text_brain"], 3),
    ):
        raise ValueError("No term in min_df=3")
