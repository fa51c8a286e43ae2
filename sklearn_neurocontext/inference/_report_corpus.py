"""Sections about a corpus: how well a model finds its maps by their titles."""

import copy
import html

import numpy as np
import pandas as pd
from sklearn.preprocessing import normalize

from ..metrics import mix_match_score, recall_at_k, recall_curve, similarity
from ..models import scale_like_predictions
from ..plotting import plot_recall_curves
from ._report_page import picture, provenance, table
from ._report_text import map_sections

# Studies compared with each other: memory grows with the square.
_MOST = 1000


def corpus_sections(model, corpus, k, top) -> list:
    """Give headings and HTML about a corpus, as `page` takes them."""
    indexed = copy.copy(model).index_corpus(corpus).studies
    n_usable = len(indexed.titles)
    if n_usable < 2:
        raise ValueError(
            "The corpus has one study with a title and a peak inside the mask; a "
            "report on a corpus compares at least two."
        )
    rows = np.arange(n_usable)
    if n_usable > _MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST, replace=False))
    maps = indexed.coefficients
    if model.unit_maps:
        maps = normalize(maps)
    titles = [indexed.titles[row] for row in rows]
    matrix = similarity(model.model, titles, maps[rows])
    own = np.diag(matrix)[:, None]
    ranks = (matrix > own).sum(axis=1) + (1 + (matrix == own).sum(axis=1)) / 2
    studies = indexed.table.iloc[rows].assign(rank=ranks).sort_values("rank")
    mean = scale_like_predictions(model.model, maps).mean(axis=0, keepdims=True)
    mean = model.masker.inverse_transform(mean)
    return [
        ("Corpus", f"<p>{html.escape(_describe(corpus, n_usable))}</p>"),
        ("Finding maps by titles", _scores(matrix)),
        ("Studies found best", table(studies.head(k), {"rank": "{:g}".format})),
        (
            "Studies found worst",
            table(studies.iloc[::-1].head(k), {"rank": "{:g}".format}),
        ),
        *map_sections(model, mean.slicer[..., 0], top),
        ("Where this comes from", provenance(model=model.card)),
    ]


def _describe(corpus, n_usable):
    n_peaks = sum(len(one) for one in corpus["peaks"])
    return (
        f"{corpus.get('description', '')} {len(corpus['peaks']):,} studies with "
        f"{n_peaks:,} peaks; {n_usable:,} have a title and a peak inside the mask."
    ).strip()


def _scores(matrix):
    """Recall and mix&match beside chance, in both directions, and the curve."""
    n, rows = len(matrix), []
    for direction, one in (("text → brain", matrix), ("brain → text", matrix.T)):
        for k in (k for k in (1, 10, 100) if k < n):
            rows.append((direction, f"recall@{k}", recall_at_k(one, k), k / n))
        rows.append((direction, "mix&match", mix_match_score(one), 0.5))
    scores = pd.DataFrame(rows, columns=["direction", "score", "model", "chance"])
    percent = "{:.1%}".format
    curve = plot_recall_curves({"the model": recall_curve(matrix)})
    return (
        f"<p>{n:,} candidates, drawn from the corpus where it has more. If the model "
        "was trained on these studies, the numbers are too good.</p>\n"
        + table(scores, {"model": percent, "chance": percent})
        + picture(curve.figure, "recall curve")
    )
