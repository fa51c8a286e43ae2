"""Names lead to corpora and estimators; unknown names get an error that helps."""

import json

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext.datasets import load_corpus, usable_rows


def test_nimare_by_name():
    corpus = load_corpus("nimare")
    assert len(corpus.studies) == len(corpus.peaks) == len(corpus.groups) >= 300


@pytest.mark.parametrize("name", ["neuroquery", "neurosynth"])
def test_folder_and_name_give_the_same(shared_data, monkeypatch, name):
    from_folder = load_corpus(shared_data / name)
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(shared_data))
    by_name = load_corpus(name)
    assert len(from_folder.studies) == len(by_name.studies) > 10_000
    assert list(from_folder.studies["study_id"]) == list(by_name.studies["study_id"])


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


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("level", ["folder", "home"])
def test_any_corpus_folder(tmp_path, monkeypatch, write, level):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "corpus"
    folder.mkdir()
    write(folder)
    corpus = load_corpus("~/corpus" if level == "home" else folder)
    assert corpus.studies["title"].tolist() == ["pain", "faces"]
    assert [len(of_study) for of_study in corpus.peaks] == [1, 2]


def test_studyset_by_its_file(tmp_path):
    _write_json(tmp_path)
    corpus = load_corpus(tmp_path / "studyset.json")
    assert corpus.studies["title"].tolist() == ["pain", "faces"]


def test_ambiguous_folders_are_an_error(tmp_path):
    _write_json(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"there is other\.json, studyset\.json\. Pass"
    ):
        load_corpus(tmp_path)
    _write_tables(tmp_path)
    (tmp_path / "peaks.csv").write_text(PEAKS)
    with pytest.raises(ValueError, match=r"there is peaks\.csv, peaks\.tsv\. Pass a"):
        load_corpus(tmp_path)
    for path in tmp_path.glob("peaks.*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"one file peaks\.\[ct\]sv .*; there is none"):
        load_corpus(tmp_path)


def test_unknown_names_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="neither a folder nor one of neuroquery"):
        load_corpus("neuroquerry")
    with pytest.raises(ValueError, match="No corpus was recognised in") as raised:
        load_corpus(tmp_path)
    for kind in ("NeuroQuery", "Neurosynth", "pubget", "NiMARE", "studies.csv"):
        assert kind in str(raised.value)


def test_usable_rows_have_a_text_and_a_peak():
    texts = ["pain", "  ", "words", "", "faces"]
    y = np.array([[1.0, 0], [1, 1], [0, 0], [0, 0], [0, -1]])
    np.testing.assert_array_equal(usable_rows(texts, y), [0, 4])


def test_no_usable_row_is_an_error():
    with pytest.raises(ValueError, match="of 2, 1 have a text and 1 a peak"):
        usable_rows(["pain", ""], np.array([[0.0], [1.0]]))
    with pytest.raises(ValueError, match="Got 1 texts and 2 rows of y"):
        usable_rows(["pain"], np.ones((2, 1)))
