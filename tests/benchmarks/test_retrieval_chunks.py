"""Vectors of first and last chunks, and the mean weighted by numbers of tokens."""

import numpy as np
import pytest

from benchmarks.retrieval import chunks
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import make_embedder, prepare_paper_studies

TEXTS = [
    "pain",
    "pain and reading of words",
    "the amygdala responds to faces that look afraid and to sounds of pain",
]


@pytest.fixture(scope="module")
def embedder():
    """Return an embedder with chunks of eight tokens."""
    return make_embedder().set_params(chunk_size=8).fit()


def test_mean_weighted_by_tokens(embedder):
    ends = chunks.embed_ends(TEXTS, embedder)
    assert ends.n_chunks.tolist() == [1, 1, 3]
    assert ends.last_share[0] == pytest.approx(1 / 6)
    weighted = chunks.weight_by_tokens(embedder.transform(TEXTS), ends)
    expected = embedder.set_params(chunk_weighting="tokens").transform(TEXTS)
    embedder.set_params(chunk_weighting="uniform")
    np.testing.assert_allclose(weighted, expected, atol=1e-5)


def test_first_chunk(embedder):
    ends = chunks.embed_ends(TEXTS, embedder)
    expected = embedder.transform(["the amygdala responds"])
    np.testing.assert_allclose(ends.first[2:], expected, atol=1e-5)


def test_compare(tmp_path):
    corpus = make_studies(n_studies=60, random_state=0)
    options = {"n_components": 64, "n_splits": 2}
    [studies] = prepare_paper_studies(corpus, ["title"], **options).values()
    X = np.random.default_rng(0).normal(size=(60, 4))
    ends = chunks.Ends(X, X, np.full(60, 3), np.full(60, 0.5))
    results = chunks.compare(studies, X, ends, tmp_path)
    assert list(results) == ["ridge", "contrastive, tuned"]
    table = results["ridge"].to_markdown()
    # All chunks are equal, so all rows have the same scores.
    assert table.count("| +0.0 [+0.0, +0.0] |") > 4
    assert "| ridge, first chunk |" in table
