"""Checks of corpora, and functions that write the files of small corpora."""

import json

import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_neurocontext.datasets._bunch import STUDY_COLUMNS
from sklearn_neurocontext.datasets._neuroquery_neurosynth import (
    NEUROQUERY_FILES,
    NEUROSYNTH_FILES,
)

SUBSET = "subset_articlesWithCoords_extractedData"


def assert_same_peaks(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_same_corpus(found, expected):
    pd.testing.assert_frame_equal(found.studies, expected.studies)
    assert_same_peaks(found.peaks, expected.peaks)
    assert_same_peaks(found.peak_spaces, expected.peak_spaces)
    assert found.groups.tolist() == expected.groups.tolist()
    assert found.space_counts == expected.space_counts


def check_corpus(corpus):
    """Check the fields of a corpus that are documented in `datasets`."""
    studies = corpus.studies
    assert list(studies.columns) == [*STUDY_COLUMNS]
    assert studies.index.equals(pd.RangeIndex(len(studies)))
    assert studies["study_id"].is_unique
    for column in STUDY_COLUMNS:
        if column in ("pmid", "pmcid", "year"):
            assert studies[column].dtype == "Int64"
        else:
            assert studies[column].map(type).eq(str).all(), column
    spaces = {"MNI", "TAL", "UNKNOWN", "OTHER", "MIXED"}
    assert set(studies["coordinate_space"]) <= spaces
    assert isinstance(corpus.peaks, list)
    assert len(corpus.peaks) == len(studies) == len(corpus.groups)
    for of_study in corpus.peaks:
        assert of_study.dtype == np.float64
        assert of_study.ndim == 2
        assert of_study.shape[1] == 3
        assert np.isfinite(of_study).all()
    assert corpus.groups.dtype.kind == "U"
    assert set(corpus.space_counts) <= spaces
    assert [*map(len, corpus.peak_spaces)] == [*map(len, corpus.peaks)]
    names, counts = np.unique(np.concatenate(corpus.peak_spaces), return_counts=True)
    assert corpus.space_counts == dict(zip(names, counts, strict=True))
    assert isinstance(corpus.description, str)
    assert corpus.description


def assert_one_warning(record, category, filename):
    """Check that there is one warning of a category, attributed to a file."""
    own = [warning for warning in record if warning.category is category]
    assert [warning.filename for warning in own] == [filename]


def write_tsv(path, columns):
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)


def write_neuroquery(folder):
    """Write two studies, the first without peaks, and a peak of an unknown study."""
    coordinates, metadata, *counts, vocabulary = (folder / n for n in NEUROQUERY_FILES)
    folder.mkdir(parents=True, exist_ok=True)
    write_tsv(coordinates, {"id": [7, 9], "x": [1, 0], "y": [2, 0], "z": [3, 0]})
    write_tsv(metadata, {"id": [5, 7], "title": ["Faces", "Pain"]})
    for path in counts:
        sparse.save_npz(path, sparse.csr_matrix(np.eye(2, 3)))
    vocabulary.write_text("faces\npain\nwords\n", encoding="utf-8")
    return folder


def write_neurosynth(folder):
    """Write a study in Talairach space and a study without peaks."""
    coordinates, metadata = (folder / name for name in NEUROSYNTH_FILES)
    folder.mkdir(parents=True, exist_ok=True)
    write_tsv(coordinates, {"id": [5, 5], "x": [0, 4], "y": [0, 4], "z": [0, 4]})
    studies = {
        "id": [5, 7],
        "space": ["TAL", "MNI"],
        "title": ["Faces", None],
        "year": [2001, 2002],
        "journal": ["A", "B"],
    }
    write_tsv(metadata, studies)
    return folder


def write_pubget(folder, metadata, texts, coordinates, spaces, complete=True):
    """Write the files of an extraction of pubget, with the columns of pubget."""
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
    return folder
