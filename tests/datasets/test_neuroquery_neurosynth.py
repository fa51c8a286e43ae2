"""Load and download the corpora of NeuroQuery and Neurosynth."""

import hashlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_neurocontext import datasets
from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import (
    _neuroquery_neurosynth,
    fetch_neuroquery,
    fetch_neurosynth,
    load_neuroquery,
    load_neurosynth,
    merge_corpora,
)
from sklearn_neurocontext.datasets._neuroquery_neurosynth import (
    NEUROQUERY_FILES,
    NEUROSYNTH_FILES,
)
from tests.datasets.corpora import (
    assert_same_corpus,
    check_corpus,
    write_neuroquery,
    write_neurosynth,
    write_tsv,
)

FILES = [*NEUROQUERY_FILES]
PEAKS, STUDIES = NEUROSYNTH_FILES


@pytest.fixture
def neuroquery(tmp_path):
    return write_neuroquery(tmp_path / "neuroquery")


@pytest.fixture
def neurosynth(tmp_path):
    return write_neurosynth(tmp_path / "neurosynth")


def test_load_neuroquery(neuroquery):
    corpus = load_neuroquery(neuroquery)
    check_corpus(corpus)
    assert "Of 1 peak, 1 is of unknown space" in corpus.description
    assert corpus.studies["study_id"].tolist() == ["5", "7"]
    assert corpus.studies["title"].tolist() == ["Faces", "Pain"]
    assert [peaks.tolist() for peaks in corpus.peaks] == [[], [[1, 2, 3]]]
    assert set(corpus.studies["coordinate_space"]) == {"UNKNOWN"}
    assert corpus.vocabulary == ["faces", "pain", "words"]
    assert [*corpus.term_counts] == ["title", "keywords", "abstract"]
    for counts in corpus.term_counts.values():
        assert isinstance(counts, sparse.csr_array)
        np.testing.assert_array_equal(counts.toarray(), np.eye(2, 3))


def test_doubtful_peaks_of_public_data_are_described(tmp_path):
    folder = tmp_path / "centimeters"
    folder.mkdir()
    coordinates, metadata = (
        folder / f"data-neurosynth_version-7_{name}.tsv.gz"
        for name in ("coordinates", "metadata")
    )
    xyz = np.random.default_rng(0).uniform(-7, 7, (20, 3))
    write_tsv(coordinates, {"id": 5, **dict(zip("xyz", xyz.T, strict=True))})
    study = {"id": [5], "space": "MNI", "title": "Faces", "year": 2001, "journal": "A"}
    write_tsv(metadata, study)
    corpus = load_neurosynth(folder)
    assert "1 of 1 study (5) look like centimeters" in corpus.description


def test_load_neurosynth(neurosynth):
    corpus = load_neurosynth(neurosynth)
    check_corpus(corpus)
    assert "Of 2 peaks, 2 were reported in Tal" in corpus.description
    studies = corpus.studies
    assert studies["pmid"].tolist() == [5, 7]
    assert studies["title"].tolist() == ["Faces", ""]
    assert studies["year"].tolist() == [2001, 2002]
    assert studies["journal"].tolist() == ["A", "B"]
    assert studies["coordinate_space"].tolist() == ["TAL", "MNI"]
    expected = talairach_to_mni([[0, 0, 0], [4, 4, 4]])
    np.testing.assert_allclose(corpus.peaks[0], expected)
    assert corpus.peaks[1].shape == (0, 3)


def _rename_version(folder, version):
    for name in NEUROSYNTH_FILES:
        (folder / name).rename(folder / name.replace("version-7", f"version-{version}"))
    return folder


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_earlier_versions_of_neurosynth(neurosynth, version):
    expected = load_neurosynth(neurosynth)
    folder = _rename_version(neurosynth, version)
    for found in (load_neurosynth(folder), datasets.load_corpus(folder)):
        assert_same_corpus(found, expected)
        text = f"Corpus of Neurosynth, version {version}, 2 studies."
        assert found.description == expected.description.replace(
            "Corpus of Neurosynth, version 7, 2 studies.", text
        )


def test_newest_version_of_neurosynth_is_loaded(tmp_path):
    folder = write_neurosynth(_rename_version(write_neurosynth(tmp_path / "a"), 6))
    assert "version 7," in load_neurosynth(folder).description
    _rename_version(folder, 10)
    assert "version 10," in load_neurosynth(folder).description
    shutil.copytree(folder, tmp_path / "checkout" / "data")
    assert "version 10," in load_neurosynth(tmp_path / "checkout").description
    (folder / STUDIES.replace("version-7", "version-10")).unlink()
    with pytest.raises(
        FileNotFoundError, match=r"version-10_metadata\.tsv\.gz is miss"
    ):
        load_neurosynth(folder)


def test_blank_lines_at_the_end_of_the_vocabulary_are_skipped(neuroquery):
    with (neuroquery / FILES[-1]).open("a", encoding="utf-8") as stream:
        stream.write("\n \n")
    assert load_neuroquery(neuroquery).vocabulary == ["faces", "pain", "words"]


def test_dois_of_neurosynth_join_articles(neurosynth):
    path = neurosynth / STUDIES
    table = pd.read_csv(path, sep="\t").assign(doi=["10.1002/HBM.1", None])
    write_tsv(path, table)
    corpus = load_neurosynth(neurosynth)
    assert corpus.studies["doi"].tolist() == ["10.1002/hbm.1", ""]
    own = datasets.load_table(
        {"study_id": ["own"], "doi": ["https://doi.org/10.1002/hbm.1"]},
        {"study_id": ["own"], "x": [1], "y": [2], "z": [3]},
        space="MNI",
    )
    merged = merge_corpora(own, corpus)
    assert merged.studies["study_id"].tolist() == ["own", "7"]
    assert merged.studies["pmid"].tolist() == [5, 7]
    assert [peaks.tolist() for peaks in merged.peaks] == [[[1, 2, 3]], []]


def test_load_from_a_checkout(neuroquery, tmp_path):
    shutil.copytree(neuroquery, tmp_path / "checkout" / "data")
    found = load_neuroquery(str(tmp_path / "checkout"))
    assert_same_corpus(found, load_neuroquery(neuroquery))


def test_missing_folders_and_files_raise(neuroquery, neurosynth, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"exist\. Pass .*NeuroQuery's public"):
        load_neuroquery(tmp_path / "nowhere")
    (neuroquery / FILES[1]).unlink()
    message = r"metadata\.tsv\.gz is missing.*which.*NeuroQuery's pub"
    with pytest.raises(FileNotFoundError, match=message):
        load_neuroquery(neuroquery)
    (neurosynth / PEAKS).unlink()
    with pytest.raises(FileNotFoundError, match="contains Neurosynth's public files"):
        load_neurosynth(neurosynth)


@pytest.mark.parametrize("name", FILES[:5])
def test_truncated_files_raise(neuroquery, name):
    body = (neuroquery / name).read_bytes()
    (neuroquery / name).write_bytes(body[: len(body) // 2])
    with pytest.raises(OSError, match=f"{re.escape(name)}' cannot be read .* truncate"):
        load_neuroquery(neuroquery)


def test_missing_columns_raise(neuroquery, neurosynth):
    write_tsv(neurosynth / STUDIES, {"id": [5], "title": ["Faces"]})
    message = r"no column space, year, journal; it has id, t"
    with pytest.raises(ValueError, match=message):
        load_neurosynth(neurosynth)
    write_tsv(neuroquery / FILES[0], {"id": [7], "x": [0], "y": [0]})
    with pytest.raises(ValueError, match=r"coordinates\.tsv\.gz' has no column z; it"):
        load_neuroquery(neuroquery)
    write_tsv(neuroquery / FILES[1], {"pmid": [5, 7]})
    write_tsv(neuroquery / FILES[0], {"id": [7], "x": [0], "y": [0], "z": [0]})
    with pytest.raises(ValueError, match=r"metadata.* has no column id, title; it has"):
        load_neuroquery(neuroquery)


def test_study_without_id_raises(neuroquery):
    write_tsv(neuroquery / FILES[1], {"id": [7, None], "title": ["Faces", "Pain"]})
    with pytest.raises(
        ValueError, match=r"studies have no pmid\. The first of them is in row 2 "
    ):
        load_neuroquery(neuroquery)


def test_counts_of_another_release_raise(neuroquery):
    sparse.save_npz(neuroquery / FILES[3], sparse.csr_matrix(np.ones((3, 3))))
    with pytest.raises(ValueError, match=r"keywords have shape \(3, 3\); .*\(2, 3\)"):
        load_neuroquery(neuroquery)


def test_peaks_of_other_studies_raise(neuroquery):
    write_tsv(neuroquery / FILES[0], {"id": [1], "x": [0], "y": [0], "z": [0]})
    with pytest.raises(ValueError, match="None of the 1 ids of data-neuroquery"):
        load_neuroquery(neuroquery)


@pytest.fixture
def published(monkeypatch, server, neurosynth, no_local_files):
    """Serve small files of Neurosynth and register their hashes."""
    registry = {}
    for name in NEUROSYNTH_FILES:
        body = server.files[name] = (neurosynth / name).read_bytes()
        registry[name] = len(body), hashlib.sha256(body).hexdigest()
    monkeypatch.setattr(_neuroquery_neurosynth, "_NEUROSYNTH_URL", server.url)
    monkeypatch.setattr(_neuroquery_neurosynth, "NEUROSYNTH_FILES", registry)
    return server


def test_downloaded_and_loaded_corpora_are_equal(published, neurosynth, tmp_path):
    corpus = fetch_neurosynth(tmp_path / "home")
    assert_same_corpus(corpus, load_neurosynth(neurosynth))
    assert corpus.files == {PEAKS: "verified", STUDIES: "verified"}
    assert corpus.description.endswith("Files: verified.")
    fetch_neurosynth(tmp_path / "home")
    assert len(published.requests) == 2


def test_only_missing_files_are_downloaded(published, tmp_path):
    body = published.files.pop(STUDIES)
    with pytest.raises(OSError, match=f"{re.escape(STUDIES)} could not be downloaded"):
        fetch_neurosynth(tmp_path / "home")
    published.files[STUDIES] = body
    published.requests.clear()
    fetch_neurosynth(tmp_path / "home")
    assert published.requests == [STUDIES]


def test_description_of_local_and_verified_files(
    published, neurosynth, tmp_path, monkeypatch
):
    (tmp_path / "local" / "neurosynth").mkdir(parents=True)
    shutil.copy(neurosynth / PEAKS, tmp_path / "local" / "neurosynth")
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path / "local"))
    corpus = fetch_neurosynth(tmp_path / "home")
    assert corpus.files == {PEAKS: "local, unverified", STUDIES: "verified"}
    assert "Files: local, unverified and verified." in corpus.description


@pytest.mark.usefixtures("neuroquery", "neurosynth", "no_network")
@pytest.mark.parametrize("name", ["neuroquery", "neurosynth"])
def test_local_files_are_used_without_network(tmp_path, monkeypatch, name):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path))
    corpus = getattr(datasets, f"fetch_{name}")(tmp_path / "home")
    loaded = getattr(datasets, f"load_{name}")(tmp_path / name)
    assert merge_corpora(corpus, loaded).files == corpus.files
    assert_same_corpus(corpus, loaded)
    assert set(corpus.files.values()) == {"local, unverified"}
    assert corpus.description.endswith("Files: local, unverified.")
    assert not (tmp_path / "home").exists()


def test_unreachable_server_raises(monkeypatch, tmp_path, server, no_local_files):
    server.close()
    monkeypatch.setattr(_neuroquery_neurosynth, "_NEUROQUERY_URL", server.url)
    message = r"coordinates\.tsv\.gz could.*NEUROCONTEXT_DATA"
    with pytest.raises(OSError, match=message):
        fetch_neuroquery(tmp_path)
