"""The embedder's contract: any text, any order, any batch, the same vector."""

from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tiny_models import WORDS, save_tiny_model

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.text import _chunk_embedder
from sklearn_neurocontext.text._cache import MemoryCache
from sklearn_neurocontext.text._forward import make_chunks

KINDS = ("bert", "gpt2", "mistral")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        kind: save_tiny_model(tmp_path_factory.mktemp(kind), kind) for kind in KINDS
    }


@pytest.fixture(params=KINDS)
def embedder(request, folders):
    return LLMChunkEmbedder(folders[request.param], cache=False)


@pytest.fixture
def texts(rng):
    words = WORDS.split()
    sizes = [1, 2, 13, 14, 15, 16, 17, 40, 300]
    return [" ".join(rng.choice(words, size=size)) for size in sizes]


def _slow_embedding(embedder, text):
    """One window at a time, without padding: the definition."""
    loaded = embedder._language_model()
    tokens = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    window = embedder.chunk_size_ - len(loaded.before) - len(loaded.after)
    vectors = []
    for start in range(0, len(tokens), window):
        ids = [*loaded.before, *tokens[start : start + window], *loaded.after]
        with torch.no_grad():
            states = loaded.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        vector = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}
        vector = vector[embedder.pooling]
        vectors.append(vector / vector.norm() if embedder.normalize_chunks else vector)
    return torch.stack(vectors).mean(0).numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("normalize", [True, False])
def test_embeddings_equal_the_definition(embedder, texts, pooling, normalize):
    embedder.set_params(pooling=pooling, normalize_chunks=normalize).fit(texts)
    expected = np.stack([_slow_embedding(embedder, text) for text in texts])
    np.testing.assert_allclose(embedder.transform(texts), expected, atol=1e-5)


def test_order_batches_and_neighbours_change_nothing(embedder, texts):
    whole = embedder.fit_transform(texts)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(embedder.transform(texts[::-1])[::-1], whole, atol=1e-5)
    np.testing.assert_allclose(embedder.transform(texts[3:4]), whole[3:4], atol=1e-5)
    small = clone(embedder).set_params(batch_tokens=16).fit_transform(texts)
    np.testing.assert_allclose(small, whole, atol=1e-5)


def test_long_text_uses_all_of_its_chunks(embedder, texts):
    changed = texts[-1].rsplit(" ", 1)[0] + " pain pain"
    first, second = embedder.fit_transform([texts[-1], changed])
    assert np.abs(first - second).max() > 1e-5


def test_kinds_of_input_are_equal(folders, texts):
    embedder = LLMChunkEmbedder(folders["bert"]).fit(texts)
    expected = embedder.transform(texts)
    for kind in (pd.Series, np.array, tuple, lambda t: np.array(t, dtype=object)):
        np.testing.assert_array_equal(embedder.transform(kind(texts)), expected)


def test_each_distinct_text_is_embedded_once(folders, texts, monkeypatch):
    monkeypatch.setattr(_chunk_embedder, "PROCESS_CACHE", MemoryCache())
    embedded = []
    real = LLMChunkEmbedder._embed

    def counting(self, batch):
        embedded.extend(batch)
        return real(self, batch)

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", counting)
    embedder = LLMChunkEmbedder(folders["bert"]).fit(texts)
    first = embedder.transform([*texts, *texts])
    again = clone(embedder).fit(texts).transform(texts[::-1])
    assert sorted(embedded) == sorted(texts)
    np.testing.assert_array_equal(again[::-1], first[: len(texts)])
    # Other settings have other vectors.
    clone(embedder).set_params(pooling="cls").fit_transform(texts)
    assert len(embedded) == 2 * len(texts)


def test_without_cache_nothing_is_kept(folders, texts, monkeypatch):
    cache = MemoryCache()
    monkeypatch.setattr(_chunk_embedder, "PROCESS_CACHE", cache)
    LLMChunkEmbedder(folders["bert"], cache=False).fit_transform(texts)
    assert not cache._vectors


def test_overlap_and_chunk_size_count_special_tokens(folders, texts):
    embedder = LLMChunkEmbedder(folders["bert"], chunk_size=10, chunk_overlap=4)
    assert embedder.fit(texts).chunk_size_ == 10
    assert LLMChunkEmbedder(folders["bert"]).fit(texts).chunk_size_ == 16
    with pytest.raises(ValueError, match="chunk_size=17 is more than the 16 tokens"):
        LLMChunkEmbedder(folders["bert"], chunk_size=17).fit(texts)
    with pytest.raises(ValueError, match="leaves 8 tokens beside the special ones"):
        LLMChunkEmbedder(folders["bert"], chunk_size=10, chunk_overlap=8).fit(texts)


def test_text_without_any_token_is_an_error():
    blind = SimpleNamespace(
        tokenizer=lambda texts, **options: {"input_ids": [[] for _ in texts]},
        before=[],
        after=[],
    )
    with pytest.raises(ValueError, match="finds no token in the text 'pain'"):
        make_chunks(["pain"], blind, window=8, overlap=0)


def test_wrong_input_names_the_rows(folders):
    embedder = LLMChunkEmbedder(folders["bert"]).fit(["pain"])
    with pytest.raises(TypeError, match="in row 1"):
        embedder.transform(["pain", None])
    with pytest.raises(ValueError, match="no text in row 0"):
        embedder.transform(["  ", "pain"])
    with pytest.raises(TypeError, match=r"Put it into a list: \[text\]"):
        embedder.transform("pain")
    with pytest.raises(NotFittedError):
        LLMChunkEmbedder(folders["bert"]).transform(["pain"])


def test_pickle_is_small_and_gives_the_same(folders, texts, tmp_path):
    embedder = LLMChunkEmbedder(folders["bert"], cache=False).fit(texts)
    joblib.dump(embedder, tmp_path / "embedder.joblib")
    assert (tmp_path / "embedder.joblib").stat().st_size < 10_000
    loaded = joblib.load(tmp_path / "embedder.joblib")
    np.testing.assert_array_equal(loaded.transform(texts), embedder.transform(texts))


def test_pandas_output_has_named_columns(folders, texts):
    embedder = LLMChunkEmbedder(folders["bert"]).set_output(transform="pandas")
    table = embedder.fit_transform(texts)
    assert list(table.columns) == list(embedder.get_feature_names_out())
    assert table.columns[0] == "llmchunkembedder0"


def test_half_precision_stays_near(folders, texts):
    full = LLMChunkEmbedder(folders["bert"], cache=False).fit_transform(texts)
    half = LLMChunkEmbedder(folders["bert"], cache=False, dtype="bfloat16")
    assert np.abs(half.fit_transform(texts) - full).max() < 0.02
