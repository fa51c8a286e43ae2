"""Small studysets in JSON, and what is wrong with them."""

import json

import pandas as pd
import pytest

from sklearn_neurocontext.datasets import load_nimare_studyset


def _studyset(tmp_path, *studies):
    path = tmp_path / "studyset.json"
    path.write_text(json.dumps({"id": "s", "studies": studies}), encoding="utf-8")
    return path


def _study(study_id, points=(), **more):
    points = [{"space": "MNI", "coordinates": xyz} for xyz in points]
    return {"id": study_id, "analyses": [{"id": "1", "points": points}], **more}


def test_facts_of_studies_in_json(tmp_path):
    path = _studyset(
        tmp_path,
        _study("a", [[0, 0, 0]], pmid="12", year=2001, name=None),
        _study("b", metadata={"pmid": 34, "pmcid": "PMC5", "year": "2002"}),
        _study("c", metadata={"keywords": ["pain", "heat"], "year": "in press"}),
        _study("d", metadata=None, analyses=None),
        _study("e", metadata={"keywords": "fMRI, faces", "slug": "10-1016-x"}),
    )
    corpus = load_nimare_studyset(path)
    studies = corpus.studies
    assert studies["pmid"].tolist() == [12, 34, pd.NA, pd.NA, pd.NA]
    assert studies["pmcid"].tolist() == [pd.NA, 5, pd.NA, pd.NA, pd.NA]
    assert studies["year"].tolist() == [2001, 2002, pd.NA, pd.NA, pd.NA]
    assert studies["keywords"].tolist() == ["", "", "pain; heat", "", "fMRI, faces"]
    assert studies["title"].tolist() == [""] * 5
    assert [len(of_study) for of_study in corpus.peaks] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("place", ["study", "metadata"])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"pmid": "PMC5"}, "column pmid holds 1 PMCIDs, 'PMC5' among them"),
        ({"pmid": "10.1/x"}, r"column pmid .* '10\.1/x' .* expected PMIDs"),
        ({"pmcid": "10.1/x"}, r"column pmcid .* '10\.1/x' .* expected PMCIDs"),
    ],
)
def test_ids_of_the_wrong_kind_are_named(tmp_path, place, ids, message):
    facts = ids if place == "study" else {"metadata": ids}
    path = _studyset(tmp_path, _study("a", [[0, 0, 0]], **facts))
    with pytest.raises(ValueError, match=message):
        load_nimare_studyset(path)


def test_years_that_are_none_are_unknown(tmp_path):
    cells = ["in press", 2001.5, "2002", None, 2003]
    studies = [_study(str(row), year=year) for row, year in enumerate(cells)]
    path = _studyset(tmp_path, _study("a", [[0, 0, 0]], pmcid="pmc7"), *studies)
    studies = load_nimare_studyset(path).studies
    assert studies["year"].tolist() == [pd.NA, pd.NA, pd.NA, 2002, pd.NA, 2003]
    assert studies["pmcid"].tolist() == [7] + [pd.NA] * 5


def test_analyses_without_a_name_keep_the_title(tmp_path):
    path = _studyset(tmp_path, _study("a", [[0, 0, 0]], name="Pain"))
    corpus = load_nimare_studyset(path, rows="analysis")
    assert corpus.studies["title"].tolist() == ["Pain"]
    assert corpus.studies["study_id"].tolist() == ["a-1"]
    assert corpus.groups.tolist() == ["a"]


def test_studyset_without_points(tmp_path):
    with pytest.raises(ValueError, match="holds no point; expected a studyset with"):
        load_nimare_studyset(_studyset(tmp_path, _study("a")))


@pytest.mark.parametrize("xyz", [[1, 2], None, [1, 2, 3, 4]])
def test_point_without_three_coordinates(tmp_path, xyz):
    path = _studyset(tmp_path, _study("a", [xyz]))
    with pytest.raises(ValueError, match=r"A point of analysis a-1 .* \[x, y, z\]"):
        load_nimare_studyset(path)


@pytest.mark.parametrize("value", [None, "left"])
def test_coordinate_that_is_no_number(tmp_path, value):
    path = _studyset(tmp_path, _study("a", [[1, 2, value]]))
    with pytest.raises(ValueError, match=r"studyset's points 1 of 1 peaks hold no num"):
        load_nimare_studyset(path)


def test_studies_and_analyses_without_id(tmp_path):
    path = _studyset(tmp_path, {"name": "Pain", "analyses": []})
    with pytest.raises(ValueError, match="A study has no id; it has na"):
        load_nimare_studyset(path)
    path = _studyset(tmp_path, {"id": "a", "analyses": [{"name": "heat"}]})
    with pytest.raises(ValueError, match="An analysis of study a has no id; it has"):
        load_nimare_studyset(path)


def test_studyset_that_is_cut_off(tmp_path):
    path = _studyset(tmp_path, _study("a", [[0, 0, 0]]))
    path.write_text(path.read_text()[:-5])
    with pytest.raises(
        ValueError, match=r"studyset\.json' is not JSON.*, or is cut off"
    ):
        load_nimare_studyset(path)
