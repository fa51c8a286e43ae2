"""Load corpora by name or folder; find rows with a text and a peak."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext.datasets import (
    DoubtfulPeaksWarning,
    load_corpus,
    load_nimare_studyset,
    load_sleuth,
    make_studies,
    merge_corpora,
    usable_rows,
    write_sleuth,
)
from tests.datasets.corpora import (
    assert_one_warning,
    assert_same_corpus,
    write_neuroquery,
    write_neurosynth,
)


def test_load_nimare_by_name():
    corpus = load_corpus("nimare")
    assert len(corpus.studies) == len(corpus.peaks) == len(corpus.groups) >= 300


STUDIES = "pmid,title\n1,pain\n2,faces\n"
PEAKS = "pmid,x,y,z\n1,0,0,8\n2,40,-50,-20\n2,4,8,50\n"
STUDYSET = {
    "studies": [
        {"id": study_id, "name": title, "analyses": [{"id": "1", "points": points}]}
        for study_id, title, points in (
            ("1", "pain", [{"space": "MNI", "coordinates": [0, 0, 8]}]),
            ("2", "faces", [{"space": "MNI", "coordinates": [4, 8, 50]}] * 2),
        )
    ]
}


def _write_tables(folder):
    (folder / "studies.csv").write_text(STUDIES)
    (folder / "peaks.tsv").write_text(PEAKS.replace(",", "\t"))


def _write_json(folder):
    (folder / "studyset.json").write_text(json.dumps(STUDYSET))


def _write_parquet(folder):
    pytest.importorskip("pyarrow")
    points = pd.DataFrame({"id": ["1-1", "2-1", "2-1"], "study_id": ["1", "2", "2"]})
    analyses = points.drop_duplicates().assign(name="")
    tables = {
        "studies": pd.DataFrame({"study_id": ["1", "2"], "name": ["pain", "faces"]}),
        "analyses": analyses,
        "coordinates": points.assign(x=0.0, y=4.0, z=8.0, space="MNI"),
        "metadata": analyses,
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")


def _write_pubget(folder):
    folder = folder / "query_a" / "subset_allArticles_extractedData"
    folder.mkdir(parents=True)
    names = STUDIES.replace("pmid", "pmcid")
    (folder / "metadata.csv").write_text(names)
    (folder / "text.csv").write_text(names)
    (folder / "coordinates.csv").write_text(PEAKS.replace("pmid", "pmcid"))
    (folder / "info.json").write_text("{}")


WRITERS = [_write_tables, _write_json, _write_parquet, _write_pubget]


@pytest.mark.parametrize("in_data", [False, True])
def test_load_public_corpora_by_name_and_folder(tmp_path, monkeypatch, in_data):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path))
    write_neuroquery(tmp_path / "neuroquery")
    write_neurosynth(tmp_path / "neurosynth")
    for name in ("neuroquery", "neurosynth"):
        by_name = load_corpus(name)
        folder = tmp_path / name
        if in_data:
            folder = folder.rename(tmp_path / "data")
            assert_same_corpus(load_corpus(tmp_path), by_name)
            folder.rename(tmp_path / name)
        else:
            assert_same_corpus(load_corpus(folder), by_name)
    union = load_corpus("neuroquery+neurosynth").studies
    assert union["pmid"].tolist() == [5, 7]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("level", ["folder", "home"])
def test_load_other_folders(tmp_path, monkeypatch, write, level):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "corpus"
    folder.mkdir()
    write(folder)
    corpus = load_corpus("~/corpus" if level == "home" else folder)
    assert corpus.studies["title"].tolist() == ["pain", "faces"]
    assert [len(of_study) for of_study in corpus.peaks] == [1, 2]


def test_load_studyset_file(tmp_path):
    _write_json(tmp_path)
    corpus = load_corpus(tmp_path / "studyset.json")
    assert corpus.studies["title"].tolist() == ["pain", "faces"]


def test_load_sleuth_files(tmp_path):
    text = "//Reference=MNI\n//Ito, {year}: tap\n//Subjects=9\n1 2 3\n"
    paths = [tmp_path / "a.txt", tmp_path / "b.TXT"]
    for year, path in zip((2003, 2004), paths, strict=True):
        path.write_text(text.format(year=year))
    (tmp_path / "descriptions.tsv").write_text("file\ttopic\n")
    assert load_corpus(paths[1]).groups.tolist() == ["Ito, 2004"]
    both = load_corpus(tmp_path)
    assert both.studies["study_id"].tolist() == ["a-0001", "b-0001"]
    assert_same_corpus(load_corpus(list(map(str, paths))), both)


def test_ambiguous_folders_raise(tmp_path):
    _write_json(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"found other\.json, studyset\.json\. Pass"):
        load_corpus(tmp_path)
    _write_tables(tmp_path)
    (tmp_path / "peaks.csv").write_text(PEAKS)
    with pytest.raises(ValueError, match=r"found peaks\.csv, peaks\.tsv\. Pass a"):
        load_corpus(tmp_path)
    for path in tmp_path.glob("peaks.*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"one file peaks\.\[ct\]sv; found none"):
        load_corpus(tmp_path)


@pytest.mark.parametrize("name", ["all.csv", "studies.TSV", "all.csv.gz"])
def test_one_table_is_not_a_corpus(tmp_path, name):
    (tmp_path / name).write_text("study_id,title,x,y,z\n1,pain,0,0,8\n1,pain,4,0,8\n")
    with pytest.raises(
        ValueError, match=r"is one table.*drop_duplicates\('study_id'\)"
    ):
        load_corpus(tmp_path / name)
    (tmp_path / "brain.nii").write_text("")
    with pytest.raises(ValueError, match=r"file .*brain\.nii' is neither a JSON stud"):
        load_corpus(tmp_path / "brain.nii")


@pytest.mark.parametrize("name", ["corpus.xlsx", "peaks.XLS", "studies.ods", "a.txt"])
def test_workbooks_are_named(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    for path in (tmp_path, tmp_path / name, [tmp_path / name]):
        with pytest.raises(ValueError, match=r"an Excel workbook.*pandas.read_excel"):
            load_corpus(path)
    with pytest.raises(ValueError, match="got an Excel workbook"):
        load_nimare_studyset(tmp_path / name)


def test_a_workbook_beside_a_table_is_named(tmp_path):
    (tmp_path / "studies.csv").write_text(STUDIES)
    (tmp_path / "peaks.xlsx").write_text("")
    with pytest.raises(ValueError, match=r"peaks\.xlsx' must be .* Excel workbook"):
        load_corpus(tmp_path)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("nimaree", "Did you mean nimare?"),
        ("NiMARE", "Did you mean nimare?"),
        ("neuroquerry", "Did you mean neuroquery?"),
        ("neuroquery+neurosinth", "Did you mean neuroquery+neurosynth?"),
        ("my_folder", "Check the spelling."),
    ],
)
def test_unknown_names_raise(name, advice):
    with pytest.raises(ValueError, match="neither a folder nor one of neuro") as raised:
        load_corpus(name)
    assert str(raised.value).endswith(f"and no file has this name. {advice}")


def test_unknown_folders_raise(tmp_path):
    with pytest.raises(ValueError, match="No corpus was recognized in") as raised:
        load_corpus(tmp_path)
    for kind in ("NeuroQuery", "Neurosynth", "pubget", "NiMARE", "studies.csv"):
        assert kind in str(raised.value)


def test_usable_rows_have_a_text_and_a_peak():
    texts = ["pain", "  ", "words", "", "faces"]
    y = np.array([[1.0, 0], [1, 1], [0, 0], [0, 0], [0, -1]])
    np.testing.assert_array_equal(usable_rows(texts, y), [0, 4])


def test_usable_rows_errors():
    with pytest.raises(
        ValueError, match="Of 2 studies, 1 have a text and 1 have a peak"
    ):
        usable_rows(["pain", ""], np.array([[0.0], [1.0]]))
    with pytest.raises(ValueError, match="got 1 texts and 2 rows of y"):
        usable_rows(["pain"], np.ones((2, 1)))


def _write_centimeters(folder):
    """Write a studyset and a file of Sleuth with peaks in cm; each has two articles."""
    corpus = make_studies(2, n_peaks=20, random_state=0)
    corpus.peaks = [0.1 * of_study for of_study in corpus.peaks]
    studies = [
        {
            "id": name,
            "analyses": [{"id": "1", "points": [{"coordinates": [*p]} for p in peaks]}],
        }
        for name, peaks in zip("ab", corpus.peaks, strict=True)
    ]
    (folder / "set.json").write_text(json.dumps({"studies": studies}))
    (folder / "peaks.csv").write_text(
        "id,x,y,z\n"
        + "".join(
            f"{name},{x},{y},{z}\n"
            for name, peaks in zip("ab", corpus.peaks, strict=True)
            for x, y, z in peaks
        )
    )
    (folder / "studies.csv").write_text("id,title\na,Pain\nb,Faces\n")
    write_sleuth(corpus, folder / "sleuth.txt")


def test_loaders_report_units_once(tmp_path):
    _write_centimeters(tmp_path)
    for load, path in (
        (load_corpus, tmp_path),
        (load_corpus, tmp_path / "set.json"),
        (load_sleuth, tmp_path / "sleuth.txt"),
    ):
        with pytest.warns(
            DoubtfulPeaksWarning, match="2 of 2 studies .* cent"
        ) as record:
            corpus = load(path)
        assert_one_warning(record, DoubtfulPeaksWarning, __file__)
        assert np.abs(np.concatenate(corpus.peaks)).max() < 12
        assert len(merge_corpora(corpus).peaks) == 2
