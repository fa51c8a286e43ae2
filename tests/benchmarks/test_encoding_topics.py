"""Meta-analyses that the encoding benchmark reads: folders as people write them."""

import re

import numpy as np
import pytest

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext._utils.coordinate_spaces import mni_to_talairach
from sklearn_neurocontext.maskers import density_map

FOCI = np.array([[-42.0, -22.0, 54.0], [4.0, 0.0, 60.0], [36.0, 22.0, -2.0]])
HEADER = "name\tfile\tdescription\n"


@pytest.fixture(scope="module")
def masker():
    return KDEDiFuMoMasker("geometric", 64).fit()


def write_foci(path, foci, first="//Reference=MNI", end="\n"):
    lines = [first, "//Ito, 2003: tap > rest"]
    lines += [" ".join(f"{one:.4f}" for one in focus) for focus in foci]
    path.write_bytes((end.join(lines) + end).encode())


def test_files_of_one_description_are_one_topic(tmp_path, masker, capsys):
    from benchmarks.encoding.topics import load_meta_analyses

    # References as they come, ends of lines of old systems, no subjects.
    write_foci(tmp_path / "a.txt", FOCI[:1], "// Reference = MNI", "\r\n")
    tal = mni_to_talairach(FOCI[1:])
    write_foci(tmp_path / "b.txt", tal, "//Reference: Talairach", "\r")
    write_foci(tmp_path / "c.txt", FOCI, "// nothing said")
    table = HEADER + "one\ta.txt\ttapping\nother\tc.txt\trest\none\tb.txt\t tapping \n"
    (tmp_path / "descriptions.tsv").write_text("\ufeff" + table, encoding="utf-8")
    topics = load_meta_analyses(tmp_path, masker)
    assert topics.names == ["one", "other"]
    assert topics.descriptions == ["tapping", "rest"]
    assert [len(one) for one in topics.experiments] == [1, 2, 3]
    density = density_map(FOCI, masker.mask_img_)
    for observed in topics.observed:
        np.testing.assert_allclose(observed, density, atol=1e-3 * density.max())
    np.testing.assert_allclose(topics.y[0], topics.y[1], atol=1e-3)
    said = capsys.readouterr().out
    assert "Of 6 peaks, 2 were reported in Talairach space" in said
    assert "3 are of unknown space" in said


def test_what_is_made_of_others_is_left_out(tmp_path, masker, capsys):
    from benchmarks.encoding.topics import load_meta_analyses

    write_foci(tmp_path / "a.txt", FOCI)
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
def test_tables_that_are_refused(tmp_path, masker, table, words):
    from benchmarks.encoding.topics import load_meta_analyses

    write_foci(tmp_path / "a.txt", FOCI)
    write_foci(tmp_path / "far.txt", 100 * FOCI)
    (tmp_path / "bad.txt").write_text("//Reference=MNI\n//Ito\n1 2\n")
    (tmp_path / "descriptions.tsv").write_text(table)
    with pytest.raises(ValueError, match=re.escape(words)):
        load_meta_analyses(tmp_path, masker)


def test_files_that_are_missing(tmp_path, masker):
    from benchmarks.encoding.topics import load_meta_analyses

    with pytest.raises(FileNotFoundError, match="expected a folder of meta-analyses"):
        load_meta_analyses(tmp_path, masker)
    (tmp_path / "descriptions.tsv").write_text(HEADER + "one\tno.txt\ttapping\n")
    with pytest.raises(FileNotFoundError, match=re.escape("no.txt'")):
        load_meta_analyses(tmp_path, masker)


def test_the_command_says_what_is_wrong(tmp_path, monkeypatch):
    from benchmarks.encoding import run

    store, output = str(tmp_path / "store"), str(tmp_path / "output")
    options = ["--cache", store, "--output", output, "--atlas", "geometric"]
    monkeypatch.setattr(
        "sys.argv", ["", str(tmp_path), *options, "--n-components", "64"]
    )
    with pytest.raises(SystemExit, match=r"error: .*descriptions\.tsv' does not exist"):
        run.main()
