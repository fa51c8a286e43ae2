"""Load extractions of pubget, and run pubget on articles of a fake Entrez client."""

import re
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import fetch_pubget, load_pubget
from tests.datasets.corpora import (
    SUBSET,
    assert_one_warning,
    assert_same_corpus,
    check_corpus,
    write_pubget,
)

METADATA = {"pmcid": [91, 92], "pmid": [11, 12], "publication_year": [2001, 2002]}
TEXTS = {"pmcid": [92, 91], "title": ["b", "a"], "abstract": ["B", None]}
PEAKS = {"pmcid": [91, 91], "x": [1, 4], "y": [2, 5], "z": [3, 6]}
SPACES = {"pmcid": [92, 91], "coordinate_space": ["UNKNOWN", "TAL"]}


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "query_a" / SUBSET
    return write_pubget(folder, METADATA, TEXTS, PEAKS, SPACES)


def test_folder_of_the_extraction_or_its_parents(small):
    corpus = load_pubget(small)
    assert_same_corpus(load_pubget(str(small.parent)), corpus)
    assert_same_corpus(load_pubget(small.parent.parent), corpus)


def test_ids_years_and_peaks(small):
    corpus = load_pubget(small)
    assert corpus.studies["study_id"].tolist() == ["PMC91", "PMC92"]
    assert corpus.studies["pmid"].tolist() == [11, 12]
    assert corpus.studies["year"].tolist() == [2001, 2002]
    np.testing.assert_allclose(
        corpus.peaks[0], talairach_to_mni([[1, 2, 3], [4, 5, 6]])
    )


def test_load_pubget(small):
    corpus = load_pubget(small)
    check_corpus(corpus)
    assert "Of 2 peaks, 2 were reported in T" in corpus.description
    assert corpus.studies["title"].tolist() == ["a", "b"]
    assert corpus.studies["abstract"].tolist() == ["", "B"]
    assert corpus.studies["coordinate_space"].tolist() == ["TAL", "UNKNOWN"]
    assert corpus.peaks[1].shape == (0, 3)


def test_other_files_of_pubget_are_ignored(small):
    (small / "authors.csv").write_text("pmcid,surname,given-names\n91,Doe,Jo\n")
    (small / "links.csv").write_text("pmcid,ext-link-type,href\n")
    assert len(load_pubget(small).studies) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\ufeff\n",
        ",\n,\n",
        "pmcid,coordinate_space\n",
        "pmcid,coordinate_space\n,\n",
        "pmcid,coordinate_space\n17,MNI\n18,TAL\n",
        "pmcid,coordinate_space\n11,MNI\n12,TAL\n",  # PMIDs
    ],
)
def test_spaces_without_any_article_of_the_corpus_are_ignored(small, content):
    (small / "coordinate_space.csv").unlink()
    expected = load_pubget(small)
    (small / "coordinate_space.csv").write_text(content, encoding="utf-8")
    with pytest.warns(UserWarning, match=r"coordinate_space\.csv is ign") as record:
        corpus = load_pubget(small)
    assert_same_corpus(corpus, expected)
    assert corpus.space_counts == {"UNKNOWN": 2}
    assert_one_warning(record, UserWarning, __file__)


def test_spaces_of_some_other_articles_are_ignored(small):
    (small / "coordinate_space.csv").write_text(
        "pmcid,coordinate_space\n17,MNI\n91,MNI\n"
    )
    assert load_pubget(small).space_counts == {"MNI": 2}


@pytest.mark.parametrize("end", [",", ",,,", ",note"])
@pytest.mark.parametrize(
    "name", ["metadata.csv", "text.csv", "coordinates.csv", "coordinate_space.csv"]
)
def test_rows_longer_than_the_header(small, name, end):
    expected = load_pubget(small)
    lines = (small / name).read_text().splitlines()
    lines[1:] = [line + end for line in lines[1:]]
    (small / name).write_text("\n".join([*lines, ",,,,", ",,,,", ""]))
    corpus = load_pubget(small)
    assert_same_corpus(corpus, expected)
    assert re.search(rf"2 blank rows.* of {name}\.", corpus.description)


def test_dois_are_read_from_the_metadata(small):
    path = small / "metadata.csv"
    pd.read_csv(path).assign(doi=["10.1002/HBM.1", None]).to_csv(path, index=False)
    assert load_pubget(small).studies["doi"].tolist() == ["10.1002/hbm.1", ""]


def test_spaces_are_unknown_without_their_file(small):
    (small / "coordinate_space.csv").unlink()
    assert load_pubget(small).space_counts == {"UNKNOWN": 2}


def test_missing_titles_are_filled_from_metadata(tmp_path):
    metadata = {**METADATA, "title": ["first", "second"]}
    texts = {"pmcid": [92], "body": ["B"]}
    write_pubget(tmp_path / "x", metadata, texts, PEAKS, SPACES)
    studies = load_pubget(tmp_path / "x").studies
    assert studies["title"].tolist() == ["first", "second"]
    assert studies["body"].tolist() == ["", "B"]


def test_incomplete_extraction_warns(tmp_path):
    folder = tmp_path / SUBSET
    write_pubget(folder, METADATA, TEXTS, PEAKS, SPACES, complete=False)
    with pytest.warns(
        UserWarning, match="the extraction in subset_art.* is incompl"
    ) as record:
        load_pubget(tmp_path)
    assert_one_warning(record, UserWarning, __file__)


def test_several_extractions_raise(small):
    shutil.copytree(small, small.parent / "subset_allArticles_extractedData")
    with pytest.raises(
        ValueError, match=r"contains several extractions: subset_allArt.*,"
    ):
        load_pubget(small.parent)


def test_several_queries_raise(small, tmp_path):
    shutil.copytree(small.parent, tmp_path / "query_b")
    with pytest.raises(ValueError, match=r"several extractions: query_a/.*, query_b/"):
        load_pubget(tmp_path)


def test_missing_folder_raises(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"nowhere' does not exist\. Pass pubget's"
    ):
        load_pubget(tmp_path / "nowhere")


def test_folder_without_extraction_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="contains no extracted data"):
        load_pubget(tmp_path)


@pytest.mark.parametrize("name", ["metadata", "text", "coordinates"])
def test_missing_file_raises(small, name):
    (small / f"{name}.csv").unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"{name}\.csv is missing in .*extracted by pubget"
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
def test_missing_column_raises(small, name, column):
    path = small / f"{name}.csv"
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=rf"{name}\.csv' has no column {column}; it has"
    ):
        load_pubget(small)


def test_article_without_pmcid_raises(small):
    path = small / "metadata.csv"
    pd.DataFrame({"pmcid": [91, None], "pmid": [11, 12]}).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=r"studies have no pmcid\. The first of them is in row 2 "
    ):
        load_pubget(small)


def test_coordinate_other_than_a_number_raises(small):
    path = small / "coordinates.csv"
    pd.read_csv(path).assign(y=["2", "left"]).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=r"In coordinates\.csv, .* of 1 of 2 peaks are not num"
    ):
        load_pubget(small)


def test_truncated_info_raises(small):
    (small / "info.json").write_text('{"name": ')
    with pytest.raises(ValueError, match=r"info\.json' is not JSON"):
        load_pubget(small)


def test_extraction_without_articles_raises(tmp_path):
    empty = {"pmcid": []}
    write_pubget(tmp_path / "x", empty, empty, empty, empty)
    with pytest.raises(
        ValueError, match=r"no article into x: metadata\.csv has no row"
    ):
        load_pubget(tmp_path / "x")


def test_extraction_without_peaks_raises(tmp_path):
    write_pubget(tmp_path / "x", METADATA, TEXTS, {"pmcid": []}, SPACES)
    with pytest.raises(ValueError, match=r"coordinates\.csv has no row"):
        load_pubget(tmp_path / "x")


def test_pmids_instead_of_pmcids_raise(tmp_path):
    peaks = {**PEAKS, "pmcid": [11, 12]}
    write_pubget(tmp_path / "x", METADATA, TEXTS, peaks, SPACES)
    with pytest.raises(ValueError, match=r"ids of coordinates\.csv look like PMIDs"):
        load_pubget(tmp_path / "x")


def test_texts_of_other_articles_raise(tmp_path):
    texts = {**TEXTS, "pmcid": [1, 2]}
    write_pubget(tmp_path / "x", METADATA, texts, PEAKS, SPACES)
    with pytest.raises(ValueError, match=r"None of the 2 ids of text\.csv"):
        load_pubget(tmp_path / "x")


# Steps of pubget

QUERY = "fMRI[title] AND pain[title]"
# pubget uses features of pandas that are deprecated in pandas 3.
ignore_deprecations = pytest.mark.filterwarnings("ignore::DeprecationWarning:pubget")
ARTICLE = """
<article><front><article-meta>
<article-id pub-id-type="pmc">{pmcid}</article-id>
<article-id pub-id-type="pmid">{pmid}</article-id>
<title-group><article-title>{title}</article-title></title-group>
<pub-date><year>{year}</year></pub-date>
<abstract><p>We measured {title}.</p></abstract>
</article-meta></front>
<body><p>Coordinates are in {space} space (see Table 1).</p>
<table-wrap id="t1"><label>Table 1</label><table>
<thead><tr><th>Region</th><th>X</th><th>Y</th><th>Z</th></tr></thead>
<tbody>{rows}</tbody></table></table-wrap></body></article>
"""


def _write_batch(path, *articles):
    # The coordinates must not be near the origin: pubget ignores such tables.
    texts = []
    for pmcid, pmid, title, year, space, peaks in articles:
        cells = ["".join(f"<td>{x}</td>" for x in ("Insula", *xyz)) for xyz in peaks]
        rows = "".join(f"<tr>{row}</tr>" for row in cells)
        article = {"pmcid": pmcid, "pmid": pmid, "title": title, "year": year}
        texts.append(ARTICLE.format(space=space, rows=rows, **article))
    path.write_text(f"<pmc-articleset>{''.join(texts)}</pmc-articleset>", "utf-8")
    return path


@pytest.fixture
def entrez(monkeypatch, tmp_path):
    """Replace the Entrez client of pubget; `requests` lists the requests."""
    pytest.importorskip("pubget")
    pains = [[-42, -22, 54], [4, 0, 60]]
    first = _write_batch(
        tmp_path / "articleset_00000.xml",
        (9001, 101, "pain", 2001, "MNI", pains),
        (9002, 102, "heat", 2002, "Talairach", [[10, 20, 30]]),
    )
    second = _write_batch(
        tmp_path / "articleset_00001.xml",
        (9003, 103, "touch", 2003, "MNI", [[44, -52, 16]]),
        (9004, 104, "a review", 2004, "MNI", []),
    )
    requests = []

    class FakeEntrez:
        broken, batches = False, [first, second]

        def __init__(self, api_key=None, **kwargs):
            self.n_failures = 0
            requests.append(("key", api_key))

        def esearch(self, query):
            requests.append(("search", query))
            return {"count": "1000", "webenv": "w", "querykey": "1"}

        def efetch(self, output_dir, search_result, n_docs=None, retmax=500):
            for batch in self.batches[: 1 if n_docs == 500 else 2]:
                if self.broken and batch == second:
                    self.n_failures += 1
                elif not (output_dir / batch.name).is_file():
                    requests.append(("batch", batch.name))
                    shutil.copyfile(batch, output_dir / batch.name)

    FakeEntrez.requests = requests
    monkeypatch.setattr("pubget._download.EntrezClient", FakeEntrez)
    return FakeEntrez


@ignore_deprecations
def test_fetch_articles_of_a_query(entrez, tmp_path):
    corpus = fetch_pubget(QUERY, tmp_path, api_key="k")
    assert entrez.requests[:2] == [("key", "k"), ("search", QUERY)]
    check_corpus(corpus)
    studies = corpus.studies.sort_values("pmcid")
    assert studies["study_id"].tolist() == ["PMC9001", "PMC9002", "PMC9003"]
    assert studies["pmid"].tolist() == [101, 102, 103]
    assert studies["title"].tolist() == ["pain", "heat", "touch"]
    assert studies["abstract"].str.contains("We measured").all()
    assert studies["year"].tolist() == [2001, 2002, 2003]
    assert studies["coordinate_space"].tolist() == ["MNI", "TAL", "MNI"]
    first, second, third = (corpus.peaks[row] for row in studies.index)
    np.testing.assert_array_equal(first, [[-42, -22, 54], [4, 0, 60]])
    np.testing.assert_allclose(second, talairach_to_mni([[10, 20, 30]]))
    np.testing.assert_array_equal(third, [[44, -52, 16]])
    (folder,) = (tmp_path / "pubget").glob("query_*")
    assert_same_corpus(load_pubget(folder), corpus)
    entrez.requests.clear()
    assert_same_corpus(fetch_pubget(QUERY, tmp_path), corpus)
    assert entrez.requests == []


@ignore_deprecations
def test_interrupted_download_is_resumed(entrez, tmp_path):
    entrez.broken = True
    with pytest.raises(OSError, match=r"pubget's download failed; .* call again"):
        fetch_pubget(QUERY, tmp_path)
    entrez.broken = False
    entrez.requests.clear()
    fetch_pubget(QUERY, tmp_path)
    assert entrez.requests == [("key", None), ("batch", "articleset_00001.xml")]


@ignore_deprecations
def test_warnings_are_attributed_to_the_caller(entrez, tmp_path):
    with pytest.warns(UserWarning, match="pubget's download is incomplete") as record:
        warnings.simplefilter("ignore", DeprecationWarning)
        fetch_pubget(QUERY, tmp_path, n_docs=500)
    assert_one_warning(record, UserWarning, __file__)


@ignore_deprecations
def test_query_without_results_raises(entrez, tmp_path):
    entrez.efetch = lambda *args, **kwargs: None
    with pytest.raises(ValueError, match="pubget extracted no article into subset_"):
        fetch_pubget(QUERY, tmp_path)


@pytest.mark.parametrize("query", ["", "  ", None, 7])
def test_empty_query_raises(query, tmp_path):
    pytest.importorskip("pubget")
    with pytest.raises(ValueError, match="query must be a PubMed Central query; got"):
        fetch_pubget(query, tmp_path)
    assert not (tmp_path / "pubget").exists()
