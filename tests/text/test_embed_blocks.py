"""Tests of embed_blocks: bounded memory, resuming, workers."""

import itertools
import subprocess
import sys
import time
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.text import EmbeddingStore, _chunk_embedder
from tests.text.tiny_models import WORDS, save_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("bert"), "bert")


@pytest.fixture
def embedder(folder):
    return LLMChunkEmbedder(folder, cache=None).fit()


@pytest.fixture
def texts(rng):
    sizes = rng.integers(1, 60, size=50)
    return [" ".join(rng.choice(WORDS.split(), size=size)) for size in sizes]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(_chunk_embedder, "_MAX_TEXTS", 7)


def test_blocks_end_at_a_number_of_texts_or_characters(monkeypatch):
    monkeypatch.setattr(_chunk_embedder, "_MAX_TEXTS", 3)
    monkeypatch.setattr(_chunk_embedder, "_MAX_CHARACTERS", 100)
    texts = ["a", "b", "c", "d", "e" * 1000, "f", "g"]
    blocks = list(_chunk_embedder._split_blocks(iter(texts)))
    assert [row for row, _ in blocks] == [0, 3, 5]
    assert [text for _, block in blocks for text in block] == texts


def test_blocks_equal_transform_in_order(embedder, texts, small_blocks):
    blocks = list(embedder.embed_blocks(iter(texts)))
    assert [block.first_row for block in blocks] == list(range(0, 50, 7))
    found = np.concatenate([block.vectors for block in blocks])
    np.testing.assert_allclose(found, embedder.transform(texts), atol=1e-5)


def test_generator_is_read_block_by_block(embedder, texts, small_blocks):
    n_read = 0

    def count():
        nonlocal n_read
        for text in itertools.cycle(texts):
            n_read += 1
            yield text

    # The stream is infinite, so that only a bounded read-ahead terminates.
    for number, _ in enumerate(embedder.embed_blocks(count()), 1):
        assert n_read == 7 * number
        if number == 3:
            break


def test_memory_is_bounded_for_streams(embedder, small_blocks):
    # Texts with one long word are large in memory but fast to embed.
    texts = (f"{'x' * 20_000}{number} pain" for number in range(500))
    next(embedder.embed_blocks(["pain"]))
    tracemalloc.start()
    n_texts = sum(len(block.vectors) for block in embedder.embed_blocks(texts))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_texts == 500
    # All texts have 10 MB, the texts of a block 0.14 MB.
    assert peak < 2_000_000


def test_errors_state_row_of_stream(embedder, small_blocks):
    stream = embedder.embed_blocks(["pain"] * 9 + [None, " "])
    assert next(stream).first_row == 0
    with pytest.raises(TypeError, match="got NoneType in row 9"):
        next(stream)
    with pytest.raises(TypeError, match=r"Put it into a list: \[text\]"):
        next(embedder.embed_blocks("pain"))
    frame = pd.DataFrame({"title": ["pain"], "abstract": ["fear"]})
    with pytest.raises(ValueError, match="must be one-dimensional"):
        next(embedder.embed_blocks(frame))
    with pytest.raises(TypeError, match="For a dictionary of texts"):
        next(embedder.embed_blocks({"title": ["pain"]}))
    assert list(embedder.embed_blocks([])) == []


def test_progress_counts_all_tokens_and_characters(embedder, texts, small_blocks):
    done = []
    for _ in embedder.embed_blocks([*texts, *texts], lambda *step: done.append(step)):
        pass
    tokens, characters = np.sum(done, axis=0)
    assert characters == pytest.approx(2 * sum(map(len, texts)))
    # Each word is a token. Without a cache, the second half may be embedded again.
    n_words = sum(len(text.split()) for text in texts)
    assert n_words < tokens <= 2 * n_words


def test_interrupted_run_resumes(embedder, texts, small_blocks, tmp_path, monkeypatch):
    embedder.set_params(cache=tmp_path / "store.sqlite")
    batches = []
    real = LLMChunkEmbedder._embed

    def record(self, batch):
        batches.append(list(batch))
        if len(batches) == 4:
            raise KeyboardInterrupt
        return real(self, batch)

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", record)
    with pytest.raises(KeyboardInterrupt):
        embedder.transform(texts)
    with EmbeddingStore(tmp_path / "store.sqlite") as store:
        assert len(store) == 21
    X = embedder.transform(texts)
    stored = [text for batch in batches[:3] for text in batch]
    assert not set(stored) & {text for batch in batches[4:] for text in batch}
    # No text is embedded again, and embeddings are bit-equal in any order.
    del batches[:]
    np.testing.assert_array_equal(embedder.transform(texts[::-1])[::-1], X)
    assert not batches


def test_joblib_workers_equal_one_process(embedder, texts, small_blocks, tmp_path):
    expected = embedder.transform(texts)
    embedder.set_params(n_jobs=2, shards=tmp_path / "shards")
    embedder.set_params(cache=tmp_path / "store.sqlite")
    with joblib.parallel_config(backend="threading"):
        np.testing.assert_allclose(
            embedder.transform(texts * 2), np.tile(expected, (2, 1)), atol=1e-5
        )
    (shard,) = (tmp_path / "shards").glob("*.sqlite")
    with EmbeddingStore(tmp_path / "merged.sqlite") as merged:
        assert merged.merge(shard) == len(set(texts))
    # The vectors of the shard and the returned ones are bit-equal.
    other = LLMChunkEmbedder(embedder.model_name, cache=tmp_path / "merged.sqlite")
    np.testing.assert_array_equal(other.fit_transform(texts), embedder.transform(texts))


def test_finished_texts_are_stored_if_a_worker_fails(
    embedder, texts, small_blocks, tmp_path, monkeypatch
):
    store = tmp_path / "store.sqlite"
    six_blocks = list(dict.fromkeys(texts))[:42]
    real = LLMChunkEmbedder._embed

    def failing(self, batch):
        if "the last one" not in batch:
            yield from real(self, batch)
            return
        # Wait until all other texts are stored.
        for _ in range(200):
            with EmbeddingStore(store) as opened:
                if len(opened) == len(six_blocks):
                    break
            time.sleep(0.05)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", failing)
    embedder.set_params(n_jobs=2, cache=store)
    with (
        joblib.parallel_config(backend="threading"),
        pytest.raises(RuntimeError, match="out of memory"),
    ):
        embedder.transform([*six_blocks, "the last one"])
    with EmbeddingStore(store) as opened:
        assert len(opened) == 42


def test_backends_that_cannot_stream_results(embedder, texts, small_blocks):
    expected = embedder.transform(texts)
    embedder.set_params(n_jobs=2)
    threads = joblib.parallel.ThreadingBackend
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "supports_retrieve_callback", False)
        patch.setattr(threads, "supports_return_generator", False)
        with joblib.parallel_config(backend="threading"):
            found = embedder.transform(texts)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_worker_with_another_model_raises(embedder):
    with pytest.raises(ValueError, match=r"got .*identical model files"):
        _chunk_embedder._embed_part(embedder, "other settings", 0, ["pain"])


BACKENDS = """
import sys

import joblib
import numpy as np

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.text import _chunk_embedder

if __name__ == "__main__":
    folder, shards, backend = sys.argv[1:]
    _chunk_embedder._MAX_TEXTS = 9
    texts = [f"pain {'brain ' * (i % 40)} words" for i in range(60)]
    embedder = LLMChunkEmbedder(folder, cache=None, shards=shards).fit()
    if backend == "dask":
        from distributed import Client, LocalCluster

        cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        )
        client = Client(cluster)
        options = {"backend": "dask"}
    else:
        import ray
        from ray.util.joblib import register_ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        register_ray()
        options = {"backend": "ray", "n_jobs": 2}
    with joblib.parallel_config(**options):
        assert joblib.effective_n_jobs() == 2
        spread = embedder.transform(texts)
    if backend == "dask":
        client.close()
        cluster.close()
    else:
        ray.shutdown()
    here = embedder.set_params(shards=None).transform(texts)
    print("largest difference", np.abs(spread - here).max())
    assert np.abs(spread - here).max() < 1e-5
"""


@pytest.mark.parametrize(
    ("backend", "needs"), [("dask", "distributed"), ("ray", "ray")]
)
@pytest.mark.slow
def test_cluster_workers_equal_one_process(folder, tmp_path, backend, needs):
    pytest.importorskip(needs)
    (tmp_path / "script.py").write_text(BACKENDS)
    shards = tmp_path / "shards"
    ran = subprocess.run(
        [sys.executable, "script.py", folder, str(shards), backend],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "largest difference" in ran.stdout
    (shard,) = shards.glob("*.sqlite")
    with EmbeddingStore(shard) as store:
        assert len(store) == 40


@pytest.mark.slow
def test_killed_runs_resume_without_loss(tmp_path, rng):
    from benchmarks.robustness.kill_embedder import (
        COMMIT,
        FORWARD,
        Plan,
        kill_again_and_again,
    )

    sizes = rng.integers(40, 200, size=150)
    texts = [" ".join(rng.choice(WORDS.split(), size=size)) for size in sizes]
    settings = {"model_name": save_tiny_model(tmp_path / "model", "bert")}
    settings["batch_tokens"] = 128
    plan = Plan(n_kills=3, n_forward=2, n_commit=1, most_steps=8)
    path = tmp_path / "store.sqlite"
    report = kill_again_and_again(settings, texts, path, plan)
    assert report.finished
    assert report.n_kills[FORWARD] >= 2
    assert report.n_kills[COMMIT] >= 1
    assert report.n_runs == sum(report.n_kills.values()) + 1
    # Some texts were stored at the last kill, others were not.
    assert 0 < report.n_stored[-1] < len(texts)
    assert report.n_again == 0
    assert report.n_changed == 0
    assert report.difference < 1e-6
