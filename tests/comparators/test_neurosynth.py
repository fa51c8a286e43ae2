"""Association maps of terms: brute force, NiMARE, and the estimator made of them."""

import pickle
import re

import nibabel as nib
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import chi2_contingency
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import normalize

from sklearn_neurocontext import (
    KDEDiFuMoMasker,
    RidgeBaseline,
    TermCounts,
    load_model,
    save_model,
    similarity,
)
from sklearn_neurocontext.comparators import (
    NeurosynthMaps,
    association_z,
    peak_indicators,
)
from sklearn_neurocontext.experiments import run_benchmark
from sklearn_neurocontext.maskers import load_mask
from tests.comparators.conftest import MOTOR, VISUAL

REPRESENTATIONS = ("voxels", "coefficients")


@pytest.fixture(scope="module", params=REPRESENTATIONS)
def fitted(request, masker, studies):
    """Fitted model; tests must not change it."""
    model = NeurosynthMaps(10, radius=20, representation=request.param, masker=masker)
    return model.fit(*studies)


def test_association_equals_chi2_contingency(rng):
    terms = rng.integers(2, size=(50, 4))
    terms[:, 3] = 1
    voxels = rng.integers(2, size=(50, 9))
    voxels[:, 8] = 0
    z_maps = association_z(csr_array(terms), csr_array(voxels))
    for term, voxel in np.ndindex(3, 8):
        table = np.zeros((2, 2))
        np.add.at(table, (terms[:, term], voxels[:, voxel]), 1)
        chi2 = chi2_contingency(table, correction=False).statistic
        together = table[1, 1] * table[0, 0] > table[1, 0] * table[0, 1]
        expected = np.sqrt(chi2) if together else -np.sqrt(chi2)
        assert z_maps[term, voxel] == pytest.approx(expected, rel=1e-5)
    # A term of all studies and a voxel without peaks are not associated with anything.
    assert not z_maps[3].any()
    assert not z_maps[:, 8].any()


def test_association_of_many_terms_equals_that_of_each(rng):
    terms = csr_array(rng.integers(2, size=(30, 450)))
    voxels = csr_array(rng.integers(2, size=(30, 5)))
    z_maps = association_z(terms, voxels)
    for term in (0, 199, 200, 449):
        alone = association_z(terms[:, [term]], voxels)[0]
        np.testing.assert_array_equal(alone, z_maps[term])


def test_indicators_equal_distances(rng):
    mask_img = load_mask(target_affine=8.0)
    peaks = [rng.normal(size=(n, 3)) * 40 for n in (3, 0, 7)]
    # Distances of exactly 10 mm are included.
    voxels = np.argwhere(np.asarray(mask_img.dataobj) > 0)
    centers = nib.affines.apply_affine(mask_img.affine, voxels)
    peaks.append(centers[[100]] + [6.0, 0.0, 8.0])
    indicators = peak_indicators(peaks, mask_img)
    assert indicators.dtype == np.float32
    for row, xyz in enumerate(peaks):
        distances = np.linalg.norm(centers[:, None] - xyz, axis=2)
        expected = (distances <= 10).any(axis=1)
        np.testing.assert_array_equal(indicators[[row]].toarray()[0], expected)
    assert indicators[[3]].toarray()[0, 100] == 1


def test_blocks_of_studies_are_joined(rng):
    mask_img = load_mask(target_affine=20.0)
    peaks = [rng.normal(size=(1, 3)) * 40 for _ in range(2100)]
    whole = peak_indicators(peaks, mask_img, radius=25)
    assert whole.shape[0] == 2100
    last = peak_indicators(peaks[-100:], mask_img, radius=25)
    np.testing.assert_array_equal(whole[-100:].toarray(), last.toarray())


def _nimare_association(peaks, has_term, mask_img):
    dataset = pytest.importorskip("nimare.dataset")
    from nimare.meta.cbma.mkda import MKDAChi2
    from nimare.meta.kernel import MKDAKernel

    studies = {}
    for row, xyz in enumerate(peaks):
        coords = dict(zip("xyz", xyz.T.tolist(), strict=True)) | {"space": "MNI"}
        contrast = {"coords": coords, "metadata": {"sample_sizes": [20]}}
        studies[str(row)] = {"contrasts": {"1": contrast}}
    corpus = dataset.Dataset(studies, target="mni152_2mm", mask=mask_img)
    ids = np.array([f"{row}-1" for row in range(len(peaks))])
    groups = (corpus.slice(ids[which].tolist()) for which in (has_term, ~has_term))
    result = MKDAChi2(kernel_transformer=MKDAKernel(r=10)).fit(*groups)
    return result.get_map("z_desc-association", return_type="array")


def _draw_studies(rng):
    """Draw peaks at integer coordinates, near two places if a study has the term."""
    has_term = rng.random(120) < 0.3
    near = np.array([MOTOR, VISUAL])
    peaks = []
    for has in has_term:
        xyz = rng.integers([-60, -90, -40], [60, 60, 70], size=(15, 3))
        if has:
            xyz[:4] = near[rng.integers(2, size=4)] + rng.integers(-9, 9, size=(4, 3))
        peaks.append(xyz.astype(float))
    return peaks, has_term


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_equals_nimare_on_the_same_grid(rng):
    peaks, has_term = _draw_studies(rng)
    mask_img = load_mask()
    inverse = np.linalg.inv(mask_img.affine)
    moved = [
        nib.affines.apply_affine(
            mask_img.affine, np.round(nib.affines.apply_affine(inverse, xyz))
        )
        for xyz in peaks
    ]
    expected = _nimare_association(peaks, has_term, mask_img)
    indicators = peak_indicators(moved, mask_img)
    z_map = association_z(csr_array(has_term[:, None]), indicators)[0]
    np.testing.assert_allclose(z_map, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_exact_distances_equal_nimare_on_a_grid_of_one_mm(rng):
    # NiMARE moves peaks to the nearest voxel. On a grid of 1 mm, integer coordinates
    # are not moved. Of this grid, the mask contains only the centers of 4 mm voxels.
    peaks, has_term = _draw_studies(rng)
    mask_img = load_mask()
    fine = np.zeros([4 * (n - 1) + 1 for n in mask_img.shape], dtype=np.uint8)
    fine[::4, ::4, ::4] = mask_img.dataobj
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = mask_img.affine[:3, 3]
    expected = _nimare_association(peaks, has_term, nib.Nifti1Image(fine, affine))
    indicators = peak_indicators(peaks, mask_img)
    z_map = association_z(csr_array(has_term[:, None]), indicators)[0]
    assert np.corrcoef(z_map, expected)[0, 1] > 0.99


def test_map_of_a_term_is_highest_at_its_peaks(fitted, masker):
    masker = clone(masker).fit()
    maps = fitted.predict(["finger tapping", "faces"])
    if fitted.representation == "coefficients":
        maps = masker.coefficients_to_voxels(maps)
    inside = np.asarray(masker.mask_img_.dataobj) > 0
    centers = nib.affines.apply_affine(masker.mask_img_.affine, np.argwhere(inside))
    for one, place in zip(maps, (MOTOR, VISUAL), strict=True):
        assert np.linalg.norm(centers[one.argmax()] - place) < 25


def test_map_of_a_text_is_the_weighted_sum_of_its_terms(masker, studies):
    model = NeurosynthMaps(10, radius=20, masker=masker).fit(*studies)
    names = model.terms_.get_feature_names_out().tolist()
    maps = model.predict(["faces", "patients", "faces of patients", "unknown"])
    z = model.z_maps_[[names.index("faces"), names.index("patients")]]
    np.testing.assert_allclose(maps[:2], z, rtol=1e-5)
    idf = model.tfidf_.idf_[[names.index("faces"), names.index("patients")]]
    weights = idf / np.linalg.norm(idf)
    np.testing.assert_allclose(maps[2], weights @ z, rtol=1e-4, atol=1e-4)
    assert not maps[3].any()


def test_matching_studies_are_more_similar(fitted, studies):
    assert fitted.score(*studies) > 0.8
    matrix = similarity(fitted, *studies)
    assert matrix.shape == (60, 60)
    assert np.abs(matrix).max() <= 1 + 1e-6


@pytest.mark.filterwarnings("ignore:Dropped")
def test_similarity_of_voxels_is_the_correlation_without_means(masker, studies):
    texts, peaks = studies
    model = NeurosynthMaps(10, radius=20, masker=masker).fit(texts, peaks)
    predicted = model.predict(texts)
    observed = clone(masker).fit().peaks_to_voxels(peaks)
    predicted, observed = predicted - predicted.mean(0), observed - observed.mean(0)
    expected = np.corrcoef(predicted, observed)[:60, 60:]
    np.testing.assert_allclose(model.similarity(texts, peaks), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Dropped")
def test_similarity_of_coefficients_is_that_of_the_regressions(masker, studies):
    texts, peaks = studies
    model = NeurosynthMaps(
        10, radius=20, representation="coefficients", masker=masker
    ).fit(texts, peaks)
    y = clone(masker).fit().transform(peaks)
    ridge = RidgeBaseline().fit(np.ones((60, 1)), y)
    scaler = model.observed_scaler_
    np.testing.assert_allclose(scaler.mean_, ridge.y_mean_, atol=1e-6)
    np.testing.assert_allclose(scaler.scale_, ridge.y_scale_, rtol=1e-4)
    unit = normalize(model.predict(texts))
    std = unit.std(axis=0)
    std[std == 0] = 1  # parcels without voxels on the coarse grid
    predicted = normalize((unit - unit.mean(axis=0)) / std)
    observed = normalize((normalize(y) - ridge.y_mean_) / ridge.y_scale_)
    np.testing.assert_allclose(
        model.similarity(texts, peaks), predicted @ observed.T, atol=1e-3
    )


def test_counts_give_the_same_maps_as_texts(masker, studies):
    texts, peaks = studies
    model = NeurosynthMaps(10, radius=20, masker=masker).fit(texts, peaks)
    counts = model.terms_.transform(texts)
    of_counts = clone(model).fit(counts, peaks)
    np.testing.assert_array_equal(of_counts.predict(counts), model.predict(texts))
    with pytest.raises(TypeError, match=re.escape("X must be counts")):
        of_counts.predict(texts)


def test_clone_pickle_and_saving_keep_predictions(fitted, studies, tmp_path):
    texts, peaks = studies
    loaded = load_model(save_model(fitted, tmp_path / "model"))
    pickled = pickle.loads(pickle.dumps(fitted))
    refitted = clone(fitted).fit(texts, peaks)
    expected = fitted.similarity(texts, peaks)
    for model in (loaded, pickled, refitted):
        np.testing.assert_array_equal(model.predict(texts), fitted.predict(texts))
        np.testing.assert_allclose(model.similarity(texts, peaks), expected, atol=1e-6)


def test_run_benchmark_takes_peaks(masker, studies, tmp_path):
    texts, peaks = studies
    models = {
        name: NeurosynthMaps(8, radius=20, representation=name, masker=masker)
        for name in REPRESENTATIONS
    }
    splits = [(np.arange(40), np.arange(40, 60))]
    for _ in range(2):
        result = run_benchmark(
            models, texts, peaks, splits, output=tmp_path, ks=(5,), reference=None
        )
        assert [one["mix_match"] > 0.7 for one in result.records] == [True, True]
    assert len(list((tmp_path / "records").iterdir())) == 2


def test_invalid_input_raises(masker, studies):
    texts, peaks = studies
    model = NeurosynthMaps(10, masker=masker)
    with pytest.raises(NotFittedError):
        model.predict(texts)
    with pytest.raises(ValueError, match="60 and 59 rows"):
        model.fit(texts, peaks[:59])
    with pytest.raises(ValueError, match="min_df=61"):
        NeurosynthMaps(61, masker=masker).fit(texts, peaks)
    talairach = clone(masker).set_params(space="TAL")
    with pytest.raises(ValueError, match="space='TAL'"):
        NeurosynthMaps(10, masker=talairach).fit(texts, peaks)
    for name, value in {
        "min_studies": 0,
        "radius": 0,
        "representation": "images",
        "masker": "geometric",
    }.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter .* Got"):
            model.set_params(**{name: value}).fit(texts, peaks)
        model.set_params(**{name: getattr(NeurosynthMaps(10, masker=masker), name)})


def test_default_masker_is_geometric(studies):
    model = NeurosynthMaps(10).fit(*studies)
    assert model.masker_.get_params() == KDEDiFuMoMasker("geometric").get_params()
    assert model.predict(["faces"]).shape == (1, 29398)
    assert isinstance(model.terms_, TermCounts)
