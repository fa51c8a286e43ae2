"""NeuroQuery's corpus against its raw files."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_neurocontext.datasets import CoordinateSpaceWarning, load_neuroquery
from sklearn_neurocontext.datasets._neuroquery import FILES


def test_rows_are_those_of_the_metadata(neuroquery, raw_neuroquery):
    metadata, _ = raw_neuroquery
    assert neuroquery.studies["pmid"].tolist() == metadata["id"].tolist()
    assert neuroquery.studies["study_id"].tolist() == [*map(str, metadata["id"])]
    titles = metadata["title"].fillna("").str.strip()
    assert neuroquery.studies["title"].tolist() == titles.tolist()


def test_peaks_are_the_raw_ones(neuroquery, raw_neuroquery, rng):
    _, of_study = raw_neuroquery
    for row in rng.choice(len(neuroquery.peaks), size=50, replace=False):
        expected = of_study[neuroquery.studies["pmid"][row]].to_numpy()
        np.testing.assert_array_equal(neuroquery.peaks[row], expected)


def test_no_peak_is_lost(neuroquery, raw_neuroquery):
    metadata, of_study = raw_neuroquery
    expected = [len(of_study.get(pmid, [])) for pmid in metadata["id"]]
    assert [len(of_one) for of_one in neuroquery.peaks] == expected


def test_space_is_unknown(neuroquery):
    assert set(neuroquery.studies["coordinate_space"]) == {"UNKNOWN"}
    assert set(neuroquery.space_counts) == {"UNKNOWN"}


@pytest.mark.parametrize("part", ["title", "keywords", "abstract"])
def test_counts_have_the_shape_of_studies_and_vocabulary(neuroquery, part):
    counts = neuroquery.term_counts[part]
    assert isinstance(counts, sparse.csr_array)
    assert counts.shape == (len(neuroquery.studies), len(neuroquery.vocabulary))
    assert len(neuroquery.vocabulary) == 156_521


def test_counts_of_a_row_are_of_its_title(neuroquery, rng):
    """Words of a title are among the terms counted in its row, alone or in a phrase."""
    terms = np.array(neuroquery.vocabulary, dtype=object)
    known = set(neuroquery.vocabulary)
    counts = neuroquery.term_counts["title"]
    own, next_ones = [], []
    for row in rng.choice(len(neuroquery.studies) - 1, size=300, replace=False):
        words = re.findall(r"[a-z]{4,}", neuroquery.studies["title"][row].lower())
        for found, line in ((own, row), (next_ones, row + 1)):
            counted = set(" ".join(terms[counts[[line]].indices]).split())
            found.extend(word in counted for word in words if word in known)
    assert len(own) > 1000
    assert np.mean(own) > 0.95
    assert np.mean(next_ones) < 0.1


@pytest.fixture
def folder(tmp_path):
    """Two studies, one without peaks, in files of NeuroQuery's names."""
    coordinates, metadata, *counts, vocabulary = (tmp_path / name for name in FILES)
    xyz = {"id": [7, 9], "x": [1, 0], "y": [2, 0], "z": [3, 0]}
    _write(coordinates, xyz)
    _write(metadata, {"id": [5, 7], "title": ["Faces", "Pain"]})
    for path in counts:
        sparse.save_npz(path, sparse.csr_matrix(np.eye(2, 3)))
    vocabulary.write_text("faces\npain\nwords\n", encoding="utf-8")
    return tmp_path


def _write(path, columns):
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)


def test_says_once_that_the_space_is_unknown(folder):
    with pytest.warns(
        CoordinateSpaceWarning, match="Of 1 peaks, 1 is of unknown space"
    ) as said:
        corpus = load_neuroquery(folder)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert [len(of_study) for of_study in corpus.peaks] == [0, 1]


@pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.datasets.CoordinateSpaceWarning"
)
def test_checkout_holds_the_files_in_data(folder, tmp_path_factory, same_corpus):
    checkout = tmp_path_factory.mktemp("neuroquery_data")
    shutil.copytree(folder, checkout / "data")
    same_corpus(load_neuroquery(checkout), load_neuroquery(str(folder)))


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder\. Pass .*coordinates\.tsv"):
        load_neuroquery(tmp_path / "nowhere")


def test_missing_file_is_named_beside_what_is_there(folder):
    (folder / FILES[1]).unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"metadata\.tsv\.gz is missing.*which.*NeuroQuery's pub",
    ):
        load_neuroquery(folder)


@pytest.mark.parametrize("name", FILES[:5])
def test_file_that_is_cut_off_is_named(folder, name):
    body = (folder / name).read_bytes()
    (folder / name).write_bytes(body[: len(body) // 2])
    with pytest.raises(OSError, match=f"{re.escape(name)}' cannot be read .* cut off"):
        load_neuroquery(folder)


def test_missing_columns_are_named(folder):
    _write(folder / FILES[0], {"id": [7], "x": [0], "y": [0]})
    with pytest.raises(
        ValueError, match=r"coordinates\.tsv\.gz' has no column z; it ha"
    ):
        load_neuroquery(folder)
    _write(folder / FILES[1], {"pmid": [5, 7]})
    _write(folder / FILES[0], {"id": [7], "x": [0], "y": [0], "z": [0]})
    with pytest.raises(
        ValueError, match=r"metadata.* has no column id, title; it has pm"
    ):
        load_neuroquery(folder)


def test_study_without_id(folder):
    _write(folder / FILES[1], {"id": [7, None], "title": ["Faces", "Pain"]})
    with pytest.raises(ValueError, match="1 studies have no pmid, the first in row 1"):
        load_neuroquery(folder)


def test_counts_of_another_release_are_refused(folder):
    sparse.save_npz(folder / FILES[3], sparse.csr_matrix(np.ones((3, 3))))
    with pytest.raises(ValueError, match=r"keywords have shape \(3, 3\); .*\(2, 3\)"):
        load_neuroquery(folder)


def test_coordinates_of_other_studies_are_refused(folder):
    _write(folder / FILES[0], {"id": [1], "x": [0], "y": [0], "z": [0]})
    with pytest.raises(ValueError, match=r"None of the 1 ids of data-neuroquery"):
        load_neuroquery(folder)
