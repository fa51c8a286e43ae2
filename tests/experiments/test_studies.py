"""Tests of prepare_studies and held_out_studies."""

import numpy as np
import pytest

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext._utils.volumes import smooth_voxels
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import held_out_studies, prepare_studies
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


@pytest.mark.parametrize("fwhm", [0.0, 14.0])
def test_held_out_studies_at_percentiles(corpus, masker, fwhm):
    y = masker.fit_transform(corpus.peaks)
    kept = np.flatnonzero(y.any(axis=1))
    X, y, peaks = corpus.latent[kept], y[kept], [corpus.peaks[row] for row in kept]
    train, test = np.arange(200), np.arange(200, 251)
    model = RidgeBaseline()
    studies, dice = held_out_studies(
        model, X, y, peaks, (train, test), masker, smoothing_fwhm=fwhm
    )
    assert len(dice) == 51
    # With 51 studies, each of these percentiles is the value of a study.
    assert [one.percentile for one in studies] == [90, 50, 10]
    values = [one.dice for one in studies]
    np.testing.assert_allclose(values, np.percentile(dice, [90, 50, 10]))
    model.fit(X[train], y[train])
    inside = np.asarray(masker.mask_img_.dataobj) > 0
    for one in studies:
        assert dice[one.row - 200] == one.dice
        (expected,) = masker.coefficients_to_voxels(model.predict(X[[one.row]]))
        (expected,) = smooth_voxels(expected[np.newaxis], masker.mask_img_, fwhm)
        predicted = np.asarray(one.predicted_img.dataobj)
        np.testing.assert_allclose(predicted[inside], expected, atol=1e-6)
        (density,) = masker.peaks_to_voxels([peaks[one.row]])
        assert one.dice == pytest.approx(dice_score(density, expected, top=0.1))
        # A voxel of 4 mm has 0.064 cm³. The sum over voxels is the number of peaks,
        # except for the part of the kernels that is outside the mask.
        observed = np.asarray(one.observed_img.dataobj)
        np.testing.assert_allclose(0.064 * observed[inside], density, atol=1e-6)
        assert 0.3 < 0.064 * observed.sum() / len(peaks[one.row]) <= 1.01
