"""Tests of LLMChunkEmbedder: oracle, batches, cache keys and errors."""

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from transformers import AutoModel, AutoTokenizer

from sklearn_neurocontext import LLMChunkEmbedder
from sklearn_neurocontext.text import _store
from sklearn_neurocontext.text._language_model import DEFAULT_MODEL
from sklearn_neurocontext.text._store import MemoryCache
from tests.text.tiny_models import KINDS, TEMPLATES, WORDS, save_tiny_model

LIMIT = 16


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        kind: save_tiny_model(tmp_path_factory.mktemp(kind), kind, max_tokens=LIMIT)
        for kind in KINDS
    }


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def embedder(kind, folders):
    return LLMChunkEmbedder(folders[kind], cache=None)


def make_texts(rng, sizes):
    return [" ".join(rng.choice(WORDS.split(), size=size)) for size in sizes]


@pytest.fixture
def texts(rng):
    # Depending on the number of special tokens, 14, 15 or 16 tokens fit into a chunk.
    edges = [13, 14, 15, 16, 17]
    return make_texts(rng, [1, 2, *edges, 10 * 14 + 3, 10 * 15 + 3, 10 * 16 + 3, 40])


class Oracle:
    """Embed one chunk at a time with the plain model, without padding."""

    def __init__(self, folder, kind, **options):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, attn_implementation="eager")
        left, right = TEMPLATES[kind].split("$A")
        vocabulary = self.tokenizer.get_vocab()
        self.before = [vocabulary[word] for word in left.split()]
        self.after = [vocabulary[word] for word in right.split()]
        self.options = {"pooling": "mean", "normalize": True, "weights": "uniform"}
        self.options |= options
        self.cached = {}

    def __call__(self, text):
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        window = LIMIT - len(self.before) - len(self.after)
        vectors, weights = [], []
        for start in range(0, len(tokens), window):
            piece = tokens[start : start + window]
            ids = (*self.before, *piece, *self.after)
            if ids not in self.cached:
                self.cached[ids] = self.embed(ids)
            vectors.append(self.cached[ids])
            uniform = self.options["weights"] == "uniform"
            weights.append(1 if uniform else len(piece))
        return np.average(vectors, axis=0, weights=weights)

    def embed(self, ids):
        with torch.no_grad():
            states = self.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        pooled = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}
        pooled["max"] = states.amax(0)
        vector = pooled[self.options["pooling"]]
        return (vector / vector.norm() if self.options["normalize"] else vector).numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "max"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("weights", ["uniform", "tokens"])
def test_embeddings_equal_oracle(
    embedder, kind, folders, texts, pooling, normalize, weights
):
    embedder.set_params(pooling=pooling, normalize_chunks=normalize)
    embedder.set_params(chunk_weighting=weights)
    oracle = Oracle(
        folders[kind], kind, pooling=pooling, normalize=normalize, weights=weights
    )
    expected = np.stack([oracle(text) for text in texts])
    np.testing.assert_allclose(
        embedder.fit_transform(texts), expected, rtol=0, atol=1e-5
    )


def test_text_of_100_000_tokens_equals_oracle(embedder, kind, folders, rng):
    oracle = Oracle(folders[kind], kind)
    n_special = len(oracle.before) + len(oracle.after)
    # The text repeats ten different chunks, each of which the oracle embeds once.
    (part,) = make_texts(rng, [10 * (LIMIT - n_special)])
    text = " ".join((part.split() * 1000)[:100_000])
    vector = embedder.fit_transform(["pain", text])[1]
    expected = oracle(text)
    assert len(oracle.cached) <= 11
    np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-5)


def test_order_and_batch_size_do_not_change_embeddings(embedder, texts):
    whole = embedder.fit_transform(texts)
    assert whole.dtype == np.float32
    near = {"rtol": 0, "atol": 1e-5}
    np.testing.assert_allclose(embedder.transform(texts[::-1])[::-1], whole, **near)
    np.testing.assert_allclose(embedder.transform(texts[3:4]), whole[3:4], **near)
    for batch_tokens in (1, 16, 100):
        other = clone(embedder).set_params(batch_tokens=batch_tokens)
        np.testing.assert_allclose(other.fit_transform(texts), whole, **near)


def test_last_token_of_long_text_changes_embedding(embedder, texts):
    changed = texts[-1].rsplit(" ", 1)[0] + " pain pain"
    first, second = embedder.fit_transform([texts[-1], changed])
    assert np.abs(first - second).max() > 1e-4


def test_input_types_give_equal_embeddings(folders, texts):
    embedder = LLMChunkEmbedder(folders["bert"]).fit(texts)
    expected = embedder.transform(texts)
    for kind in (pd.Series, np.array, tuple, lambda t: np.array(t, dtype=object)):
        np.testing.assert_array_equal(embedder.transform(kind(texts)), expected)


@pytest.fixture
def embedded(monkeypatch):
    """Return a list that records embedded texts, starting with an empty cache."""
    monkeypatch.setattr(_store, "PROCESS_CACHE", MemoryCache())
    seen = []
    real = LLMChunkEmbedder._embed

    def record(self, batch):
        seen.extend(batch)
        return real(self, batch)

    monkeypatch.setattr(LLMChunkEmbedder, "_embed", record)
    return seen


def test_each_distinct_text_is_embedded_once(folders, texts, embedded):
    embedder = LLMChunkEmbedder(folders["bert"]).fit(texts)
    first = embedder.transform([*texts, *texts])
    again = clone(embedder).fit(texts).transform(texts[::-1])
    assert sorted(embedded) == sorted(texts)
    np.testing.assert_array_equal(again[::-1], first[: len(texts)])
    np.testing.assert_array_equal(first[: len(texts)], first[len(texts) :])


@pytest.mark.parametrize(
    "other",
    [
        {"pooling": "cls"},
        {"normalize_chunks": False},
        {"chunk_weighting": "tokens"},
        {"chunk_size": 9},
        {"chunk_overlap": 2},
        {"dtype": "bfloat16"},
    ],
)
def test_cache_keys_depend_on_settings(folders, embedded, other):
    embedder = LLMChunkEmbedder(folders["bert"]).fit()
    embedder.transform(["pain"])
    clone(embedder).set_params(**other).fit().transform(["pain"])
    assert len(embedded) == 2


def test_cache_keys_ignore_batch_size_and_device(folders, embedded):
    embedder = LLMChunkEmbedder(folders["bert"]).fit()
    embedder.transform(["pain"])
    clone(embedder).set_params(batch_tokens=7, device="auto").fit().transform(["pain"])
    assert embedded == ["pain"]


def test_without_cache_each_call_embeds_texts_once(folders, texts, embedded):
    embedder = LLMChunkEmbedder(folders["bert"], cache=None)
    embedder.fit_transform([*texts, *texts])
    assert sorted(embedded) == sorted(texts)
    embedder.transform(texts)
    assert len(embedded) == 2 * len(texts)
    assert not _store.PROCESS_CACHE._vectors


def test_chunk_size_includes_special_tokens(folders, texts):
    embedder = LLMChunkEmbedder(folders["bert"], chunk_size=10, chunk_overlap=4)
    assert embedder.fit(texts).chunk_size_ == 10
    assert LLMChunkEmbedder(folders["bert"]).fit(texts).chunk_size_ == LIMIT
    with pytest.raises(ValueError, match="chunk_size must be at most 16,"):
        LLMChunkEmbedder(folders["bert"], chunk_size=17).fit(texts)
    with pytest.raises(ValueError, match=r"chunk_overlap=8; got 8"):
        LLMChunkEmbedder(folders["bert"], chunk_size=10, chunk_overlap=8).fit(texts)


def test_errors_list_invalid_rows(folders):
    embedder = LLMChunkEmbedder(folders["bert"]).fit(["pain"])
    for wrong in (None, np.nan, b"pain", 3, pd.NA):
        with pytest.raises(TypeError, match=r"row 1\. Drop these rows, or fill"):
            embedder.transform(["pain", wrong])
    with pytest.raises(ValueError, match="no text in row 0, 2"):
        embedder.transform(["  ", "pain", ""])
    with pytest.raises(ValueError, match=r"one-dimensional.* got shape \(2, 1\)"):
        embedder.transform(np.array([["pain"], ["fear"]]))
    with pytest.raises(ValueError, match="texts is empty"):
        embedder.transform([])
    with pytest.raises(TypeError, match=r"Put it into a list: \[text\]"):
        embedder.transform("pain")
    with pytest.raises(NotFittedError):
        LLMChunkEmbedder(folders["bert"]).transform(["pain"])


@pytest.mark.parametrize("wrong", [{"cache": False}, {"pooling": "sum"}, {"dtype": 4}])
def test_invalid_parameters_raise(folders, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"The '{name}' parameter of LLMChunkEmbedder"):
        LLMChunkEmbedder(folders["bert"], **wrong).fit()


def test_default_model_name():
    assert LLMChunkEmbedder().model_name == DEFAULT_MODEL


def test_unpaired_surrogate_is_embedded(folders):
    embedder = LLMChunkEmbedder(folders["bert"], cache="memory").fit()
    assert np.isfinite(embedder.transform(["pain \ud83d brain"])).all()


def test_pickle_excludes_model_weights(folders, texts, tmp_path):
    embedder = LLMChunkEmbedder(folders["bert"], cache=None).fit(texts)
    joblib.dump(embedder, tmp_path / "embedder.joblib")
    assert (tmp_path / "embedder.joblib").stat().st_size < 10_000
    loaded = joblib.load(tmp_path / "embedder.joblib")
    np.testing.assert_array_equal(loaded.transform(texts), embedder.transform(texts))


def test_pandas_output_has_named_columns(folders, texts):
    embedder = LLMChunkEmbedder(folders["bert"]).set_output(transform="pandas")
    table = embedder.fit_transform(texts)
    assert list(table.columns) == list(embedder.get_feature_names_out())
    assert table.columns[0] == "llmchunkembedder0"


def test_bfloat16_is_close_to_float32(embedder, texts):
    full = embedder.fit_transform(texts)
    half = clone(embedder).set_params(dtype="bfloat16").fit(texts)
    assert half.dtype_ == "bfloat16"
    difference = np.abs(half.transform(texts) - full).max()
    assert 0 < difference < 0.05


@pytest.mark.slow
def test_text_of_ten_megabytes(folders):
    text = "brain memory pain " * 600_000
    assert len(text) > 10 * 2**20
    vector = LLMChunkEmbedder(folders["bert"], cache=None).fit_transform([text])
    assert np.isfinite(vector).all()
