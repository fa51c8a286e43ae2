"""Compare whole corpora with their raw files; skipped if these are missing."""

import itertools
import json
import re
import tarfile

import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import load_mni152_brain_mask

from sklearn_neurocontext import datasets
from sklearn_neurocontext._utils.coordinate_spaces import (
    describe_units,
    talairach_to_mni,
)
from sklearn_neurocontext.datasets import _neuroquery_neurosynth as public
from sklearn_neurocontext.datasets import load_sleuth, merge_corpora
from tests.datasets.corpora import assert_same_corpus, check_corpus

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def neuroquery(shared_data):
    return datasets.load_neuroquery(shared_data / "neuroquery")


@pytest.fixture(scope="module")
def neurosynth(shared_data):
    return datasets.load_neurosynth(shared_data / "neurosynth")


@pytest.fixture(scope="module")
def merged(neuroquery, neurosynth):
    return merge_corpora(neuroquery, neurosynth)


def _read_raw(stem):
    """Read the metadata and the peaks of each study with pandas."""
    metadata = pd.read_csv(f"{stem}metadata.tsv.gz", sep="\t")
    coordinates = pd.read_csv(f"{stem}coordinates.tsv.gz", sep="\t")
    return metadata, dict(list(coordinates.groupby("id")[["x", "y", "z"]]))


@pytest.fixture(scope="module")
def raw_neuroquery(shared_data):
    return _read_raw(shared_data / "neuroquery" / "data-neuroquery_version-1_")


@pytest.fixture(scope="module")
def raw_neurosynth(shared_data):
    return _read_raw(shared_data / "neurosynth" / "data-neurosynth_version-7_")


@pytest.mark.parametrize("name", ["neuroquery", "neurosynth", "merged"])
def test_fields(name, request):
    corpus = request.getfixturevalue(name)
    check_corpus(corpus)
    assert (corpus.groups == corpus.studies["study_id"]).all()


def test_units_of_18_real_studies_are_doubtful(neuroquery, neurosynth, merged):
    """The warning names few real studies, but nearly all studies in other units."""
    doubtful = {
        study
        for corpus in (neuroquery, neurosynth)
        for study, peaks in zip(corpus.studies["study_id"], corpus.peaks, strict=True)
        if describe_units(peaks, np.zeros(len(peaks), dtype=int), [study])
    }
    assert len(doubtful) <= 18
    peaks = [of_study for of_study in merged.peaks if len(of_study) >= 10]
    xyz = np.concatenate(peaks)
    rows = np.repeat(np.arange(len(peaks)), [*map(len, peaks)])
    voxels = np.rint((xyz * [-1, 1, 1] + [90, 126, 72]) / 2)
    for converted in (0.1 * xyz, 0.001 * xyz, voxels):
        message = describe_units(converted, rows, range(len(peaks)))
        n_studies = int(message.split()[3].replace(",", ""))
        assert n_studies > 0.96 * len(peaks)


@pytest.mark.parametrize("name", ["neuroquery", "neurosynth"])
def test_addresses_sizes_and_hashes_are_as_published(shared_data, name):
    # The README of the data lists the sizes and hashes of the public files.
    text = (shared_data / "README.md").read_text("utf-8")
    row = r"\| `(?:data/)?([^`|]+)` \| (\d+) \| `([0-9a-f]{64})` \|"
    stated = {file: (int(n), sha256) for file, n, sha256 in re.findall(row, text)}
    files = getattr(public, f"{name.upper()}_FILES")
    assert {file: stated[file] for file in files} == files
    url = getattr(public, f"_{name.upper()}_URL")
    assert url.startswith("https://")
    assert re.search(r"/([0-9a-f]{40})/", url)[1] in text


@pytest.mark.parametrize("name", ["neuroquery", "neurosynth"])
def test_studies_and_peaks_equal_the_raw_files(name, request):
    corpus = request.getfixturevalue(name)
    studies, peaks = corpus.studies, corpus.peaks
    metadata, of_study = request.getfixturevalue(f"raw_{name}")
    assert studies["pmid"].tolist() == metadata["id"].tolist()
    expected = metadata["title"].fillna("").str.strip()
    assert studies["title"].tolist() == expected.tolist()
    spaces = metadata.get("space", pd.Series("UNKNOWN", index=metadata.index))
    assert studies["coordinate_space"].tolist() == spaces.tolist()
    sizes = pd.Series([len(of_study.get(pmid, [])) for pmid in metadata["id"]])
    assert [*map(len, peaks)] == sizes.tolist()
    assert corpus.space_counts == sizes.groupby(spaces).sum().to_dict()
    for row in range(0, len(studies), 97):
        raw = of_study.get(studies["pmid"][row], pd.DataFrame(columns=[*"xyz"]))
        raw = raw.to_numpy(dtype=float)
        raw = talairach_to_mni(raw) if spaces[row] == "TAL" else raw
        np.testing.assert_allclose(peaks[row], raw, atol=1e-9)


def test_term_counts_are_aligned_with_titles(neuroquery, rng):
    """The terms counted in a row contain most words of its title."""
    terms = np.array(neuroquery.vocabulary, dtype=object)
    assert len(terms) == 156_521
    known = set(neuroquery.vocabulary)
    counts = neuroquery.term_counts["title"]
    own, following = [], []
    for row in rng.choice(len(neuroquery.studies) - 1, size=300, replace=False):
        words = re.findall(r"[a-z]{4,}", neuroquery.studies["title"][row].lower())
        for found, line in ((own, row), (following, row + 1)):
            counted = set(" ".join(terms[counts[[line]].indices]).split())
            found.extend(word in counted for word in words if word in known)
    assert len(own) > 1000
    assert np.mean(own) > 0.95
    assert np.mean(following) < 0.1


def _rows(corpus):
    return {pmid: row for row, pmid in enumerate(corpus.studies["pmid"])}


def test_rows_of_the_union(merged, neuroquery, neurosynth):
    own = neuroquery.studies["pmid"].tolist()
    added = [pmid for pmid in neurosynth.studies["pmid"] if pmid not in set(own)]
    assert merged.studies["pmid"].tolist() == own + added
    assert len(merged.studies) == 18_000
    assert merged.vocabulary == neuroquery.vocabulary
    for field, counts in merged.term_counts.items():
        assert counts.shape == (18_000, len(merged.vocabulary))
        assert (counts[: len(own)] != neuroquery.term_counts[field]).nnz == 0
        assert counts[len(own) :].nnz == 0


def test_neuroquery_has_precedence_and_neurosynth_fills(merged, neuroquery, neurosynth):
    first, second = _rows(neuroquery), _rows(neurosynth)
    for row in merged.studies.sample(300, random_state=0).itertuples():
        sources = [
            corpus.studies.iloc[rows[row.pmid]]
            for corpus, rows in ((neuroquery, first), (neurosynth, second))
            if row.pmid in rows
        ]
        assert row.title == next((s["title"] for s in sources if s["title"]), "")
        years = [s["year"] for s in sources if not pd.isna(s["year"])]
        assert row.year is pd.NA if not years else row.year == years[0]


def test_talairach_peaks_of_the_union_are_converted_once(
    merged, raw_neuroquery, raw_neurosynth, neurosynth
):
    _, raw = raw_neuroquery
    metadata, _ = raw_neurosynth
    space = dict(zip(metadata["id"], metadata["space"], strict=True))
    n_of = dict.fromkeys(["MNI", "TAL", "UNKNOWN", None], 0)
    for row, pmid in enumerate(merged.studies["pmid"]):
        if pmid not in raw:
            continue
        stated = space.get(pmid)
        own = raw[pmid].to_numpy()
        expected = talairach_to_mni(own) if stated == "TAL" else own
        np.testing.assert_allclose(merged.peaks[row], expected, atol=1e-9)
        assert merged.studies["coordinate_space"][row] == (stated or "UNKNOWN")
        n_of[stated] += 1
    assert min(n_of.values()) > 300
    again = merge_corpora(merged, neurosynth)
    assert_same_corpus(again, merged)


def test_converted_peaks_agree_with_neurosynth(merged, neurosynth, neuroquery):
    """Both corpora read the same tables, so their peaks agree in MNI space."""
    first, second = _rows(neuroquery), _rows(neurosynth)
    tal = merged.studies["pmid"][merged.studies["coordinate_space"] == "TAL"]
    both = [pmid for pmid in tal if pmid in first and pmid in second]
    of_merged = _rows(merged)
    found = {"merged": [], "as reported": []}
    for pmid in both:
        published = {tuple(peak) for peak in neurosynth.peaks[second[pmid]].round(3)}
        for name, peaks in (
            ("merged", merged.peaks[of_merged[pmid]]),
            ("as reported", neuroquery.peaks[first[pmid]]),
        ):
            found[name].extend(tuple(peak) in published for peak in peaks.round(3))
    assert len(both) > 500
    assert np.mean(found["merged"]) > 0.9
    assert np.mean(found["as reported"]) < 0.01


def test_nearly_all_studies_have_a_peak_in_the_mask(merged):
    mask = load_mni152_brain_mask(resolution=4)
    inside = mask.get_fdata() > 0
    to_voxel = np.linalg.inv(mask.affine)
    n_inside = 0
    for peaks in merged.peaks:
        voxels = np.rint(peaks @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
        fits = ((voxels >= 0) & (voxels < inside.shape)).all(axis=1)
        n_inside += inside[tuple(voxels[fits].T)].any()
    assert 17_900 <= n_inside <= 18_000


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pubget")
def test_pubget_peaks_of_real_articles(shared_data, tmp_path):
    """The extracted peaks equal those published with the samples of articles."""
    pubget = pytest.importorskip("pubget")
    with tarfile.open(shared_data / "pubget" / "neuroimaging_samples.tar.gz") as tar:
        tar.extractall(tmp_path / "samples", filter="data")
    xmls = sorted((tmp_path / "samples").rglob("source/pubget/*.xml"))
    articlesets = tmp_path / "query_0" / "articlesets"
    articlesets.mkdir(parents=True)
    bodies = [path.read_text("utf-8").split("?>", 1)[1] for path in xmls]
    (articlesets / "articleset_00000.xml").write_text(
        f"<pmc-articleset>{''.join(bodies)}</pmc-articleset>", "utf-8"
    )
    (articlesets / "info.json").write_text('{"is_complete": true}')
    articles, _ = pubget.extract_articles(articlesets)
    extracted, _ = pubget.extract_data_to_csv(articles, articles_with_coords_only=True)
    corpus = datasets.load_pubget(extracted)
    rows = {pmcid: row for row, pmcid in enumerate(corpus.studies["pmcid"])}
    spaces = []
    for sample in (path.parents[2] for path in xmls):
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


def _count_plainly(path):
    """Count experiments and peaks, where a peak is a line that begins without /."""
    text = path.read_bytes().decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    is_peak = [not line.startswith("/") for line in lines]
    n_blocks = sum(now and not before for before, now in itertools.pairwise(is_peak))
    return n_blocks, sum(is_peak)


# The file emotion_regulation has peaks of up to 549 mm.
@pytest.mark.filterwarnings("ignore:emotion.* 13 peaks have a coordinate beyond")
def test_sleuth_files_of_18_meta_analyses(shared_data):
    paths = sorted((shared_data / "meta_analyses").glob("*.txt"))
    assert len(paths) == 18
    spaces = {}
    for path in paths:
        corpus = load_sleuth(path)
        assert (len(corpus.peaks), sum(map(len, corpus.peaks))) == _count_plainly(path)
        assert not corpus.n_subjects.isna().any()
        assert set(corpus.space_counts) <= {"MNI", "TAL"}
        assert not corpus.studies["title"].str.contains(r"Subjects=|Reference=").any()
        assert len(set(corpus.groups)) < len(corpus.groups)
        spaces[path.stem] = set(corpus.space_counts)
    assert spaces["visuospatial_reasoning"] == {"MNI", "TAL"}
