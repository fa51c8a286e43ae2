"""Load NiMARE studysets: the bundled one, and small ones in JSON and Parquet."""

import bz2
import gzip
import importlib.util
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext._utils.coordinate_spaces import talairach_to_mni
from sklearn_neurocontext.datasets import (
    SkippedPeaksWarning,
    load_corpus,
    load_nimare_studyset,
    make_studies,
    merge_corpora,
    write_nimare_studyset,
)
from sklearn_neurocontext.model_selection import shuffled_folds
from tests.datasets.corpora import (
    assert_one_warning,
    assert_same_corpus,
    assert_same_peaks,
)

# Ids of two bundled studies that are the same article.
REPRINTED, REPRINT = "3iFzKZYtJ8fr", "4CAE7uGTB2gw"


@pytest.fixture(scope="module")
def resources():
    """Return the folder with the studysets of the NiMARE package."""
    spec = importlib.util.find_spec("nimare")
    if spec is None:
        pytest.skip("nimare, which contains the studies, is not installed")
    return Path(spec.origin).parent / "resources"


@pytest.fixture(scope="module")
def tables(resources):
    """Read the tables of the bundled studyset with pandas."""
    folder = resources / "nback_vs_flanker_studyset_2026-07"
    names = ("studies", "analyses", "coordinates", "metadata")
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}


def _to_mni(points):
    xyz = points[["x", "y", "z"]].to_numpy(dtype=float)
    tal = (points["space"] == "TAL").to_numpy()[:, None]
    return np.where(tal, talairach_to_mni(xyz), xyz)


def test_bundled_studyset_has_320_studies(tables):
    corpus = load_nimare_studyset()
    assert corpus.studies["study_id"].tolist() == tables["studies"]["study_id"].tolist()
    assert len(corpus.studies) == 320
    assert (corpus.studies[["title", "abstract"]] != "").all(axis=None)
    assert min(map(len, corpus.peaks)) > 0
    of_study = dict(list(tables["coordinates"].groupby("study_id")))
    for study, peaks in zip(corpus.studies["study_id"], corpus.peaks, strict=True):
        np.testing.assert_allclose(peaks, _to_mni(of_study[study]), atol=1e-9)


@pytest.mark.parametrize("rows", ["study", "analysis"])
def test_repeated_article_is_one_group(rows):
    corpus = load_nimare_studyset(rows=rows)
    ids = corpus.studies["study_id"].str.split("-").str[0]
    assert (corpus.groups == ids.replace(REPRINT, REPRINTED)).all()
    assert set(corpus.groups[ids == REPRINT]) == {REPRINTED}
    if rows == "study":
        abstracts = corpus.studies.set_index("study_id")["abstract"]
        assert abstracts[REPRINT] == abstracts[REPRINTED]
        folds = shuffled_folds(corpus.groups, 15)
        sizes = [len(test) for _, test in folds]
        assert sum(sizes) == 320
        assert 21 <= min(sizes) <= max(sizes) <= 23


def test_rows_can_be_analyses(tables):
    corpus = load_nimare_studyset(rows="analysis")
    assert len(corpus.studies) == 906
    assert len(set(corpus.groups)) == 319
    assert corpus.studies["study_id"].tolist() == tables["analyses"]["id"].tolist()
    owners = tables["analyses"]["study_id"].replace(REPRINT, REPRINTED)
    assert corpus.groups.tolist() == owners.tolist()
    of_analysis = dict(list(tables["coordinates"].groupby("id")))
    for name, peaks in zip(corpus.studies["study_id"], corpus.peaks, strict=True):
        np.testing.assert_allclose(peaks, _to_mni(of_analysis[name]), atol=1e-9)


def test_analyses_have_the_texts_of_their_study(resources):
    studies, analyses = load_nimare_studyset(), load_nimare_studyset(rows="analysis")
    ids = analyses.studies["study_id"].str.split("-").str[0]
    own = studies.studies.set_index("study_id").loc[ids]
    for column in ("abstract", "journal", "keywords"):
        assert own[column].tolist() == analyses.studies[column].tolist()
    titles = zip(own["title"], analyses.studies["title"], strict=True)
    assert all(title.startswith(of_study) for of_study, title in titles)


def test_peaks_of_mixed_studies_are_converted_individually(tables):
    corpus = load_nimare_studyset()
    mixed = corpus.studies.query("coordinate_space == 'MIXED'")
    assert len(mixed) > 0
    of_study = dict(list(tables["coordinates"].groupby("study_id")))
    for row, study in mixed["study_id"].items():
        points = of_study[study]
        assert points["space"].nunique() > 1
        np.testing.assert_allclose(corpus.peaks[row], _to_mni(points), atol=1e-9)


def test_pmids_and_pmcids_are_read_from_slugs(tables):
    studies = load_nimare_studyset().studies.set_index("study_id")
    slugs = tables["metadata"].dropna(subset="slug")
    for study, slug in zip(slugs["study_id"], slugs["slug"], strict=True):
        first, last = slug.split("-")[0], slug.split("-")[-1]
        if first.isdigit() and len(first) > 2:
            assert studies.loc[study, "pmid"] == int(first)
        if last.startswith("pmc"):
            assert studies.loc[study, "pmcid"] == int(last[3:])
    assert studies["pmid"].notna().sum() > 100


def test_description_counts_peaks_of_each_space(resources):
    corpus = load_nimare_studyset()
    assert "1,159 were reported in Talairach" in corpus.description


def _write_json(tables, path):
    """Write the tables as a studyset in JSON."""
    metadata = tables["metadata"].groupby("study_id").first()
    points = dict(list(tables["coordinates"].groupby("id")))
    analyses = dict(list(tables["analyses"].groupby("study_id")))
    content = {"id": "s", "name": "", "studies": []}
    for study in tables["studies"].itertuples():
        known = metadata.loc[study.study_id, ["slug", "keywords"]].dropna().to_dict()
        content["studies"].append(
            {
                "id": study.study_id,
                "name": study.name,
                "description": study.description,
                "publication": study.publication,
                "metadata": known,
                "analyses": [
                    {
                        "id": analysis.contrast_id,
                        "name": analysis.name,
                        "points": [
                            {"space": p.space, "coordinates": [p.x, p.y, p.z]}
                            for p in points[analysis.id].itertuples()
                        ],
                    }
                    for analysis in analyses[study.study_id].itertuples(index=False)
                ],
            }
        )
    path.write_text(json.dumps(content), encoding="utf-8")


def test_json_equals_parquet(tables, tmp_path):
    path = tmp_path / "studyset.json"
    _write_json(tables, path)
    assert_same_corpus(load_nimare_studyset(path), load_nimare_studyset())
    found = load_nimare_studyset(str(path), rows="analysis")
    expected = load_nimare_studyset(rows="analysis")
    by_name = expected.studies.sort_values("study_id").index
    own = found.studies.sort_values("study_id").index
    pd.testing.assert_frame_equal(
        found.studies.loc[own].reset_index(drop=True),
        expected.studies.loc[by_name].reset_index(drop=True),
    )
    assert found.groups[own].tolist() == expected.groups[by_name].tolist()


@pytest.mark.parametrize("name", ["neurosynth_laird_studyset", "nidm_pain_studyset"])
def test_json_files_of_nimare(resources, name):
    path = resources / f"{name}.json"
    corpus = load_nimare_studyset(path)
    studies = json.loads(path.read_text())["studies"]
    assert corpus.studies["study_id"].tolist() == [study["id"] for study in studies]
    for study, peaks in zip(studies, corpus.peaks, strict=True):
        points = [p["coordinates"] for a in study["analyses"] for p in a["points"]]
        np.testing.assert_array_equal(peaks, np.reshape(points, (-1, 3)))


def test_merging_analyses_raises(resources):
    with pytest.raises(ValueError, match="has several rows in one corpus"):
        merge_corpora(load_nimare_studyset(rows="analysis"))


def test_legacy_dataset_raises(resources):
    with pytest.raises(ValueError, match=r"nidm_pain_dset\.json is not a NiMARE"):
        load_nimare_studyset(resources / "nidm_pain_dset.json")


def test_parquet_with_integer_ids(tmp_path, tables):
    pytest.importorskip("pyarrow")
    codes = {name: row for row, name in enumerate(tables["studies"]["study_id"])}
    for name, table in tables.items():
        ids = table["study_id"].map(codes)
        table.assign(study_id=ids).to_parquet(tmp_path / f"{name}.parquet")
    corpus = load_nimare_studyset(tmp_path, rows="analysis")
    assert len(corpus.studies) == 906
    tables["studies"][["name"]].to_parquet(tmp_path / "studies.parquet")
    with pytest.raises(
        ValueError, match=r"studies\.parquet' has no column study_id; it"
    ):
        load_nimare_studyset(tmp_path)


def test_unknown_rows_raises():
    with pytest.raises(ValueError, match=r"rows must be .* got 'contrast'"):
        load_nimare_studyset(rows="contrast")


def test_missing_path_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere' does not exist\. Expected"):
        load_nimare_studyset(tmp_path / "nowhere")


def test_folder_without_tables_raises(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(FileNotFoundError, match=r"studies\.parquet is missing"):
        load_nimare_studyset(tmp_path)


@pytest.mark.parametrize("package", ["nimare", "pyarrow"])
def test_missing_package_raises(monkeypatch, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-neurocontext\[demo\]"):
        load_nimare_studyset(None if package == "nimare" else tmp_path)


def test_nimare_is_not_imported(resources):
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from sklearn_neurocontext.datasets import load_nimare_studyset\n"
        "load_nimare_studyset()\n"
        "raise SystemExit('nimare' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Small studysets in JSON


def _studyset(tmp_path, *studies):
    path = tmp_path / "studyset.json"
    path.write_text(json.dumps({"id": "s", "studies": studies}), encoding="utf-8")
    return path


def _study(study_id, points=(), **more):
    points = [{"space": "MNI", "coordinates": xyz} for xyz in points]
    return {"id": study_id, "analyses": [{"id": "1", "points": points}], **more}


def _analysis(points):
    return {"id": "a", "analyses": [{"id": "1", "points": points}]}


def _point(space):
    return {"space": space, "coordinates": [1, 2, 3]}


def test_metadata_of_studies_in_json(tmp_path):
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
        ({"pmid": "PMC5"}, "column pmid holds 1 PMCIDs, for example 'PMC5'"),
        ({"pmid": "10.1/x"}, r"column pmid .* '10\.1/x'; expected PMIDs"),
        ({"pmcid": "10.1/x"}, r"column pmcid .* '10\.1/x'; expected PMCIDs"),
    ],
)
def test_ids_of_the_wrong_kind_raise(tmp_path, place, ids, message):
    metadata = ids if place == "study" else {"metadata": ids}
    path = _studyset(tmp_path, _study("a", [[0, 0, 0]], **metadata))
    with pytest.raises(ValueError, match=message):
        load_nimare_studyset(path)


def test_invalid_years_are_unknown(tmp_path):
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


def test_studyset_without_points_raises(tmp_path):
    with pytest.raises(ValueError, match="has no points; expected a studyset with"):
        load_nimare_studyset(_studyset(tmp_path, _study("a")))


@pytest.mark.parametrize(
    "xyz", [[1, 2], [1, 2, 3, 4], "1 2 3", {"x": 1}, [[1], 2, 3], [True, 2, 3]]
)
def test_point_without_three_coordinates_raises(tmp_path, xyz):
    path = _studyset(tmp_path, _study("a", [xyz]))
    with pytest.raises(ValueError, match=r"\[x, y, z\] in mm; got .* in analysis a-1"):
        load_nimare_studyset(path)


def test_coordinate_other_than_a_number_raises(tmp_path):
    path = _studyset(tmp_path, _study("a", [[1, 2, "left"]]))
    message = (
        r"studyset's points, .* 1 of 1 peaks are not .* row 1 .* study_id a: 1; 2; l"
    )
    with pytest.raises(ValueError, match=message):
        load_nimare_studyset(path)


@pytest.mark.parametrize(
    "xyz",
    [
        *(None, [], [None, 2, 3], [None] * 3, [1, 2, np.nan]),
        *(["", "", ""], ["NaN", 1, 2], [" null ", "null", "null"]),
    ],
)
@pytest.mark.parametrize("rows", ["study", "analysis"])
def test_points_without_coordinates_are_skipped(tmp_path, xyz, rows):
    studies = [_study("a", [[1, 2, 3]]), _study("b", [[4, 5, 6], xyz, [7, 8, 9]])]
    message = (
        r"Skipped 1 of 4 points \(peaks\) because of missing coordinates "
        r"\(1 study: b\)\."
    )
    with pytest.warns(SkippedPeaksWarning, match=message) as record:
        corpus = load_nimare_studyset(_studyset(tmp_path, *studies), rows=rows)
    assert_one_warning(record, SkippedPeaksWarning, __file__)
    assert str(record[0].message) in corpus.description
    assert_same_peaks(corpus.peaks, [[[1, 2, 3]], [[4, 5, 6], [7, 8, 9]]])


def test_coordinates_stored_as_text(tmp_path):
    path = _studyset(tmp_path, _study("a", [["\u22124", "2,5", "+3"], [1, 2, 3]]))
    assert_same_peaks(load_nimare_studyset(path).peaks, [[[-4, 2.5, 3], [1, 2, 3]]])


def test_axes_are_read_in_place_of_coordinates(tmp_path):
    points = [{"x": 1, "y": "−2", "z": 3.5, "space": "MNI"}]
    path = _studyset(tmp_path, _analysis(points))
    assert_same_peaks(load_nimare_studyset(path).peaks, [[[1, -2, 3.5]]])


def test_null_points_are_skipped(tmp_path):
    studies = [_study(name, [[1, 2, 3]]) for name in "abc"]
    for study in studies:
        study["analyses"][0]["points"] += [None, {"space": "MNI"}]
    with pytest.warns(SkippedPeaksWarning, match=r"Skipped 6 of 9 .*3 studies: a, b,"):
        corpus = load_nimare_studyset(_studyset(tmp_path, *studies))
    assert_same_peaks(corpus.peaks, [[[1, 2, 3]]] * 3)


def test_studyset_without_any_coordinates_raises(tmp_path):
    path = _studyset(tmp_path, _study("a", [None, None]))
    with pytest.raises(
        ValueError, match=r"Skipped 2 of 2 points.* Expected a studyset"
    ):
        load_nimare_studyset(path)


def test_points_without_coordinates_in_parquet_are_skipped(tmp_path, tables):
    pytest.importorskip("pyarrow")
    points = tables["coordinates"].copy()
    points.loc[[0, 5], "y"] = np.nan
    for name, table in (tables | {"coordinates": points}).items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    with pytest.warns(SkippedPeaksWarning, match=f"Skipped 2 of {len(points):,} "):
        corpus = load_nimare_studyset(tmp_path)
    assert sum(map(len, corpus.peaks)) == len(points) - 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"studies": None}, "'studies' of set.json must be a list; got null. Down"),
        ({"studies": {"a": 1}}, "'studies' of set.json must be a list; got {"),
        (
            {"studies": ["3zutS8kyg2sy"]},
            "'studies' of set.json contains ids, .* \"3zutS8",
        ),
        (_study("a", analyses=["x1"]), "'analyses' of study a contains ids, .* \"x1\""),
        (
            _study("a", analyses={"id": 1}),
            "'analyses' of study a must be a list; got {",
        ),
        (_analysis(["p1"]), "'points' of analysis a-1 contains ids, .* \"p1\""),
        (_analysis({"x": 1}), "'points' of analysis a-1 must be a list; got {"),
        (_analysis(3), "'points' of analysis a-1 must be a list; got 3"),
        (_analysis([[1, 2, 3]]), r"got \[1, 2, 3\] in analysis a-1"),
        (_analysis([_point(space={"name": "MNI"})]), 'space. .* {"name": "MNI"} in an'),
        (_analysis([_point(space=["MNI"])]), r'space. .* \["MNI"\] in analysis a-1'),
        (_study("a", name={"text": "Pain"}), "'name' of study a must be a text; got {"),
        (
            _study("a", [[1, 2, 3]], metadata=["x"]),
            r"'metadata' of study a must .* got \[\"x\"\]",
        ),
        (_study({"x": 1}), "A study has no valid id; its fields are: 'id', "),
        ({"studies": [["x"]]}, r"A study must be an object; got \["),
    ],
)
def test_values_of_the_wrong_type_raise(tmp_path, content, message):
    content = content if "studies" in content else {"studies": [content]}
    path = tmp_path / "set.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_nimare_studyset(path)


def test_compressed_studysets(tmp_path):
    path = _studyset(tmp_path, _study("a", [[1, 2, 3]], name="Pain"))
    expected = load_nimare_studyset(path)
    compressed = tmp_path / "folder" / "set.json.gz"
    compressed.parent.mkdir()
    compressed.write_bytes(gzip.compress(path.read_bytes()))
    for form in (compressed, compressed.parent):
        assert_same_corpus(load_corpus(form), expected)
    compressed.write_bytes(compressed.read_bytes()[:-12])
    with pytest.raises(OSError, match=r"set\.json\.gz' cannot be read .* truncated"):
        load_corpus(compressed)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_read(tmp_path, encoding):
    path = _studyset(tmp_path, _study("a", [[1, 2, 3]], name="Mémoire"))
    expected = load_nimare_studyset(path)
    content = json.dumps(json.loads(path.read_bytes()), ensure_ascii=False)
    path.write_text(content, encoding=encoding)
    assert_same_corpus(load_nimare_studyset(path), expected)
    assert expected.studies["title"].tolist() == ["Mémoire"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"studies": []}), "got a Python pickle, .* can run code"),
        (pickle.dumps({"studies": []}, protocol=0), "got a Python pickle, .* can run"),
        (bz2.compress(b"{}"), "a file compressed with bzip2. Unpack it"),
        (
            gzip.compress(pickle.dumps(1), mtime=0),
            "got a Python pickle, .* can run code",
        ),
        (b"PK\x03\x04" + bytes(30), "got a ZIP archive. Unpack it"),
        (b"\n<!DOCTYPE html>", "got a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b"PAR1" + bytes(30), "got a Parquet table. Pass the folder"),
        (b"[" * 100_000, "must be JSON in UTF-8; it is nested too deeply"),
        ('{"studies": "é"}'.encode("latin-1"), "is not JSON in UTF-8 .* Save it as"),
    ],
)
@pytest.mark.parametrize("name", ["set.json", "set.pkl.gz"])
def test_other_formats_are_named(tmp_path, content, message, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_corpus(tmp_path / name)


def test_incomplete_surrogate_pairs_are_replaced(tmp_path):
    path = _studyset(tmp_path, _study("a\udc80", [[1, 2, 3]], name="Pain \ud800"))
    studies = load_nimare_studyset(path).studies
    assert studies["title"].tolist() == ["Pain \ufffd"]
    assert studies["study_id"].tolist() == ["a\ufffd"]


def test_studies_and_analyses_without_id_raise(tmp_path):
    path = _studyset(tmp_path, {"name": "Pain", "analyses": []})
    with pytest.raises(
        ValueError, match="A study has no valid id; its fields are: 'na"
    ):
        load_nimare_studyset(path)
    path = _studyset(tmp_path, {"id": "a", "analyses": [{"name": "heat"}]})
    with pytest.raises(ValueError, match="An analysis of study a has no valid id; its"):
        load_nimare_studyset(path)


def test_truncated_studyset_raises(tmp_path):
    path = _studyset(tmp_path, _study("a", [[0, 0, 0]]))
    path.write_text(path.read_text()[:-5])
    with pytest.raises(
        ValueError, match=r"studyset\.json' is not JSON.*, or is truncated"
    ):
        load_nimare_studyset(path)


@pytest.fixture
def written(tmp_path):
    """Return a corpus with some numbers of subjects, and its studyset."""
    corpus = make_studies(5, random_state=0)
    corpus.n_subjects = pd.array([11, None, 13, 14, 15], dtype="Int64")
    corpus.studies.loc[2, "pmid"] = 12345678
    corpus.studies.loc[2, "doi"] = "10.1000/abc"
    corpus.studies.loc[2, "year"] = 2003
    path = write_nimare_studyset(corpus, tmp_path / "s.json", default_n_subjects=20)
    return corpus, path


def test_written_studyset_is_loaded(written):
    corpus, path = written
    again = load_nimare_studyset(path)
    pd.testing.assert_frame_equal(again.studies, corpus.studies)
    for one, other in zip(again.peaks, corpus.peaks, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_written_studyset_is_read_by_nimare(written):
    studyset = pytest.importorskip("nimare.studyset")
    corpus, path = written
    read = studyset.Studyset(str(path))
    assert list(read.study_ids) == corpus.studies["study_id"].tolist()
    xyz = read.coordinates[["x", "y", "z"]].to_numpy(dtype=float)
    np.testing.assert_allclose(xyz, np.concatenate(corpus.peaks), atol=1e-4)
    assert np.array(read.sample_sizes()).tolist() == [11, 20, 13, 14, 15]


def test_unknown_sample_sizes_are_omitted(written, tmp_path):
    path = write_nimare_studyset(written[0], tmp_path / "other.json")
    studies = json.loads(path.read_text())["studies"]
    sizes = [study["analyses"][0]["metadata"] for study in studies]
    assert sizes[:2] == [{"sample_sizes": [11]}, {}]


def test_studyset_errors_and_rows_without_peaks(written, tmp_path):
    corpus, path = written
    with pytest.raises(ValueError, match=r"path must end in \.json; got"):
        write_nimare_studyset(corpus, tmp_path / "s.txt")
    with pytest.raises(ValueError, match=r"default_n_subjects must be .*; got 0"):
        write_nimare_studyset(corpus, path, default_n_subjects=0)
    corpus.peaks[0] = np.zeros((0, 3))
    with pytest.warns(UserWarning, match="1 of 5 rows have no peak and were omitted"):
        write_nimare_studyset(corpus, path)
    assert len(load_nimare_studyset(path).peaks) == 4
    corpus.peaks = [np.zeros((0, 3))] * 5
    with pytest.raises(ValueError, match="must have at least one peak"):
        write_nimare_studyset(corpus, path)
