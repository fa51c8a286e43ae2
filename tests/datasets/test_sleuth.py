"""Read and write Sleuth files: format variants, and errors of wrong lines."""

import re

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
        is_noted = "peaks.txt is not UTF-8 and was read as W" in corpus.description
        assert is_noted == (encoding == "cp1252")


def test_second_reference_applies_to_later_experiments(tmp_path):
    text = PLAIN + "// Reference=TAL\n// Abe, 2001; see\n// Subjects=7\n10 20 30\n"
    corpus = load_sleuth(_write(tmp_path, text))
    assert "1 was reported in Talairach" in corpus.description
    assert corpus.studies["coordinate_space"].tolist() == ["MNI", "MNI", "TAL"]
    np.testing.assert_array_equal(corpus.peaks[0], [[-42, -22, 54], [4, 0, 60.5]])
    np.testing.assert_allclose(corpus.peaks[2], talairach_to_mni([[10, 20, 30]]))
    assert corpus.groups[2] == "Abe, 2001"


def test_reference_below_a_name_applies_to_its_peaks(tmp_path):
    text = (
        "//Reference=MNI\n//A, 2000: x\n1 2 3\n//B, 2001: y\n//Reference=Talairach\n"
        "//Subjects=6\n10 20 30\n//Reference=TAL\n11 20 30\n"
    )
    corpus = load_sleuth(_write(tmp_path, text))
    assert "2 were reported in Talairach" in corpus.description
    assert corpus.studies["coordinate_space"].tolist() == ["MNI", "TAL"]
    wanted = talairach_to_mni([[10, 20, 30], [11, 20, 30]])
    np.testing.assert_allclose(corpus.peaks[1], wanted)
    assert corpus.n_subjects.tolist()[1] == 6


@pytest.mark.parametrize("between", ["\n", "//Reference=MNI\n"])
def test_name_ends_at_a_blank_line_or_statement(tmp_path, between):
    text = f"//Reference=MNI\n//A\n{between}//B\n//Subjects=6\n\n10 20 30\n"
    corpus = load_sleuth(_write(tmp_path, text))
    assert corpus.studies["title"].tolist() == ["B"]
    assert corpus.n_subjects.tolist() == [6]
    assert "1 comment was skipped" in corpus.description


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
    corpus = load_sleuth(_write(tmp_path, text))
    assert "3 are of unknown space" in corpus.description
    assert set(corpus.studies["coordinate_space"]) == {"UNKNOWN"}


def test_experiments_have_peaks_or_subjects(tmp_path):
    text = "//Reference=MNI\n//24814646-1\n//Subjects=3\n//24814646-2\n1 2 3\n//\n//x\n"
    corpus = load_sleuth(_write(tmp_path, text))
    assert [len(peaks) for peaks in corpus.peaks] == [0, 1]
    assert corpus.n_subjects.isna().tolist() == [False, True]
    assert corpus.groups.tolist() == ["24814646", "24814646"]


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
            "line 5: the reference above this line changes the coordinate space in the "
            "middle of the experiment 'a'",
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
    again = load_sleuth(write_sleuth(corpus, tmp_path / "peaks.txt", space=space))
    assert again.studies["title"].tolist() == corpus.studies["title"].tolist()
    assert again.space_counts.keys() == {space}
    pd.testing.assert_extension_array_equal(again.n_subjects, corpus.n_subjects)
    for one, other in zip(again.peaks, corpus.peaks, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_unknown_numbers_of_subjects_are_replaced(tmp_path):
    corpus = make_studies(3, random_state=0)
    corpus.n_subjects = pd.array([9, None, 12], dtype="Int64")
    path = write_sleuth(corpus, tmp_path / "peaks.txt", default_n_subjects=20)
    assert load_sleuth(path).n_subjects.tolist() == [9, 20, 12]
    del corpus["n_subjects"]
    path = write_sleuth(corpus, path, default_n_subjects=20)
    assert load_sleuth(path).n_subjects.tolist() == [20, 20, 20]
    with pytest.raises(ValueError, match=r"default_n_subjects must be .*; got 2\.5"):
        write_sleuth(corpus, path, default_n_subjects=2.5)


def test_written_file_is_read_by_nimare(tmp_path):
    studyset = pytest.importorskip("nimare.studyset")
    corpus = make_studies(4, random_state=0)
    path = write_sleuth(corpus, tmp_path / "peaks.txt", default_n_subjects=20)
    read = studyset.Studyset.from_sleuth(str(path))
    xyz = read.coordinates[["x", "y", "z"]].to_numpy(dtype=float)
    # NiMARE sorts experiments by name.
    order = np.argsort(corpus.studies["title"], kind="stable")
    expected = np.concatenate([corpus.peaks[row] for row in order])
    np.testing.assert_allclose(xyz, expected, atol=1e-4)


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
    with pytest.raises(ValueError, match=r"'MNI', 'TAL'; got 'tal'\. Pass 'TAL'"):
        write_sleuth(corpus, tmp_path / "peaks.txt", space="tal")
    corpus.peaks[0] = np.zeros((0, 3))
    with pytest.raises(ValueError, match="must have at least one peak"):
        write_sleuth(corpus, tmp_path / "peaks.txt")


HEAD = "// Reference=MNI\n// Smith J, 2005: words > rest\n// Subjects=12\n"


@pytest.mark.parametrize(
    ("body", "n_comments"),
    [
        ("1 2 3\n// from Table 2\n4 5 6\n", 1),
        ("// left IFG\n1 2 3\n// right STG (BA 22)\n4 5 6\n", 2),
        ("1 2 3\n//-40 10 5\n4 5 6\n// 7, 8, 9\n", 2),
        ("// N=12\n1 2 3\n//n = 24\n4 5 6\n", 2),
        ("1 2 3\n// Participants: adults\n4 5 6\n", 1),
        ("1 2 3 // left IFG\n4\t5\t6\t//BA 44\n", 2),
        ("1 2 3\n4 5 6\n\n// end of file, 2019\n", 1),
        ("1 2 3\n// cluster 2:\n// left\n4 5 6\n//\n", 2),
        ("//\n1 2 3\n4 5 6\n", 0),
    ],
)
def test_comments_are_no_experiments(tmp_path, body, n_comments):
    corpus = load_sleuth(_write(tmp_path, HEAD + body))
    assert corpus.studies["title"].tolist() == ["Smith J, 2005: words > rest"]
    np.testing.assert_array_equal(corpus.peaks[0], [[1, 2, 3], [4, 5, 6]])
    assert corpus.n_subjects.tolist() == [12]
    skipped = {0: "", 1: "1 comment was skipped", 2: "2 comments were skipped"}
    assert skipped[n_comments] in corpus.description
    assert ("skipped" in corpus.description) == (n_comments > 0)


def test_comments_above_names(tmp_path):
    text = "// Made in 2019\n\n// Language studies\n\n" + HEAD + "1 2 3\n// -1 2 3\n"
    text += "// Emotion studies\n// Smith J, 2005: faces\n//N=9\n4 5 6\n"
    corpus = load_sleuth(_write(tmp_path, text))
    assert [len(peaks) for peaks in corpus.peaks] == [1, 1]
    assert corpus.n_subjects.tolist() == [12, 9]
    assert corpus.groups.tolist() == ["Smith J, 2005"] * 2
    assert "3 comments were skipped" in corpus.description


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "1 2 3\n// see Jones 2006\n4 5 6\n", 5),
        ("// Reference=MNI\n// A\n// Subjects=3\n1 2 3\n// B\n4 5 6\n", 5),
        ("// Smith J, 2005: words\n1 2 3\n// left IFG\n4 5 6\n", 3),
        ("// booth\n// Subjects=3\n// carter\n4 5 6\n", 3),
    ],
)
def test_lines_that_can_be_read_in_two_ways_raise(tmp_path, text, line):
    with pytest.raises(ValueError, match=f"line {line}, .* can be read as the name"):
        load_sleuth(_write(tmp_path, text))


def test_names_without_subjects_begin_experiments(tmp_path):
    text = HEAD + "1 2 3\n// Jones K, 2006: faces\n4 5 6\n\n// right side\n7 8 9\n"
    corpus = load_sleuth(_write(tmp_path, text))
    assert corpus.groups.tolist() == ["Smith J, 2005", "Jones K, 2006", "right side"]
    assert corpus.n_subjects.isna().tolist() == [False, True, True]
    corpus = load_sleuth(_write(tmp_path, "//Reference=MNI\n//A\n1 2 3\n//B\n4 5 6"))
    assert corpus.studies["title"].tolist() == ["A", "B"]


@pytest.mark.parametrize(
    "text",
    [
        '"// Reference=MNI"\t\t\n"// Smith, J, 2005: say ""a"", b"\n"//Subjects=12"\n'
        '"-42,5"\t"10,0"\t3\n"−1"\t2\t3\n',
        '// Reference=MNI,,\n"// Smith, J, 2005: say ""a"", b",,\n// Subjects=12,,\n'
        '"-42,5",10,3\n-1,2,3\n,,\n',
        '// Reference=MNI;;\n"// Smith, J, 2005: say ""a"", b";;\n// Subjects=12;;\n'
        "-42,5;10;3\n-1;2;3\n;;\n",
        '// Reference=MNI,\n// Smith, J, 2005: say "a", b,\n// Subjects=12,\n\n'
        "-42.5,10,3,\n-1,2,3,\n",
    ],
)
def test_separators_and_quotes_of_excel(tmp_path, text):
    corpus = load_sleuth(_write(tmp_path, text))
    assert corpus.studies["title"].tolist() == ['Smith, J, 2005: say "a", b']
    assert corpus.n_subjects.tolist() == [12]
    np.testing.assert_array_equal(corpus.peaks[0], [[-42.5, 10, 3], [-1, 2, 3]])
    assert corpus.space_counts == {"MNI": 2}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("Booth et al., 2006 VERBAL VISUAL semantic > rhyme", "Booth et al., 2006"),
        ("Abe, T; Ito, K; Sato, M 2008 verbal visual", "Abe, T; Ito, K; Sato, M 2008"),
        ("Grossman et al., 2002b VERBAL words", "Grossman et al., 2002b"),
        ("Barense et al (2011) Non-verbal", "Barense et al (2011)"),
        ("Liu et al., 2018; Self vs Celebrity; self", "Liu et al., 2018"),
        ("Ito K: faces of 1999", "Ito K"),
        ("(2) Li, 2013 (a): alcohol > neutral", "(2) Li, 2013 (a)"),
        ("skeide2014nine", "skeide2014"),
        ("24814646-2", "24814646"),
        ("24814646 faces > houses", "24814646"),
        ("PMID: 24814646: faces", "24814646"),
        ("doi:10.1016/j.x.2005.01.002: faces", "10.1016/j.x.2005.01.002"),
    ],
)
def test_group_of_a_name(tmp_path, name, group):
    corpus = load_sleuth(_write(tmp_path, f"//Reference=MNI\n//{name}\n1 2 3\n"))
    assert corpus.groups.tolist() == [group]


def test_spellings_of_a_study_share_a_group(tmp_path):
    names = [
        "Kr\xe4mer et al., 2006: a",
        "Kra\u0308mer et al 2006: b",
        "KR\xc4MER et al.,2006",
    ]
    blocks = [f"//{name}\n//Subjects=9\n1 2 3\n" for name in names]
    corpus = load_sleuth(_write(tmp_path, "//Reference=MNI\n" + "\n".join(blocks)))
    assert set(corpus.groups) == {"Kr\xe4mer et al., 2006"}
    assert corpus.studies["title"].tolist() == names


@pytest.mark.parametrize(
    "line", ["Participants = 12", "Number of subjects: 12", "N = 12 subjects"]
)
def test_numbers_of_subjects_in_other_words(tmp_path, line):
    corpus = load_sleuth(_write(tmp_path, HEAD.replace("Subjects=12", line) + "1 2 3"))
    assert corpus.n_subjects.tolist() == [12]
    assert corpus.studies["title"].tolist() == ["Smith J, 2005: words > rest"]


def test_joined_files_with_byte_order_marks(tmp_path):
    corpus = load_sleuth(_write(tmp_path, f"\ufeff{PLAIN}\ufeff{HEAD}1 2 3\n"))
    assert [len(peaks) for peaks in corpus.peaks] == [2, 1, 1]


def test_several_files_share_groups(tmp_path):
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    paths[0].write_text(PLAIN)
    paths[1].write_text(PLAIN.replace("Ito", "ITO"))
    corpus = load_sleuth(paths)
    assert corpus.studies["study_id"].tolist() == [
        "a-0001", "a-0002", "b-0001", "b-0002"
    ]  # fmt: skip
    assert set(corpus.groups) == {"Ito, 2003"}
    assert corpus.description.startswith(
        "4 experiments of 2 files. The experiments form 1 "
    )


@pytest.mark.parametrize("label", ["MNI converted to Talairach", "mni2tal", "tal2mni"])
def test_references_that_name_two_spaces_are_unknown(tmp_path, label):
    text = PLAIN.replace("=MNI", f"={label}")
    with pytest.warns(CoordinateSpaceWarning, match=f"unclear from '{label}'"):
        corpus = load_sleuth(_write(tmp_path, text))
    assert corpus.space_counts == {"UNKNOWN": 3}
    np.testing.assert_array_equal(corpus.peaks[0], [[-42, -22, 54], [4, 0, 60.5]])


def test_titles_are_written_exactly(tmp_path):
    corpus = make_studies(3, random_state=0)
    titles = ['"Who am I?"', "Words, 2005; faces,", "no year;"]
    corpus.studies["title"] = titles
    corpus.n_subjects = pd.array([4, None, None], dtype="Int64")
    path = write_sleuth(corpus, tmp_path / "peaks.txt")
    assert load_sleuth(path).studies["title"].tolist() == titles
    corpus.studies.loc[0, "title"] = "N=4"
    with pytest.raises(ValueError, match="'N=4' cannot be the name"):
        write_sleuth(corpus, path)
