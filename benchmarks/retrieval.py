"""Retrieval by the best settings over the 15 splits: one preset for each table.

    python benchmarks/retrieval.py abstract-counts --output retrieval_output

Reads the corpora that `NEUROCONTEXT_DATA` names, or downloads them. A run that was
stopped goes on where it was. Full texts are read with ``--bodies``, a file of JSON
lines with ``id`` (PMID) and ``text``.
"""

import argparse
import json
import lzma
from pathlib import Path

import numpy as np
from sklearn.base import clone

from sklearn_neurocontext import best_text_brain, paper_splits
from sklearn_neurocontext.datasets import study_texts
from sklearn_neurocontext.evaluation import (
    duplicate_groups,
    load_corpus,
    make_masker,
    run_benchmark,
    usable_rows,
    without_leaks,
)

COUNTED = {
    "abstract-counts": {"abstract": 1},
    "title-keywords-abstract-counts": {"title": 2, "keywords": 2, "abstract": 1},
}
PRESETS = ("titles", *COUNTED, "bodies")


def weighted_counts(corpus, weights):
    """Add the term counts of several parts, each times its weight."""
    return sum(weight * corpus.term_counts[part] for part, weight in weights.items())


def read_bodies(path, corpus):
    """Give the full text of each study of a corpus, empty where there is none."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        texts = {study["id"]: study["text"] for study in map(json.loads, lines)}
    return [texts.get(pmid, "") for pmid in corpus.studies["pmid"]]


def prepare(preset, bodies):
    """Give X, y, splits and the estimator of a preset."""
    corpus = load_corpus("neuroquery" if preset in COUNTED else "neuroquery+neurosynth")
    y = make_masker().fit(corpus.peaks).transform(corpus.peaks)
    if preset in COUNTED:
        X = weighted_counts(corpus, COUNTED[preset]).tocsr()
        rows = np.flatnonzero((X.sum(axis=1) > 0) & (y != 0).any(axis=1))
        X, estimator = X[rows], best_text_brain("abstract", 0)
    else:
        titles = preset == "titles"
        texts = study_texts(corpus, "title") if titles else read_bodies(bodies, corpus)
        rows = usable_rows(texts, y)
        X = [texts[row] for row in rows]
        estimator = best_text_brain("title" if titles else "body", 0)
    if preset == "bodies":
        # Counting the words of a body learns nothing from other bodies: done once.
        # Which words are frequent enough is learned in each split.
        count = clone(estimator.named_steps["termcounts"]).set_params(min_df=1)
        X = count.fit_transform(X)
    splits = paper_splits(len(rows), n_development=300 if preset == "bodies" else 600)
    print(splits, flush=True)
    groups = duplicate_groups(
        corpus.studies["title"].iloc[rows].tolist(),
        [corpus.peaks[row] for row in rows],
        corpus.groups[rows],
    )
    print(f"{len(rows) - len(np.unique(groups))} studies double others", flush=True)
    return X, y[rows], without_leaks(splits, groups), estimator


def main():
    """Run one preset and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--output", type=Path, default=Path("retrieval_output"))
    parser.add_argument("--bodies", type=Path, help="file of full texts")
    parser.add_argument("--splits", type=int, default=15, help="the first so many")
    arguments = parser.parse_args()
    if arguments.preset == "bodies" and arguments.bodies is None:
        parser.error("bodies are read from a file: give it with --bodies")
    X, y, splits, estimator = prepare(arguments.preset, arguments.bodies)
    output = arguments.output / arguments.preset

    def show(n_done, n_total, record):
        shown = ("recall_at_10", "recall_at_100", "mix_match", "fit_seconds")
        print(n_done, n_total, *(round(record[key], 4) for key in shown), flush=True)

    result = run_benchmark(
        {"best_text_brain": estimator},
        X,
        y,
        splits[: arguments.splits],
        output=output,
        on_progress=show,
        settings={"preset": arguments.preset, "n_studies": len(y)},
    )
    result.write(output)
    print(result.to_markdown())


if __name__ == "__main__":
    main()
