"""Tests of the commands embed and merge-stores."""

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.datasets import make_studies, study_texts
from sklearn_neurocontext.text import EmbeddingStore, _chunk_embedder
from tests.cli.console import run


@pytest.fixture
def corpus(any_corpus):
    corpus = make_studies(n_studies=30, random_state=0)
    any_corpus(corpus)
    return corpus


@pytest.fixture
def embed(tmp_path):
    """Return a function that embeds titles with a store."""
    options = ["--text-field", "title", "--device", "cpu"]
    options += ["--cache", tmp_path / "store.sqlite"]

    def embed(*arguments):
        return run("embed", "nimare", *options, *arguments)

    return embed


def test_store_and_array_contain_embeddings(corpus, embed, tmp_path):
    corpus.studies.loc[3, "title"] = ""
    result = embed("--output", tmp_path / "X.npy")
    assert result.exit_code == 0
    assert "29 of 30 studies have a text" in result.stderr
    assert "tokens/s" in result.stderr
    assert "29/29 texts" in result.stderr
    X = np.load(tmp_path / "X.npy")
    texts = [text for text in study_texts(corpus, "title") if text]
    expected = LLMChunkEmbedder(cache=None).fit_transform(texts)
    np.testing.assert_allclose(X, expected, atol=1e-5)
    studies = pd.read_csv(tmp_path / "X.csv", dtype=str)["study_id"].tolist()
    assert studies == corpus.studies["study_id"].drop(3).astype(str).tolist()
    with EmbeddingStore(tmp_path / "store.sqlite") as store:
        assert len(store) == len(set(texts))
    # The command replaces its own files, and reads all embeddings from the store.
    assert embed("--output", tmp_path / "X.npy").exit_code == 0
    result = embed("--output", tmp_path / "Y.npy")
    assert "The model processed 0 tokens" in result.stdout
    np.testing.assert_array_equal(np.load(tmp_path / "Y.npy"), X)


def test_sleuth_files_are_read(tmp_path):
    path, output = tmp_path / "peaks.txt", tmp_path / "X.npy"
    path.write_text("//Reference=mni2tal\n//Ito, 2003: tap\n//Subjects=9\n1 2 3\n//b\n")
    result = run("embed", path, "--text-field", "title", "--output", output)
    assert result.exit_code == 0
    assert "1 experiment of peaks.txt. 1 comment was skipped" in result.stderr
    assert "The coordinate space is unclear from 'mni2tal'" in result.stderr
    assert pd.read_csv(tmp_path / "X.csv")["title"].tolist() == ["Ito, 2003: tap"]


def test_full_disk_keeps_older_array_and_table(corpus, tmp_path, full_disk):
    array, table = tmp_path / "X.npy", tmp_path / "X.csv"
    array.write_text("older")
    table.write_text("study_id,pmid,pmcid,title\n")
    with full_disk(20_000):
        result = run("embed", "nimare", "--text-field", "title", "-o", array)
    assert result.exit_code == 1
    assert f"File too large: '{array}'" in result.stderr
    assert array.read_text() == "older"
    assert table.read_text() == "study_id,pmid,pmcid,title\n"
    assert sorted(tmp_path.iterdir()) == [table, array]


def test_interrupted_run_resumes_from_store(corpus, embed, tmp_path, monkeypatch):
    monkeypatch.setattr(_chunk_embedder, "_MAX_TEXTS", 10)
    real = LLMChunkEmbedder._embed
    batches = []

    def stopping(self, batch):
        batches.append(batch)
        if len(batches) == 2:
            raise KeyboardInterrupt
        return real(self, batch)

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", stopping)
    result = embed("--output", tmp_path / "X.npy")
    assert result.exit_code == 130
    assert "repeat the command to resume" in result.stderr
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".sqlite"]
    assert embed("--output", tmp_path / "X.npy").exit_code == 0
    again = {text for batch in batches[2:] for text in batch}
    assert not set(batches[0]) & again
    assert len(np.load(tmp_path / "X.npy")) == 30


@pytest.mark.parametrize(
    "content", ["study_id,pmid,pmcid,title\n1,2,3,x\n", "x,y\n1,2\n", "\0\xff"]
)
def test_tables_of_other_programs_are_not_replaced(corpus, embed, tmp_path, content):
    table = tmp_path / "studies.csv"
    table.write_text(content)
    result = embed("--output", tmp_path / "studies.npy")
    assert result.exit_code == 1
    assert "studies.csv exists and was not written by" in result.stderr
    assert "--output" in result.stderr
    assert table.read_text() == content
    assert list(tmp_path.iterdir()) == [table]


def test_options_are_passed_to_embedder(corpus, embed, monkeypatch):
    seen = []
    real = LLMChunkEmbedder._embed

    def recording(self, batch):
        seen.append((self.batch_tokens, self.chunk_size, self.dtype))
        return real(self, batch)

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", recording)
    options = ["--batch-tokens", 333, "--chunk-size", 64, "--dtype", "float32"]
    assert embed(*options).exit_code == 0
    assert set(seen) == {(333, 64, "float32")}


def test_corpus_without_text_field_raises(corpus, tmp_path):
    corpus.studies["body"] = ""
    store = tmp_path / "store.sqlite"
    result = run("embed", "nimare", "--cache", store, "--text-field", "body")
    assert result.exit_code == 1
    assert "has a text in 'body'" in result.stderr
    assert not store.exists()


def test_stores_are_merged(tmp_path):
    shards = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for number, shard in enumerate(shards):
        with EmbeddingStore(shard) as store:
            store.put_many({bytes([number, n]): np.zeros(4) for n in range(5)})
    result = run("merge-stores", tmp_path / "all.sqlite", *shards)
    assert result.exit_code == 0
    assert "all.sqlite holds 10 embeddings" in result.stdout
