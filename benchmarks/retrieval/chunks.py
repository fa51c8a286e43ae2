"""Compare ways to combine the vectors of the chunks of a body into one vector.

An embedding store contains the mean of the chunks of each body, but not the vectors of
the chunks. All chunks of a body except the last one have the same number of tokens.
Therefore, the mean that is weighted by numbers of tokens can be computed from the
unweighted mean and the vector of the last chunk. The maximum over chunks would need the
vectors of all chunks.
"""

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from benchmarks.retrieval.differences import load_bodies
from sklearn_neurocontext.experiments import (
    make_embedder,
    make_estimators,
    run_benchmark,
)
from sklearn_neurocontext.text import _chunking

# The same settings as in `neurocontext reproduce`, so that both can use the same
# records.
_TUNED = {"batch_size": 512, "lr": 1e-3, "y_scaling": "sqrt"}


class Ends(NamedTuple):
    """First and last chunks of texts."""

    first: np.ndarray  # (n_texts, embedding_dim), vectors
    last: np.ndarray  # (n_texts, embedding_dim), vectors
    n_chunks: np.ndarray  # (n_texts,)
    last_share: np.ndarray  # (n_texts,), size of the last chunk / size of a window


def embed_ends(texts, embedder) -> Ends:
    """Embed the first and the last chunk of each text."""
    language_model, pooling = embedder._language_model(), embedder._choose_pooling()
    settings = _chunking.ChunkSettings(
        window=embedder.chunk_size_ - language_model.n_special,
        overlap=0,
        pooling=pooling.mode,
        normalize=pooling.normalize,
        weighting="uniform",
        batch_tokens=embedder.batch_tokens,
        layers=pooling.layers,
    )
    ends = [_embed_ends(text, language_model, settings) for text in texts]
    return Ends(*(np.array(part) for part in zip(*ends, strict=True)))


def _embed_ends(text, language_model, settings) -> tuple:
    """Return the fields of `Ends` for one text."""
    chunks = _chunking.make_chunks([text], language_model, settings.window, 0)
    n_chunks = len(chunks.sizes)
    ends = np.array([0, n_chunks - 1])
    vectors = np.empty((2, language_model.embedding_dim), dtype=np.float32)
    selected = _chunking.Chunks(
        chunks.tokens, chunks.starts[ends], chunks.sizes[ends], np.arange(2)
    )
    for rows, part, _ in _chunking._chunk_vectors(selected, language_model, settings):
        vectors[rows] = part
    return *vectors, n_chunks, chunks.sizes[-1] / settings.window


def weight_by_tokens(means, ends) -> np.ndarray:
    """Return the means of chunks, weighted by numbers of tokens: (n_texts, dim)."""
    n, share = ends.n_chunks[:, None], ends.last_share[:, None]
    return (n * means - (1 - share) * ends.last) / (n - 1 + share)


def compare(studies, means, ends, output) -> dict:
    """Return a result for each estimator, with a row for each way to combine chunks."""
    inputs = {
        "mean": means,
        "mean weighted by tokens": weight_by_tokens(means, ends),
        "first chunk": ends.first,
    }
    made = make_estimators(["ridge", "contrastive"])
    made["contrastive"][-1].set_params(**_TUNED)
    names = {"ridge": "ridge", "contrastive": "contrastive, tuned"}
    results = {}
    for kind, name in names.items():
        results[name] = run_benchmark(
            {f"{name}, {label}": clone(made[kind]) for label in inputs},
            {f"{name}, {label}": X for label, X in inputs.items()},
            studies.y,
            studies.splits,
            output=output,
            reference=f"{name}, mean",
            groups=studies.groups,
            settings=studies.metadata,
        )
    return results


def main():
    """Parse the command line and print a table for each estimator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("NEUROCONTEXT_DATA")
    bodies = Path(data) / "fulltext" / "fulltext.jsonl.xz" if data else None
    parser.add_argument("--bodies", type=Path, default=bodies, required=bodies is None)
    parser.add_argument("--n-splits", type=int, default=5)
    parser.add_argument("--n-candidates", type=int, default=1000)
    parser.add_argument("--cache", default="memory", help="embedding store")
    parser.add_argument("--output", type=Path, default=Path("chunks_output"))
    options = parser.parse_args()
    studies = load_bodies(options.bodies, options.n_splits, options.n_candidates)
    embedder = make_embedder().set_params(cache=options.cache)
    means = embedder.fit_transform(studies.texts)
    ends = embed_ends(studies.texts, embedder)
    results = compare(studies, means, ends, options.output)
    for result in results.values():
        print(result.to_markdown())


if __name__ == "__main__":
    main()
