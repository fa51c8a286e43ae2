"""Tests of the command reproduce."""

import lzma
import re

import pytest

from sklearn_neurocontext.experiments import list_paper_tables
from tests.cli.console import run


def test_list():
    result = run("reproduce", "--list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        *list_paper_tables(),
        "figure3",
    ]
    assert "estimators on bodies, abstracts and titles" in lines[0]


@pytest.mark.slow
def test_table_of_320_studies(tmp_path):
    arguments = ["reproduce", "table1", "--corpus", "nimare", "--n-splits", 2]
    arguments += ["--output", tmp_path, "--cache", tmp_path / "store.sqlite"]
    result = run(*arguments)
    assert result.exit_code == 0
    assert "## abstract" in result.stdout
    assert "| contrastive, paper recipe |" in result.stdout
    # Two studies of one article are in the same fold.
    assert re.search(r"over 2 splits with 1\d\d.* candidates each", result.stdout)
    assert (tmp_path / "table1" / "table.md").is_file()
    records = tmp_path / "records"
    times = {path: path.stat().st_mtime_ns for path in records.iterdir()}
    assert len(times) == 2 * 2 * 7
    assert run(*arguments).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in records.iterdir()} == times


@pytest.mark.usefixtures("any_corpus")
def test_texts_from_a_file(tmp_path, monkeypatch):
    calls = []

    def reproduce(table, corpus, **options):
        calls.append((table, corpus, options))
        raise ValueError("stop here")

    monkeypatch.setattr("sklearn_neurocontext.experiments.reproduce", reproduce)
    path = tmp_path / "bodies.csv"
    path.write_text("study_id,body\nsynthetic-00001,long text\n,other text\n")
    result = run("reproduce", "figure2", "--corpus", "nimare", "--bodies", path)
    assert result.exit_code == 1
    assert result.stderr.endswith("Error: stop here\n")
    note = "1 study has the body in bodies.csv. Skipped 1 row without an id."
    assert f"{path}: {note}" in result.stderr
    [(table, corpus, options)] = calls
    assert table == "figure2"
    assert corpus.studies["body"].tolist()[:3] == ["", "long text", ""]
    assert options["model_names"] is None
    # Files of the folder NEUROCONTEXT_DATA belong to the default corpus.
    folder = tmp_path / "data"
    (folder / "fulltext").mkdir(parents=True)
    lines = '{"study_id": "synthetic-00002", "text": "other text"}'
    (folder / "fulltext" / "fulltext.jsonl.xz").write_bytes(
        lzma.compress(lines.encode())
    )
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(folder))
    assert run("reproduce", "figure2").exit_code == 1
    assert calls[-1][1].studies["body"].iloc[2] == "other text"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Pass the name of a table, or --list."),
        (["table9"], "must be one of table1, .*; got 'table9'"),
        (["table1", "--text-fields", "keywords"], "'keywords' is not one of"),
        (["table1", "--corpus", "nosuch"], "'nosuch' is neither a folder"),
        (["figure3", "--text-fields", "body"], "not have the option --text-fields"),
        (["figure3", "--rows", "ridge"], "figure3 does not have the option --rows"),
        (["table1", "--maps", "ibc"], "table1 does not have the option --maps"),
        # The names of rows are checked before the corpus is loaded.
        (["table1", "--rows", "lasso", "--corpus", "nosuch"], "got 'lasso'"),
    ],
)
def test_errors_are_one_line(arguments, message):
    result = run("reproduce", *arguments)
    assert result.exit_code in (1, 2)
    assert re.search(message, result.stderr)
    assert (result.exit_code == 1) == ("'lasso'" in message or "'nosuch'" in message)
    assert "Traceback" not in result.stderr
