"""Indexed studies are cached by their content and computed again if altered."""

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from sklearn_neurocontext import CCABaseline, KDEDiFuMoMasker, NeuroContextModel
from sklearn_neurocontext.inference._decoding import IndexedStudies
from sklearn_neurocontext.persistence import fingerprint


@pytest.fixture(autouse=True)
def folder():
    """The cache folder without any indexed study."""
    folder = Path(os.environ["NEUROCONTEXT_CACHE"])
    for kind in ("studies", "titles"):
        for kept in folder.glob(f"{kind}-*"):
            shutil.rmtree(kept)
    return folder


def test_coefficients_are_computed_once(monkeypatch, parts, corpus, folder):
    masker, calls = parts["masker"], []

    def transform(self, peaks):
        calls.append(len(peaks))
        return plain(self, peaks)

    plain = KDEDiFuMoMasker.transform
    monkeypatch.setattr(KDEDiFuMoMasker, "transform", transform)
    first = IndexedStudies(corpus, masker)
    again = IndexedStudies(corpus, masker)
    assert calls.count(150) == 1  # Other calls have one peak, for the fingerprint.
    np.testing.assert_array_equal(first.coefficients, again.coefficients)
    np.testing.assert_array_equal(first.coefficients, plain(masker, corpus.peaks))
    assert len(list(folder.glob("studies-*/rows.npy"))) == 1
    moved = [one + 4.0 for one in corpus.peaks]
    other = IndexedStudies(Bunch(**{**corpus, "peaks": moved}), masker)
    assert calls.count(150) == 2
    assert not np.allclose(other.coefficients, first.coefficients)


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_truncated_cache_file_is_computed_again(parts, corpus, folder, kept):
    whole = IndexedStudies(corpus, parts["masker"]).coefficients
    (path,) = folder.glob("studies-*/rows.npy")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.warns(UserWarning, match="is corrupted and is built again"):
        again = IndexedStudies(corpus, parts["masker"]).coefficients
    np.testing.assert_array_equal(again, whole)
    assert path.read_bytes() == content
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        IndexedStudies(corpus, parts["masker"])


def test_altered_cache_file_is_computed_again(parts, corpus, folder):
    whole = IndexedStudies(corpus, parts["masker"]).coefficients
    (path,) = folder.glob("studies-*/rows.npy")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="is built again"):
        again = IndexedStudies(corpus, parts["masker"]).coefficients
    np.testing.assert_array_equal(again, whole)


def test_features_of_titles_are_computed_once(parts, corpus, folder):
    def features(steps):
        return IndexedStudies(corpus, parts["masker"]).features(steps.transform, steps)

    steps = parts["model"][:-1]
    first = features(steps)
    assert len(list(folder.glob("titles-*"))) == 1
    (path,) = folder.glob("titles-*/rows.npy")
    written = path.stat().st_mtime_ns
    np.testing.assert_array_equal(features(steps), first)
    assert path.stat().st_mtime_ns == written
    titles = corpus.studies["title"].tolist()
    np.testing.assert_array_equal(first, steps.transform(titles))
    longer = corpus.studies.assign(title=corpus.studies["title"] + " pain")
    other = IndexedStudies(Bunch(**{**corpus, "studies": longer}), parts["masker"])
    other.features(steps.transform, steps)
    assert len(list(folder.glob("titles-*"))) == 2


@pytest.mark.parametrize("words", [TfidfVectorizer, HashingVectorizer])
def test_sparse_features_are_not_cached_on_disk(parts, corpus, folder, words):
    titles = corpus.studies["title"].tolist()
    steps = make_pipeline(words()).fit(titles)
    found = IndexedStudies(corpus, parts["masker"]).features(steps.transform, steps)
    assert (found != steps.transform(titles)).nnz == 0
    assert not list(folder.glob("titles-*"))


def test_coefficients_of_in_memory_atlas_are_not_cached(parts, corpus, folder):
    masker = parts["masker"]
    other = KDEDiFuMoMasker(masker.maps_img_, mask_img=masker.mask_img_).fit()
    studies = IndexedStudies(corpus, other)
    assert not list(folder.glob("studies-*"))
    kept = IndexedStudies(corpus, masker)
    np.testing.assert_allclose(studies.coefficients, kept.coefficients, atol=1e-5)


def test_second_model_finds_the_same_documents(parts, corpus):
    one, other = (NeuroContextModel(**parts).index_corpus(corpus) for _ in range(2))
    found = [model.similar_documents("pain heat", k=9) for model in (one, other)]
    assert found[0].equals(found[1])
    img = one.predict_img(["pain heat"])
    rankings = [model.decode(img, "studies", k=9) for model in (one, other)]
    assert rankings[0].equals(rankings[1])


def test_different_models_have_different_fingerprints(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 4))
    names = [
        fingerprint(CCABaseline(alpha_text=alpha).fit(X[:n], y[:n]))
        for alpha, n in ((1.0, 40), (1.0, 40), (2.0, 40), (1.0, 39))
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    with pytest.raises(TypeError, match="which cannot be saved"):
        fingerprint(make_pipeline(HashingVectorizer()).fit(["a"]))
