"""Folders of meta-analyses that the encoding benchmark reads."""

import re

import numpy as np
import pytest

from benchmarks.encoding import run
from benchmarks.encoding.topics import load_meta_analyses
from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext._utils.coordinate_spaces import mni_to_talairach
from sklearn_neurocontext.maskers import density_map

PEAKS = np.array([[-42.0, -22.0, 54.0], [4.0, 0.0, 60.0], [36.0, 22.0, -2.0]])
HEADER = "name\tfile\tdescription\n"


@pytest.fixture(scope="module")
def masker():
    return KDEDiFuMoMasker("geometric", 64).fit()


def write_peaks(path, peaks, first="//Reference=MNI", end="\n"):
    lines = [first, "//Ito, 2003: tap > rest"]
    lines += [" ".join(f"{one:.4f}" for one in peak) for peak in peaks]
    path.write_bytes((end.join(lines) + end).encode())


def test_files_of_one_description_are_one_topic(tmp_path, masker, capsys):
    # Other notations of the reference, line ends of old systems, no subjects.
    write_peaks(tmp_path / "a.txt", PEAKS[:1], "// Reference = MNI", "\r\n")
    tal = mni_to_talairach(PEAKS[1:])
    write_peaks(tmp_path / "b.txt", tal, "//Reference: Talairach", "\r")
    write_peaks(tmp_path / "c.txt", PEAKS, "// nothing said")
    table = HEADER + "one\ta.txt\ttapping\nother\tc.txt\trest\none\tb.txt\t tapping \n"
    (tmp_path / "descriptions.tsv").write_text("\ufeff" + table, encoding="utf-8")
    topics = load_meta_analyses(tmp_path, masker)
    assert topics.names == ["one", "other"]
    assert topics.descriptions == ["tapping", "rest"]
    assert [len(one) for one in topics.experiments] == [1, 2, 3]
    density = density_map(PEAKS, masker.mask_img_)
    for observed in topics.observed:
        np.testing.assert_allclose(observed, density, atol=1e-3 * density.max())
    np.testing.assert_allclose(topics.y[0], topics.y[1], atol=1e-3)
    printed = capsys.readouterr().out
    assert "Of 6 peaks, 2 were reported in Talairach space" in printed
    assert "3 are of unknown space" in printed


def test_a_union_of_other_topics_is_excluded(tmp_path, masker, capsys):
    write_peaks(tmp_path / "a.txt", PEAKS)
    rows = "one\ta.txt\ttapping\nreward_cue_reactivity\ta.txt\tcues\n"
    (tmp_path / "descriptions.tsv").write_text(HEADER + rows)
    assert load_meta_analyses(tmp_path, masker).names == ["one"]
    assert "reward_cue_reactivity is excluded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name\tdescription\none\ttapping\n", "['file'] are missing"),
        (HEADER, "must list at least one"),
        (HEADER + "one\ta.txt\ttapping\ntwo\ta.txt\t \n", "line 3: a name, file or"),
        (HEADER + "one\ta.txt\tx\none\ta.txt\ty\n", "'one' has 2 descriptions"),
        (HEADER + "one\tfar.txt\ttapping\n", "one: no peak lies inside the brain"),
        (HEADER + "one\tbad.txt\ttapping\n", "bad.txt, line 3"),
    ],
)
@pytest.mark.filterwarnings("ignore:far.txt")
def test_invalid_tables_raise(tmp_path, masker, table, words):
    write_peaks(tmp_path / "a.txt", PEAKS)
    write_peaks(tmp_path / "far.txt", 100 * PEAKS)
    (tmp_path / "bad.txt").write_text("//Reference=MNI\n//Ito\n1 2\n")
    (tmp_path / "descriptions.tsv").write_text(table)
    with pytest.raises(ValueError, match=re.escape(words)):
        load_meta_analyses(tmp_path, masker)


def test_missing_files_raise(tmp_path, masker):
    with pytest.raises(FileNotFoundError, match="expected a folder of meta-analyses"):
        load_meta_analyses(tmp_path, masker)
    (tmp_path / "descriptions.tsv").write_text(HEADER + "one\tno.txt\ttapping\n")
    with pytest.raises(FileNotFoundError, match=re.escape("no.txt'")):
        load_meta_analyses(tmp_path, masker)


def test_command_exits_with_the_error(tmp_path, monkeypatch):
    store, output = str(tmp_path / "store"), str(tmp_path / "output")
    options = ["--cache", store, "--output", output, "--atlas", "geometric"]
    monkeypatch.setattr(
        "sys.argv", ["", str(tmp_path), *options, "--n-components", "64"]
    )
    with pytest.raises(SystemExit, match=r"error: .*descriptions\.tsv' does not exist"):
        run.main()
