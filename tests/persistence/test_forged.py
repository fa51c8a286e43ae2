"""Forged descriptions, with hashes that fit, are refused and execute nothing."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load, save

from sklearn_neurocontext import load_model, save_model
from sklearn_neurocontext.persistence import _files
from tests.persistence.forging import forge, sign


def _step(description):
    return description["model"]["params"]["steps"][1]["tuple"][1]["estimator"]


def _set(path, value):
    def change(description):
        holder = _step(description)
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format="pickle"), "states the format 'pickle'"),
        (lambda d: d.update(format_version=2), "format version 2, written by"),
        (lambda d: d.update(array_bytes=-1), "states array_bytes=-1"),
        (lambda d: d.update(array_bytes=3), "more than the 3 that it may have"),
        (lambda d: d.update(array_bytes=10**12), "expected 1,000,000,000,000. It was"),
        (lambda d: d.update(array_bytes=10**15), "expected 1,000,000,000,000,000. It"),
        (lambda d: d.update(array_bytes=2**63 - 2), "expected 9,223,372,036,854,775"),
        (lambda d: d.update(array_bytes=10**20), "expected 100,000,000,000,000,000,0"),
        (lambda d: d.update(model=None), "altered: model holds an object"),
        (lambda d: d.update(model={}), "model is no estimator"),
        (_set(["type"], "os.system"), "of type 'os.system', which cannot be loaded"),
        (_set(["type"], "CCABaseline"), "batch_size, decoder, .* are unknown"),
        (_set(["params", "lr"], "high"), "The 'lr' parameter"),
        (_set(["params", "max_epochs"], {"eval": "1"}), "an object with the keys"),
        (_set(["params", "max_epochs"], {}), "an object with the keys"),
        (_set(["params", "device"], "nowhere"), "device='nowhere' is not usable"),
        (_set(["facts", "latent_dim_"], 10**12), "do not fit its dimensions"),
        (_set(["facts", "latent_dim_"], "3"), "latent_dim_ is str; expected"),
        (_set(["facts", "n_components_"], 6), "y_mean_ has shape"),
        (_set(["facts", "y_mean_"], 0.5), "y_mean_ is no array of floats"),
        (_set(["facts", "module_"], 0.5), "module_ is no net"),
        (_set(["facts", "n_features_in_"], None), "n_features_in_ is NoneType; exp"),
        (_set(["facts", "n_features_in_"], True), "n_features_in_ is bool; expected"),
        (_set(["facts", "n_features_in_"], -1), "n_features_in_ is -1"),
        (
            _set(["facts", "feature_names_in_"], {"strings": ["a", "b"]}),
            "feature_names_in_ are not 4 strings",
        ),
        (
            _set(["facts", "_sklearn_output_config"], {"dict": {"transform": "evil"}}),
            "_sklearn_output_config is {'transform': 'evil'}; expected a transform",
        ),
        (
            _set(["facts", "_sklearn_output_config"], {"dict": {"fit": "pandas"}}),
            "_sklearn_output_config is {'fit': 'pandas'}; expected a transform",
        ),
        (lambda d: _step(d)["params"].clear(), "the parameters batch_size, .* missing"),
        (
            lambda d: _step(d)["params"].pop("lr") and None,
            "the parameters lr are missing",
        ),
        (_set(["facts", "spy_"], 0.5), "has learned spy_, which is unknown"),
        (_set(["facts", "y_mean_", "array"], "none"), "that is not in the file"),
        (_set(["facts", "y_mean_", "shape"], [7]), r"described as float32 and \[7\]"),
        (_set(["facts", "y_mean_", "dtype"], "float64"), "described as float64"),
        (_set(["facts", "y_mean_", "dtype"], "object"), "an array described by"),
        (_set(["facts", "y_mean_", "exponent"], 3), "described as float32"),
        (_set(["facts", "y_mean_", "exponent"], 10**9), "an array described by"),
        (_set(["facts", "y_mean_", "exponent"], 0.5), "an array described by"),
        (_set(["facts", "y_mean_"], {"dtype": "object"}), "the type 'object'"),
        (_set(["facts", "y_mean_"], {"strings": [1]}), "strings that are none"),
    ],
)
def test_forged_descriptions_are_refused(saved, change, words):
    forge(saved, change)
    with pytest.raises(ValueError, match=words):
        load_model(saved)


# Where parts of the saved ensemble lie.
_MEMBERS = ["facts", "estimators_"]


_WORDS = [*_MEMBERS, 0, "estimator", "params", "steps"]


_COUNTER = [*_WORDS, 0, "tuple", 1, "estimator", "facts"]


_KERNEL = [*_WORDS, 2, "tuple", 1, "estimator"]


_LETTERS = [*_MEMBERS, 1, "estimator", "params", "steps"]


_NYSTROEM = [*_LETTERS, 2, "tuple", 1, "estimator"]


_LINEAR = [*_LETTERS, 3, "tuple", 1, "estimator"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (_MEMBERS, [], "estimators_ are [] with 2 scales; expected ['Pipeline'"),
        (_MEMBERS, ["sum", "max"], "estimators_ are ['str', 'str'] with 2 scales"),
        (["params", "weights"], [1.0], "weights has 1 entries for 2 members"),
        (["facts", "means_"], None, "means_ is no array of floats"),
        (["facts", "n_members"], 2, "has learned n_members, which is unknown"),
        ([*_COUNTER, "n_terms_"], 3, "words and n_terms_ is 3"),
        ([*_COUNTER, "vectorizer_"], "os", "vectorizer_ is no CountVectorizer"),
        ([*_COUNTER, "columns_"], None, "either words or columns, not both or neither"),
        ([*_KERNEL, "params", "hubness_weight"], 0, "must not have text_references_"),
        (
            [*_KERNEL, "params", "kernel_width"],
            None,
            "must not have nystroem_components_",
        ),
        (
            [*_KERNEL, "facts", "nystroem_components_"],
            None,
            "it lacks nystroem_components_",
        ),
        ([*_KERNEL, "facts", "kernel_width_"], "wide", "kernel_width_ is str"),
        ([*_KERNEL, "facts", "latent_dim_"], 2, "canonical_correlations_ has shape"),
        ([*_LINEAR, "params", "hubness_weight"], 0.5, "it lacks text_references_"),
        ([*_NYSTROEM, "facts", "_n_features_out"], 11, "components_ has shape"),
        ([*_NYSTROEM, "params", "kernel"], "os.system", "The 'kernel' parameter"),
        (
            [*_NYSTROEM, "facts", "component_indices_", "dtype"],
            "float64",
            "described as float64",
        ),
    ],
)
def test_forged_ensembles_are_refused(saved_ensemble, path, value, words):
    def change(description):
        holder = description["model"]
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value

    forge(saved_ensemble, change)
    with pytest.raises(ValueError, match=re.escape(words)):
        load_model(saved_ensemble)


def test_arrays_of_no_part_are_refused(saved):
    forge(saved, _set(["facts", "decoder_"], None))
    with pytest.raises(ValueError, match="belong to no part of it"):
        load_model(saved)


def test_numbers_that_are_none_are_refused(saved):
    path = saved / _files.ARRAYS
    arrays = load(path.read_bytes())
    name = next(name for name in sorted(arrays) if name.endswith("y_scale_"))
    arrays[name][1] = np.nan
    path.write_bytes(save(arrays))
    sign(saved)
    with pytest.raises(ValueError, match=r"y_scale_ holds NaN or infinity"):
        load_model(saved)
    path = saved / _files.DESCRIPTION
    path.write_text(path.read_text().replace('"lr": 0.0005', '"lr": NaN'))
    sign(saved)
    with pytest.raises(ValueError, match="it holds NaN, which is no number"):
        load_model(saved)


@pytest.mark.parametrize("digits", ["1e999", "-1e400"])
@pytest.mark.parametrize("name", ['"lr": 0.0005', '"temperature_": '])
def test_numbers_beyond_the_range_are_refused(saved, name, digits):
    path = saved / _files.DESCRIPTION
    key = name.split(":")[0]
    text, n = re.subn(f"{key}: [0-9.e-]+", f"{key}: {digits}", path.read_text())
    assert n == 1
    path.write_text(text)
    sign(saved)
    with pytest.raises(ValueError, match=f"it holds {digits}, beyond the range"):
        load_model(saved)


def test_nesting_without_end_is_refused(saved):
    path = saved / _files.DESCRIPTION
    for depth in (500, 100_000):
        description = json.loads(path.read_text())
        forged = {"type": "Pipeline", "params": {"steps": "here"}, "facts": {}}
        text = json.dumps({**description, "model": forged})
        path.write_text(text.replace('"here"', "[" * depth + "]" * depth))
        sign(saved)
        with pytest.raises(ValueError, match=r"cannot be read|too deep|cannot be load"):
            load_model(saved)
        path.write_text(json.dumps(description))


def test_another_encoder_or_atlas_is_refused(tmp_path):
    from sklearn_neurocontext import KDEDiFuMoMasker, LLMChunkEmbedder

    folder = save_model(KDEDiFuMoMasker("geometric", 128).fit(), tmp_path / "masker")
    forge(folder, lambda d: d["model"]["facts"].update(atlas_hash="0" * 64))
    with pytest.raises(ValueError, match=r"atlas_hash .* instead of 0000"):
        load_model(folder)
    folder = save_model(LLMChunkEmbedder().fit(["a"]), tmp_path / "embedder")
    forge(folder, lambda d: d["model"]["facts"].update(settings_key="f" * 64))
    with pytest.raises(ValueError, match="not what the model was trained with"):
        load_model(folder)
    forge(folder, lambda d: d["model"]["params"].update(trust_remote_code=True))
    with pytest.raises(ValueError, match="runs code that comes with"):
        load_model(folder)


def test_parameters_that_another_version_lacked_take_their_default(saved):
    def change(description):
        description["versions"]["scikit-learn"] = "1.6.0"
        scaler = description["model"]["params"]["steps"][0]["tuple"][1]["estimator"]
        del scaler["params"]["copy"]

    forge(saved, change)
    assert load_model(saved)[0].copy is True
    forge(saved, lambda d: _step(d)["params"].pop("lr") and None)
    with pytest.raises(ValueError, match="the parameters lr are missing"):
        load_model(saved)


def test_vectorizers_that_open_files_are_refused(tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer

    from sklearn_neurocontext import save_model

    vectorizer = TfidfVectorizer().fit(["reading words", "tapping fingers"])
    folder = save_model(vectorizer, tmp_path / "words")
    forge(folder, lambda d: d["model"]["params"].update(input="filename"))
    with pytest.raises(ValueError, match="input='filename', which opens the files"):
        load_model(folder)
    vectorizer.set_params(input="file")
    with pytest.raises(ValueError, match="input='file', which opens the files"):
        save_model(vectorizer, tmp_path / "more")


def test_files_that_are_no_atlas_are_refused(tmp_path):
    from sklearn_neurocontext import KDEDiFuMoMasker, save_model

    folder = save_model(KDEDiFuMoMasker("geometric", 128).fit(), tmp_path / "masker")
    secret = tmp_path / "secret.txt"
    secret.write_text("words")
    forge(folder, lambda d: d["model"]["params"].update(atlas=str(secret)))
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_model(folder)
    change = {"atlas": "difumo", "n_components": 64, "data_dir": str(tmp_path / "no")}
    forge(folder, lambda d: d["model"]["params"].update(change))
    with pytest.raises(OSError, match="DiFuMo atlas with 64 maps is not on this mach"):
        load_model(folder)
    assert not (tmp_path / "no").exists()
