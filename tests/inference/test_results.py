"""Tests of the representations of models and predicted maps, and of their plots."""

import base64
import io
import pickle
import re

import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.inference import peak_table
from sklearn_neurocontext.plotting import plot_maps
from tests.inference.pages import HOSTILE, parse


def _words(html):
    return [word.strip() for word in parse(html).words if word.strip()]


def _png(figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=20)
    return stream.getvalue()


def test_result_is_a_dict_with_a_picture_terms_and_metadata(model, corpus):
    result = model.index_corpus(corpus)("pain heat")
    assert isinstance(result, dict)
    assert isinstance(model.transform(["pain", "heat"])["brain_map"], list)
    assert repr(result) == (
        "<Predicted maps of 'pain heat'; keys: brain_map, z_map, similar_words, "
        "similar_documents, highlighted_text>"
    )
    html = result._repr_html_()
    (image,) = re.findall(r"data:image/png;base64,([^\"]+)", html)
    assert base64.b64decode(image).startswith(b"\x89PNG")
    words = _words(html)
    assert words[0] == "pain heat"
    assert result["similar_words"].index[0] in words
    assert result["similar_documents"]["title"].iloc[0] in words
    assert words[-2:] == ["n_studies", "150"]
    copied = pickle.loads(pickle.dumps(result))
    assert (copied.texts, copied.unit) == (
        ["pain heat"],
        "predicted peak density (a.u.)",
    )


def test_hostile_texts_are_escaped(parts, corpus):
    model = NeuroContextModel(**{**parts, "card": {HOSTILE: HOSTILE}})
    corpus.studies, before = corpus.studies.assign(title=HOSTILE), corpus.studies
    try:
        model.index_corpus(corpus)
    finally:
        corpus.studies = before
    for html in (
        model(HOSTILE)._repr_html_(),
        model.transform([HOSTILE], minus=HOSTILE + " heat")._repr_html_(),
        model._repr_html_(),
    ):
        page = parse(html)
        assert "script" not in dict(page.tags)
        assert all("onerror" not in attributes for _, attributes in page.tags)
        assert any(HOSTILE in word for word in page.words)
    # `decode` returns a DataFrame, whose representation pandas escapes.
    ranking = model.decode([[-42, -22, 54]], [HOSTILE, "pain"])
    assert "<script" not in ranking._repr_html_()


def test_plots_of_results(model):
    maps = model.transform(["pain", "finger"])
    figure = maps.plot(index=1, views="glass")
    expected = plot_maps(maps["brain_map"][1], title="finger", views="glass")
    assert _png(figure) == _png(expected)
    assert _png(figure) != _png(maps.plot(index=0, views="glass"))
    figure = maps.plot("z_map", threshold=1.0, views="glass", peaks=True)
    assert figure.get_suptitle() == "pain"
    table = peak_table(maps["z_map"][0], threshold=1, two_sided=True)
    assert table["network"][0] in [one.get_text() for one in figure.texts]
    difference = model.transform(["pain"], minus="finger").plot(views="glass")
    words = " ".join(one.get_text() for one in difference.texts)
    assert "values of at least 3 and of at most −3" in words
    for view in (maps.view(), maps.view("z_map"), model("pain").view()):
        assert "brainsprite" in view.html


def test_map_of_zeros_is_described(parts):
    model = NeuroContextModel(**{**parts, "null_std": None})
    html = model.transform(["pain"], minus="pain")._repr_html_()
    assert "no nonzero voxel" in html
    assert "<img" not in html


def test_invalid_maps_raise(parts):
    maps = NeuroContextModel(**{**parts, "null_std": None}).transform(["pain"])
    for name in ("z_map", "similar_words"):
        with pytest.raises(ValueError, match=rf"name must be .*got '{name}'"):
            maps.plot(name)
    with pytest.raises(IndexError):
        maps.view(index=1)


def test_model_says_what_it_is(model, parts):
    lines = repr(model).splitlines()
    assert lines[0] == "NeuroContextModel"
    for line in (
        "  model: TfidfVectorizer → TruncatedSVD → CCABaseline",
        "  training: 150 studies",
        "  unit of brain maps: predicted peak density (a.u.)",
        "  z maps: yes, low-confidence threshold 0",
        "  terms: 6",
        "  indexed studies: none",
    ):
        assert line in lines
    words = _words(model._repr_html_())
    assert words[0] == "NeuroContextModel"
    pairs = list(zip(words[1::2], words[2::2], strict=False))
    assert [f"  {name}: {text}" for name, text in pairs][: len(lines) - 1] == lines[1:]
    bare = NeuroContextModel(parts["model"], parts["masker"])
    assert "  z maps: no" in repr(bare).splitlines()
