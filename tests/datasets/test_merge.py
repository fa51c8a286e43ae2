"""Merging of corpora by PMID, PMCID and DOI."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    load_table,
    make_studies,
    merge_corpora,
)
from tests.datasets.corpora import assert_one_warning, assert_same_corpus


def _corpus(pmids, *, peaks_of=None, space="MNI", shift=0, **columns):
    """Return studies with one peak each, whose coordinates are pmid + shift."""
    peaks_of = pmids if peaks_of is None else peaks_of
    xyz = [pmid + shift for pmid in peaks_of]
    peaks = {"pmid": peaks_of, "x": xyz, "y": xyz, "z": xyz}
    return load_table({"pmid": pmids, **columns}, peaks, space=space)


def _at(*numbers):
    return np.repeat(np.array(numbers, dtype=float)[:, None], 3, axis=1)


def test_first_corpus_has_precedence_and_blanks_are_filled():
    first = _corpus([1, 2], title=["one", ""], year=[None, 2002])
    second = _corpus([2, 1], title=["two", "uno"], year=[1900, 2001], shift=50)
    merged = merge_corpora(first, second)
    assert merged.studies["pmid"].tolist() == [1, 2]
    assert merged.studies["title"].tolist() == ["one", "two"]
    assert merged.studies["year"].tolist() == [2001, 2002]
    np.testing.assert_array_equal(np.concatenate(merged.peaks), _at(1, 2))


def test_order_of_studies():
    merged = merge_corpora(_corpus([5, 1]), _corpus([9, 1, 3]), _corpus([3, 7]))
    assert merged.studies["pmid"].tolist() == [5, 1, 9, 3, 7]
    np.testing.assert_array_equal(np.concatenate(merged.peaks), _at(5, 1, 9, 3, 7))
    assert merged.groups.tolist() == merged.studies["study_id"].tolist()
    text = "5 studies, merged by PMID, PMCID and DOI from corpora of 2 and 3 and 2 st"
    assert text in merged.description


def test_columns_keep_their_dtypes():
    first, second = _corpus([1], year=[2001]), _corpus([2])
    merged = merge_corpora(first, second)
    pd.testing.assert_series_equal(merged.studies.dtypes, first.studies.dtypes)


def test_peaks_come_from_the_first_corpus_with_peaks():
    first = _corpus([1, 2], peaks_of=[2])
    merged = merge_corpora(first, _corpus([1, 2], shift=50))
    np.testing.assert_array_equal(np.concatenate(merged.peaks), _at(51, 2))


def test_groups_come_from_the_first_corpus():
    first = load_table(
        {"study_id": ["a", "b"], "pmid": [1, 2]},
        {"study_id": ["b"], "x": [0], "y": [0], "z": [0]},
        space="MNI",
    )
    merged = merge_corpora(first, _corpus([1]))
    assert merged.studies["study_id"].tolist() == ["a", "b"]
    assert merged.groups.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("TAL", "TAL"), ("MNI", "MNI"), ("scanner", "OTHER"), (None, "UNKNOWN")],
)
def test_unknown_space_is_filled_before_converting(stated, expected):
    first = _corpus([30], space=None)
    second = _corpus([30], coordinate_space=[stated], space=None, shift=5)
    merged = merge_corpora(first, second)
    peaks = talairach_to_mni(_at(30)) if stated == "TAL" else _at(30)
    np.testing.assert_array_equal(merged.peaks[0], peaks)
    assert merged.studies["coordinate_space"].tolist() == [expected]
    assert merged.space_counts == {expected: 1}


def test_stated_space_has_precedence():
    merged = merge_corpora(_corpus([30], space="MNI"), _corpus([30], space="TAL"))
    np.testing.assert_array_equal(merged.peaks[0], _at(30))
    assert merged.studies["coordinate_space"].tolist() == ["MNI"]


def test_converted_peaks_are_not_converted_again():
    first, second = _corpus([30, 31], space=None), _corpus([30], space="TAL")
    merged = merge_corpora(first, second)
    assert_same_corpus(merge_corpora(merged), merged)
    assert_same_corpus(merge_corpora(merged, second), merged)
    assert_same_corpus(merge_corpora(merged, first, second), merged)


def test_peaks_are_counted_by_their_own_space():
    peaks = {"pmid": [30, 30, 30, 31], "x": [1, 2, 3, 4], "y": [0] * 4, "z": [0] * 4}
    spaces = ["TAL", "MNI", "TAL", "mixed"]
    first = load_table({"pmid": [30, 31]}, {**peaks, "space": spaces})
    second = _corpus([30, 31, 32], space="MNI")
    merged = merge_corpora(first, second)
    assert merged.studies["coordinate_space"].tolist() == ["MIXED", "MIXED", "MNI"]
    assert merged.space_counts == {"TAL": 2, "MNI": 2, "MIXED": 1}
    assert [of_study.tolist() for of_study in merged.peak_spaces] == [
        ["TAL", "MNI", "TAL"],
        ["MIXED"],
        ["MNI"],
    ]
    assert_same_corpus(merge_corpora(first), first)


def test_inputs_are_unchanged():
    first, second = _corpus([30], space=None), _corpus([30, 31], space="TAL")
    before = first.peaks[0].copy(), first.studies.copy()
    merge_corpora(first, second).peaks[0][:] = 0
    np.testing.assert_array_equal(first.peaks[0], before[0])
    pd.testing.assert_frame_equal(first.studies, before[1])


def test_description_counts_peaks_of_each_space():
    first, second = _corpus([30, 31], space=None), _corpus([30], space="TAL")
    assert (
        "Of 2 peaks, 1 was reported in Talairach space and converted to MNI "
        "(Lancaster); 1 is of unknown space and left as reported."
    ) in merge_corpora(first, second).description


def test_unclear_labels_warn_once():
    corpus = _corpus([30, 31], space="MNI")
    corpus.unclear_spaces = ["mni2tal"]
    with pytest.warns(CoordinateSpaceWarning, match="from 'mni2tal'") as record:
        merge_corpora(corpus)
    assert_one_warning(record, CoordinateSpaceWarning, __file__)


def test_studies_without_pmid_are_all_kept():
    first, second = make_studies(3, random_state=0), _corpus([1, 2])
    merged = merge_corpora(first, second)
    assert len(merged.studies) == 5
    assert merged.studies["pmid"].isna().tolist() == [True] * 3 + [False] * 2


def test_repeated_study_ids_raise():
    with pytest.raises(
        ValueError,
        match=r"2 study ids belong to several studies, for example 'synthetic-",
    ):
        merge_corpora(make_studies(2, random_state=0), make_studies(2, random_state=1))


def test_repeated_pmid_raises():
    twice = load_table(
        {"study_id": ["a", "b"], "pmid": [7, 7]},
        {"study_id": ["a"], "x": [0], "y": [0], "z": [0]},
        space="MNI",
    )
    with pytest.raises(ValueError, match=r"PMID 7 has several rows .*rows='study'"):
        merge_corpora(_corpus([1]), twice)


def test_pmcids_instead_of_pmids_raise():
    pmcids = list(range(100, 110))
    right = _corpus(list(range(1, 11)), pmcid=pmcids)
    wrong = _corpus(pmcids)
    with pytest.raises(ValueError, match=r"10 of the 10 PMIDs .* are PMCIDs of anoth"):
        merge_corpora(right, wrong)
    with pytest.raises(ValueError, match=r"are PMCIDs of another"):
        merge_corpora(wrong, right)


def test_term_counts_are_aligned_with_studies():
    first, second = _corpus([5, 6]), _corpus([6, 7])
    second.term_counts = {"title": sparse.csr_array([[1.0, 0.0], [0.0, 2.0]])}
    second.vocabulary = ["six", "seven"]
    merged = merge_corpora(first, second)
    np.testing.assert_array_equal(
        merged.term_counts["title"].toarray(), [[0, 0], [1, 0], [0, 2]]
    )
    assert merged.vocabulary == ["six", "seven"]
    first.term_counts, first.vocabulary = second.term_counts, second.vocabulary
    assert "term_counts" not in merge_corpora(first, second)


def test_files_are_merged():
    first, second = _corpus([1]), _corpus([2])
    assert "files" not in merge_corpora(first, second)
    first.files, second.files = {"a": "verified"}, {"b": "local, unverified"}
    files = {"a": "verified", "b": "local, unverified"}
    assert merge_corpora(first, second).files == files


def _articles(prefix, x, **ids):
    """Return a corpus with one peak per study; `ids` are the columns of article ids."""
    study_ids = [f"{prefix}{row}" for row in range(len(x))]
    peaks = {"study_id": study_ids, "x": x, "y": [0] * len(x), "z": [0] * len(x)}
    return load_table({"study_id": study_ids, **ids}, peaks, space="MNI")


def _merged_ids(*corpora):
    """Return the study id and the x coordinates of each merged study."""
    merged = merge_corpora(*corpora)
    xyz = [peaks[:, 0].tolist() for peaks in merged.peaks]
    return dict(zip(merged.studies["study_id"], xyz, strict=True))


DOI = "10.1016/j.neuroimage.2005.01.001"


@pytest.mark.parametrize(
    "spelling",
    [
        DOI,
        DOI.upper(),
        f" doi:{DOI}",
        f"https://doi.org/{DOI}",
        f"http://dx.doi.org/{DOI}.",
        f"DOI: {DOI}",
    ],
)
def test_studies_with_the_same_doi_are_one_row(spelling):
    first = _articles("a", [1, 2], doi=[DOI, "10.1002/hbm.1"])
    second = _articles("b", [3, 4], doi=["10.1002/hbm.11", spelling])
    assert _merged_ids(first, second) == {"a0": [1], "a1": [2], "b0": [3]}
    assert merge_corpora(second, first).studies["doi"].tolist()[1] == DOI


def test_studies_with_the_same_pmcid_are_one_row():
    first = _articles("a", [1, 2], pmcid=["PMC91", "92"], doi=["", DOI])
    second = _articles("b", [3, 4], pmcid=[93, 91], pmid=[5, 6], doi=[None, "n/a"])
    merged = merge_corpora(first, second)
    assert merged.studies["study_id"].tolist() == ["a0", "a1", "b0"]
    assert merged.studies["pmid"].tolist() == [6, pd.NA, 5]
    assert merged.studies["pmcid"].tolist() == [91, 92, 93]
    assert merged.studies["doi"].tolist() == ["", DOI, ""]
    assert [peaks[0, 0] for peaks in merged.peaks] == [1, 2, 3]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_rows_linked_by_a_row_with_several_ids_are_one_row(order):
    corpora = [
        _articles("a", [1, 2], pmid=[11, 12]),
        _articles("b", [3], doi=[DOI]),
        _articles("c", [4], pmid=[12], pmcid=[92], doi=[DOI]),
    ]
    merged = _merged_ids(*[corpora[place] for place in order])
    assert len(merged) == 2
    assert merged["a0"] == [1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"pmid": [1], "doi": [DOI]}, {"pmid": [2], "doi": [DOI]}),
        ({"pmid": [1], "pmcid": [9]}, {"pmid": [2], "pmcid": [9]}),
        ({"pmcid": [1], "doi": [DOI]}, {"pmcid": [2], "doi": [DOI]}),
        ({"pmid": [1], "pmcid": [2]}, {"pmid": [2], "pmcid": [1]}),
        ({"doi": ["unknown"]}, {"doi": ["unknown"]}),
        ({"doi": [""], "pmid": [None]}, {"doi": [""], "pmid": [None]}),
    ],
)
def test_studies_with_different_ids_are_all_kept(first, second):
    corpora = _articles("a", [1], **first), _articles("b", [2], **second)
    assert _merged_ids(*corpora) == {"a0": [1], "b0": [2]}


def test_rows_of_one_corpus_are_never_joined():
    # An erratum may have the DOI of its article, but another PMID.
    first = _articles("a", [1, 2], pmid=[1, None], doi=[DOI, DOI])
    assert _merged_ids(first) == {"a0": [1], "a1": [2]}
    second = _articles("b", [3], doi=[DOI])
    assert _merged_ids(first, second) == {"a0": [1], "a1": [2], "b0": [3]}
    third = _articles("c", [4], pmid=[1], doi=[DOI])
    assert _merged_ids(first, third) == {"a0": [1], "a1": [2]}


def test_space_is_filled_from_a_study_with_the_same_pmcid():
    first = _articles("a", [30], pmcid=[9])
    first.studies["coordinate_space"] = first.peak_spaces[0][:] = "UNKNOWN"
    second = load_table(
        {"pmcid": ["PMC9"]}, {"pmcid": [9], "x": [1], "y": [1], "z": [1]}, space="TAL"
    )
    merged = merge_corpora(first, second)
    np.testing.assert_allclose(merged.peaks[0], talairach_to_mni([[30, 0, 0]]))
    assert merged.studies["coordinate_space"].tolist() == ["TAL"]
