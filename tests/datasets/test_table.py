"""Load corpora from two tables, of studies and of peaks."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    DoubtfulPeaksWarning,
    SkippedPeaksWarning,
    load_table,
    make_studies,
    merge_corpora,
    study_texts,
)
from tests.datasets.corpora import assert_one_warning, assert_same_corpus

STUDIES = {
    "pmid": [11, 12, 13],
    "title": ["pain", "words", "faces"],
    "year": [2001, 2002, 2003],
}
PEAKS = {"pmid": [13, 11, 13], "x": [1, 2, 3], "y": [4, 5, 6], "z": [7, 8, 9]}


def test_peaks_are_joined_with_their_studies():
    corpus = load_table(STUDIES, PEAKS, space="MNI")
    assert corpus.studies["title"].tolist() == STUDIES["title"]
    assert corpus.studies["study_id"].tolist() == ["11", "12", "13"]
    np.testing.assert_array_equal(corpus.peaks[0], [[2, 5, 8]])
    assert corpus.peaks[1].shape == (0, 3)
    np.testing.assert_array_equal(corpus.peaks[2], [[1, 4, 7], [3, 6, 9]])


@pytest.mark.parametrize("extension", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.xz"])
@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_files_equal_tables(tmp_path, extension, as_path):
    paths = []
    for name, columns in (("studies", STUDIES), ("peaks", PEAKS)):
        path = tmp_path / f"{name}{extension}"
        separator = "\t" if ".tsv" in extension else ","
        pd.DataFrame(columns).to_csv(path, sep=separator, index=False)
        paths.append(as_path(path))
    expected = load_table(STUDIES, PEAKS, space="MNI")
    assert_same_corpus(load_table(*paths, space="MNI"), expected)


def test_frames_equal_dicts_and_are_unchanged():
    studies = pd.DataFrame(STUDIES, index=["u", "v", "w"])
    peaks = pd.DataFrame(PEAKS, index=[7, 7, 7]).rename(columns=str.upper)
    copies = studies.copy(), peaks.copy()
    expected = load_table(STUDIES, PEAKS, space="MNI")
    assert_same_corpus(load_table(studies, peaks, space="MNI"), expected)
    pd.testing.assert_frame_equal(studies, copies[0])
    pd.testing.assert_frame_equal(peaks, copies[1])


@pytest.mark.parametrize("kind", ["study_id", "pmid", "pmcid", "id"])
def test_id_columns(kind):
    studies = {kind: [11, 12, 13], "title": ["a", "b", "c"]}
    peaks = {kind: ["13", "11", "13"], "x": [1, 2, 3], "y": [0] * 3, "z": [0] * 3}
    corpus = load_table(studies, peaks, space="MNI")
    assert [len(of_study) for of_study in corpus.peaks] == [1, 0, 2]
    assert corpus.studies["study_id"].tolist() == ["11", "12", "13"]
    if kind in ("pmid", "pmcid"):
        assert corpus.studies[kind].tolist() == [11, 12, 13]


def test_pmcids_match_with_or_without_prefix():
    studies = {"pmcid": ["PMC11", "PMC12"]}
    peaks = {"pmcid": [12], "x": [0], "y": [0], "z": [0]}
    corpus = load_table(studies, peaks, space="MNI")
    assert corpus.studies["pmcid"].tolist() == [11, 12]
    assert [len(of_study) for of_study in corpus.peaks] == [0, 1]


def test_ids_in_files_are_strings(tmp_path):
    (tmp_path / "s.csv").write_text("Study_ID,title\n007,pain\n7,words\nb,faces\n")
    (tmp_path / "p.csv").write_text("study_id,x,y,z\n007,1,2,3\n")
    corpus = load_table(tmp_path / "s.csv", tmp_path / "p.csv", space="MNI")
    assert corpus.studies["study_id"].tolist() == ["007", "7", "b"]
    assert [len(of_study) for of_study in corpus.peaks] == [1, 0, 0]


def test_float_pmids_are_read_as_integers():
    studies = {"study_id": ["a", "b"], "pmid": [11.0, None]}
    peaks = {"study_id": ["a"], "x": [0], "y": [0], "z": [0]}
    corpus = load_table(studies, peaks, space="MNI")
    assert corpus.studies["pmid"].tolist() == [11, pd.NA]
    studies = {"pmid": [11.0, 12.0]}
    peaks = {"pmid": [11.0, None], "x": [0, 0], "y": [0, 0], "z": [0, 0]}
    with pytest.warns(SkippedPeaksWarning, match="no id"):
        corpus = load_table(studies, peaks, space="MNI")
    assert corpus.studies["study_id"].tolist() == ["11", "12"]
    assert [len(of_study) for of_study in corpus.peaks] == [1, 0]


@pytest.mark.parametrize("kind", ["study_id", "id"])
def test_string_ids_are_not_parsed(kind):
    studies = {kind: ["1", "1.0"]}
    peaks = {kind: ["1.0", "1", "1.0"], "x": [1, 2, 3], "y": [0] * 3, "z": [0] * 3}
    corpus = load_table(studies, peaks, space="MNI")
    assert [of_study[:, 0].tolist() for of_study in corpus.peaks] == [[2], [1, 3]]


@pytest.mark.parametrize("kind", ["study_id", "id"])
def test_float_ids_are_formatted_as_integers(kind):
    peaks = {kind: [13.0, None], "x": [1, 2], "y": [0] * 2, "z": [0] * 2}
    with pytest.warns(
        SkippedPeaksWarning, match=r"1 peak whose study \(no id\) is not"
    ):
        corpus = load_table({kind: [12.0, 13.0]}, peaks, space="MNI")
    assert corpus.studies["study_id"].tolist() == ["12", "13"]
    assert [len(of_study) for of_study in corpus.peaks] == [0, 1]


def test_skipped_peaks_are_counted():
    with pytest.warns(SkippedPeaksWarning) as record:
        corpus = load_table({"pmid": [11, 14]}, PEAKS, space="MNI")
    message = "Skipped 2 peaks whose study (13) is not in the table of studies."
    assert [str(one.message) for one in record] == [message]
    assert_one_warning(record, SkippedPeaksWarning, __file__)
    assert message in corpus.description
    assert "1 of 2 studies has no peak." in corpus.description
    assert [len(of_study) for of_study in corpus.peaks] == [1, 0]
    with pytest.warns(
        SkippedPeaksWarning, match=r"2 peaks whose study \(13 and 1 other\)"
    ):
        load_table({"pmid": [11]}, PEAKS | {"pmid": [13, 11, 14]}, space="MNI")


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ([12.0, 14.0, None], "14; 1 without an id"),
        ([12.0, 14.0, 15.0], "14 and 1 other"),
        (["12", "", None], "no id"),
        (["12", " ", "14"], "14; 1 without an id"),
        (["12", "14", "14"], "14"),
        (["12", "14", "15", "16"], "14 and 2 others"),
    ],
)
def test_message_of_skipped_peaks(ids, shown):
    n = len(ids)
    peaks = {"study_id": ids, "x": [1] * n, "y": [0] * n, "z": [0] * n}
    with pytest.warns(SkippedPeaksWarning) as record:
        load_table({"study_id": ["12", "13"]}, peaks, space="MNI")
    start = f"Skipped {n - 1} peaks whose study ({shown}) is not in"
    assert str(record[0].message).startswith(start)


def test_synonyms_of_columns():
    studies = {"pmid": [11], "publication_year": [1999], "coordinate_space": ["MNI"]}
    peaks = {name: column[1:2] for name, column in PEAKS.items()}
    corpus = load_table(studies, peaks)
    assert corpus.studies["year"].tolist() == [1999]
    assert corpus.studies["coordinate_space"].tolist() == ["MNI"]


XYZ = np.array([[1, 4, 7], [2, 5, 8], [3, 6, 9.0]])


def test_space_of_each_peak():
    corpus = load_table(STUDIES, {**PEAKS, "space": ["TAL", "MNI", "MNI"]})
    assert "1 was reported in Talairach" in corpus.description
    np.testing.assert_allclose(corpus.peaks[2][[0]], talairach_to_mni(XYZ[[0]]))
    np.testing.assert_array_equal(corpus.peaks[2][[1]], XYZ[[2]])
    reported = corpus.studies["coordinate_space"].tolist()
    assert reported == ["MNI", "UNKNOWN", "MIXED"]


def test_space_of_each_study():
    studies = {**STUDIES, "space": ["TAL", "TAL", "MNI"]}
    corpus = load_table(studies, PEAKS)
    assert "1 was reported in Talairach" in corpus.description
    np.testing.assert_allclose(corpus.peaks[0], talairach_to_mni(XYZ[[1]]))
    np.testing.assert_array_equal(corpus.peaks[2], XYZ[[0, 2]])
    assert corpus.studies["coordinate_space"].tolist() == ["TAL", "TAL", "MNI"]


def test_precedence_of_spaces():
    studies = {**STUDIES, "space": ["MNI", None, "TAL"]}
    peaks = {**PEAKS, "space": ["scanner", None, "MNI"]}
    corpus = load_table(studies, peaks, space="TAL")
    assert corpus.space_counts == {"OTHER": 1, "TAL": 1, "MNI": 1}


@pytest.mark.parametrize("blank", ["", "  ", None, np.nan])
def test_blank_spaces_are_ignored(blank):
    studies = {**STUDIES, "space": ["TAL", blank, blank]}
    peaks = {**PEAKS, "space": [blank, blank, "MNI"]}
    corpus = load_table(studies, peaks)
    assert corpus.space_counts == {"UNKNOWN": 1, "TAL": 1, "MNI": 1}
    corpus = load_table(studies, peaks, space="MNI")
    assert corpus.space_counts == {"MNI": 3}


def _peak_table(corpus):
    sizes = [len(of_study) for of_study in corpus.peaks]
    xyz = pd.DataFrame(np.concatenate(corpus.peaks), columns=["x", "y", "z"])
    return xyz.assign(study_id=np.repeat(corpus.studies["study_id"], sizes).to_numpy())


@pytest.mark.parametrize("as_files", [False, True])
def test_round_trip_does_not_convert_again(tmp_path, as_files):
    first = load_table(STUDIES, {**PEAKS, "space": ["TAL", "TAL", "MNI"]})
    tables = first.studies, _peak_table(first)
    if as_files:
        for table, name in zip(tables, ("s.csv", "p.csv"), strict=True):
            table.to_csv(tmp_path / name, index=False)
        tables = tmp_path / "s.csv", tmp_path / "p.csv"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load_table(*tables, space="MNI")
    for one, other in zip(again.peaks, first.peaks, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_space_argument():
    for space, words in (("TAL", "3 were reported in Tal"), (None, "3 are of unknown")):
        assert words in load_table(STUDIES, PEAKS, space=space).description
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_table(STUDIES, PEAKS, space="MNI")


def _without(table, column):
    return {name: cells for name, cells in table.items() if name != column}


NO_ID = "must have the same id column, .* one of study_id, pmid, pmcid, doi, id; got"
ERRORS = {
    "no x": (STUDIES, _without(PEAKS, "x"), "has no column x; it has pmid, y, z"),
    "no id of peaks": (STUDIES, _without(PEAKS, "pmid"), NO_ID),
    "no id of studies": (_without(STUDIES, "pmid"), PEAKS, NO_ID),
    "different id columns": (
        STUDIES,
        {**_without(PEAKS, "pmid"), "id": [11, 12, 13]},
        NO_ID,
    ),
    "ids never match": (STUDIES, {**PEAKS, "pmid": [1, 2, 3]}, "None of the 3 ids"),
    "PMIDs as PMCIDs": (
        {"pmid": [11, 12, 13], "pmcid": [91, 92, 93]},
        {**_without(PEAKS, "pmid"), "pmcid": [11, 13, 13]},
        "The ids of peaks look like PMIDs",
    ),
    "PMCIDs as PMIDs": (
        {"pmid": ["PMC11", "PMC12"]},
        PEAKS,
        "The column pmid holds 2 PMCIDs",
    ),
    "id is a string": (STUDIES, {**PEAKS, "pmid": ["a", "b", "c"]}, "are not integers"),
    "year is a string": ({**STUDIES, "year": ["x", 1, 2]}, PEAKS, "expected years"),
    "string for a number": (
        STUDIES,
        {**PEAKS, "y": [4, "left", 6]},
        r"1 of 3 peaks are not numbers.* row 2 of the .*, pmid 11: 2; left; 8\. Expect",
    ),
    "NaN": (STUDIES, {**PEAKS, "z": [7, 8, np.nan]}, "peaks are not numbers"),
    "infinity": (STUDIES, {**PEAKS, "z": [7, 8, np.inf]}, "NaN or infinity"),
    "no peak": (STUDIES, {name: [] for name in PEAKS}, "table of peaks has no row"),
    "no study": ({"pmid": []}, PEAKS, "table of studies has no row"),
    "repeated study": (
        {"pmid": [11, 11]},
        PEAKS,
        r"the same pmid, for example '11'.*table\.drop_duplicates\('pmid'\) as the",
    ),
    "two columns of a name": (
        {**STUDIES, "PMID": [1, 2, 3]},
        PEAKS,
        r"studies has several columns 'pmid' \(ignoring case\)",
    ),
    "study with a blank id": (
        {"id": ["a", " "], "title": ["pain", "words"]},
        {"id": ["a"]},
        "1 of 2 studies have no id",
    ),
    "study without id": (
        {"pmid": [11, None], "title": ["pain", "words"]},
        PEAKS,
        "1 of 2 studies have no pmid.*row 2",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_wrong_tables_raise(case):
    studies, peaks, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        load_table(studies, peaks, space="MNI")


def test_unknown_space_raises():
    for space, advice in (
        ("mni152", " Pass 'MNI'."),
        ("Talairach", " Pass 'TAL'."),
        ("tal2mni", ""),
        (1, ""),
    ):
        message = f"space must be one of 'MNI', 'TAL', None; got {space!r}.{advice}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            load_table(STUDIES, PEAKS, space=space)


def test_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"The table of peaks, .*p\.csv', does"):
        load_table(STUDIES, tmp_path / "p.csv")


def test_ignored_columns_are_named():
    studies = {"pmid": [11, 12, 13], "text": ["a", "b", "c"], "n": [9, 8, 7]}
    corpus = load_table(studies, PEAKS, space="MNI")
    assert corpus.ignored_columns == ["text", "n"]
    message = "Ignored columns of the table of studies: text, n. If one of them "
    assert message in corpus.description
    with pytest.raises(ValueError, match=f"No study .* texts: none. {message}"):
        study_texts(corpus)
    studies = {"pmid": [11, 12, 13], "abstract": list("abc"), "space": ["MNI"] * 3}
    corpus = load_table(studies, PEAKS)
    assert corpus.ignored_columns == []
    assert "Ignored" not in corpus.description


def test_year_has_precedence_over_its_synonym():
    studies = {**STUDIES, "publication_year": [1999] * 3}
    corpus = load_table(studies, PEAKS, space="MNI")
    assert corpus.studies["year"].tolist() == STUDIES["year"]


def test_truncated_file_raises(tmp_path):
    path = tmp_path / "studies.csv.gz"
    pd.DataFrame(STUDIES).to_csv(path, index=False)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(OSError, match=r"studies\.csv\.gz' cannot be read .* truncated"):
        load_table(path, PEAKS)


# Peaks that are probably not signed mm


def _draw_peaks(n_peaks):
    """Draw the peaks of one study in the brain, in mm."""
    corpus = make_studies(1, n_peaks=n_peaks, random_state=0)
    return {
        "pmid": [1] * len(corpus.peaks[0]),
        **dict(zip("xyz", corpus.peaks[0].T, strict=True)),
    }


@pytest.mark.parametrize(
    ("unit", "factor"), [("centimeters", 0.1), ("meters", 0.001), ("mm", 1)]
)
@pytest.mark.parametrize("space", ["MNI", "TAL"])
def test_units_other_than_mm_are_reported(unit, factor, space):
    peaks = _draw_peaks(30) | {"space": space}
    peaks |= {axis: peaks[axis] * factor for axis in "xyz"}
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always", DoubtfulPeaksWarning)
        corpus = load_table({"pmid": [1]}, peaks)
    xyz = np.transpose([peaks[axis] for axis in "xyz"])
    expected = talairach_to_mni(xyz) if space == "TAL" else xyz
    np.testing.assert_allclose(corpus.peaks[0], expected)
    if unit == "mm":
        assert not [w for w in record if w.category is DoubtfulPeaksWarning]
    else:
        assert_one_warning(record, DoubtfulPeaksWarning, __file__)
        assert f"1 of 1 study (1) look like {unit}" in str(record[-1].message)


@pytest.mark.parametrize("column", ["hemisphere", "Side"])
def test_unsigned_x_is_reported(column):
    peaks = {**PEAKS, "x": [41, 42, 43], column: ["R", "L", "L"]}
    with pytest.warns(DoubtfulPeaksWarning, match="In 2 of 3 studies .11, 13., x is"):
        corpus = load_table(STUDIES, peaks, space="MNI")
    np.testing.assert_array_equal(corpus.peaks[2][:, 0], [41, 43])
    peaks["x"] = [41, -42, -43]
    load_table(STUDIES, peaks, space="MNI")


def test_blank_rows_and_columns_of_frames_are_skipped():
    # A sheet that pandas.read_excel returns, with formatted cells beyond the table.
    blank = {"pmid": [None, " "], "x": [None] * 2, "y": [None] * 2, "z": ["", None]}
    peaks = pd.concat([pd.DataFrame(PEAKS), pd.DataFrame(blank)])
    peaks["Unnamed: 4"] = " "
    corpus = load_table(STUDIES, peaks, space="MNI")
    assert_same_corpus(corpus, load_table(STUDIES, PEAKS, space="MNI"))
    assert (
        "Skipped 2 blank rows and 1 blank column of the table of p"
        in corpus.description
    )


def test_numbers_stored_as_text(tmp_path):
    xyz = {
        "x": ["−1", "–2,5", "+3"],
        "y": ["4,0", "'5", " 6"],
        "z": ["7", "８", "\xa09"],
    }
    peaks = {"pmid": PEAKS["pmid"], **xyz}
    expected = {**PEAKS, "x": [-1, -2.5, 3]}
    expected = load_table(STUDIES, expected, space="MNI")
    assert_same_corpus(load_table(STUDIES, peaks, space="MNI"), expected)
    pd.DataFrame(peaks).to_csv(tmp_path / "peaks.csv", index=False)
    corpus = load_table(STUDIES, tmp_path / "peaks.csv", space="MNI")
    assert_same_corpus(corpus, expected)


def test_tables_of_european_excel(tmp_path):
    # Separated by semicolons, in Windows-1252, with decimal commas.
    studies, peaks = tmp_path / "studies.csv", tmp_path / "peaks.csv"
    studies.write_bytes("pmid;title\r\n11;Müller, pain\r\n".encode("cp1252"))
    peaks.write_text("pmid;x;y;z\n11;-42,5;0;1,25\n11;4;-3,5;60\n")
    corpus = load_table(studies, peaks, space="MNI")
    assert corpus.studies["title"].tolist() == ["Müller, pain"]
    np.testing.assert_array_equal(corpus.peaks[0], [[-42.5, 0, 1.25], [4, -3.5, 60]])
    assert "studies.csv is not UTF-8 and was read as Windows-1252" in corpus.description


def test_number_with_an_ambiguous_comma_raises():
    peaks = {**PEAKS, "y": ["4", "12,345", "6"]}
    with pytest.raises(
        ValueError, match=r"1 of 3 peaks are not .* row 2 of .* 11: 2; 12,345; 8"
    ):
        load_table(STUDIES, peaks, space="MNI")


def test_unclear_labels_of_spaces_are_quoted_and_not_converted():
    xyz = {"x": [10, 10, 10], "y": [20, 20, 20], "z": [30, 30, 30]}
    labels = ["mni2tal", "Talairach & Tournoux 1988", "Talairach converted to MNI"]
    studies = {"pmid": [1, 2, 3], "title": list("abc")}
    with pytest.warns(CoordinateSpaceWarning, match="unclear from 'mni2t") as record:
        corpus = load_table(studies, {"pmid": [1, 2, 3], **xyz, "space": labels})
    assert_one_warning(record, CoordinateSpaceWarning, __file__)
    assert str(record[0].message) in corpus.description
    assert corpus.studies["coordinate_space"].tolist() == ["UNKNOWN", "TAL", "UNKNOWN"]
    assert corpus.unclear_spaces == [labels[0], labels[2]]
    assert "'Talairach converted to MNI'" in corpus.description
    np.testing.assert_array_equal(corpus.peaks[0], [[10, 20, 30]])
    np.testing.assert_array_equal(corpus.peaks[2], [[10, 20, 30]])
    np.testing.assert_allclose(corpus.peaks[1], talairach_to_mni([[10, 20, 30]]))
    with pytest.warns(CoordinateSpaceWarning, match="unclear from 'mni2tal'"):
        merged = merge_corpora(corpus)
    assert merged.unclear_spaces == corpus.unclear_spaces


def test_the_space_of_the_user_replaces_labels_that_state_no_space():
    peaks = {"pmid": [1, 1], "x": [0, 0], "y": [0, 0], "z": [9, 9]}
    peaks["space"] = ["not reported", "tal2mni"]
    with pytest.warns(CoordinateSpaceWarning, match="unclear from 'tal2mni'"):
        corpus = load_table({"pmid": [1], "title": ["a"]}, peaks, space="MNI")
    assert corpus.peak_spaces[0].tolist() == ["MNI", "UNKNOWN"]


def test_tables_joined_by_doi():
    studies = {"doi": ["https://doi.org/10.1002/HBM.1", "10.1002/hbm.2"]}
    peaks = {"doi": ["10.1002/hbm.2", "10.1002/hbm.1"], "x": [1, 2], "y": [0, 0]}
    corpus = load_table(studies, {**peaks, "z": [0, 0]}, space="MNI")
    assert corpus.studies["doi"].tolist() == ["10.1002/hbm.1", "10.1002/hbm.2"]
    assert [peaks[0, 0] for peaks in corpus.peaks] == [2, 1]
    with pytest.raises(ValueError, match="1 of 2 studies have no doi"):
        load_table({"doi": ["10.1002/hbm.2", "in press"]}, {**peaks, "z": [0, 0]})
