"""pubget's own steps on real articles; only Entrez is replaced."""

import json
import shutil
import tarfile
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    fetch_pubget,
    load_pubget,
)

pubget = pytest.importorskip("pubget")
# pubget calls pandas in ways that pandas 3 calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pubget")
quiet = pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.datasets.CoordinateSpaceWarning"
)
QUERY = "fMRI[title] AND pain[title]"


@pytest.fixture(scope="module")
def samples(shared_data, tmp_path_factory):
    """Real articles, each in a folder of its own with what pubget made of it."""
    folder = tmp_path_factory.mktemp("samples")
    with tarfile.open(shared_data / "pubget" / "neuroimaging_samples.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    return sorted(path.parents[2] for path in folder.rglob("source/pubget/*.xml"))


def _write_batches(folder, samples, second):
    """Two articlesets, as Entrez sends them."""
    articles = []
    for sample in samples:
        (path,) = (sample / "source" / "pubget").glob("*.xml")
        articles.append(path.read_text("utf-8").split("?>", 1)[1])
    article_set = f"<pmc-articleset>{''.join(articles)}</pmc-articleset>"
    (folder / "articleset_00000.xml").write_text(article_set, "utf-8")
    shutil.copyfile(second, folder / "articleset_00001.xml")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def articleset(shared_data):
    return shared_data / "pubget" / "articleset.xml"


@pytest.fixture(scope="module")
def few_batches(samples, articleset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    return _write_batches(folder, samples[-3:], articleset)


@pytest.fixture
def entrez(monkeypatch, few_batches):
    """Entrez on this machine; the list of what was asked of it."""
    asked = []

    class FakeEntrez:
        broken, batches = False, few_batches

        def __init__(self, api_key=None, **kwargs):
            self.n_failures = 0
            asked.append(("key", api_key))

        def esearch(self, query):
            asked.append(("search", query))
            return {"count": "1000", "webenv": "w", "querykey": "1"}

        def efetch(self, output_dir, search_result, n_docs=None, retmax=500):
            for batch in self.batches[: 1 if n_docs == 500 else 2]:
                if self.broken and batch.name == "articleset_00001.xml":
                    self.n_failures += 1
                elif not (output_dir / batch.name).is_file():
                    asked.append(("batch", batch.name))
                    shutil.copyfile(batch, output_dir / batch.name)

    FakeEntrez.asked = asked
    monkeypatch.setattr("pubget._download.EntrezClient", FakeEntrez)
    return FakeEntrez


@quiet
def test_peaks_are_those_that_pubget_found(
    entrez, samples, articleset, tmp_path, same_corpus
):
    (tmp_path / "batches").mkdir()
    entrez.batches = _write_batches(tmp_path / "batches", samples, articleset)
    corpus = fetch_pubget(QUERY, tmp_path, api_key="k")
    assert entrez.asked[:2] == [("key", "k"), ("search", QUERY)]
    rows = {pmcid: row for row, pmcid in enumerate(corpus.studies["pmcid"])}
    spaces = []
    for sample in samples:
        ids = json.loads((sample / "identifiers.json").read_text())
        row = rows.get(int(ids["pmcid"].removeprefix("PMC")))
        table = pd.read_csv(sample / "processed" / "pubget" / "coordinates.csv")
        if row is None:
            assert not len(table)
            continue
        assert corpus.studies["pmid"][row] == int(ids["pmid"])
        spaces.append(corpus.studies["coordinate_space"][row])
        expected = table[["x", "y", "z"]].to_numpy()
        if spaces[-1] == "TAL":
            expected = talairach_to_mni(expected)
        # The samples repeat each table for each of its analyses.
        np.testing.assert_array_equal(
            np.unique(corpus.peaks[row].round(6), axis=0),
            np.unique(expected.round(6), axis=0),
        )
    assert len(spaces) >= 10
    assert {"MNI", "TAL"} <= set(spaces)
    assert (corpus.studies[["title", "body"]] != "").all(axis=None)
    assert min(map(len, corpus.peaks)) > 0
    (folder,) = (tmp_path / "pubget").glob("query_*")
    same_corpus(load_pubget(folder), corpus)


@quiet
def test_a_second_call_asks_for_nothing(entrez, tmp_path, same_corpus):
    first = fetch_pubget(QUERY, tmp_path)
    entrez.asked.clear()
    same_corpus(fetch_pubget(QUERY, tmp_path), first)
    assert entrez.asked == []


@quiet
def test_a_broken_download_is_resumed(entrez, tmp_path):
    entrez.broken = True
    with pytest.raises(OSError, match=r"pubget's download failed; .* call again"):
        fetch_pubget(QUERY, tmp_path)
    entrez.broken = False
    entrez.asked.clear()
    fetch_pubget(QUERY, tmp_path)
    assert entrez.asked == [("key", None), ("batch", "articleset_00001.xml")]


@quiet
def test_part_of_the_query_is_said_once_to_the_caller(entrez, tmp_path):
    with pytest.warns(UserWarning, match="pubget's download is not complete") as said:
        warnings.simplefilter("ignore", DeprecationWarning)
        fetch_pubget(QUERY, tmp_path, n_docs=500)
    own = [warning for warning in said if warning.category is UserWarning]
    assert len(own) == 1
    assert own[0].filename == __file__


def test_spaces_are_said_once_to_the_caller(entrez, tmp_path):
    with pytest.warns(CoordinateSpaceWarning) as said:
        warnings.simplefilter("ignore", DeprecationWarning)
        fetch_pubget(QUERY, tmp_path)
    own = [warning for warning in said if warning.category is CoordinateSpaceWarning]
    assert len(own) == 1
    assert own[0].filename == __file__


def test_query_without_result(entrez, tmp_path):
    entrez.efetch = lambda *args, **kwargs: None
    with pytest.raises(ValueError, match="pubget extracted no article into subset_"):
        fetch_pubget(QUERY, tmp_path)


@pytest.mark.parametrize("query", ["", "  ", None, 7])
def test_empty_query_is_refused(query, tmp_path):
    with pytest.raises(ValueError, match="query must be a PubMed Central query; got"):
        fetch_pubget(query, tmp_path)
