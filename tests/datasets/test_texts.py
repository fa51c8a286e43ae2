"""Tests of texts that are added to a corpus."""

import gzip
import json
import lzma

import pandas as pd
import pytest

from sklearn_neurocontext.datasets import add_texts, load_table, study_texts


@pytest.fixture
def corpus():
    """Return three rows; the first two are contrasts of one article."""
    studies = pd.DataFrame(
        {
            "study_id": ["a1", "a2", "b"],
            "pmid": [11, 11, 22],
            "title": ["one", "two", "three"],
            "abstract": ["", "old", "old"],
        }
    )
    peaks = pd.DataFrame({"study_id": ["a1", "a2", "b"], "x": 0, "y": 0, "z": 0})
    return load_table(studies, peaks, space="MNI")


def _write(path, text):
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "wt", encoding="utf-8") as stream:
        stream.write(text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("texts.tsv.gz", "id\tabstract\n11\tnew “α”\n99\tof another study\n"),
        ("texts.csv", "pmid,text,source\n11,new “α”,x\n22,,x\n"),
        ("texts.csv", "PMID: 1"),
        (
            "texts.jsonl.xz",
            json.dumps({"id": 11, "text": "new “α”"}, ensure_ascii=False)
            + "\n"
            + json.dumps({"id": 5, "text": "of another study"}),
        ),
        ("texts.jsonl", '{"id": "PMID: 11", "abstract": "new \\u201c\\u03b1\\u201d"}'),
    ],
)
def test_texts_by_pmid(corpus, tmp_path, name, text):
    path = _write(tmp_path / name, text)
    if text == "PMID: 1":
        with pytest.raises(ValueError, match=r"texts\.csv"):
            add_texts(corpus, "abstract", path)
        return
    new = add_texts(corpus, "abstract", path)
    # Both contrasts of the article get the text; a study without a text keeps its own.
    assert study_texts(new, "abstract") == ["new “α”", "new “α”", "old"]
    assert study_texts(corpus, "abstract") == ["", "old", "old"]
    assert new.description.endswith(f"2 studies have the abstract in {name}.")
    assert new.peaks is corpus.peaks


def test_texts_by_study_id(corpus, tmp_path):
    path = _write(tmp_path / "bodies.csv", "study_id,body\nb,long text\n")
    assert add_texts(corpus, "body", path).studies["body"].tolist()[2] == "long text"


def test_rows_without_id_or_text_are_skipped(corpus, tmp_path):
    lines = [
        {"id": 11, "text": "new"},
        {"id": None, "text": "of an unknown study"},
        {"id": 22, "text": ["a", "list"]},
        {"id": 22, "text": 3},
        {"id": 22, "text": None},
    ]
    path = _write(tmp_path / "texts.jsonl", "\n".join(map(json.dumps, lines)))
    new = add_texts(corpus, "abstract", path)
    assert study_texts(new, "abstract") == ["new", "new", "old"]
    assert new.description.endswith(
        "in texts.jsonl. Skipped 1 row without an id and 2 rows with a text that is "
        "not a string."
    )
    path = _write(tmp_path / "texts.csv", "pmid,text\n,new\n22,other\n")
    assert study_texts(add_texts(corpus, "title", path), "title")[2] == "other"
    path = _write(tmp_path / "texts.csv", "pmid,text,x\n,new,1\n")
    with pytest.raises(ValueError, match=r"'texts\.csv' must have a row .* 1 row wi"):
        add_texts(corpus, "title", path)


@pytest.mark.parametrize(
    ("text_field", "text", "message"),
    [
        ("keywords", "id,text\n11,new\n", "text_field must be one of .*'keywords'"),
        ("body", "number,text\n11,new\n", "study_id or pmid .*; got number, text"),
        ("body", "id,words\n11,new\n", "body or text; got id, words"),
        ("body", "id,text\n12,new\n", r"None of the 1 ids of texts\.csv"),
    ],
)
def test_errors(corpus, tmp_path, text_field, text, message):
    path = _write(tmp_path / "texts.csv", text)
    with pytest.raises(ValueError, match=message):
        add_texts(corpus, text_field, path)


def test_truncated_lines(corpus, tmp_path):
    path = _write(tmp_path / "texts.jsonl", '{"id": 11, "text": "ne')
    with pytest.raises(ValueError, match=r"texts\.jsonl.* is not JSON lines"):
        add_texts(corpus, "body", path)


def test_lines_that_are_no_objects(corpus, tmp_path):
    path = _write(tmp_path / "texts.jsonl", "[1, 2]\n[3, 4]\n")
    with pytest.raises(ValueError, match=r"texts\.jsonl.* must have a column named"):
        add_texts(corpus, "body", path)
