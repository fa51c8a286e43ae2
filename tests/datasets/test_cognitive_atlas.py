"""Load and download the Cognitive Atlas. The small ontology was written for tests."""

import json
import shutil
from pathlib import Path

import pytest

from sklearn_neurocontext.datasets import (
    _cognitive_atlas,
    fetch_cognitive_atlas,
    load_cognitive_atlas,
)
from sklearn_neurocontext.datasets._cognitive_atlas import COGNITIVE_ATLAS_FILES

FOLDER = Path(__file__).parents[1] / "data" / "cognitive_atlas"


@pytest.fixture
def folder(tmp_path):
    """A copy of the small ontology."""
    return Path(shutil.copytree(FOLDER, tmp_path / "cognitive_atlas"))


def test_entries_are_cleaned():
    ontology = load_cognitive_atlas(FOLDER)
    pain = ontology.concepts.iloc[0]
    assert pain["name"] == "pain"
    assert pain["definition"] == "A feeling caused by heat or pressure."
    assert pain["aliases"] == ["ache", "nociception"]
    assert ontology.tasks["definition"][0] == "Bechara's “heat” is applied."
    assert ontology.tasks["aliases"].tolist() == [["thermal task"], [], [], []]
    assert ontology.disorders["definition"].tolist() == [
        "Lasting pain.",
        "Fear of balls.",
    ]


def test_entries_without_a_name_are_omitted():
    names = load_cognitive_atlas(FOLDER).tasks["name"].tolist()
    assert names == [
        "heat stimulation",
        "faces task",
        "finger tapping task",
        "zorb test",
    ]


def test_domains_of_concepts():
    ontology = load_cognitive_atlas(FOLDER)
    assert ontology.domains["name"].tolist() == ["Perception", "Action"]
    domains = ontology.concepts["domain"].tolist()
    assert domains == ["Perception", "Perception", "Action", ""]
    assert "3 concepts belong to one of 2 domains" in ontology.description
    assert "The other 1 concepts have no domain" in ontology.description
    assert "CC BY-SA 3.0" in ontology.description


def test_links_between_tasks_and_concepts():
    links = load_cognitive_atlas(FOLDER).task_concepts
    # Concepts and contrasts that do not exist yield no link.
    assert set(links.itertuples(index=False, name=None)) == {
        ("tsk_heat", "cpt_pain", "asserts", ""),
        ("tsk_heat", "cpt_grip", "asserts", ""),
        ("tsk_face", "cpt_face", "asserts", ""),
        ("tsk_tap", "cpt_grip", "asserts", ""),
        ("tsk_heat", "cpt_pain", "measured_by", "hot > warm"),
    }


def test_fetch_reads_local_files(folder, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(folder.parent))
    ontology = fetch_cognitive_atlas()
    assert set(ontology.files) == set(COGNITIVE_ATLAS_FILES)
    assert set(ontology.files.values()) == {"local, unverified"}
    assert len(ontology.tasks) == 4


def test_fetch_rejects_a_changed_file(folder, monkeypatch):
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)
    with pytest.raises(OSError, match=r"ConceptCollection\.json' has SHA-256"):
        fetch_cognitive_atlas(folder.parent)


def test_fetch_downloads_missing_files(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("NEUROCONTEXT_DATA", raising=False)
    calls = []

    def download(base_url, path, n_bytes, sha256):
        calls.append((base_url + path.name, n_bytes, sha256))
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / path.name, path)

    monkeypatch.setattr("sklearn_neurocontext.datasets._files._download", download)
    ontology = fetch_cognitive_atlas(tmp_path / "home")
    assert set(ontology.files.values()) == {"verified"}
    assert calls == [
        (_cognitive_atlas._URL + name, *expected)
        for name, expected in COGNITIVE_ATLAS_FILES.items()
    ]


def test_missing_file(folder):
    (folder / "TaskCollection.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"TaskCollection\.json is missing"):
        load_cognitive_atlas(folder)


@pytest.mark.parametrize("content", [[], {"entries": {}}, {"entries": [{"id": "1"}]}])
def test_file_with_other_content(folder, content):
    (folder / "TaskCollection.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"TaskCollection\.json' must contain a list"):
        load_cognitive_atlas(folder)


def test_real_ontology(shared_data):
    ontology = load_cognitive_atlas(shared_data / "cognitive_atlas")
    assert len(ontology.concepts) == 915
    assert len(ontology.domains) == 10
    assert (ontology.concepts["domain"] != "").sum() == 505
    assert len(ontology.disorders) == 221
    # One of the 853 tasks has no name.
    assert len(ontology.tasks) == 852
    assert not ontology.tasks["name"].str.contains("[\x80-\x9f]|&#|<br>").any()
