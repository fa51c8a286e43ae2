"""Small folders of pubget, and what is wrong with them."""

import shutil

import pandas as pd
import pytest

from sklearn_neurocontext.datasets import CoordinateSpaceWarning, load_pubget
from tests.datasets.pubget_folders import SUBSET, write_extraction

quiet = pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.datasets.CoordinateSpaceWarning"
)
METADATA = {"pmcid": [91, 92], "pmid": [11, 12], "publication_year": [2001, 2002]}
TEXTS = {"pmcid": [92, 91], "title": ["b", "a"], "abstract": ["B", None]}
PEAKS = {"pmcid": [91, 91], "x": [1, 4], "y": [2, 5], "z": [3, 6]}
SPACES = {"pmcid": [92, 91], "coordinate_space": ["UNKNOWN", "TAL"]}


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "query_a" / SUBSET
    write_extraction(folder, METADATA, TEXTS, PEAKS, SPACES)
    return folder


def test_spaces_are_said_once_to_the_caller(small):
    with pytest.warns(
        CoordinateSpaceWarning, match="Of 2 peaks, 2 were reported in T"
    ) as said:
        corpus = load_pubget(small)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert corpus.studies["title"].tolist() == ["a", "b"]
    assert corpus.studies["abstract"].tolist() == ["", "B"]
    assert corpus.studies["coordinate_space"].tolist() == ["TAL", "UNKNOWN"]
    assert corpus.peaks[1].shape == (0, 3)


@quiet
def test_other_files_of_pubget_are_left_alone(small):
    (small / "authors.csv").write_text("pmcid,surname,given-names\n91,Doe,Jo\n")
    (small / "links.csv").write_text("pmcid,ext-link-type,href\n")
    assert len(load_pubget(small).studies) == 2


@quiet
def test_spaces_are_unknown_without_their_file(small):
    (small / "coordinate_space.csv").unlink()
    assert load_pubget(small).space_counts == {"UNKNOWN": 2}


@quiet
def test_title_of_the_metadata_where_the_text_has_none(tmp_path):
    metadata = {**METADATA, "title": ["first", "second"]}
    texts = {"pmcid": [92], "body": ["B"]}
    write_extraction(tmp_path / "x", metadata, texts, PEAKS, SPACES)
    studies = load_pubget(tmp_path / "x").studies
    assert studies["title"].tolist() == ["first", "second"]
    assert studies["body"].tolist() == ["", "B"]


@quiet
def test_incomplete_extraction_is_said_to_the_caller(tmp_path):
    folder = tmp_path / SUBSET
    write_extraction(folder, METADATA, TEXTS, PEAKS, SPACES, complete=False)
    with pytest.warns(
        UserWarning, match="the extraction in subset_art.* is incompl"
    ) as (said):
        load_pubget(tmp_path)
    assert [warning.filename for warning in said] == [__file__] * len(said)


def test_several_extractions_are_named(small):
    shutil.copytree(small, small.parent / "subset_allArticles_extractedData")
    with pytest.raises(
        ValueError, match=r"holds several extractions: subset_allArt.*,"
    ):
        load_pubget(small.parent)


def test_several_queries_are_named(small, tmp_path):
    shutil.copytree(small.parent, tmp_path / "query_b")
    with pytest.raises(ValueError, match=r"several extractions: query_a/.*, query_b/"):
        load_pubget(tmp_path)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"nowhere' is no folder\. Pass pubget's"
    ):
        load_pubget(tmp_path / "nowhere")


def test_folder_without_extraction(tmp_path):
    with pytest.raises(FileNotFoundError, match="No extracted data in"):
        load_pubget(tmp_path)


@pytest.mark.parametrize("name", ["metadata", "text", "coordinates"])
def test_missing_file_is_named(small, name):
    (small / f"{name}.csv").unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"{name}\.csv is missing in .*that pubget extracted"
    ):
        load_pubget(small.parent)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("metadata", "pmcid"),
        ("text", "pmcid"),
        ("coordinates", "pmcid"),
        ("coordinates", "y"),
        ("coordinate_space", "pmcid"),
        ("coordinate_space", "coordinate_space"),
    ],
)
def test_missing_column_is_named(small, name, column):
    path = small / f"{name}.csv"
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=rf"{name}\.csv' has no column {column}; it has"
    ):
        load_pubget(small)


def test_article_without_pmcid(small):
    path = small / "metadata.csv"
    pd.DataFrame({"pmcid": [91, None]}).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=r"1 studies have no pmcid, the first in row 1"
    ):
        load_pubget(small)


def test_peak_that_is_no_number(small):
    path = small / "coordinates.csv"
    pd.read_csv(path).assign(y=["2", "left"]).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=r"In coordinates\.csv 1 of 2 peaks hold no num"
    ):
        load_pubget(small)


def test_notes_of_pubget_that_are_cut_off(small):
    (small / "info.json").write_text('{"name": ')
    with pytest.raises(ValueError, match=r"info\.json' is not JSON"):
        load_pubget(small)


def test_no_article(tmp_path):
    nothing = {"pmcid": []}
    write_extraction(tmp_path / "x", nothing, nothing, nothing, nothing)
    with pytest.raises(
        ValueError, match=r"no article into x: metadata\.csv has no row"
    ):
        load_pubget(tmp_path / "x")


def test_no_peak(tmp_path):
    write_extraction(tmp_path / "x", METADATA, TEXTS, {"pmcid": []}, SPACES)
    with pytest.raises(ValueError, match=r"coordinates\.csv has no row"):
        load_pubget(tmp_path / "x")


def test_pmids_in_the_place_of_pmcids_are_named(tmp_path):
    peaks = {**PEAKS, "pmcid": [11, 12]}
    write_extraction(tmp_path / "x", METADATA, TEXTS, peaks, SPACES)
    with pytest.raises(ValueError, match=r"ids of coordinates\.csv look like PMIDs"):
        load_pubget(tmp_path / "x")


def test_texts_of_other_articles(tmp_path):
    texts = {**TEXTS, "pmcid": [1, 2]}
    write_extraction(tmp_path / "x", METADATA, texts, PEAKS, SPACES)
    with pytest.raises(ValueError, match=r"None of the 2 ids of text\.csv"):
        load_pubget(tmp_path / "x")
