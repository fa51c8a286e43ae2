"""What fit wrote, map, decode and report take."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.cli import main
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
    model = NeuroContextModel.from_pretrained(folder)
    assert model.card["settings"]["estimator"] in fitted.name
    assert model.card["n_studies"] == 90
    assert str(tmp_path) not in str(model.card)


def test_a_second_fit_replaces_the_model_and_no_other_folder(
    corpus, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._steps.load_corpus", lambda name: corpus
    )
    arguments = ["fit", "nimare", "--estimator", "cca", "--components", "128"]
    arguments += ["--exchanges", "0", "--output", str(tmp_path)]
    for _ in range(2):
        assert main(arguments) == 0
    assert f"--model {tmp_path}" in capsys.readouterr().out
    options = ["--model", str(tmp_path), "-o", str(tmp_path / "z.nii.gz")]
    assert main(["map", "pain", "--z", *options]) == 1
    assert "does not know z maps" in capsys.readouterr().err
    own = tmp_path / "other" / "model" / "mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("keep")
    assert main([*arguments[:-1], str(tmp_path / "other")]) == 1
    assert "is there and no model" in capsys.readouterr().err
    assert own.read_text() == "keep"
