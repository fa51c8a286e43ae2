"""The support of texts matches its formula, and widens the null distribution."""

import re
import warnings

import numpy as np
import pytest
from scipy.stats import norm

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.inference import (
    LowConfidenceWarning,
    draw_short_texts,
    make_up_text,
    null_statistics,
    split_words,
)
from sklearn_neurocontext.inference._calibration import compute_null_scale

COUNTS = {"pain": 30, "heat": 12, "finger": 40, "tumor": 1, "the": 99}
WORDS = {"word_counts": COUNTS, "n_studies": 150}
SCALE = [[1.0, 3.0], [10.0, 2.0], [100.0, 1.0]]


@pytest.fixture
def counted(parts):
    """A model with counts of words."""
    return NeuroContextModel(**parts, **WORDS)


def test_support_matches_formula(counted):
    text = "Pain, pain of heat and asdf; qwerty 12"
    occurrences = {"pain": 2, "heat": 1, "asdf": 1, "qwerty": 1}
    idf = {word: 1 + np.log(151 / (1 + COUNTS.get(word, 0))) for word in occurrences}
    total = sum(n * idf[word] for word, n in occurrences.items())
    weights = {word: n * idf[word] / total for word, n in occurrences.items()}
    unknown = weights["asdf"] + weights["qwerty"]
    variance = weights["pain"] ** 2 / 30 + weights["heat"] ** 2 / 12 + 2 * unknown**2
    np.testing.assert_allclose(counted.support([text]), [1 / variance])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pain", 30),
        ("PAIN pain", 30),
        ("the pain of the", 30),
        ("a tumour", 1),
        ("asdf qwerty", 0.5),
        ("the", 0.5),
        ("1234", 0.5),
    ],
)
def test_support_of_words(counted, text, expected):
    (found,) = counted.support([text])
    assert found == pytest.approx(expected, abs=0.05)


def test_support_obeys_laws(counted):
    one, other, column = (
        counted.support(texts)
        for texts in (
            ["pain heat asdf", "finger"],
            ["heat asdf pain", "fingers finger"],
            np.array([["pain heat asdf"], ["finger"]]),
        )
    )
    assert one[0] == other[0] == column[0]
    assert other[1] < one[1]
    many = NeuroContextModel(**parts_of(counted), word_counts={"a1": 150, "b1": 150})
    assert many.support(["a1 b1"]) == [150]


def parts_of(model):
    return {"model": model.model, "masker": model.masker, "n_studies": 150}


def test_support_is_in_results_and_descriptions(counted, parts):
    assert counted("pain")["n_studies"] == 30
    maps = counted.transform(["pain", "heat"], minus="finger asdf")
    minus = counted.support(["finger asdf"])[0]
    np.testing.assert_allclose(maps["n_studies"], [minus, minus])
    maps = counted.transform(["pain", "heat"], minus="finger")
    np.testing.assert_allclose(maps["n_studies"], [30, 12])
    expected = "Supported by about 30 of 150 training studies."
    assert counted.describe_support("pain") == expected
    assert "about 0.5 of 150" in counted.describe_support("asdf")
    plain = NeuroContextModel(**parts)
    assert plain.describe_support("pain") == ""
    assert "n_studies" not in plain("pain")
    with pytest.raises(ValueError, match="This model has no word_counts"):
        plain.support(["pain"])


def _inside(imgs, parts):
    mask = parts["masker"].mask_img_.get_fdata() > 0
    return np.stack([img.get_fdata()[mask] for img in imgs])


def test_null_scale_divides_z_maps(parts):
    texts = ["pain", "heat", "asdf", "finger pain heat tumour"]
    plain = NeuroContextModel(**parts, **WORDS)
    wide = NeuroContextModel(**parts, **WORDS, null_scale=SCALE)
    levels, scales = np.array(SCALE).T
    support = plain.support(texts)
    factor = np.interp(np.log(support), np.log(levels), scales)
    assert factor[2] == 3 > factor[0] > 1
    one, other = (_inside(m.transform(texts)["z_map"], parts) for m in (plain, wide))
    np.testing.assert_allclose(other * factor[:, None], one, rtol=1e-4, atol=1e-5)
    one, other = (
        _inside(m.transform(texts[:2], minus="asdf")["z_map"], parts)
        for m in (plain, wide)
    )
    factor = np.sqrt((factor[:2] ** 2 + factor[2] ** 2) / 2)
    np.testing.assert_allclose(other * factor[:, None], one, rtol=1e-4, atol=1e-5)


def test_low_support_raises_warning(parts):
    model = NeuroContextModel(**parts, **WORDS, support_threshold=13)
    words = "The words of 'heat' are supported by about 12 training studies .threshold"
    with pytest.warns(LowConfidenceWarning, match=words) as caught:
        result = model.transform(["pain", "heat"])
    assert len(caught) == 1
    assert model.low_confidence_message(result["z_map"][0], "pain") == ""
    message = model.low_confidence_message(result["z_map"][1], "heat")
    assert "supported by about 12 training studies (threshold 13)" in message
    assert model.low_confidence_message(result["z_map"][1]) == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error", LowConfidenceWarning)
        model.transform(["pain"], minus="finger")
    strict = NeuroContextModel(**parts, **WORDS, support_threshold=13, z_threshold=1e6)
    with pytest.warns(LowConfidenceWarning, match=r"No voxel .* The words of 'heat'"):
        strict.transform(["heat"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"null_scale": SCALE}, "null_scale and support_threshold require word_counts"),
        ({"support_threshold": 1.0}, "support_threshold require word_counts"),
        ({"word_counts": COUNTS}, "word_counts requires n_studies"),
        ({**WORDS, "n_studies": -1}, "n_studies must be a positive integer; got -1"),
        ({**WORDS, "word_counts": {"Pain": 1}}, "word_counts must map terms"),
        (
            {**WORDS, "support_threshold": -1},
            "support_threshold must be a number of at least 0; got -1",
        ),
        ({**WORDS, "null_scale": [1.0]}, "null_scale must have shape (any, 2)"),
        ({**WORDS, "null_scale": [[2.0, 1.0], [1.0, 2.0]]}, "in ascending order; got"),
        ({**WORDS, "null_scale": [[1.0, 0.0]]}, "null_scale must contain positive"),
        ({**WORDS, "null_scale": np.empty((0, 2))}, "in ascending order; got []"),
    ],
)
def test_invalid_parameters_raise(parts, change, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        NeuroContextModel(**parts, **change)


@pytest.mark.parametrize("half", [False, True])
def test_support_is_saved_and_loaded(parts, tmp_path, half):
    model = NeuroContextModel(
        **parts, **WORDS, null_scale=SCALE, support_threshold=13, z_threshold=0.1
    )
    loaded = NeuroContextModel.from_pretrained(model.save(tmp_path / "m", half=half))
    assert loaded.word_counts == COUNTS
    assert (loaded.n_studies, loaded.support_threshold) == (150, 13)
    if not half:
        one, other = (
            _inside(m.transform(["pain"])["z_map"], parts) for m in (model, loaded)
        )
        np.testing.assert_array_equal(one, other)


def test_null_scale_matches_tails_and_never_increases(rng):
    z = rng.normal(size=(40, 2000))
    support = np.repeat([0.5, 3, 20, 300], 10)
    stds = np.repeat([0.2, 2.0, 0.5, 1.0], 10)
    found = compute_null_scale(z * stds[:, None], support)
    centers = [2**-0.5, 2**1.5, 2**4.5, 2**8.5]
    np.testing.assert_allclose(found[:, 0], centers, rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], [2, 2, 1, 1], rtol=0.05)
    (exact,) = np.quantile(z[30:], [0.99]) / norm.ppf(0.99)
    assert found[-1, 1] == pytest.approx(exact, rel=1e-6)
    assert compute_null_scale(z[:4], support[:4]) is None


def test_null_statistics_calibrate_held_out_texts(parts, rng):
    masker = parts["masker"]
    held_out = [rng.normal(size=(30, 128)) for _ in range(2)]
    short = [5 * rng.normal(size=(10, 128)) for _ in range(2)]
    # The centers of two intervals.
    supports = [np.repeat([2**6.5, 2**2.5], [30, 10])] * 2
    found = null_statistics(
        list(zip(held_out, short, strict=True)), masker, supports=supports
    )
    plain = null_statistics([[one] for one in held_out], masker)
    np.testing.assert_array_equal(found["null_std"], plain["null_std"])
    assert plain["null_scale"] is None
    (_, wide), (_, narrow) = found["null_scale"]
    assert wide == pytest.approx(5 * narrow, rel=0.15)
    z = [masker.coefficients_to_voxels(one) / found["null_std"] for one in held_out]
    assert found["null"]["z_quantile_0.99"] == pytest.approx(norm.ppf(0.99), rel=0.02)
    largest = np.max(z, axis=2) / narrow
    assert found["null"]["z_largest_quantile_0.5"] == pytest.approx(
        np.median(largest), rel=1e-3
    )
    few = null_statistics([[held_out[0][:4]]], masker, supports=[[9.0] * 4])
    assert few["null_scale"] is None
    alone = null_statistics([[held_out[0][:4]]], masker)
    assert few["null"] == alone["null"]


def test_words_are_drawn_evenly_over_numbers_of_studies():
    counts = {f"rare{n}": 1 for n in range(500)} | {f"some{n}": 9 for n in range(500)}
    counts["frequent"] = 999
    rng = np.random.default_rng(0)
    drawn = draw_short_texts(counts, rng, 30)
    kinds = [text.rstrip("0123456789") for text in drawn[:21]]
    assert (kinds.count("rare"), kinds.count("some")) == (10, 10)
    assert kinds[-1] == "frequent"
    assert len(drawn) == 21 + 50
    assert drawn == draw_short_texts(counts, np.random.default_rng(0), 30)
    assert split_words(make_up_text(rng))
    assert len(draw_short_texts({}, rng)) == 50
