"""Neurosynth's corpus against its raw files."""

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import CoordinateSpaceWarning, load_neurosynth
from sklearn_neurocontext.datasets._neurosynth import FILES


def test_rows_are_those_of_the_metadata(neurosynth, raw_neurosynth):
    metadata, _ = raw_neurosynth
    studies = neurosynth.studies
    assert studies["pmid"].tolist() == metadata["id"].tolist()
    assert studies["year"].tolist() == metadata["year"].tolist()
    assert studies["coordinate_space"].tolist() == metadata["space"].tolist()
    for column in ("title", "journal"):
        expected = metadata[column].fillna("").str.strip()
        assert studies[column].tolist() == expected.tolist()


@pytest.mark.parametrize("space", ["MNI", "TAL", "UNKNOWN"])
def test_peaks_are_the_raw_ones_in_mni(neurosynth, raw_neurosynth, space, rng):
    _, of_study = raw_neurosynth
    rows = np.flatnonzero(neurosynth.studies["coordinate_space"] == space)
    for row in rng.choice(rows, size=50, replace=False):
        raw = of_study[neurosynth.studies["pmid"][row]].to_numpy()
        expected = talairach_to_mni(raw) if space == "TAL" else raw
        np.testing.assert_allclose(neurosynth.peaks[row], expected, atol=1e-9)


def test_no_peak_is_lost(neurosynth, raw_neurosynth):
    metadata, of_study = raw_neurosynth
    expected = [len(of_study.get(pmid, [])) for pmid in metadata["id"]]
    assert [len(of_one) for of_one in neurosynth.peaks] == expected


def test_spaces_are_counted_by_peak(neurosynth, raw_neurosynth):
    metadata, of_study = raw_neurosynth
    sizes = metadata["id"].map(lambda pmid: len(of_study.get(pmid, [])))
    expected = sizes.groupby(metadata["space"]).sum().to_dict()
    assert neurosynth.space_counts == expected
    n_converted = f"{expected['TAL']:,} were reported in Talairach space"
    assert n_converted in neurosynth.description


def test_small_corpus(tmp_path):
    metadata = pd.DataFrame(
        {
            "id": [5, 7],
            "space": ["TAL", "MNI"],
            "title": ["Faces", None],
            "year": [2001, 2002],
            "journal": ["A", "B"],
        }
    )
    coordinates = pd.DataFrame({"id": [5, 5], "x": [0, 4], "y": [0, 4], "z": [0, 4]})
    coordinates.to_csv(tmp_path / FILES[0], sep="\t", index=False)
    metadata.to_csv(tmp_path / FILES[1], sep="\t", index=False)
    with pytest.warns(
        CoordinateSpaceWarning, match="Of 2 peaks, 2 were reported in Tal"
    ) as said:
        corpus = load_neurosynth(tmp_path)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert corpus.peaks[1].shape == (0, 3)
    assert corpus.studies["coordinate_space"].tolist() == ["TAL", "MNI"]


def test_missing_columns_are_named(tmp_path):
    xyz = {"id": [5], "x": [0], "y": [4], "z": [0]}
    pd.DataFrame(xyz).to_csv(tmp_path / FILES[0], sep="\t", index=False)
    table = pd.DataFrame({"id": [5], "title": ["Faces"]})
    table.to_csv(tmp_path / FILES[1], sep="\t", index=False)
    with pytest.raises(
        ValueError, match=r"no column space, year, journal; it has id, t"
    ):
        load_neurosynth(tmp_path)
    body = (tmp_path / FILES[0]).read_bytes()
    (tmp_path / FILES[0]).write_bytes(body[:-12])
    with pytest.raises(
        OSError, match=r"coordinates\.tsv\.gz' cannot be read .* cut off"
    ):
        load_neurosynth(tmp_path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="with Neurosynth's public files"):
        load_neurosynth(tmp_path)
