"""Models are saved, loaded and replaced as complete folders."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_neurocontext import (
    CCABaseline,
    KernelCCA,
    NeuroContextModel,
    TextBrainEnsemble,
)
from sklearn_neurocontext.inference._storage import find_folder
from sklearn_neurocontext.persistence import load_values, save_values
from tests.text_model import make_corpus


def test_loaded_model_gives_the_same_results(model, tmp_path):
    loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / "mine"))
    one, other = model("pain heat"), loaded("pain heat")
    for name in ("brain_map", "z_map"):
        np.testing.assert_array_equal(one[name].get_fdata(), other[name].get_fdata())
    assert one["similar_words"].equals(other["similar_words"])
    assert loaded.card == {"n_studies": 150}
    with pytest.raises(FileExistsError, match="is not an empty folder; nothing was s"):
        model.save(tmp_path / "mine")
    small = NeuroContextModel.from_pretrained(model.save(tmp_path / "half", half=True))
    maps = [one["brain_map"].get_fdata(), small("pain heat")["brain_map"].get_fdata()]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.999


@pytest.mark.parametrize("half", [False, True])
def test_null_std_of_differences_is_saved(parts, tmp_path, half):
    std = 1e-6 * parts["null_std"]
    model = NeuroContextModel(**parts, null_std_difference=std)
    loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / "m", half=half))
    (expected,), (found,) = (
        one.transform(["pain"], minus="finger")["z_map"] for one in (model, loaded)
    )
    np.testing.assert_allclose(found.get_fdata(), expected.get_fdata(), rtol=0.2)


def test_half_precision_keeps_small_null_std(parts, tmp_path, rng):
    parts = parts | {"null_std": parts["null_std"] * 1e-3, "terms": None}
    parts["reference"] = 1e7 * rng.uniform(size=(60, 128))
    model = NeuroContextModel(**parts)
    loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / "it", half=True))
    one, other = (
        m.transform(["pain"])["z_map"][0].get_fdata() for m in (model, loaded)
    )
    assert ((one != 0) == (other != 0)).all()
    np.testing.assert_allclose(other, one, atol=2e-3 * np.abs(one).max())
    one, other = (m._reference for m in (model, loaded))
    np.testing.assert_allclose(other, one, atol=1e-3 * np.abs(one).max())
    assert not np.array_equal(other, one)


def test_failed_save_leaves_no_files(parts, tmp_path):
    model = NeuroContextModel(**(parts | {"card": {"a": float("nan")}}))
    with pytest.raises(ValueError, match=r"card.a is nan and was not saved"):
        model.save(tmp_path / "mine")
    changed = NeuroContextModel(parts["model"], parts["masker"])
    changed.masker = np.ones(3)
    with pytest.raises(TypeError, match="ndarray"):
        changed.save(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []
    terms = {term: np.int64(n) for term, n in parts["terms"].items()}
    model = NeuroContextModel(**(parts | {"terms": terms}))
    loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / "mine"))
    assert loaded.terms == parts["terms"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("part", ["model", "masker", "index"])
def test_parts_of_another_model_raise(parts, tmp_path, part):
    other = {"model": clone(parts["model"][:2]), "mean": parts["mean"] * 0 + 1}
    corpus = make_corpus()
    y = parts["masker"].transform(corpus.peaks)
    texts = corpus.studies["title"].tolist()
    other["model"] = make_pipeline(*other["model"], CCABaseline()).fit(texts, y)
    folder = NeuroContextModel(**parts).save(tmp_path / "one")
    other["masker"] = clone(parts["masker"]).set_params(fwhm=10.0).fit()
    there = NeuroContextModel(**(parts | other)).save(tmp_path / "other")
    shutil.rmtree(folder / part)
    shutil.copytree(there / part, folder / part)
    named = "model" if part == "index" else part
    with pytest.raises(ValueError, match=f"The {named} in 'one' does not match the"):
        NeuroContextModel.from_pretrained(folder)


def test_index_of_another_version_raises(parts, tmp_path):
    folder = NeuroContextModel(**parts).save(tmp_path / "one")
    index = load_values(folder / "index")
    for content in ({}, {"card": {}}, {**index, "z_scale": index["mean"]}):
        shutil.rmtree(folder / "index")
        save_values(content, folder / "index")
        with pytest.raises(ValueError, match=r"'one' was written by another version"):
            NeuroContextModel.from_pretrained(folder)


def test_unknown_and_altered_models_raise(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="'nowhere' is not the folder of a"):
        NeuroContextModel.from_pretrained("nowhere")
    index = model.save(tmp_path / "mine") / "index"
    text = (index / "model.json").read_text()
    (index / "model.json").write_text(text.replace("pain", "gain"))
    with pytest.raises(ValueError, match=r"model.json in .* was altered or cut off"):
        NeuroContextModel.from_pretrained(tmp_path / "mine")


def test_ensemble_and_sparse_features_are_saved_and_loaded(parts, texts, y, tmp_path):
    words = make_pipeline(TfidfVectorizer(), KernelCCA(n_nystroem=40, random_state=0))
    ensemble = TextBrainEnsemble([("words", words)], random_state=0)
    img = parts["masker"].inverse_transform(y[:1])
    for name, one in (("ensemble", ensemble), ("words", words)):
        fitted = one.fit(texts, y)
        model = NeuroContextModel(**parts | {"model": fitted, "term_features": None})
        loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / name))
        similar = loaded("pain heat")["similar_words"]
        assert similar.equals(model.similar_words("pain heat"))
        assert ("similarity" in similar) == (name == "words")
        assert loaded.decode(img, k=3).equals(model.decode(img, k=3))


def test_folders_of_shipped_and_saved_models_are_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_folder("minilm").name == "minilm"
    assert find_folder("minilm").is_absolute()
    assert find_folder("./minilm") == Path("minilm")
    (tmp_path / "minilm" / "model" / "index").mkdir(parents=True)
    assert find_folder("./minilm") == Path(
        "minilm", "model"
    )  # As `neurocontext fit` writes it.
    assert find_folder("minilm").is_absolute()
    (tmp_path / "minilm" / "index").mkdir()
    assert find_folder("./minilm") == Path("minilm")
    with pytest.raises(FileNotFoundError, match="name of a shipped model"):
        NeuroContextModel.from_pretrained("minilm2")


@pytest.fixture
def saved(parts, tmp_path):
    """Folder of a saved model."""
    return NeuroContextModel(**parts).save(tmp_path / "saved")


def _content(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_overwrite_replaces_a_saved_model(parts, saved, tmp_path):
    model = NeuroContextModel(**(parts | {"card": {"version": 2}}))
    for directory in (saved, tmp_path / "new"):
        assert model.save(directory, overwrite=True) == directory
        loaded = NeuroContextModel.from_pretrained(directory)
        assert loaded.card == {"version": 2}
    assert {path.name for path in tmp_path.iterdir()} == {"saved", "new"}


@pytest.mark.parametrize("name", ["mine.txt", "index/mine.txt"])
def test_overwrite_keeps_other_files(parts, saved, name):
    (saved / name).write_text("keep")
    before = _content(saved)
    with pytest.raises(FileExistsError, match="or contains other files"):
        NeuroContextModel(**parts).save(saved, overwrite=True)
    assert _content(saved) == before


def test_overwrite_does_not_replace_files_and_links(parts, saved, tmp_path):
    (tmp_path / "link").symlink_to(saved)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "file").write_text("keep")
    for name in ("link", "nowhere", "file"):
        with pytest.raises(FileExistsError, match=name):
            NeuroContextModel(**parts).save(tmp_path / name, overwrite=True)
    NeuroContextModel.from_pretrained(saved)


@pytest.mark.parametrize("failing", ["save_values", "rename"])
def test_failed_overwrite_keeps_earlier_model(
    failing, parts, saved, tmp_path, monkeypatch
):
    before = _content(saved)
    rename = Path.rename

    def fail(self, target):
        if (self / "index").is_dir() and Path(target) == saved:
            monkeypatch.setattr(Path, "rename", rename)
            raise OSError("disk full")
        return rename(self, target)

    def write_nothing(*args, **kwargs):
        raise OSError("disk full")

    if failing == "rename":
        monkeypatch.setattr(Path, "rename", fail)
    else:
        module = "sklearn_neurocontext.inference._storage"
        monkeypatch.setattr(f"{module}.save_values", write_nothing)
    with pytest.raises(OSError, match="disk full"):
        NeuroContextModel(**parts).save(saved, overwrite=True)
    assert _content(saved) == before
    assert list(tmp_path.iterdir()) == [saved]
