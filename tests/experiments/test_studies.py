"""Tests of prepare_studies and median_study_maps."""

import numpy as np
import pytest

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import median_study_maps, prepare_studies
from sklearn_neurocontext.metrics import dice_score
from sklearn_neurocontext.models import RidgeBaseline


class _LengthEmbedder:
    """Embedder that returns the lengths of texts."""

    def fit(self, texts):
        return self

    def transform(self, texts):
        return np.array([[len(text)] for text in texts], dtype=np.float32)


@pytest.fixture(scope="module")
def corpus():
    corpus = make_studies(n_studies=300, random_state=0)
    corpus.studies.loc[4, "title"] = ""
    corpus.peaks[7] = np.zeros((0, 3))
    return corpus


@pytest.fixture(scope="module")
def masker():
    return KDEDiFuMoMasker(atlas="geometric", n_components=128)


def test_rows_of_texts_embeddings_and_coefficients(corpus, masker):
    steps = []
    studies = prepare_studies(
        corpus,
        "title",
        _LengthEmbedder(),
        masker,
        on_progress=lambda *counts: steps.append(counts),
    )
    assert len(studies.rows) == 298
    assert not {4, 7} & set(studies.rows)
    titles = corpus.studies["title"].iloc[studies.rows].tolist()
    assert studies.texts == titles
    assert studies.X[:, 0].tolist() == [len(title) for title in titles]
    peaks = [corpus.peaks[row] for row in studies.rows]
    np.testing.assert_allclose(studies.y, masker.transform(peaks), atol=1e-7)
    assert studies.groups.tolist() == corpus.studies["study_id"][studies.rows].tolist()
    assert steps[-1] == (298, 298)
    assert set(studies.seconds) == {"coefficients", "embeddings"}


@pytest.mark.parametrize(("y_scaling", "norm"), [("unit", 2), ("sqrt", 1)])
def test_study_with_median_dice(corpus, masker, y_scaling, norm):
    y = masker.fit_transform(corpus.peaks)
    kept = np.flatnonzero(y.any(axis=1))
    X, y = corpus.latent[kept], y[kept]
    train, test = np.arange(200), np.arange(200, 251)
    model = RidgeBaseline(y_scaling=y_scaling)
    maps = median_study_maps(model, X, y, (train, test), masker)
    assert len(maps.dice_of_all) == 51
    assert maps.dice == np.median(maps.dice_of_all)
    predicted = model.fit(X[train], y[train]).predict(X[[maps.row]])
    pair = masker.coefficients_to_voxels(np.concatenate([y[[maps.row]], predicted]))
    assert maps.dice == pytest.approx(dice_score(*pair, top=0.1))
    observed = np.asarray(maps.observed_img.dataobj)
    inside = np.asarray(masker.mask_img_.dataobj) > 0
    expected = pair[0] / np.linalg.norm(y[maps.row], norm)
    np.testing.assert_allclose(observed[inside], expected, atol=1e-6)
    img = np.asarray(maps.predicted_img.dataobj)
    np.testing.assert_allclose(img[inside], pair[1], atol=1e-6)
