"""Altered files and models of other versions raise errors."""

import numpy as np
import pytest
from safetensors.numpy import load, save

from sklearn_neurocontext import (
    KDEDiFuMoMasker,
    LLMChunkEmbedder,
    load_model,
    save_model,
)
from sklearn_neurocontext.persistence import SAVED_FILES, load_values, save_values
from sklearn_neurocontext.persistence._format import (
    ARRAYS,
    DESCRIPTION,
    HASHES,
    _hash_file,
)
from tests.persistence.editing import edit

CORRUPTIONS = {
    "bit flipped": lambda content, i: (
        content[:i] + bytes([content[i] ^ 4]) + content[i + 1 :]
    ),
    "cut off": lambda content, i: content[:i],
    "part missing": lambda content, i: content[:i] + content[i + 20 :],
    "bytes inserted": lambda content, i: content[:i] + b"x17" + content[i:],
    "bytes overwritten": lambda content, i: (
        content[:i] + b"\0" * 16 + content[i + 16 :]
    ),
    "emptied": lambda content, i: b"",
}


@pytest.mark.parametrize("name", SAVED_FILES)
@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
@pytest.mark.parametrize("model", ["saved", "saved_ensemble"])
def test_corrupted_files_raise(model, corrupt, name, request):
    folder = request.getfixturevalue(model)
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(corrupt(content, 7 * len(content) // 17))
    with pytest.raises(ValueError, match=f"{name} in .* altered|model.json in .* alt"):
        load_model(folder)


@pytest.mark.parametrize("name", SAVED_FILES)
def test_missing_files_are_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"holds no {name}; expected a folder"):
        load_model(saved)


def _network(description):
    return description["model"]["params"]["steps"][1]["tuple"][1]["estimator"]


def _set(path, value):
    def change(description):
        holder = _network(description)
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format="pickle"), "has the format and version .'pickle'"),
        (lambda d: d.update(format_version=2), "model', 2.* was written by"),
        (lambda d: d.update(model=None), "cannot be loaded: "),
        (lambda d: d.pop("model"), "'model' is missing"),
        (_set(["type"], "os.system"), "of type 'os.system', which cannot be loaded"),
        (_set(["type"], "CCABaseline"), "unexpected keyword argument"),
        (_set(["params", "lr"], "high"), "The 'lr' parameter"),
        (_set(["params", "max_epochs"], {"eval": "1"}), "the unknown type eval '1'"),
        (_set(["params", "max_epochs"], {"dtype": "object"}), "unknown type dtype"),
        (_set(["learned", "latent_dim_"], 10**12), "do not match the dimensions"),
        (_set(["learned", "latent_dim_"], "3"), "latent_dim_ is of type str; expected"),
        (_set(["learned", "n_components_"], 6), r"y_mean_ .* shape \(5,\); expected"),
        (_set(["learned", "y_mean_"], None), "y_mean_ is missing"),
        (lambda d: _network(d)["learned"].pop("module_"), "module_ is missing"),
        (_set(["learned", "y_mean_"], 0.5), "cannot be loaded: "),
        (_set(["learned", "module_"], {"module": {}}), "do not match the dimensions"),
        (_set(["learned", "note_"], 0.5), "has the unknown attributes note_"),
        (_set(["learned", "y_mean_", "array"], "none"), "'none' is missing"),
        (_set(["learned", "y_mean_", "shape"], [7]), r"expected float32 and \[7\]"),
        (_set(["learned", "y_mean_", "dtype"], "float64"), "expected float64"),
    ],
)
def test_invalid_descriptions_raise(saved, change, words):
    edit(saved, change)
    with pytest.raises(ValueError, match=words) as caught:
        load_model(saved)
    assert "\n" not in str(caught.value) or "do not match" in str(caught.value)


def test_local_parameters_in_files_are_ignored(saved, tmp_path):
    edit(saved, lambda d: d["model"]["params"].update(memory=str(tmp_path / "pickles")))
    edit(saved, _set(["params", "device"], "cuda:7"))
    loaded = load_model(saved)
    assert loaded.memory is None
    assert loaded[-1].device == "cpu"
    with pytest.raises(ValueError, match="device='nowhere' is not available"):
        load_model(saved, device="nowhere")


def test_missing_arrays_raise(saved):
    def rename(description):
        arrays = load((saved / ARRAYS).read_bytes())
        (saved / ARRAYS).write_bytes(save({f"{n}_": v for n, v in arrays.items()}))

    edit(saved, rename)
    with pytest.raises(ValueError, match="is missing"):
        load_model(saved)


def test_different_embedder_or_atlas_raises(tmp_path):
    folder = save_model(KDEDiFuMoMasker("geometric", 128).fit(), tmp_path / "masker")
    edit(folder, lambda d: d["model"]["learned"].update(atlas_hash="0" * 64))
    with pytest.raises(ValueError, match=r"atlas_hash .* instead of 0000"):
        load_model(folder)
    change = {"atlas": "difumo", "n_components": 64, "data_dir": str(tmp_path / "no")}
    edit(folder, lambda d: d["model"]["params"].update(change))
    with pytest.raises(OSError, match="DiFuMo atlas with 64 maps is not on this mach"):
        load_model(folder)
    assert not (tmp_path / "no").exists()
    folder = save_model(LLMChunkEmbedder().fit(["a"]), tmp_path / "embedder")
    edit(folder, lambda d: d["model"]["learned"].update(settings_key="f" * 64))
    with pytest.raises(ValueError, match="differs from the one used in training"):
        load_model(folder)
    edit(folder, lambda d: d["model"]["params"].update(trust_remote_code=True))
    with pytest.raises(ValueError, match="trust_remote_code=True runs code"):
        load_model(folder)


def test_missing_parameters_have_default_values(saved):
    edit(saved, lambda d: _network(d)["params"].pop("patience"))
    loaded = load_model(saved)
    assert loaded[-1].patience == type(loaded[-1])().patience


def test_save_values_and_load_values(tmp_path, rng):
    values = {"a": [1, 2.5, None, "µ"], "b": rng.normal(size=(3, 4)), "c": {"d": True}}
    folder = save_values(values, tmp_path / "values")
    loaded = load_values(folder)
    np.testing.assert_array_equal(loaded.pop("b"), values.pop("b"))
    assert loaded == values
    with pytest.raises(ValueError, match="'model' is missing"):
        load_model(folder)
    path = folder / DESCRIPTION
    path.write_text(path.read_text().replace("2.5", "3.5"))
    with pytest.raises(ValueError, match=f"{DESCRIPTION} in .* altered or cut off"):
        load_values(folder)
    assert (folder / HASHES).exists()
    with pytest.raises(TypeError, match=r"values\.e is of type KDEDiFuMoMasker"):
        save_values({"e": KDEDiFuMoMasker()}, tmp_path / "more")


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "[1]", "null"])
def test_descriptions_that_are_not_a_model_raise(saved, content):
    (saved / DESCRIPTION).write_text(content)
    lines = [f"{_hash_file(saved, name)}  {name}\n" for name in (DESCRIPTION, ARRAYS)]
    (saved / HASHES).write_text("".join(lines))
    with pytest.raises(ValueError, match=r"model\.json in .* does not hold"):
        load_model(saved)
