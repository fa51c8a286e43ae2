"""Candidates are ranked by similarity; p values match their definition."""

import re

import nibabel as nib
import numpy as np
import pytest

from sklearn_neurocontext.inference._decoding import rank_candidates


def test_decode_ranks_terms_texts_and_studies(model, parts, corpus):
    centers = corpus.topic_centers[corpus.topic_names.index("pain")]
    img = parts["masker"].inverse_transform(parts["masker"].transform([centers]))
    ranking = model.decode(img, k=3)
    assert len(ranking) == 3
    assert set(ranking["candidate"][:2]) == {"pain", "heat"}
    assert ranking.columns.tolist() == ["candidate", "similarity", "p_value", "q_value"]
    assert ranking["p_value"][0] < 0.1
    texts = ["finger tapping hand", "pain nociceptive"]
    assert model.decode(img, texts)["candidate"][0] == texts[1]
    found = model.index_corpus(corpus).decode(img, "studies", k=150)
    assert set(found["candidate"]) == set(corpus.studies["title"])
    again = model.decode(img, "studies", k=5)
    assert again.equals(found.head(5))


def test_p_values_are_uniform_for_maps_like_the_reference(model, parts, corpus):
    y = parts["masker"].transform(corpus.peaks[60:])
    imgs = parts["masker"].inverse_transform(y)
    p_values = np.array(
        [
            model.decode(imgs.slicer[..., index], ["pain heat", "finger", "faces"])
            .set_index("candidate")["p_value"]
            .sort_index()
            for index in range(90)
        ]
    )
    assert p_values.min() >= 1 / (1 + 3 * 60)
    np.testing.assert_allclose(p_values.mean(axis=0), 0.5, atol=0.12)
    for level in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(p_values < level) == pytest.approx(level, abs=0.07)


def test_p_values_are_ranks_in_the_pooled_null():
    rng = np.random.default_rng(0)
    null = rng.normal(size=(4, 50)) * [[1.0], [10.0], [0.1], [0.0]]
    scores = np.array([2.0, 3.0, 0.5, 0.0])
    ranking = rank_candidates(["a", "b", "c", "d"], scores, lambda rows: null[rows])
    std = null.std(axis=1, keepdims=True) + (null.std(axis=1, keepdims=True) == 0)
    pooled = (null - null.mean(axis=1, keepdims=True)) / std
    for name, score, mean, scale in zip(
        "abcd", scores, null.mean(axis=1), std[:, 0], strict=True
    ):
        expected = (1 + (pooled >= (score - mean) / scale).sum()) / 201
        found = ranking.set_index("candidate").loc[name, "p_value"]
        assert found == pytest.approx(expected)
    assert ranking["p_value"].min() == 1 / 201


def test_decode_requires_one_nonempty_map(model):
    two = model.predict_img(["pain", "finger"])
    with pytest.raises(ValueError, match="img must contain one map; got 2"):
        model.decode(two)
    for value in (0.0, np.nan):
        empty = nib.Nifti1Image(np.full(two.shape[:3], value), two.affine)
        with pytest.raises(ValueError, match="zeros or NaN inside the mask"):
            model.decode(empty)


@pytest.mark.parametrize("k", [0, -1, 2.5, True])
def test_k_must_be_a_positive_integer(model, corpus, k):
    img = model.predict_img(["pain"])
    message = re.escape(f"k must be a positive integer; got {k!r}")
    with pytest.raises(ValueError, match=message):
        model.decode(img, k=k)
    with pytest.raises(ValueError, match=message):
        model.index_corpus(corpus).similar_documents("pain", k=k)


def test_decode_requires_a_list_of_candidates(model):
    img = model.predict_img(["pain"])
    with pytest.raises(TypeError, match=r"single text, pass \['pain'\]"):
        model.decode(img, "pain")
