"""Tests of maps that are predicted from descriptions and compared with real maps."""

import json

import numpy as np
import pandas as pd
import pytest
from nilearn.image import resample_img

from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import (
    MapComparison,
    compare_maps,
    make_masker,
    read_described_maps,
)
from sklearn_neurocontext.experiments import _map_comparison as module


@pytest.fixture(scope="module")
def corpus():
    """Return synthetic studies."""
    return make_studies(n_studies=60, random_state=0)


@pytest.fixture
def folder(corpus, tmp_path):
    """Return a folder with the maps of two studies, described by their titles."""
    masker = make_masker("geometric", 128).fit(corpus.peaks)
    imgs = masker.inverse_transform(masker.transform(corpus.peaks[:2]))
    inner = tmp_path / "maps" / "studies"
    inner.mkdir(parents=True)
    for place in range(2):
        imgs.slicer[..., place].to_filename(inner / f"{place}.nii.gz")
    table = pd.DataFrame(
        {
            "name": ["first", "second"],
            "file": ["0.nii.gz", "1.nii.gz"],
            "description": corpus.studies["title"].iloc[:2],
        }
    )
    table.to_csv(inner / "descriptions.tsv", sep="\t", index=False)
    return tmp_path / "maps"


def _perfect(corpus):
    """Return a method that knows the coefficients of each title."""
    return lambda texts, y, queries: np.stack([y[texts.index(one)] for one in queries])


def test_scores_of_known_maps(corpus, folder, monkeypatch, tmp_path):
    methods = {"perfect": _perfect(corpus), "mean map": module._predict_mean}
    monkeypatch.setattr(module, "_make_methods", lambda *args: methods)
    done = []
    result = compare_maps(
        corpus, folder, n_components=128, on_progress=lambda *one: done.append(one)
    )
    assert done == [(1, 2, "perfect"), (2, 2, "mean map")]
    by_method = result.scores.groupby("method")
    perfect, mean = by_method.get_group("perfect"), by_method.get_group("mean map")
    np.testing.assert_allclose(perfect["correlation"], 1, atol=1e-5)
    assert (perfect["dice_10"] > 0.99).all()
    assert mean["correlation"].max() < 0.99
    summary = result.summary().set_index(["method", "metric"])
    assert summary.loc[("mean map", "dice_20"), "mean"] == pytest.approx(
        mean["dice_20"].mean()
    )
    result.write(tmp_path / "out")
    text = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert "| method | correlation | Dice, top 5 % | Dice, top 10 % |" in text
    assert "Means over 2 maps" in text
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert content["provenance"]["settings"]["n_studies"] == 60
    assert (tmp_path / "out" / "dice.png").read_bytes().startswith(b"\x89PNG")


def test_mean_map_gives_all_studies_the_same_weight(rng):
    y = rng.normal(size=(5, 4))
    scaled = y * rng.uniform(1, 9, size=(5, 1))
    mean = module._predict_mean(None, y, ["a", "b"])
    np.testing.assert_allclose(module._predict_mean(None, scaled, ["a", "b"]), mean)
    assert mean.shape == (2, 4)


@pytest.mark.slow
def test_real_methods(corpus, folder, monkeypatch, tmp_path):
    from sklearn_neurocontext.models import _net

    train = _net.train_net

    def train_one_epoch(*args, **options):
        return train(*args, **options | {"max_epochs": 1})

    monkeypatch.setattr(_net, "train_net", train_one_epoch)
    store = tmp_path / "store.sqlite"
    result = compare_maps(corpus, folder, n_components=128, cache=store)
    assert len(result.scores) == 6 * 2
    assert result.summary()["mean"].notna().all()


def test_maps_on_another_grid_are_resampled(corpus, tmp_path):
    masker = make_masker("geometric", 128).fit(corpus.peaks)
    img = masker.inverse_transform(masker.transform(corpus.peaks[:1])).slicer[..., 0]
    affine = img.affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    fine = resample_img(img, affine, force_resample=True, copy_header=True)
    assert fine.shape != img.shape
    values = []
    for name, one in (("coarse", img), ("fine", fine)):
        one.to_filename(tmp_path / f"{name}.nii.gz")
        values.append(module._read_map(tmp_path / f"{name}.nii.gz", masker.mask_img_))
    assert np.corrcoef(values)[0, 1] > 0.99


def test_one_map_has_no_interval():
    row = {"method": "a", "name": "m", "description": "pain", "correlation": 0.5}
    summary = MapComparison(pd.DataFrame([row]), {}).summary()
    assert summary["low"].isna().all()


def test_errors(tmp_path):
    with pytest.raises(ValueError, match=r"No subfolder of .* contains descriptions"):
        read_described_maps(tmp_path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name\tdescription\na\tpain\n", "name, file and description; got name"),
        ("name\tfile\tdescription\na\tx.nii\tpain\n", "'x.nii' does not exist"),
        ("name\tfile\tdescription\na\tx.nii\t\n", "description of 'a' is empty"),
    ],
)
def test_wrong_descriptions(tmp_path, table, message):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "descriptions.tsv").write_text(table)
    with pytest.raises(ValueError, match=message):
        read_described_maps(tmp_path)
