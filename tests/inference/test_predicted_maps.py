"""Maps of the pretrained model: mean map, curvature, z, texts that say nothing."""

import re
import warnings

import numpy as np
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.volumes import smooth_voxels
from sklearn_neurocontext.inference._arrays import expected_density

TEXTS = ["pain heat", "finger"]


def _inside(imgs, parts):
    mask = parts["masker"].mask_img_.get_fdata() > 0
    return np.stack([img.get_fdata()[mask] for img in imgs])


@pytest.fixture
def fine(parts, rng):
    """A mean map as fine as voxels, and what else a model of it has."""
    mean = parts["masker"].coefficients_to_voxels(parts["mean"][None])[0]
    rough = mean + mean.mean() * rng.uniform(size=mean.shape)
    return parts | {"mean_map": rough, "smoothing_fwhm": 8.0}


def _deviations(parts):
    masker = parts["masker"]
    predicted = parts["model"].predict(TEXTS) - parts["mean"]
    voxels = masker.coefficients_to_voxels(predicted)
    return smooth_voxels(voxels, masker.mask_img_, 8.0)


@pytest.mark.parametrize("curvature", [0.0, 1.5])
def test_maps_are_the_mean_map_and_what_differs_from_it(fine, curvature):
    model = NeuroContextModel(**fine, curvature=curvature)
    maps = model.transform(TEXTS)
    d, mean = _deviations(fine), fine["mean_map"]
    up = np.where(d > 0, d, 0)
    by_hand = mean + d + curvature * up * up / mean.mean()
    found = _inside(maps["brain_map"], fine)
    np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-4 * mean.mean())
    z = _inside(maps["z_map"], fine)
    np.testing.assert_allclose(z, d / fine["z_scale"], rtol=1e-3, atol=1e-4)
    img = model.predict_img(TEXTS)
    np.testing.assert_array_equal(
        img.get_fdata()[..., 1], maps["brain_map"][1].get_fdata()
    )


def test_without_a_mean_map_it_is_the_map_of_the_mean(parts):
    fine = parts | {"smoothing_fwhm": 8.0}
    plain = NeuroContextModel(**fine)
    mean = parts["masker"].coefficients_to_voxels(parts["mean"][None])
    mean = smooth_voxels(mean, parts["masker"].mask_img_, 8.0)[0]
    same = NeuroContextModel(**fine, mean_map=mean)
    bent = NeuroContextModel(**fine, curvature=2.0)
    one, other, third = (
        _inside(model.transform(TEXTS)["brain_map"], parts)
        for model in (plain, same, bent)
    )
    np.testing.assert_allclose(one, other, atol=1e-5 * mean.mean())
    expected = expected_density(mean, one - mean, 2.0)
    np.testing.assert_allclose(third, expected, atol=1e-4 * mean.mean())


def test_curvature_keeps_order_and_what_does_not_differ(rng):
    mean = rng.uniform(1, 3, size=50)
    d = np.sort(rng.normal(size=(1, 50)), axis=1)
    none = expected_density(mean, 0 * d, 3.0)
    np.testing.assert_array_equal(none, mean[None])
    flat, bent = (expected_density(np.full(50, 2.0), d, c) for c in (0.0, 3.0))
    assert (np.diff(bent) > 0).all()
    np.testing.assert_array_equal(bent[d <= 0], flat[d <= 0])
    assert (bent[d > 0] > flat[d > 0]).all()
    # One half is the log link's second order.
    small = np.full((1, 50), 1e-3)
    exact = 2 * np.exp(small / 2)
    np.testing.assert_allclose(
        expected_density(np.full(50, 2.0), small, 0.5), exact, rtol=1e-9
    )


def test_the_mean_map_survives_saving(fine, tmp_path):
    model = NeuroContextModel(**fine, curvature=1.5, z_threshold=0.5)
    loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / "mine"))
    assert (loaded.curvature, loaded.z_threshold) == (1.5, 0.5)
    one, other = model.transform(TEXTS), loaded.transform(TEXTS)
    for name in ("brain_map", "z_map"):
        np.testing.assert_array_equal(
            _inside(one[name], fine), _inside(other[name], fine)
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean_map": [1.0]}, "mean_map has shape (1,); expected (29398)"),
        ({"mean_map": np.full(29398, np.nan)}, "mean_map holds NaN or infinity"),
        ({"mean": np.full(128, np.inf)}, "mean holds NaN or infinity; expected"),
        ({"curvature": -1}, "curvature=-1; expected a number, not below zero"),
        ({"curvature": True}, "curvature=True; expected a number, not below"),
        ({"curvature": float("nan")}, "curvature=nan; expected a number, not below"),
        ({"z_threshold": "3"}, "z_threshold='3'; expected a number of z, not below"),
        ({"mean": None, "curvature": 1.0}, "Pass mean, the mean of the training"),
        ({"mean": None, "mean_map": np.ones(29398)}, "Pass mean, the mean of the tr"),
        (
            {"curvature": 1.0, "mean_map": np.zeros(29398)},
            "curvature=1 divides by the mean of the mean map, which is not above zero",
        ),
    ],
)
def test_misfits_of_maps_are_refused(parts, change, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        NeuroContextModel(**(parts | change))


def test_a_caveat_is_said_where_a_warning_is(parts):
    quiet = NeuroContextModel(**parts)
    (z_img,) = quiet.transform(["pain"])["z_map"]
    largest = _inside([z_img], parts).max()
    assert quiet.caveat(z_img) == ""
    assert NeuroContextModel(**parts, z_threshold=0.99 * largest).caveat(z_img) == ""
    model = NeuroContextModel(**parts, z_threshold=1.01 * largest)
    words = model.caveat(z_img)
    assert words.startswith("Nothing in this map stands out from the map of any text")
    assert f"{largest:.1f}, below {1.01 * largest:.1f}" in words


def test_a_text_that_says_nothing_is_warned_about(parts):
    quiet = NeuroContextModel(**parts)
    known, unknown = "pain heat", "asdf qwerty"
    largest = [
        _inside(quiet.transform([t])["z_map"], parts).max() for t in (known, "x")
    ]
    model = NeuroContextModel(**parts, z_threshold=np.mean(largest))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet.transform([unknown])
        model.transform([known])
    for call in (model.transform, model.predict_img, lambda texts: model(texts[0])):
        with pytest.warns(UserWarning, match="stands out") as caught:
            call([unknown])
        (one,) = caught
        text = str(one.message)
        assert text.startswith("Nothing in the map of 'asdf qwerty' stands out from")
        assert text.endswith("; use more, or other words.")
        assert "\n" not in text
    with pytest.warns(UserWarning, match="'asdf qwerty'") as caught:
        model.transform([known, unknown, known])
    assert len(caught) == 1
