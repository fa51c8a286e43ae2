"""Read and write Sleuth files: format variants, and errors of wrong lines."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    load_sleuth,
    make_studies,
    write_sleuth,
)

PLAIN = """// Reference=MNI
// Ito, 2003: tap > rest
// Subjects=9
-42 -22 54
4\t0\t60.5

//Ito, 2003: imagine > rest
// continued on a second line
//Subjects = 9
 -40.5, -20 ,50
"""


def _write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "peaks.txt"
    path.write_bytes(text.encode(encoding))
    return path


def _check_plain(corpus):
    assert corpus.studies["title"].tolist() == [
        "Ito, 2003: tap > rest",
        "Ito, 2003: imagine > rest continued on a second line",
    ]
    assert corpus.studies["study_id"].tolist() == ["peaks-0001", "peaks-0002"]
    assert corpus.studies["year"].tolist() == [2003, 2003]
    assert corpus.groups.tolist() == ["Ito, 2003", "Ito, 2003"]
    assert corpus.n_subjects.tolist() == [9, 9]
    assert corpus.space_counts == {"MNI": 3}
    np.testing.assert_array_equal(corpus.peaks[0], [[-42, -22, 54], [4, 0, 60.5]])
    np.testing.assert_array_equal(corpus.peaks[1], [[-40.5, -20, 50]])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_line_ends_and_encodings(tmp_path, end, encoding):
    path = _write(tmp_path, PLAIN.replace("\n", end), encoding)
    _check_plain(load_sleuth(path))


def test_minus_signs_and_accents(tmp_path):
    text = PLAIN.replace("-42", "−42").replace("-22", "–22")
    _check_plain(load_sleuth(_write(tmp_path, text)))
    text = PLAIN.replace("Ito", "Krämer")
    for encoding in ("utf-8", "cp1252"):
        corpus = load_sleuth(_write(tmp_path, text, encoding))
        assert corpus.groups[0] == "Krämer, 2003"


def test_second_reference_applies_to_later_experiments(tmp_path):
    text = PLAIN + "// Reference=TAL\n// Abe, 2001; see\n// Subjects=7\n10 20 30\n"
    with pytest.warns(CoordinateSpaceWarning, match="1 was reported in Talairach"):
        corpus = load_sleuth(_write(tmp_path, text))
    assert corpus.studies["coordinate_space"].tolist() == ["MNI", "MNI", "TAL"]
    np.testing.assert_array_equal(corpus.peaks[0], [[-42, -22, 54], [4, 0, 60.5]])
    np.testing.assert_allclose(corpus.peaks[2], talairach_to_mni([[10, 20, 30]]))
    assert corpus.groups[2] == "Abe, 2001"


def test_reference_below_a_name_applies_to_its_peaks(tmp_path):
    text = (
        "//Reference=MNI\n//A, 2000: x\n1 2 3\n//B, 2001: y\n//Reference=Talairach\n"
        "//Subjects=6\n10 20 30\n//Reference=TAL\n11 20 30\n"
    )
    with pytest.warns(CoordinateSpaceWarning, match="2 were reported in Talairach"):
        corpus = load_sleuth(_write(tmp_path, text))
    assert corpus.studies["coordinate_space"].tolist() == ["MNI", "TAL"]
    wanted = talairach_to_mni([[10, 20, 30], [11, 20, 30]])
    np.testing.assert_allclose(corpus.peaks[1], wanted)
    assert corpus.n_subjects.tolist()[1] == 6


@pytest.mark.parametrize("between", ["\n", "//Reference=MNI\n"])
def test_name_ends_at_a_blank_line_or_statement(tmp_path, between):
    text = f"//Reference=MNI\n//A\n{between}//B\n//Subjects=6\n\n10 20 30\n"
    corpus = load_sleuth(_write(tmp_path, text))
    assert corpus.studies["title"].tolist() == ["A", "B"]
    assert [len(peaks) for peaks in corpus.peaks] == [0, 1]
    assert corpus.n_subjects.isna().tolist() == [True, False]


def test_trailing_separators_are_ignored(tmp_path):
    corpus = load_sleuth(_write(tmp_path, "//Reference=MNI\n//A\n1,2,3,\n4;5;6;\n"))
    np.testing.assert_array_equal(corpus.peaks[0], [[1, 2, 3], [4, 5, 6]])


def test_distant_peaks_are_kept_with_a_warning(tmp_path):
    text = "//Reference=MNI\n//A\n1 2 3\n4000 2 3\n1 -201 3\n"
    with pytest.warns(
        UserWarning, match=r"peaks.txt: 2 peaks have a coordinate beyond 200 mm.*ne 4"
    ):
        corpus = load_sleuth(_write(tmp_path, text))
    assert len(corpus.peaks[0]) == 3


def test_without_reference_the_space_is_unknown(tmp_path):
    text = PLAIN.split("\n", 1)[1]
    with pytest.warns(CoordinateSpaceWarning, match="3 are of unknown space"):
        corpus = load_sleuth(_write(tmp_path, text))
    assert set(corpus.studies["coordinate_space"]) == {"UNKNOWN"}


def test_experiments_without_peaks_or_subjects(tmp_path):
    text = "//Reference=MNI\n//24814646-1\n//Subjects=3\n//24814646-2\n1 2 3\n//\n//x\n"
    corpus = load_sleuth(_write(tmp_path, text))
    assert [len(peaks) for peaks in corpus.peaks] == [0, 1, 0]
    assert corpus.n_subjects.isna().tolist() == [False, True, True]
    assert corpus.groups.tolist() == ["24814646", "24814646", "x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("//Reference=MNI\n1 2 3\n", "peaks.txt, line 2: '1 2 3' is above the name"),
        ("//a\n1 2\n", "peaks.txt, line 2: a peak must be three numbers"),
        ("//a\r1 2 3\r1 2 3 4\r", "peaks.txt, line 3: a peak must be three"),
        ("//a\r\n1 2 nan\r\n", "peaks.txt, line 2: a peak must be three"),
        ("//a\n\nx y z\n", "peaks.txt, line 3: a peak must be three"),
        (
            "//Reference=scanner\n",
            "line 1: the reference must be MNI or Talairach; got 'scanner'",
        ),
        ("//Reference=\n", "line 1: the reference must be MNI or Talairach; got ''"),
        (
            "//a\n//Subjects=some\n",
            "line 2: the number of subjects must be an integer; got 'some'",
        ),
        ("//Subjects=3\n", "line 1: a number of subjects must follow the name"),
        (
            "//a\n//Subjects=3\n//Subjects=4\n",
            "line 3: a number of subjects must follow",
        ),
        ("\n \n", "peaks.txt does not contain the name of an experiment"),
        ("//a\n1_0 2 3\n", "line 2: a peak must be three"),
        ("//a\n١ 2 3\n", "line 2: a peak must be three"),
        ("//a\n1e999 2 3\n", "line 2: a peak must be three"),
        ("//a\n1 2 3 5.5\n", "without further columns; got '1 2 3 5.5'"),
        ("//a\n1,5 2,5\n", "without further columns; got '1,5 2,5'"),
        (
            "//a\n//Subjects=²\n",
            "line 2: the number of subjects must be an integer; got '²'",
        ),
        ("Reference=MNI\n//a\n", "line 1: 'Reference=MNI' must begin with //"),
        ("//a\nSubjects=9\n", "line 2: 'Subjects=9' must begin with //"),
        (
            "//a\n1 2 3\n//Subjects=9\n//b\n",
            "line 3: a number of subjects must be between",
        ),
        (
            "//a\n1 2 3\n//Subjects=9\n4 5 6",
            "line 3: a number of subjects must be between",
        ),
        (
            "//Reference=MNI\n//a\n1 2 3\n//Reference=TAL\n4 5 6",
            "line 5: the reference above this line changes the space between the peaks",
        ),
        (
            "//Reference=MNI\n//a\n1 2\0 3\n",
            "peaks.txt is not a text file: it contains zero bytes",
        ),
    ],
)
def test_wrong_lines_raise(tmp_path, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_sleuth(_write(tmp_path, text))


def test_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.txt' does not exist"):
        load_sleuth(tmp_path / "nowhere.txt")


@pytest.mark.parametrize("space", ["MNI", "TAL"])
def test_write_and_load_round_trip(tmp_path, space):
    corpus = make_studies(20, random_state=0)
    corpus.n_subjects = pd.array([None, *range(1, 20)], dtype="Int64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateSpaceWarning)
        again = load_sleuth(write_sleuth(corpus, tmp_path / "peaks.txt", space=space))
    assert again.studies["title"].tolist() == corpus.studies["title"].tolist()
    assert again.space_counts.keys() == {space}
    pd.testing.assert_extension_array_equal(again.n_subjects, corpus.n_subjects)
    for one, other in zip(again.peaks, corpus.peaks, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_written_names(tmp_path):
    corpus = make_studies(3, random_state=0)
    corpus.studies["title"] = [None, "two\nlines", "// a comment"]
    corpus.peaks[1] = np.zeros((0, 3))
    with pytest.warns(UserWarning, match="1 of 3 rows have no peak and were omitted"):
        path = write_sleuth(corpus, tmp_path / "peaks.txt")
    titles = load_sleuth(path).studies["title"].tolist()
    assert titles == ["synthetic-00000", "a comment"]
    corpus.studies.loc[0, "title"] = "Subjects=3"
    with pytest.raises(ValueError, match="would be read as a reference"):
        write_sleuth(corpus, path)


def test_write_errors(tmp_path):
    corpus = make_studies(1, random_state=0)
    with pytest.raises(ValueError, match="space must be 'MNI' or 'TAL'; got 'tal'"):
        write_sleuth(corpus, tmp_path / "peaks.txt", space="tal")
    corpus.peaks[0] = np.zeros((0, 3))
    with pytest.raises(ValueError, match="must have at least one peak"):
        write_sleuth(corpus, tmp_path / "peaks.txt")
