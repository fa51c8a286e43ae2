"""The interface of `NeuroContextModel`: maps, similar words and studies, errors."""

import re

import nibabel as nib
import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from sklearn_neurocontext import (
    CCABaseline,
    KDEDiFuMoMasker,
    KernelCCA,
    NeuroContextModel,
    TextBrainEnsemble,
)
from sklearn_neurocontext.inference._decoding import cosines
from tests.text_model import TERMS, make_corpus


def test_transform_returns_lists_of_maps(model, parts):
    maps = model.transform(["pain heat", "finger"])
    assert set(maps) == {"brain_map", "z_map"}
    predicted = parts["model"].predict(["pain heat", "finger"])
    expected = parts["masker"].inverse_transform(predicted).get_fdata()
    for index, img in enumerate(maps["brain_map"]):
        np.testing.assert_array_equal(img.get_fdata(), expected[..., index])
    inside = parts["masker"].mask_img_.get_fdata() > 0
    mean = parts["masker"].coefficients_to_voxels([parts["mean"]])[0]
    by_hand = (expected[inside][:, 0] - mean) / parts["null_std"]
    z = maps["z_map"][0].get_fdata()
    np.testing.assert_allclose(z[inside], by_hand, rtol=1e-3, atol=1e-4)
    assert not z[~inside].any()


def test_predict_img_concatenates_brain_maps(model):
    img = model.predict_img(["pain heat", "finger"])
    maps = model.transform(["pain heat", "finger"])["brain_map"]
    assert img.shape[3] == 2
    np.testing.assert_array_equal(img.get_fdata()[..., 1], maps[1].get_fdata())


def test_call_returns_keys_of_neuroquery(model, corpus):
    result = model("pain & heat")
    assert set(result) == {
        "brain_map",
        "z_map",
        "similar_words",
        "similar_documents",
        "highlighted_text",
    }
    assert result["similar_documents"].empty
    assert isinstance(result["z_map"], nib.Nifti1Image)
    assert result["highlighted_text"].startswith(
        '<mark title="30 studies">pain</mark> &amp; <mark'
    )
    found = model.index_corpus(corpus)("pain heat")["similar_documents"]
    assert len(found) == 100
    assert list(found) == list(result["similar_documents"])
    assert (np.diff(found["similarity"]) <= 0).all()
    topic = corpus.latent[:, corpus.topic_names.index("pain")]
    rows = [int(name.split("-")[1]) for name in found["study_id"][:10]]
    assert topic[rows].mean() > 2 * topic.mean()


def test_model_without_statistics(parts):
    model = NeuroContextModel(parts["model"], parts["masker"])
    result = model("pain")
    keys = {"brain_map", "similar_words", "similar_documents", "highlighted_text"}
    assert set(result) == keys
    assert result["similar_words"].empty
    full = NeuroContextModel(**parts).similar_words("pain")
    assert list(result["similar_words"]) == list(full)
    assert result["similar_words"].query("weight_in_query != 0").empty
    with pytest.raises(ValueError, match="No corpus is indexed"):
        model.similar_documents("pain")
    with pytest.raises(ValueError, match="has no reference studies"):
        model.decode(model.predict_img(["pain"]))


def test_similar_words_match_formulas(model, parts):
    words = model.similar_words("pain heat heat")
    assert sorted(words.index) == sorted(TERMS)
    assert words["n_documents"].to_dict() == TERMS
    assert words["weight_in_query"].to_dict() == {
        **dict.fromkeys(TERMS, 0.0),
        "pain": pytest.approx(1 / 3),
        "heat": pytest.approx(2 / 3),
    }
    predicted = parts["model"].predict(["pain heat heat", "heat"]) - parts["mean"]
    assert words.loc["heat", "weight_in_brain_map"] == pytest.approx(
        np.corrcoef(predicted)[0, 1], abs=0.02
    )
    assert (np.diff(words["weight_in_brain_map"]) <= 0).all()
    assert set(words.index[:2]) == {"pain", "heat"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": [1.0]}, "mean must have shape (128); got (1,)"),
        ({"null_std": [1.0]}, "null_std must have shape (29398); got (1,)"),
        ({"reference": [[1.0]]}, "reference must have shape (any, 128); got (1, 1)"),
        (
            {"term_features": [[1.0]]},
            "term_features must have shape (6, any); got (1, 1)",
        ),
    ],
)
def test_arrays_of_wrong_shape_raise(parts, change, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        NeuroContextModel(**(parts | change))


def test_estimator_without_text_steps_raises(parts):
    with pytest.raises(
        TypeError, match=r"model must be a fitted Pipeline .* got CCABaseline"
    ):
        NeuroContextModel(CCABaseline(), parts["masker"])


def test_call_requires_one_text_and_transform_a_list(model):
    with pytest.raises(
        TypeError, match=r"text must be a string; got list. For several"
    ):
        model(["pain"])
    with pytest.raises(TypeError, match=r"Put it into a list: \[text\]"):
        model.transform("pain")
    with pytest.raises(ValueError, match="must not be empty or blank"):
        model(" ")
    for text in ("?!.", "—", "🧠"):
        with pytest.raises(
            ValueError, match=f"must contain words; got '{re.escape(text)}'"
        ):
            model(text)
    with pytest.raises(ValueError, match="text must contain words; got '!' in row 0"):
        model.similar_words("!")
    for text in ("痛み", "5"):  # Letters of any language, and digits.
        model(text)


def test_corpus_without_peaks_raises(model, corpus):
    none = [np.zeros((0, 3))] * len(corpus.peaks)
    with pytest.raises(ValueError, match="No study of the corpus has both a title"):
        model.index_corpus(Bunch(studies=corpus.studies, peaks=none))


def test_smoothing_is_restricted_to_the_mask(parts):
    rough = NeuroContextModel(**parts)
    smooth = NeuroContextModel(**parts, smoothing_fwhm=14.0)
    inside = parts["masker"].mask_img_.get_fdata() > 0
    one, other = (
        model.transform(["pain"])["brain_map"][0].get_fdata()
        for model in (rough, smooth)
    )
    np.testing.assert_array_equal(
        smooth.predict_img(["pain"]).get_fdata()[..., 0], other
    )
    assert not other[~inside].any()
    sigma = 14.0 / np.sqrt(8 * np.log(2)) / 4
    for x, y, z in (np.argwhere(inside).mean(axis=0).astype(int), (3, 30, 20)):
        grid = np.moveaxis(np.indices(inside.shape), 0, -1) - [x, y, z]
        weight = np.exp(-(grid**2).sum(axis=-1) / (2 * sigma**2))
        by_hand = (weight * one).sum() / (sigma * np.sqrt(2 * np.pi)) ** 3
        assert other[x, y, z] == pytest.approx(inside[x, y, z] * by_hand, rel=0.01)
    with pytest.raises(
        ValueError, match="smoothing_fwhm must be a number of at least 0; got -1"
    ):
        NeuroContextModel(**parts, smoothing_fwhm=-1)


def test_cosine_with_zero_row_is_zero():
    np.testing.assert_allclose(
        cosines(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[1.0, 0.0]])), [0.6, 0.0]
    )


def test_cosines_of_sparse_rows():
    rows, one = sparse.csr_array([[3.0, 4.0], [0.0, 0.0]]), np.array([[1.0, 0.0]])
    np.testing.assert_allclose(cosines(rows, sparse.csr_array(one)), [0.6, 0.0])


def test_maps_of_model_with_square_root_scaling(parts, texts, y):
    words = make_pipeline(
        TfidfVectorizer(), KernelCCA(n_nystroem=40, random_state=0)
    ).fit(texts, y)
    model = NeuroContextModel(**parts | {"model": words, "term_features": None})
    assert words[-1].y_scaling == "sqrt"
    expected = parts["masker"].coefficients_to_voxels(words.predict(["pain heat"]))
    inside = parts["masker"].mask_img_.get_fdata() > 0
    found = model.transform(["pain heat"])["brain_map"][0].get_fdata()[inside]
    np.testing.assert_allclose(found, expected[0], atol=1e-7)
    assert set(model("pain heat")["similar_words"].index[:2]) == {"pain", "heat"}


def test_grid_search_and_ensemble_as_last_step(parts, texts, y):
    search = GridSearchCV(CCABaseline(), {"alpha_text": [0.1, 1.0]}, cv=2)
    words = make_pipeline(TfidfVectorizer(), TruncatedSVD(8, random_state=0), search)
    lone = make_pipeline(TextBrainEnsemble([("words", words)], random_state=0))
    for one in (words, lone):
        fitted = one.fit(texts, y)
        model = NeuroContextModel(**parts | {"model": fitted, "term_features": None})
        img = parts["masker"].inverse_transform(fitted.predict(["pain heat"]))
        (predicted,) = model.transform(["pain heat"])["brain_map"]
        np.testing.assert_allclose(
            predicted.get_fdata(), img.get_fdata()[..., 0], rtol=1e-5, atol=1e-8
        )
        assert len(model("pain heat")["similar_words"])


def test_unit_maps_makes_decoding_scale_invariant(parts, texts, y):
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    fitted = make_pipeline(
        TfidfVectorizer(), TruncatedSVD(8, random_state=0), CCABaseline(y_scaling=None)
    ).fit(texts, unit)
    model = NeuroContextModel(**parts | {"model": fitted}, unit_maps=True)
    rankings = [
        model.decode(parts["masker"].inverse_transform(scale * y[:1]))
        for scale in (1.0, 1000.0)
    ]
    assert rankings[0]["candidate"].equals(rankings[1]["candidate"])
    np.testing.assert_allclose(
        rankings[0]["similarity"], rankings[1]["similarity"], atol=1e-4
    )


@pytest.mark.parametrize("y_scaling", ["unit", "sqrt", None])
def test_ranking_does_not_depend_on_the_unit_of_the_map(parts, texts, y, y_scaling):
    svd = TruncatedSVD(8, random_state=0)
    fitted = make_pipeline(TfidfVectorizer(), svd, CCABaseline(y_scaling=y_scaling))
    model = NeuroContextModel(**parts | {"model": fitted.fit(texts, y)})
    img = parts["masker"].inverse_transform(y[:1])
    volume = img.get_fdata()[..., 0]
    expected = model.decode(nib.Nifti1Image(volume, img.affine))
    for factor in (1e-300, 1e-50, 1e-30, 1e-8, 1e18, 1e50, 1e300):
        scaled = model.decode(nib.Nifti1Image(factor * volume, img.affine))
        # p values are shares of counts, which rounding errors can change by one.
        assert scaled["candidate"].equals(expected["candidate"])
        similarity = scaled["similarity"], expected["similarity"]
        np.testing.assert_allclose(*similarity, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(scaled["p_value"], expected["p_value"], atol=0.01)


def test_cosines_do_not_depend_on_the_unit():
    rows, one = np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[1.0, 0.0]])
    for factor in (1e-300, 1e-30, 1e20, 1e200):
        np.testing.assert_allclose(cosines(factor * rows, factor * one), [0.6, 0.0])


def test_images_of_several_volumes_are_refused_before_they_are_read(model, monkeypatch):
    img = nib.Nifti1Image(np.ones((4, 4, 4, 60), np.float32), np.eye(4))
    monkeypatch.setattr(KDEDiFuMoMasker, "transform_imgs", None)
    with pytest.raises(ValueError, match="img must contain one map; got 60"):
        model.decode(img)


def test_inconsistent_model_masker_and_terms_raise(parts):
    unfitted = make_pipeline(TfidfVectorizer(), CCABaseline())
    with pytest.raises(NotFittedError):
        NeuroContextModel(unfitted, parts["masker"])
    with pytest.raises(NotFittedError):
        NeuroContextModel(parts["model"], KDEDiFuMoMasker("geometric", 128))
    other = KDEDiFuMoMasker("geometric", 256).fit()
    with pytest.raises(ValueError, match="predicts 128 coefficients and the masker ha"):
        NeuroContextModel(parts["model"], other)
    for terms in ({"Pain": 3}, {"pain": 0.5}, {"pain  heat": 2}, {"": 1}, {"pain": -1}):
        with pytest.raises(ValueError, match="terms must map terms to numbers"):
            NeuroContextModel(parts["model"], parts["masker"], terms=terms)


def test_has_known_words(model, parts):
    assert model.has_known_words(["pain", "xyzzy"]).tolist() == [True, False]
    ensemble = TextBrainEnsemble([("one", parts["model"])])
    corpus = make_corpus()
    texts = corpus.studies["title"].tolist()
    ensemble.fit(texts, parts["masker"].transform(corpus.peaks))
    model = NeuroContextModel(ensemble, parts["masker"])
    assert model.has_known_words(["xyzzy"]).all()
