"""``neurocontext embed``: a corpus in, a store and an array out, resumable."""

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.cli import main
from sklearn_neurocontext.datasets import make_studies, study_texts
from sklearn_neurocontext.text import EmbeddingStore, _chunk_embedder


@pytest.fixture
def corpus(monkeypatch):
    corpus = make_studies(n_studies=30, random_state=0)
    monkeypatch.setattr("sklearn_neurocontext.cli._embed.load_corpus", lambda _: corpus)
    return corpus


@pytest.fixture
def embed(tmp_path):
    def run(*arguments):
        arguments = [
            "embed",
            "nimare",
            "--text",
            "title",
            "--device",
            "cpu",
            *arguments,
        ]
        return main([*map(str, arguments), "--store", str(tmp_path / "store.sqlite")])

    return run


def test_store_and_array_hold_the_embeddings(corpus, embed, tmp_path, capsys):
    corpus.studies.loc[3, "title"] = ""
    assert embed("--output", tmp_path / "X.npy") == 0
    printed = capsys.readouterr()
    assert "29 of 30 studies have a text" in printed.err
    assert "tokens/s" in printed.err
    assert "29/29 texts" in printed.err
    X = np.load(tmp_path / "X.npy")
    texts = [text for text in study_texts(corpus, "title") if text]
    expected = LLMChunkEmbedder(cache=None).fit_transform(texts)
    np.testing.assert_allclose(X, expected, atol=1e-5)
    studies = pd.read_csv(tmp_path / "X.csv", dtype=str)["study_id"].tolist()
    assert studies == corpus.studies["study_id"].drop(3).astype(str).tolist()
    with EmbeddingStore(tmp_path / "store.sqlite") as store:
        assert len(store) == len(set(texts))
    # Its own files it writes again.
    assert embed("--output", tmp_path / "X.npy") == 0
    capsys.readouterr()
    # A second run reads all from the store.
    assert embed("--output", tmp_path / "Y.npy") == 0
    assert "0 tokens went through the model" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load(tmp_path / "Y.npy"), X)


def test_ctrl_c_leaves_a_store_that_can_be_resumed(
    corpus, embed, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(_chunk_embedder, "_MAX_TEXTS", 10)
    real = LLMChunkEmbedder._embed
    handed = []

    def stopping(self, batch):
        handed.append(batch)
        if len(handed) == 2:
            raise KeyboardInterrupt
        return real(self, batch)

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", stopping)
    assert embed("--output", tmp_path / "X.npy") == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".sqlite"]
    assert embed("--output", tmp_path / "X.npy") == 0
    again = {text for batch in handed[2:] for text in batch}
    assert not set(handed[0]) & again
    assert len(np.load(tmp_path / "X.npy")) == 30


@pytest.mark.parametrize(
    "content", ["study_id,pmid,pmcid,title\n1,2,3,x\n", "x,y\n1,2\n", "\0\xff"]
)
def test_a_table_of_others_is_not_written_over(
    corpus, embed, tmp_path, capsys, content
):
    table = tmp_path / "studies.csv"
    table.write_text(content)
    assert embed("--output", tmp_path / "studies.npy") == 1
    assert "studies.csv is there and not from this" in capsys.readouterr().err
    assert table.read_text() == content
    assert list(tmp_path.iterdir()) == [table]


def test_tokens_in_a_batch_reach_the_embedder(corpus, embed, monkeypatch):
    seen = []
    real = LLMChunkEmbedder._embed

    def noting(self, batch):
        seen.append(self.batch_tokens)
        return real(self, batch)

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", noting)
    assert embed("--batch-tokens", 333) == 0
    assert set(seen) == {333}


def test_shards_are_merged(tmp_path, capsys):
    shards = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for number, shard in enumerate(shards):
        with EmbeddingStore(shard) as store:
            store.put_many({bytes([number, n]): np.zeros(4) for n in range(5)})
    store = tmp_path / "all.sqlite"
    assert main(["embed", "--store", str(store), "--merge", *map(str, shards)]) == 0
    assert "all.sqlite holds 10 embeddings" in capsys.readouterr().out
    missing = str(tmp_path / "c.sqlite")
    assert main(["embed", "--store", str(store), "--merge", missing]) == 1
    assert "c.sqlite is not a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--store", "s.sqlite"], "Name a corpus to embed, or --merge"),
        (["nimare"], "Say where embeddings go: --store FILE, --output FILE.npy"),
        (["nimare", "--output", "X.csv"], "should end in .npy"),
        (["--merge", "a.sqlite"], "--merge needs --store FILE"),
        (["nimare", "--store", "s.sqlite", "--text", "body"], "has a text in 'body'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    corpus, arguments, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    corpus.studies["body"] = ""
    assert main(["embed", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
