"""Tests of the representation of a corpus."""

import copy
import pickle

import pytest

from sklearn_neurocontext.datasets import (
    add_texts,
    load_table,
    make_studies,
    merge_corpora,
    select_studies,
)
from tests.datasets.corpora import assert_same_corpus
from tests.inference.pages import parse

HOSTILE = "<script>alert(1)</script>"
REPR = """\
Corpus
  studies: 3, of which 2 have no peak
  peaks: 2, of which 0 are outside the brain
  coordinate spaces of studies: 1 MNI, 2 unknown
  texts: 2 title, 1 abstract, 0 body
  fields: studies, peaks, peak_spaces, groups, space_counts, unclear_spaces, \
description, ignored_columns
  description: """


@pytest.fixture
def corpus():
    """Three studies, of which two have a title and one has an abstract."""
    studies = {
        "pmid": [1, 2, 3],
        "title": ["pain", HOSTILE, ""],
        "abstract": ["We hurt.", "", ""],
        HOSTILE: ["a", "b", "c"],
    }
    peaks = {"pmid": [1, 1], "x": [0, 4], "y": [0, 0], "z": [1, 2]}
    return load_table(studies, peaks, space="MNI")


def test_repr_is_a_summary(corpus):
    assert repr(corpus) == str(corpus) == REPR + corpus.description
    assert len(repr(make_studies(500, random_state=0))) < 600


def test_summary_counts_peaks_outside_the_brain_and_spaces():
    studies = {"pmid": [1, 2, 3], "space": ["TAL", "fsaverage", "MNI"]}
    peaks = {"pmid": [1, 2, 3], "x": [0, 0, 500], "y": [0, 0, 0], "z": [0, 150, 0]}
    text = repr(load_table(studies, peaks))
    assert "  peaks: 3, of which 2 are outside the brain\n" in text
    assert "1 MNI, 1 Talairach (converted to MNI), 1 neither MNI nor Tal" in text


def test_html_has_the_same_content_and_is_escaped(corpus):
    assert HOSTILE in corpus.description  # name of an ignored column
    assert "<script" not in corpus._repr_html_()
    title, *cells = parse(corpus._repr_html_()).words
    pairs = zip(cells[::2], cells[1::2], strict=True)
    lines = [f"  {name}: {text}" for name, text in pairs]
    assert "\n".join([title, *lines]) == repr(corpus)


@pytest.mark.parametrize(
    "change",
    [
        copy.copy,
        copy.deepcopy,
        lambda corpus: pickle.loads(pickle.dumps(corpus)),
    ],
)
def test_copies_keep_fields_and_representation(corpus, change):
    copied = change(corpus)
    assert type(copied) is type(corpus)
    assert [*copied] == [*corpus]
    assert repr(copied) == repr(corpus)
    assert_same_corpus(copied, corpus)
    copied.description = "other"
    assert copied["description"] == "other" != corpus.description
    with pytest.raises(AttributeError, match="missing"):
        _ = copied.missing


def test_changed_corpora_have_a_summary(corpus, tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("pmid,text\n2,We see.\n")
    for changed, n_studies in (
        (merge_corpora(corpus), "3, of which 2"),
        (select_studies(corpus, ["1"]), "1, of which 0"),
        (add_texts(corpus, "abstract", path), "3, of which 2"),
    ):
        start = f"Corpus\n  studies: {n_studies} have no peak\n  peaks: 2, of which 0 "
        assert repr(changed).startswith(start)


def test_incomplete_corpus_is_displayed_as_a_dict(corpus):
    del corpus["studies"]
    assert repr(corpus) == dict.__repr__(corpus)
    assert "<script" not in corpus._repr_html_()
