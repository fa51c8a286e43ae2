"""Loaded models predict exactly as saved ones; unsupported values raise errors."""

import json
import os
import re

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_neurocontext import (
    CCABaseline,
    ContrastiveTextBrain,
    KDEDiFuMoMasker,
    KernelCCA,
    LLMChunkEmbedder,
    MLPBaseline,
    RidgeBaseline,
    TextBrainEnsemble,
    best_text_brain,
    comparators,
    load_model,
    maskers,
    models,
    save_model,
    similarity,
    text,
)
from sklearn_neurocontext._utils.validation import innermost_model
from sklearn_neurocontext.persistence._kinds import KINDS, LOCAL_PARAMETERS
from sklearn_neurocontext.persistence._model import _load_class
from sklearn_neurocontext.text import TermCounts
from tests.persistence.editing import edit, reload
from tests.persistence.persisted_models import make_models


def _outputs(model, texts, y):
    yield similarity(model, texts, y)
    if hasattr(model, "predict"):
        yield model.predict(texts)
    for member in getattr(model, "estimators_", [model]):
        if hasattr(member[-1], "transform"):
            yield member.transform(texts)
            yield innermost_model(member).transform_brain(y)


def _assert_same_outputs(model, loaded, texts, y, n_min):
    before, after = (list(_outputs(one, texts, y)) for one in (model, loaded))
    assert len(before) >= n_min
    for one, other in zip(before, after, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def _fit_with_machine_parameters(studies, folder):
    """Return a model in which all parameters that depend on the machine are set."""
    embedder = LLMChunkEmbedder(
        cache=str(folder / "ada.sqlite"),
        device="auto",
        n_jobs=1,
        shards=str(folder / "ada"),
        token_env_variable="TOKEN_OF_ADA",
    )
    union = FeatureUnion([("minilm", embedder)], n_jobs=1)
    members = [
        ("mlp", MLPBaseline(hidden_dim=4, max_epochs=1, device="cpu:0")),
        (
            "net",
            make_pipeline(
                Nystroem(n_components=9, n_jobs=2),
                ContrastiveTextBrain(3, max_epochs=1, device="cpu:0"),
                memory=str(folder / "ada"),
            ),
        ),
    ]
    model = make_pipeline(union, TextBrainEnsemble(members, random_state=0))
    return model.fit(*studies)


def test_parameters_of_machine_are_not_saved(studies, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_ADA", "secret")
    model = _fit_with_machine_parameters(studies, tmp_path)
    folder = save_model(model, tmp_path / "model")
    description = (folder / "model.json").read_text()
    assert not any(f'"{name}"' in description for name in LOCAL_PARAMETERS)
    assert not any(word in description for word in ("cpu:0", "ADA", str(tmp_path)))
    loaded = load_model(folder)
    parameters = loaded.get_params()
    local = {name.rpartition("__")[-1] for name in parameters} & set(LOCAL_PARAMETERS)
    assert local == set(LOCAL_PARAMETERS) - {"data_dir"}
    expected = {"device": "cpu", "cache": "memory"}
    for name, value in parameters.items():
        last = name.rpartition("__")[-1]
        if last in LOCAL_PARAMETERS:
            assert value == expected.get(last), name
    titles = studies[0]
    np.testing.assert_array_equal(loaded.predict(titles), model.predict(titles))


def test_folder_of_atlas_is_not_saved(tmp_path):
    masker = KDEDiFuMoMasker("geometric", 64, data_dir=str(tmp_path / "ada")).fit()
    loaded = reload(masker, tmp_path / "masker")
    assert "ada" not in (tmp_path / "masker" / "model.json").read_text()
    assert loaded.data_dir is None


def test_device_is_chosen_when_loading(tmp_path, rng):
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 5))
    model = MLPBaseline(hidden_dim=4, max_epochs=1).fit(X, y)
    folder = save_model(model, tmp_path / "model")
    assert load_model(folder, device="cpu:0").device == "cpu:0"


def test_precision_is_kept_on_other_devices(tmp_path):
    # dtype="auto" selected bfloat16 on the device on which this model was fitted.
    texts = ["reading words", "pain"]
    embedder = LLMChunkEmbedder(dtype="bfloat16", cache=None).fit(texts)
    folder = save_model(embedder, tmp_path / "embedder")
    edit(folder, lambda d: d["model"]["params"].update(dtype="auto"))
    loaded = load_model(folder)
    assert loaded.dtype_ == "bfloat16"
    np.testing.assert_array_equal(loaded.transform(texts), embedder.transform(texts))


def test_loaded_models_give_identical_outputs(fitted, studies, tmp_path):
    texts, y = studies
    loaded = reload(fitted, tmp_path / "model")
    _assert_same_outputs(fitted, loaded, texts, y, 2)
    assert repr(loaded) == repr(fitted)


@pytest.mark.parametrize("part", ["title", "abstract", "body"])
def test_loaded_best_text_brain_gives_identical_outputs(part, studies, tmp_path):
    texts, y = studies
    model = best_text_brain(part, random_state=0).fit(texts, y)
    loaded = reload(model, tmp_path / "model")
    _assert_same_outputs(model, loaded, texts[:9], y[:9], 4)


def test_model_of_term_counts_is_saved_and_loaded(tmp_path, rng):
    counts, y = rng.poisson(0.4, size=(60, 30)), rng.normal(size=(60, 5))
    counts[:, 7] = 0
    steps = TermCounts(min_df=3), TfidfTransformer(), KernelCCA(random_state=0)
    model = make_pipeline(*steps).fit(counts, y)
    loaded = reload(model, tmp_path / "model")
    assert 7 not in loaded[0].columns_
    np.testing.assert_array_equal(
        similarity(loaded, counts, y), similarity(model, counts, y)
    )
    with pytest.raises(TypeError, match="must be counts, as in fit; got texts"):
        loaded.predict(["pain"])


def test_idf_set_by_hand_is_saved_and_loaded(tmp_path):
    vectorizer = TfidfVectorizer(vocabulary=["pain", "fear"])
    vectorizer.idf_ = np.array([1.0, 2.0])
    loaded = reload(vectorizer, tmp_path / "words")
    texts = ["pain and fear", "fear"]
    np.testing.assert_array_equal(
        loaded.transform(texts).toarray(), vectorizer.transform(texts).toarray()
    )


def test_memory_order_of_arrays_is_kept(tmp_path, rng):
    X, y = rng.normal(size=(300, 40)), rng.normal(size=(300, 50))
    model = CCABaseline().fit(X, y)
    loaded = reload(model, tmp_path / "model")
    for name, array in vars(model).items():
        if isinstance(array, np.ndarray):
            flags = getattr(loaded, name).flags
            assert flags.f_contiguous == array.flags.f_contiguous
            assert flags.c_contiguous == array.flags.c_contiguous
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.similarity(X, y), model.similarity(X, y))


def test_half_precision_is_accurate_and_smaller(fitted, studies, tmp_path):
    texts, y = studies
    whole, half = tmp_path / "whole", tmp_path / "half"
    save_model(fitted, whole)
    loaded = load_model(save_model(fitted, half, half=True))
    sizes = [(one / "model.safetensors").stat().st_size for one in (whole, half)]
    assert sizes[1] < 0.8 * sizes[0]
    one, other = similarity(fitted, texts, y), similarity(loaded, texts, y)
    assert one.dtype == other.dtype
    assert 0 < np.abs(one - other).max() < 0.05 * max(1, np.abs(one).max())


def test_loading_does_not_change_random_state(saved):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    load_model(saved)
    assert torch.equal(torch.rand(2), expected)


def test_loaded_model_can_be_fitted_again(saved, rng):
    model = load_model(saved)
    model.fit(rng.normal(size=(30, 4)), rng.normal(size=(30, 5)))
    assert model[-1].n_epochs_ == 2


def test_masker_and_embedder_are_saved_as_parameters_and_hashes(tmp_path):
    masker = KDEDiFuMoMasker("geometric", 128, fwhm=12.0).fit()
    loaded = reload(masker, tmp_path / "masker")
    peaks = [[[-42, -22, 54], [30, -80, 0]]]
    np.testing.assert_array_equal(loaded.transform(peaks), masker.transform(peaks))
    embedder = LLMChunkEmbedder(chunk_size=8, chunk_overlap=2).fit(["a"])
    loaded = reload(embedder, tmp_path / "embedder")
    texts = ["a long text about reading words aloud and tapping fingers"]
    np.testing.assert_array_equal(loaded.transform(texts), embedder.transform(texts))
    for name in ("masker", "embedder"):
        text = (tmp_path / name / "model.json").read_text()
        assert re.search("[0-9a-f]{64}", text)
        assert str(tmp_path) not in text


def test_parameters_set_after_fitting_raise(tmp_path):
    masker = KDEDiFuMoMasker("geometric", 128).fit().set_params(fwhm=20.0)
    with pytest.raises(ValueError, match="were set after fitting"):
        save_model(masker, tmp_path / "masker")


def test_description_has_format_and_versions(saved):
    description = json.loads((saved / "model.json").read_text())
    assert description["format_version"] == 1
    assert {"sklearn_neurocontext", "numpy", "scikit-learn"} <= set(
        description["versions"]
    )
    assert sorted(path.name for path in saved.iterdir()) == [
        "SHA256SUMS",
        "model.json",
        "model.safetensors",
    ]


def test_feature_names_and_output_config_are_saved(tmp_path, rng):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(rng.normal(size=(20, 2)), columns=["one", "two"])
    scaler = StandardScaler().set_output(transform="pandas").fit(X)
    loaded = reload(scaler, tmp_path / "scaler")
    pandas.testing.assert_frame_equal(loaded.transform(X), scaler.transform(X))
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(X.rename(columns={"one": "three"}))


def test_unfitted_model_raises(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(CCABaseline(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_unsupported_types_raise(tmp_path, studies, rng):
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 4))
    with pytest.raises(TypeError, match=r"LogisticRegression, which cannot be saved"):
        save_model(LogisticRegression().fit(X, y[:, 0] > 0), tmp_path / "model")
    pipe = make_pipeline(FunctionTransformer(np.abs), RidgeBaseline()).fit(X, y)
    with pytest.raises(TypeError, match=r"Pipeline\.steps\.0\.1 is a .*Function"):
        save_model(pipe, tmp_path / "model")

    class RidgeBaselineLike(RidgeBaseline):
        pass

    RidgeBaselineLike.__name__ = "RidgeBaseline"
    with pytest.raises(TypeError, match="expected one of CCABaseline"):
        save_model(RidgeBaselineLike().fit(X, y), tmp_path / "model")


def test_unsupported_values_raise(tmp_path, studies, rng):
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 4))
    vectorizer = TfidfVectorizer(preprocessor=str.lower).fit(studies[0])
    with pytest.raises(TypeError, match=r"preprocessor is of type method_descriptor"):
        save_model(vectorizer, tmp_path / "model")
    model = ContrastiveTextBrain(random_state=np.random.RandomState(0), max_epochs=1)
    with pytest.raises(TypeError, match=r"random_state is of type RandomState, which"):
        save_model(model.fit(X, y), tmp_path / "model")
    model = RidgeBaseline().fit(X, y)
    model.note_ = "mine"
    with pytest.raises(TypeError, match="has the fitted attributes note_"):
        save_model(model, tmp_path / "model")
    model = RidgeBaseline().fit(X, y)
    model.coef_[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"coef_ holds NaN or infinity"):
        save_model(model, tmp_path / "model")
    model = RidgeBaseline().fit(X, y)
    model.alpha_ = np.inf
    with pytest.raises(ValueError, match="alpha_ is inf"):
        save_model(model, tmp_path / "model")
    vectorizer = TfidfVectorizer().fit(studies[0]).set_params(dtype=np.longdouble)
    with pytest.raises(TypeError, match="dtype is of type type, which cannot be saved"):
        save_model(vectorizer, tmp_path / "model")
    model = RidgeBaseline().fit(X, y)
    model.coef_ = model.coef_.astype(complex)
    with pytest.raises(TypeError, match="an array of complex128, which cannot"):
        save_model(model, tmp_path / "model")
    vectorizer = TfidfVectorizer().fit(studies[0])
    vectorizer.vocabulary_ = {1: 0}
    with pytest.raises(TypeError, match="its keys must be strings"):
        save_model(vectorizer, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_trust_remote_code_raises(tmp_path):
    embedder = LLMChunkEmbedder().fit().set_params(trust_remote_code=True)
    with pytest.raises(ValueError, match="trust_remote_code=True runs code"):
        save_model(embedder, tmp_path / "model")


def test_save_model_does_not_overwrite(saved):
    before = (saved / "model.json").read_bytes()
    with pytest.raises(FileExistsError, match="not an empty folder; nothing was saved"):
        save_model(load_model(saved), saved)
    assert (saved / "model.json").read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 1


def test_listed_types_exist():
    for name in KINDS:
        assert _load_class(name).__name__ == name
    assert Ridge.__name__ not in KINDS


def test_every_estimator_of_the_package_can_be_saved():
    assert _estimators(comparators, models, text, maskers) <= KINDS.keys()


def test_every_estimator_that_learns_is_saved_in_these_tests():
    saved = {
        type(part).__name__
        for model in make_models().values()
        for part in (model, *model.get_params().values())
    }
    assert _estimators(models) <= saved


def _estimators(*modules):
    """Return the names of the public estimators of modules."""
    public = [getattr(module, n) for module in modules for n in module.__all__]
    classes = [one for one in public if isinstance(one, type)]
    estimators = (one for one in classes if issubclass(one, BaseEstimator))
    return {one.__name__ for one in estimators if hasattr(one, "fit")}


@pytest.mark.parametrize("umask", [0o077, 0o022])
def test_folder_mode_follows_umask(tmp_path, rng, umask):
    model = StandardScaler().fit(rng.normal(size=(9, 2)))
    before = os.umask(umask)
    try:
        folder = save_model(model, tmp_path / "model")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~umask
