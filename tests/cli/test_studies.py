"""Tests of the command studies."""

import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.datasets import load_nimare_studyset, load_sleuth
from tests.cli.console import run
from tests.text_model import make_corpus, make_parts


@pytest.fixture
def model(tmp_path):
    """Save a small model and return its folder."""
    return NeuroContextModel(**make_parts()).save(tmp_path / "small")


@pytest.fixture
def corpus(any_corpus):
    """Load synthetic studies for any name, and return them."""
    any_corpus(make_corpus())
    return make_corpus()


def test_studies_are_printed(model, corpus):
    result = run("studies", "pain heat", "--corpus", "any", "-k", 3, "--model", model)
    assert result.exit_code == 0
    expected = NeuroContextModel(**make_parts()).index_corpus(corpus)
    best = expected.similar_documents("pain heat", k=3)
    for study_id in best["study_id"]:
        assert study_id in result.stdout


@pytest.mark.parametrize("kind", ["text", "peaks", "img"])
def test_peaks_of_best_studies_are_written(kind, model, corpus, tmp_path):
    parts = make_parts()
    expected = NeuroContextModel(**parts).index_corpus(corpus)
    peaks = [[-42, -22, 54]]
    img = parts["masker"].inverse_transform(parts["masker"].transform([peaks]))
    img.to_filename(tmp_path / "map.nii.gz")
    query, arguments = {
        "text": ({"text": "pain heat"}, ["pain heat"]),
        "peaks": ({"img": peaks}, ["--peak", *peaks[0]]),
        "img": ({"img": img}, ["--img", tmp_path / "map.nii.gz"]),
    }[kind]
    sleuth, studyset = tmp_path / "new" / "peaks.txt", tmp_path / "set.json"
    table = tmp_path / "table.csv"
    files = ["--sleuth", sleuth, "--studyset", studyset, "-o", table]
    options = ["--corpus", "any", "-k", 7, "--default-n-subjects", 12]
    result = run("studies", *arguments, *options, *files, "--model", model)
    assert result.exit_code == 0
    assert "unknown in 7 of 7 studies; 12 subjects are assumed" in result.stderr
    best = expected.similar_documents(**query, k=7)
    ids = best["study_id"].tolist()
    assert pd.read_csv(table)["study_id"].tolist() == ids
    row_of = {one: row for row, one in enumerate(corpus.studies["study_id"])}
    first, second = load_sleuth(sleuth), load_nimare_studyset(studyset)
    assert first.studies["title"].tolist() == [
        f"{study}: {title}" for study, title in zip(ids, best["title"], strict=True)
    ]
    assert first.groups.tolist() == ids
    assert first.n_subjects.tolist() == [12] * 7
    assert second.studies["study_id"].tolist() == ids
    for written in (first, second):
        for study, xyz in zip(ids, written.peaks, strict=True):
            np.testing.assert_allclose(xyz, corpus.peaks[row_of[study]], atol=1e-4)


def test_meta_analysis_is_written(model, corpus, tmp_path, monkeypatch):
    called = {}

    def run_meta_analysis(corpus, meta_analysis, **options):
        called.update(n_studies=len(corpus.peaks), method=meta_analysis, **options)
        return {"z": nib.Nifti1Image(np.ones((2, 2, 2)), np.eye(4))}

    monkeypatch.setattr(
        "sklearn_neurocontext.inference.run_meta_analysis", run_meta_analysis
    )
    monkeypatch.setattr(
        "sklearn_neurocontext.cli._studies.import_optional", lambda *_, **__: None
    )
    output = tmp_path / "ale.nii.gz"
    options = ["--corpus", "any", "-k", 4, "--model", model]
    method = ["--meta-analysis", "ale", "--output-img", output]
    result = run("studies", "pain", *options, *method)
    assert result.exit_code == 0
    assert called == {"n_studies": 4, "method": "ale", "default_n_subjects": 20}
    assert nib.load(output).shape == (2, 2, 2)
    assert "z map of ALE, not corrected" in result.stdout


def test_missing_nimare_is_an_error_in_one_line(model, corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nimare", None)
    output = tmp_path / "ale.nii.gz"
    method = ["--meta-analysis", "mkda", "--output-img", output]
    result = run("studies", "pain", "--corpus", "any", *method, "--model", model)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "nimare" in line
    assert "pip install 'sklearn-neurocontext[demo]'" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Pass one of TEXT, --img and --peak"),
        (["pain", "--peak", 1, 2, 3], "Pass one of TEXT, --img and --peak"),
        (["pain", "--meta-analysis", "ale"], "must be used together"),
        (["pain", "--output-img", "a.nii"], "must be used together"),
        (["pain", "--sleuth", "peaks.doc"], "must end in .txt"),
        (["pain", "--meta-analysis", "kda"], "'kda' is not one of 'ale', 'mkda'"),
    ],
)
def test_usage_errors(arguments, words):
    result = run("studies", *arguments, "--corpus", "any")
    assert result.exit_code == 2
    assert words in result.stderr
