"""The Bunch that loaders return, and the texts of its studies."""

import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import (
    load_nimare_studyset,
    load_table,
    make_studies,
    select_studies,
    study_texts,
)
from sklearn_neurocontext.datasets._bunch import describe_spaces, make_bunch
from tests.datasets.corpora import check_corpus


def test_fields_of_synthetic_studies():
    check_corpus(make_studies(20, random_state=0))


@pytest.mark.parametrize("rows", ["study", "analysis"])
def test_fields_of_nimare_studysets(rows):
    if find_spec("nimare") is None:
        pytest.skip("nimare, which contains the studies, is not installed")
    check_corpus(load_nimare_studyset(rows=rows))


def test_fields_of_tables():
    corpus = load_table(
        {"pmid": [1, 2], "year": [2001.0, None], "title": [None, " faces "]},
        {"pmid": [2], "x": [1], "y": [2], "z": [3]},
        space="MNI",
    )
    check_corpus(corpus)
    assert corpus.studies["title"].tolist() == ["", "faces"]
    assert corpus.studies["year"].tolist() == [2001, pd.NA]


def _bunch(spaces, rows=None, n_studies=2, xyz=None):
    xyz = np.arange(3.0 * len(spaces)).reshape(-1, 3) if xyz is None else xyz
    rows = np.zeros(len(spaces), dtype=int) if rows is None else np.array(rows)
    studies = pd.DataFrame({"study_id": [f"s{row}" for row in range(n_studies)]})
    return make_bunch(studies, rows, xyz, spaces, description="Test.")


def test_peaks_keep_their_order_within_studies():
    corpus = _bunch(["MNI"] * 4, rows=[1, 0, 1, 0])
    np.testing.assert_array_equal(corpus.peaks[0], [[3, 4, 5], [9, 10, 11]])
    np.testing.assert_array_equal(corpus.peaks[1], [[0, 1, 2], [6, 7, 8]])


def test_peaks_are_converted_depending_on_their_space():
    corpus = _bunch(["MNI", "TAL", "UNKNOWN"])
    xyz = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(corpus.peaks[0][[0, 2]], xyz[[0, 2]])
    np.testing.assert_allclose(corpus.peaks[0][[1]], talairach_to_mni(xyz[[1]]))
    assert corpus.studies["coordinate_space"].tolist() == ["MIXED", "UNKNOWN"]
    assert corpus.space_counts == {"MNI": 1, "TAL": 1, "UNKNOWN": 1}


def test_mixed_spaces_are_left_as_reported():
    corpus = _bunch(["MIXED", "MIXED", "TAL"], rows=[0, 0, 1])
    np.testing.assert_array_equal(corpus.peaks[0], [[0, 1, 2], [3, 4, 5]])
    assert corpus.space_counts == {"MIXED": 2, "TAL": 1}
    assert "1 was reported in Talairach space and converted" in corpus.description
    assert (
        "2 are of studies with mixed spaces and left as reported" in corpus.description
    )


def test_studies_without_peaks():
    corpus = _bunch(["MNI", "MNI"], rows=[0, 2], n_studies=4)
    assert [len(of_study) for of_study in corpus.peaks] == [1, 0, 1, 0]


def test_arrays_are_independent_copies():
    corpus = _bunch(["MNI", "MNI"], rows=[0, 1])
    corpus.peaks[0][:] = 99
    np.testing.assert_array_equal(corpus.peaks[1], [[3, 4, 5]])


def test_repeated_study_id_raises():
    studies = pd.DataFrame({"study_id": ["a", "b", "a"]})
    with pytest.raises(ValueError, match=r"have the same study id, for example 'a'"):
        make_bunch(studies, np.array([0]), [[0, 0, 0]], ["MNI"], description="")


def test_infinite_peak_raises():
    xyz = np.array([[0, 0, 0], [0, np.inf, 0]])
    with pytest.raises(ValueError, match=r"1 of 2 peaks contain NaN .* study s1"):
        _bunch(["MNI", "MNI"], rows=[0, 1], xyz=xyz)


def test_description_of_spaces():
    assert describe_spaces({"MNI": 1234}) == (
        "All 1,234 peaks were reported in MNI space."
    )
    assert describe_spaces({"MNI": 1}) == "The only peak was reported in MNI space."
    assert describe_spaces({"TAL": 1}).startswith("Of 1 peak, 1 was reported in Tal")
    text = describe_spaces({"TAL": 1, "OTHER": 2, "MIXED": 3, "UNKNOWN": 4000})
    assert text.startswith("Of 4,006 peaks, 1 was reported in Talairach space and")
    assert "4,000 are of unknown space" in text
    assert "2 are of a space that is neither MNI nor Talairach" in text
    assert "3 are of studies with mixed spaces and left as reported" in text


PEAKS = {"pmid": [1, 1, 2], "x": [0, 4, 8], "y": [0, 0, 0], "z": [1, 2, 3]}


def test_description_counts_peaks_of_each_space():
    corpus = load_table({"pmid": [1, 2]}, {**PEAKS, "space": ["TAL", "MNI", None]})
    assert (
        "Of 3 peaks, 1 was reported in Talairach space and converted to MNI "
        "(Lancaster); 1 is of unknown space and left as reported."
    ) in corpus.description


def test_no_warning_if_all_peaks_are_mni():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus = load_table({"pmid": [1, 2]}, PEAKS, space="MNI")
    assert "All 3 peaks were reported in MNI space." in corpus.description


@pytest.fixture
def two_studies():
    studies = {
        "pmid": [1, 2],
        "title": ["pain", "faces"],
        "abstract": ["We heated.", None],
    }
    return load_table(studies, PEAKS, space="MNI")


def test_texts_by_field(two_studies):
    assert study_texts(two_studies, "title") == ["pain", "faces"]
    assert study_texts(two_studies, "abstract") == ["We heated.", ""]
    assert study_texts(two_studies, "title+abstract") == ["pain\nWe heated.", "faces"]
    assert study_texts(two_studies) == study_texts(two_studies, "title+abstract")


def test_unknown_text_field_raises(two_studies):
    with pytest.raises(
        ValueError, match=r"text_field must be .*abstract; got 'methods'"
    ):
        study_texts(two_studies, "methods")


def test_text_field_without_texts_raises(two_studies):
    with pytest.raises(ValueError, match=r"'body'. Fields with texts: title, abstract"):
        study_texts(two_studies, "body")


def test_corpus_without_texts_raises():
    corpus = load_table({"pmid": [1, 2]}, PEAKS, space="MNI")
    with pytest.raises(ValueError, match="Fields with texts: none"):
        study_texts(corpus, "title")


def test_select_studies_keeps_fields_in_the_given_order():
    corpus = make_studies(6, random_state=0)
    corpus.n_subjects = pd.array([9, None, 11, 12, 13, 14], dtype="Int64")
    corpus.term_counts = {"title": sparse.csr_array(np.eye(6))}
    corpus.vocabulary = list("abcdef")
    ids = corpus.studies["study_id"]
    selected = select_studies(corpus, [ids[4], ids[1]])
    assert selected.studies["study_id"].tolist() == [ids[4], ids[1]]
    assert selected.groups.tolist() == [corpus.groups[4], corpus.groups[1]]
    np.testing.assert_array_equal(selected.peaks[0], corpus.peaks[4])
    np.testing.assert_array_equal(selected.peak_spaces[1], corpus.peak_spaces[1])
    assert selected.n_subjects.isna().tolist() == [False, True]
    assert selected.term_counts["title"].toarray().argmax(axis=1).tolist() == [4, 1]
    assert selected.description.startswith("2 studies selected from a corpus of 6.")
    selected.peaks[0][:] = 0
    assert corpus.peaks[4].any()


@pytest.mark.parametrize(
    ("rows", "found"), [([], "got 0 ids"), ([0, 0], "got 2 ids"), (["x"], "got 'x'")]
)
def test_select_studies_refuses_invalid_ids(rows, found):
    corpus = make_studies(3, random_state=0)
    ids = [corpus.studies["study_id"].get(row, row) for row in rows]
    with pytest.raises(ValueError, match=f"study_ids must contain .*{found}"):
        select_studies(corpus, ids)
