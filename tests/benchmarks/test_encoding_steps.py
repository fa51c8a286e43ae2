"""Encoding benchmark: names of methods, steps after prediction, kept maps."""

from argparse import ArgumentTypeError
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.encoding import steps
from benchmarks.encoding.steps import METHODS, _code_hash, read_name, read_names, run
from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext._utils.volumes import smooth_voxels


@pytest.fixture
def task(rng, tmp_path):
    """Two topics and the input of the baselines."""
    masker = KDEDiFuMoMasker("geometric", 128).fit()
    n_voxels = np.count_nonzero(masker.mask_img_.dataobj)
    return SimpleNamespace(
        corpus={"studies": pd.DataFrame({"title": list("abc")})},
        topics=SimpleNamespace(
            descriptions=["x", "y"], experiments=[np.eye(3)], left_out=np.zeros(0)
        ),
        studies=np.arange(3),
        peaks=lambda: [np.eye(3)] * 3,
        masker=masker,
        mean_map=rng.uniform(size=n_voxels),
        output=tmp_path,
        random_state=0,
    )


@pytest.fixture
def predictions(rng, task, monkeypatch):
    """Maps of a stub method, and the list of its calls."""
    n_voxels = len(task.mean_map)
    made = {
        "maps": rng.uniform(size=(2, n_voxels)).astype(np.float32),
        "mean": rng.uniform(size=n_voxels).astype(np.float32),
        "fine_mean": task.mean_map,
    }
    calls = []

    def predict(name, task):
        calls.append(name)
        return dict(made)

    monkeypatch.setattr(steps, "predict", predict)
    monkeypatch.setattr(steps, "study_texts", lambda corpus, part: ["a"])
    return made, calls


def test_names_may_end_in_steps():
    names = ("ridge", "cca, words, 8 mm", "cca, words, 8 mm, 0.5 on the mean map")
    assert read_names(";".join(names)) == names
    read = [read_name(name) for name in names]
    assert [one.base for one in read] == ["ridge", "cca, words", "cca, words"]
    assert [(one.fwhm, one.gain) for one in read] == [(0, None), (8, None), (8, 0.5)]
    assert [one.steps for one in read] == ["", "8 mm", "8 mm, 0.5 on the mean map"]
    assert read_names("all") == METHODS
    assert read_names(" ridge ; ;cca,  words;") == ("ridge", "cca, words")
    assert len(set(METHODS)) == len(METHODS)


def test_invalid_names_raise(monkeypatch):
    with pytest.raises(ArgumentTypeError, match=r"'lasso'.*known are mean map;"):
        steps.read_names("ridge;lasso")
    with pytest.raises(ArgumentTypeError, match="no method; known are mean map;"):
        steps.read_names(" ;")
    for name in ("NeuroQuery, z map", "pretrained recipe", "nearest title"):
        with pytest.raises(ArgumentTypeError, match=f"'{name}'. have no mean map"):
            steps.read_names(f"{name}, 0.5 on the mean map")
    monkeypatch.setattr(steps, "find_spec", lambda name: None)
    with pytest.raises(ArgumentTypeError, match="pip install neuroquery"):
        steps.read_names("all")
    assert steps.read_names("cca") == ("cca",)


def test_steps_add_scaled_differences_to_the_mean_density(task, predictions):
    made, _ = predictions
    base = "NeuroQuery, density"
    np.testing.assert_array_equal(run(base, task)["maps"], made["maps"])
    # A gain of 0 leaves the fine mean; a gain of 1 replaces one mean by the other.
    none = run(f"{base}, 8 mm, 0 on the mean map", task)["maps"]
    np.testing.assert_allclose(none, np.stack([task.mean_map] * 2))
    whole = run(f"{base}, 1 on the mean map", task)["maps"]
    np.testing.assert_allclose(whole - made["maps"], none - made["mean"], atol=1e-6)
    half = run(f"{base}, 0.5 on the mean map", task)["maps"]
    np.testing.assert_allclose(half, (whole + none) / 2)
    smooth, flat = (run(f"{base}, {words}", task)["maps"] for words in ("8 mm", "0 mm"))
    np.testing.assert_array_equal(flat, made["maps"])
    assert smooth.std() < flat.std()
    # The method's mean is smoothed as its maps are, the fine mean is not.
    both = run(f"{base}, 8 mm, 1 on the mean map", task)["maps"]
    difference = made["maps"].astype(np.float64) - made["mean"].astype(np.float64)
    smoothed = smooth_voxels(difference, task.masker.mask_img_, 8.0)
    np.testing.assert_allclose(both, task.mean_map + smoothed, atol=1e-6)


def test_maps_are_computed_again_only_after_changes(task, predictions, monkeypatch):
    made, calls = predictions
    for name in ("mean map", "mean map, 8 mm", "mean map"):
        result = steps.run(name, task)
    np.testing.assert_array_equal(result["maps"], made["maps"])
    assert calls == ["mean map"]
    steps.run("pretrained recipe", task)
    monkeypatch.setattr(steps, "MAPS", {"smoothing_fwhm": 3.0})
    steps.run("mean map", task)
    assert calls == ["mean map", "pretrained recipe"]
    steps.run("pretrained recipe", task)
    assert calls[2:] == ["pretrained recipe"]
    task.topics.descriptions = ["x", "z"]
    steps.run("mean map", task)
    monkeypatch.setattr(steps, "_code_hash", lambda base: "other")
    steps.run("mean map", task)
    assert calls[3:] == ["mean map"] * 2


def test_hash_of_code_depends_on_the_method():
    hashes = {_code_hash(base) for base in ("ridge", "cca, words", "mean map")}
    assert len(hashes) == 1
    assert _code_hash("pretrained recipe") not in hashes
    assert _code_hash("NeuroQuery, z map") not in hashes
