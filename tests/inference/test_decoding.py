"""Candidates are ranked by similarity; p values match their definition."""

import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.surface import InMemoryMesh, SurfaceImage
from scipy.sparse import issparse
from scipy.stats import pearson3, skew
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.inference import _neurocontext_model
from sklearn_neurocontext.inference._decoding import rank_candidates
from sklearn_neurocontext.inference._nulls import fit_null

COLUMNS = ["candidate", "similarity", "percentile", "p_value", "q_value"]


def test_decode_ranks_terms_texts_and_studies(model, parts, corpus):
    centers = corpus.topic_centers[corpus.topic_names.index("pain")]
    img = parts["masker"].inverse_transform(parts["masker"].transform([centers]))
    ranking = model.decode(img, k=3)
    assert len(ranking) == 3
    assert set(ranking["candidate"][:2]) == {"pain", "heat"}
    assert ranking.columns.tolist() == COLUMNS
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
    null = rng.gamma(2, size=(4, 50)) * [[1.0], [10.0], [0.1], [0.0]]
    scores = np.array([2.0, 3.0, 0.5, 0.0])
    fitted = fit_null(4, lambda rows: null[rows])
    tails = []
    for row in null:
        scale = row.std() or 1
        z = (row - row.mean()) / scale
        tails.append(pearson3(skew(row) if row.std() else 0).sf(z))
    for tail in ("positive", "negative", "both"):
        ranking = rank_candidates(list("abcd"), scores, fitted, tail)
        for index, name in enumerate("abcd"):
            row = null[index]
            z = (scores[index] - row.mean()) / (row.std() or 1)
            u = pearson3(skew(row) if row.std() else 0).sf(z)
            above = (1 + np.sum(np.concatenate(tails) <= u + 1e-12)) / 201
            below = (1 + np.sum(np.concatenate(tails) >= u - 1e-12)) / 201
            expected = {
                "positive": above,
                "negative": below,
                "both": min(1, 2 * min(above, below)),
            }[tail]
            found = ranking.set_index("candidate").loc[name]
            assert found["p_value"] == pytest.approx(expected)
            assert found["percentile"] == pytest.approx(100 * (1 - above))
        assert (ranking["p_value"].diff()[1:] >= 0).all()


def test_ties_of_p_values_are_sorted_by_similarity():
    null = np.random.default_rng(0).normal(size=(4, 60))
    fitted = fit_null(4, lambda rows: null[rows])
    high, low = [7.0, 9.0, 8.0, 0.0], [-7.0, -9.0, -8.0, 0.0]
    for tail, scores, expected in (
        ("positive", high, "bcad"),
        ("negative", low, "bcad"),
        ("both", high, "bcad"),
        ("both", low, "bcad"),
    ):
        ranking = rank_candidates(list("abcd"), scores, fitted, tail)
        assert "".join(ranking["candidate"]) == expected


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


PEAKS = [[-42, -22, 54], [4, 0, 60]]


@pytest.mark.parametrize("kind", [list, np.array, pd.DataFrame])
def test_peaks_are_decoded_as_their_map(kind, model, parts):
    masker = parts["masker"]
    img = masker.inverse_transform(masker.transform([PEAKS]))
    found, expected = model.decode(kind(PEAKS), k=6), model.decode(img, k=6)
    assert found["candidate"].tolist() == expected["candidate"].tolist()
    np.testing.assert_allclose(found["similarity"], expected["similarity"], atol=1e-3)
    one = model.decode(PEAKS[0])
    pd.testing.assert_frame_equal(one, model.decode([PEAKS[0]]))


def _ball(center, radius=12, value=1.0):
    """Return a mask of a ball on a grid of 2 mm."""
    affine = nib.affines.from_matvec(np.diag([2, 2, 2]), [-90, -126, -72])
    centers = np.moveaxis(np.indices((91, 109, 91)), 0, -1) * 2 + affine[:3, 3]
    inside = np.linalg.norm(centers - center, axis=-1) <= radius
    return nib.Nifti1Image(value * inside.astype(np.float32), affine)


@pytest.mark.parametrize("value", [1.0, 255.0])
def test_region_is_decoded_as_density_of_its_voxels(value, model, parts):
    ball = _ball([-34, -20, 40], value=value)
    voxels = np.argwhere(np.asarray(ball.dataobj) > 0)
    peaks = nib.affines.apply_affine(ball.affine, voxels)
    found = model.decode(ball)
    pd.testing.assert_frame_equal(found, model.decode(peaks))
    # The density extends beyond the region, in contrast to a map without smoothing.
    sharp = np.array(ball.dataobj)
    sharp[sharp > 0] += np.linspace(0, 1e-3 * value, len(peaks))
    unsmoothed = model.decode(nib.Nifti1Image(sharp, ball.affine))
    assert abs(found["similarity"] - unsmoothed["similarity"]).max() > 1e-3


def test_region_does_not_depend_on_the_space_of_the_masker(parts, model):
    masker = clone(parts["masker"]).set_params(space="TAL").fit()
    other = NeuroContextModel(**{**parts, "masker": masker})
    ball = _ball([-34, -20, 40])
    found, expected = other.decode(ball), model.decode(ball)
    np.testing.assert_allclose(found["similarity"], expected["similarity"], atol=0.02)


@pytest.mark.parametrize(
    ("peaks", "error", "words"),
    [
        ([1, 2], ValueError, r"shape \(n_peaks, 3\); got \(2,\)"),
        ([], ValueError, r"shape \(n_peaks, 3\); got \(0,\)"),
        ([[1, 2, 3, 4]], ValueError, r"got \(1, 4\)"),
        ([["a", "b", "c"]], TypeError, "coordinates of peaks; got list"),
        (3, TypeError, "an array of peaks, the path of an image.*got int"),
    ],
)
def test_invalid_peaks_raise(peaks, error, words, model):
    with pytest.raises(error, match=words):
        model.decode(peaks)


def test_peaks_outside_the_mask_raise(model):
    with (
        pytest.warns(UserWarning, match="Dropped 1 of 1 peaks"),
        pytest.raises(ValueError, match="No peak is inside the brain mask"),
    ):
        model.decode([[0, 0, 500]])


def test_surface_maps_are_refused_by_name(model, tmp_path):
    values = np.zeros(10, dtype=np.float32)
    gifti = nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(values)])
    nib.save(gifti, tmp_path / "lh.gii")
    mesh = InMemoryMesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]))
    surface = SurfaceImage(
        {"left": mesh, "right": mesh}, {"left": values[:3], "right": values[:3]}
    )
    advice = "volume that the surface map was made from.*mri_surf2vol"
    with pytest.raises(ValueError, match=f"lh.gii.*got a GiftiImage.*{advice}"):
        model.decode(tmp_path / "lh.gii")
    with pytest.raises(TypeError, match=f"got GiftiImage.*{advice}"):
        model.decode(gifti)
    with pytest.raises(TypeError, match=f"got SurfaceImage.*{advice}"):
        model.decode(surface)


def test_similar_documents_of_a_map(model, corpus):
    model.index_corpus(corpus)
    found = model.similar_documents(img=PEAKS, k=5)
    ranking = model.decode(PEAKS, "studies", k=150)
    ranking = ranking.sort_values("similarity", ascending=False, kind="stable")
    assert found["study_id"].tolist() == ranking["study_id"][:5].tolist()
    assert set(found["study_id"]) <= set(corpus.studies["study_id"])
    for arguments, words in (({}, "neither"), ({"text": "a", "img": PEAKS}, "both")):
        with pytest.raises(ValueError, match=f"Exactly one of text and img.*{words}"):
            model.similar_documents(**arguments)


@pytest.mark.parametrize("sparse", [False, True])
def test_features_of_many_texts_do_not_depend_on_blocks(sparse, parts, monkeypatch):
    if sparse:
        steps = [step for step in parts["model"].steps if step[0] != "truncatedsvd"]
        parts["model"] = Pipeline(steps)
    model = NeuroContextModel(parts["model"], parts["masker"])
    texts = ["pain", "finger", "heat", "pain heat", "words"]
    expected = model._features(texts)
    monkeypatch.setattr(_neurocontext_model, "_BLOCK", 2)
    found = model._many_features(texts)
    assert issparse(found) == issparse(expected) == sparse
    np.testing.assert_allclose(
        found.toarray() if sparse else found, expected.toarray() if sparse else expected
    )
