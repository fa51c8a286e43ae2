"""Predicted maps and z maps match their formulas; low confidence raises warnings."""

import re
import warnings

import numpy as np
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.volumes import smooth_voxels
from sklearn_neurocontext.inference import LowConfidenceWarning
from sklearn_neurocontext.inference._neurocontext_model import expected_density

TEXTS = ["pain heat", "finger"]


def _inside(imgs, parts):
    mask = parts["masker"].mask_img_.get_fdata() > 0
    return np.stack([img.get_fdata()[mask] for img in imgs])


@pytest.fixture
def fine(parts, rng):
    """Arguments of a model with a mean map at the resolution of voxels."""
    mean = parts["masker"].coefficients_to_voxels(parts["mean"][None])[0]
    rough = mean + mean.mean() * rng.uniform(size=mean.shape)
    return parts | {"mean_map": rough, "smoothing_fwhm": 8.0}


def _differences(parts):
    masker = parts["masker"]
    predicted = parts["model"].predict(TEXTS) - parts["mean"]
    voxels = masker.coefficients_to_voxels(predicted)
    return smooth_voxels(voxels, masker.mask_img_, 8.0)


@pytest.mark.parametrize("quadratic_coef", [0.0, 1.5])
def test_brain_map_and_z_map_match_formula(fine, quadratic_coef):
    model = NeuroContextModel(**fine, quadratic_coef=quadratic_coef)
    maps = model.transform(TEXTS)
    d, mean = _differences(fine), fine["mean_map"]
    up = np.where(d > 0, d, 0)
    by_hand = mean + d + quadratic_coef * up * up / mean.mean()
    found = _inside(maps["brain_map"], fine)
    np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-4 * mean.mean())
    z = _inside(maps["z_map"], fine)
    np.testing.assert_allclose(z, d / fine["null_std"], rtol=1e-3, atol=1e-4)
    img = model.predict_img(TEXTS)
    np.testing.assert_array_equal(
        img.get_fdata()[..., 1], maps["brain_map"][1].get_fdata()
    )


def test_mean_map_defaults_to_map_of_mean_coefficients(parts):
    fine = parts | {"smoothing_fwhm": 8.0}
    plain = NeuroContextModel(**fine)
    mean = parts["masker"].coefficients_to_voxels(parts["mean"][None])
    mean = smooth_voxels(mean, parts["masker"].mask_img_, 8.0)[0]
    same = NeuroContextModel(**fine, mean_map=mean)
    bent = NeuroContextModel(**fine, quadratic_coef=2.0)
    one, other, third = (
        _inside(model.transform(TEXTS)["brain_map"], parts)
        for model in (plain, same, bent)
    )
    np.testing.assert_allclose(one, other, atol=1e-5 * mean.mean())
    expected = expected_density(mean, one - mean, 2.0)
    np.testing.assert_allclose(third, expected, atol=1e-4 * mean.mean())


def test_quadratic_term_is_monotonic_and_zero_at_zero(rng):
    mean = rng.uniform(1, 3, size=50)
    d = np.sort(rng.normal(size=(1, 50)), axis=1)
    same = expected_density(mean, 0 * d, 3.0)
    np.testing.assert_array_equal(same, mean[None])
    flat, bent = (expected_density(np.full(50, 2.0), d, c) for c in (0.0, 3.0))
    assert (np.diff(bent) > 0).all()
    np.testing.assert_array_equal(bent[d <= 0], flat[d <= 0])
    assert (bent[d > 0] > flat[d > 0]).all()
    # With c = 1/2, the density equals that of a log link up to the second order.
    small = np.full((1, 50), 1e-3)
    exact = 2 * np.exp(small / 2)
    np.testing.assert_allclose(
        expected_density(np.full(50, 2.0), small, 0.5), exact, rtol=1e-9
    )


def test_mean_map_is_saved_and_loaded(fine, tmp_path):
    model = NeuroContextModel(**fine, quadratic_coef=1.5, z_threshold=0.5)
    loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / "mine"))
    assert (loaded.quadratic_coef, loaded.z_threshold) == (1.5, 0.5)
    one, other = model.transform(TEXTS), loaded.transform(TEXTS)
    for name in ("brain_map", "z_map"):
        np.testing.assert_array_equal(
            _inside(one[name], fine), _inside(other[name], fine)
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean_map": [1.0]}, "mean_map must have shape (29398); got (1,)"),
        ({"mean_map": np.full(29398, np.nan)}, "mean_map holds NaN or infinity"),
        (
            {"null_std": None, "null_std_difference": np.ones(29398)},
            "null_std_difference requires null_std",
        ),
        ({"mean": np.full(128, np.inf)}, "mean holds NaN or infinity. Check"),
        (
            {"quadratic_coef": -1},
            "quadratic_coef must be a number of at least 0; got -1",
        ),
        (
            {"quadratic_coef": True},
            "quadratic_coef must be a number of at least 0; got True",
        ),
        (
            {"quadratic_coef": float("nan")},
            "quadratic_coef must be a number of at least 0; got nan",
        ),
        (
            {"z_threshold": "3"},
            "z_threshold must be a number of at least 0; got '3'",
        ),
        (
            {"mean": None, "quadratic_coef": 1.0},
            "mean_map and quadratic_coef require mean",
        ),
        (
            {"mean": None, "mean_map": np.ones(29398)},
            "mean_map and quadratic_coef require mean",
        ),
        (
            {"quadratic_coef": 1.0, "mean_map": np.zeros(29398)},
            "quadratic_coef=1 requires that the mean",
        ),
    ],
)
def test_invalid_map_parameters_raise(parts, change, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        NeuroContextModel(**(parts | change))


def test_low_confidence_message_depends_on_threshold(parts):
    model = NeuroContextModel(**parts)
    (z_img,) = model.transform(["pain"])["z_map"]
    largest = _inside([z_img], parts).max()
    for threshold in (0.0, 0.99 * largest):
        model = NeuroContextModel(**parts, z_threshold=threshold)
        assert model.low_confidence_message(z_img) == ""
    model = NeuroContextModel(**parts, z_threshold=1.01 * largest)
    assert model.low_confidence_message(z_img) == (
        f"No voxel of this map reaches the z threshold (largest z {largest:.1f}, "
        f"threshold {1.01 * largest:.1f}). The model may not know these words."
    )


def test_map_close_to_mean_map_raises_warning(parts):
    plain = NeuroContextModel(**parts)
    known, unknown = "pain heat", "asdf qwerty"
    largest = [
        _inside(plain.transform([t])["z_map"], parts).max() for t in (known, "x")
    ]
    model = NeuroContextModel(**parts, z_threshold=np.mean(largest))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain.transform([unknown])
        model.transform([known])
    for call in (model.transform, model.predict_img, lambda texts: model(texts[0])):
        with pytest.warns(
            LowConfidenceWarning, match="'asdf qwerty' reaches"
        ) as caught:
            call([unknown])
        assert len(caught) == 1
    with pytest.warns(LowConfidenceWarning, match="'asdf qwerty'") as caught:
        model.transform([known, unknown, known])
    assert len(caught) == 1


@pytest.mark.parametrize("quadratic_coef", [0.0, 1.5])
@pytest.mark.parametrize("has_null", [True, False])
def test_difference_of_two_texts_matches_formula(fine, has_null, quadratic_coef):
    std = np.sqrt(2) * fine["null_std"]
    if has_null:
        std = 0.7 * fine["null_std"]
        fine["null_std_difference"] = std
    model = NeuroContextModel(**fine, quadratic_coef=quadratic_coef)
    separate = _inside(model.transform(TEXTS)["brain_map"], fine)
    maps = model.transform(TEXTS[:1], minus=TEXTS[1])
    (found,) = _inside(maps["brain_map"], fine)
    scale = abs(separate).max()
    np.testing.assert_allclose(found, separate[0] - separate[1], atol=1e-5 * scale)
    (z,) = _inside(maps["z_map"], fine)
    d = _differences(fine)
    np.testing.assert_allclose(z, (d[0] - d[1]) / std, rtol=1e-3, atol=1e-3)
    img = model.predict_img(TEXTS[:1], minus=TEXTS[1])
    np.testing.assert_array_equal(
        img.get_fdata()[..., 0], maps["brain_map"][0].get_fdata()
    )
    reverse = model.transform(TEXTS[1:], minus=TEXTS[0])
    (opposite,) = _inside(reverse["z_map"], fine)
    np.testing.assert_allclose(opposite, -z, rtol=1e-3, atol=1e-3)


def test_difference_without_mean_has_no_z_map(parts):
    without = {**parts, "mean": None, "null_std": None}
    model = NeuroContextModel(**without)
    maps = model.transform(["pain"], minus="pain")
    assert set(maps) == {"brain_map"}
    assert not maps["brain_map"][0].get_fdata().any()


def test_low_confidence_of_a_difference_uses_both_signs(parts):
    plain = NeuroContextModel(**parts)
    z = [_inside(plain.transform([text])["z_map"], parts).max() for text in TEXTS]
    maps = plain.transform(TEXTS[:1], minus=TEXTS[1])
    largest = abs(_inside(maps["z_map"], parts)).max()
    model = NeuroContextModel(**parts, z_threshold=0.99 * min(*z, largest))
    for first, second in (TEXTS, TEXTS[::-1]):
        with warnings.catch_warnings():
            warnings.simplefilter("error", LowConfidenceWarning)
            model.transform([first], minus=second)
    words = "'finger' minus the map of 'finger' reaches .* .largest z 0.0"
    with pytest.warns(LowConfidenceWarning, match=words):
        model.transform(["finger"], minus="finger")


def test_low_confidence_warns_of_both_texts(parts):
    model = NeuroContextModel(**parts, z_threshold=1e6)
    with pytest.warns(LowConfidenceWarning) as caught:
        model.transform(["pain"], minus="finger")
    names = ["'pain' reaches", "'finger' reaches", "'pain' minus the map of 'finger'"]
    assert len(caught) == 3
    for warning, name in zip(caught, names, strict=True):
        assert name in str(warning.message)


def test_minus_must_be_a_text_with_words(parts):
    with pytest.raises((TypeError, ValueError), match="minus"):
        NeuroContextModel(**parts).transform(["pain"], minus=" ")
