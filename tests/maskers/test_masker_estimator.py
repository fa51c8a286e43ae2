"""KDEDiFuMoMasker as an estimator: pickles, clones, searches, its HTML."""

import pickle

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers import _table
from sklearn_neurocontext.maskers._table import RecentStore
from tests.maskers.helpers import CENTER, FUSIFORM, MOTOR


def test_fit_learns_nothing_from_peaks(masker, peaks):
    expected = masker.transform(peaks)
    other = KDEDiFuMoMasker("geometric", 128)
    np.testing.assert_array_equal(other.fit(peaks[:1]).transform(peaks), expected)
    np.testing.assert_array_equal(other.fit_transform(peaks), expected)


def test_pickles_are_small_and_complete_but_for_the_table(monkeypatch, peaks):
    masker = KDEDiFuMoMasker("geometric", 512).fit()
    expected = masker.transform(peaks)
    dumped = pickle.dumps(masker)
    assert len(dumped) < 1e6
    assert joblib.hash(masker) == joblib.hash(pickle.loads(dumped))
    monkeypatch.setattr(_table, "_OPENED", RecentStore(size=2))
    loaded = pickle.loads(dumped)
    np.testing.assert_array_equal(loaded.transform(peaks), expected)
    np.testing.assert_array_equal(
        loaded.coefficients_to_voxels(expected), masker.coefficients_to_voxels(expected)
    )


def test_clones_share_one_table(monkeypatch, masker, tmp_path):
    built = []
    build_table = _table.build_table
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path))
    monkeypatch.setattr(
        _table,
        "build_table",
        lambda *args, **kwargs: built.append(1) or build_table(*args, **kwargs),
    )
    for fwhm in (9, 9.0, 12.0, 9.0):
        other = clone(masker).set_params(fwhm=fwhm)
        assert not hasattr(other, "maps_img_")
        other.fit().transform([[MOTOR]])
    monkeypatch.setattr(_table, "_OPENED", RecentStore(size=2))
    np.testing.assert_array_equal(
        clone(masker).fit().transform([[MOTOR]]), masker.transform([[MOTOR]])
    )
    assert len(built) == 2


def test_a_pickle_is_used_where_the_cache_is_empty(own_maps_img, tmp_path, monkeypatch):
    nib.save(own_maps_img, tmp_path / "atlas.nii")
    masker = KDEDiFuMoMasker(tmp_path / "atlas.nii").fit()
    expected = masker.transform([[MOTOR]])
    loaded = pickle.loads(pickle.dumps(masker))
    loaded.set_params(atlas="geometric")  # No effect until the next fit.
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "new"))
    np.testing.assert_array_equal(loaded.transform([[MOTOR]]), expected)
    nib.save(nib.Nifti1Image(own_maps_img.dataobj, np.eye(4)), tmp_path / "atlas.nii")
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path / "other"))
    with pytest.raises(ValueError, match=r"content of the atlas has changed"):
        loaded.transform([[MOTOR]])


@pytest.mark.filterwarnings("ignore:Dropped")
@pytest.mark.parametrize("name", sorted(KDEDiFuMoMasker().get_params()))
def test_a_parameter_has_no_effect_until_the_next_fit(name, tmp_path):
    other = {
        "atlas": "geometric-soft",
        "n_components": 32,
        "fwhm": 18.0,
        "voxelization": "neuroquery",
        "target_affine": 6.0,
        "mask_img": None,
        "resolution_mm": 3,
        "strategy": "mean",
        "space": "TAL",
        "empty": "error",
        "data_dir": tmp_path,
    }
    peaks = [[[-41.5, -24, 56], [80, -30, 10]], [[0, 0, 4000]]]
    changed = KDEDiFuMoMasker(
        "geometric", 24, voxelization="linear", target_affine=8.0
    ).fit()
    before = changed.transform(peaks)
    changed.set_params(**{name: other[name]})
    np.testing.assert_array_equal(changed.transform(peaks), before)
    changed.fit()
    if name == "empty":
        with pytest.raises(ValueError, match="have no peak inside the mask"):
            changed.transform(peaks)
    elif name not in ("data_dir", "resolution_mm", "strategy"):
        assert not np.array_equal(changed.transform(peaks), before)


def test_a_pickle_of_computed_centers_needs_no_k_means(tmp_path, monkeypatch):
    masker = KDEDiFuMoMasker("geometric", 24, target_affine=8.0).fit()
    expected = masker.transform([[MOTOR]])
    dumped = pickle.dumps(masker)
    monkeypatch.setenv("NEUROCONTEXT_CACHE", str(tmp_path))
    monkeypatch.setattr(_table, "_OPENED", RecentStore(size=2))
    monkeypatch.setattr(_table, "find_atlas", None)
    np.testing.assert_array_equal(pickle.loads(dumped).transform([[MOTOR]]), expected)


def test_set_output_gives_named_columns(masker):
    named = clone(masker).set_output(transform="pandas").fit()
    series = pd.Series([[MOTOR], [CENTER]], index=["one", "two"])
    frame = named.transform(series)
    assert list(frame.columns) == list(named.get_feature_names_out())
    assert frame.columns.is_unique
    assert list(frame.index) == ["one", "two"]
    np.testing.assert_array_equal(frame, masker.transform(series))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_over_fwhm_in_a_pipeline(rng, n_jobs):
    centers = np.array([MOTOR, FUSIFORM, CENTER])
    kinds = rng.integers(3, size=30)
    peaks = [centers[kind] + rng.normal(0, 4, (6, 3)) for kind in kinds]
    search = GridSearchCV(
        make_pipeline(KDEDiFuMoMasker("geometric", 32, target_affine=8.0), Ridge(1e-6)),
        {"kdedifumomasker__fwhm": [6.0, 12.0, 18.0]},
        cv=3,
        error_score="raise",
        n_jobs=n_jobs,
    )
    with joblib.parallel_config("threading"):
        search.fit(peaks, np.eye(3)[kinds])
    assert search.best_score_ > 0.8
    assert len(set(search.cv_results_["mean_test_score"])) == 3


def test_html_shows_parameters_and_state_escaped(masker, own_maps_img):
    html, before = masker._repr_html_(), clone(masker)._repr_html_()
    for part in ("KDEDiFuMoMasker", "geometric", ">Fitted<"):
        assert part in html
    assert ">Not fitted<" in before
    assert ">Fitted<" not in before
    unfitted = KDEDiFuMoMasker("<script>")._repr_html_()
    assert "<script>&" not in unfitted
    assert "&lt;script&gt;" in unfitted
    assert "Nifti1Image" in KDEDiFuMoMasker(own_maps_img)._repr_html_()


def test_tags(masker):
    tags = get_tags(masker)
    assert not tags.input_tags.two_d_array
    assert tags.requires_fit
    assert not tags.target_tags.required
    assert tags.transformer_tags.preserves_dtype == ["float32"]


# Those of scikit-learn's checks that need no table as input; for an estimator of other
# input `check_estimator` would run none of them.
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_checks(check):
    check("KDEDiFuMoMasker", KDEDiFuMoMasker("geometric", 8))
