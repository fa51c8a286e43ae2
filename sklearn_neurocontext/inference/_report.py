"""HTML reports about a text, a corpus or a benchmark."""

import copy
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from .._utils.files import expand_path, replace_surrogates, write_text
from .._utils.validation import american_spelling, check_words
from .._utils.volumes import unit_rows
from ..metrics import mix_match_score, recall_at_k, recall_curve, similarity
from ..models import scale_like_predictions
from ..plotting import (
    DENSITY_UNIT,
    plot_maps,
    plot_paired_differences,
    plot_recall_curves,
)
from ._neurocontext_model import density_unit
from ._report_parts import map_content, picture, render, table

_MAX_TITLE = 90
# Maximum number of studies whose titles and maps are compared. Memory grows with the
# square of this number.
_MAX_STUDIES = 1000
_TWO_DIGITS = "{:.2f}".format
# Headings of the columns of `similar_words`.
_TERM_HEADINGS = {
    "term": "term",
    "weight_in_brain_map": "similarity of maps",
    "similarity": "similarity of texts",
    "weight_in_query": "share in the text",
    "n_documents": "training studies",
}


@dataclass(frozen=True)
class Report:
    """HTML page that can be displayed without a network connection.

    Parameters
    ----------
    html : str
        Content of the page.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import Report
    >>> Report("<!DOCTYPE html>").html
    '<!DOCTYPE html>'
    """

    html: str

    def save(self, path) -> Path:
        """Write the page to a file.

        Parameters
        ----------
        path : path-like
            File to write. Its folder is created if needed.

        Returns
        -------
        path : Path
            The written file.
        """
        path = expand_path(path)
        write_text(path, self.html)
        return path

    def _repr_html_(self):
        """Return an HTML frame that contains the page, for display in notebooks."""
        return (
            '<iframe sandbox="allow-scripts allow-popups" width="100%" height="800" '
            f'srcdoc="{html.escape(self.html)}"></iframe>'
        )


def make_report(model, results, *, k=20, top=0.1) -> Report:
    """Make a self-contained HTML page about a text, a corpus or a benchmark.

    The content of the page depends on `results`:

    - Text: the text with marked terms, the predicted map, the terms with similar maps
      and, if a corpus was indexed, the studies with similar maps. The page displays the
      z map (if the model has z maps) and the brain map in slices or on a glass brain,
      with a threshold and a table of peaks and their regions. It also contains a
      picture of the brain map, as plotted by `plot_maps`.
    - Corpus: scores for the retrieval of maps by titles and of titles by maps, the
      studies whose maps are retrieved with the best and worst ranks, and the mean map
      of the studies.
    - Benchmark: scores with their chance levels, recall curves and paired differences.

    All pages end with the articles to cite, metadata and the versions of libraries.
    Pages never connect to the network. HTML markup in `results`, for example in the
    titles of a corpus, is escaped.

    Parameters
    ----------
    model : NeuroContextModel or None
        Model that predicts the maps. To list similar studies on the page of a text,
        call ``model.index_corpus`` first. For a benchmark, `model` may be None.
    results : str, Bunch or BenchmarkResult
        A text of any length (str), a corpus as returned by a loader of
        `sklearn_neurocontext.datasets` (Bunch), or the value returned by
        `run_benchmark` (BenchmarkResult).
    k : int, default=20
        Maximum number of rows in the tables of terms and studies.
    top : float, default=0.1
        Fraction of voxels of the brain map that the page displays at first and that the
        pictures display. The voxels with the highest values are displayed. The fraction
        must be in (0, 1].

    Returns
    -------
    report : Report
        The page. Notebooks display it. ``report.save("report.html")`` writes it to a
        file.

    Raises
    ------
    TypeError, ValueError
        If `results` has another type, if a text is blank, or if `top` is out of range.
        If a corpus has fewer than two studies with a title and a peak inside the mask.

    Examples
    --------
    >>> from sklearn_neurocontext import NeuroContextModel
    >>> from sklearn_neurocontext.inference import make_report
    >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
    >>> make_report(model, "finger tapping").save("report.html")  # doctest: +SKIP
    """
    metadata = {}
    if isinstance(results, str):
        name, title = "text.html", results
        content = _describe_text(model, results, k, top)
    elif isinstance(results, Mapping) and {"studies", "peaks"} <= set(results):
        name, title = "corpus.html", "Corpus"
        content = _describe_corpus(model, results, k, top)
    elif all(hasattr(results, name) for name in ("summary", "recall_curves")):
        name, title = "benchmark.html", _benchmark_title(results)
        content = _describe_benchmark(results)
        metadata["runs"] = results.provenance
    else:
        raise TypeError(
            "results must be a text, a corpus (as returned by a loader), or a "
            "benchmark (as returned by run_benchmark); got a "
            f"{type(results).__name__}. For several texts, make one report per text."
        )
    if model is not None:
        metadata["model"] = model.card
    if len(title) > _MAX_TITLE:
        title = title[:_MAX_TITLE] + " …"
    return Report(replace_surrogates(render(name, title, content, metadata)))


def _draw_map(model, imgs, top, *, text=None, message="") -> dict:
    """Return the content of a page about maps, for a template.

    `imgs` is a dict from the names of maps to images. The content includes a picture of
    the brain map. If `text` is None, this map must be the mean map of a corpus.
    """
    unit = density_unit(model)
    title = "mean of the studies" if text is None else text
    img = imgs["brain_map"]
    figure = plot_maps(img, top=top, title=title, unit=unit, note=message)
    explanation = "The map is the mean of the maps of the studies."
    return {
        "percent": f"{100 * top:g}",
        "unit": unit,
        "is_scaled": unit == DENSITY_UNIT,
        "picture": picture(figure, "slices, glass brain and cortical surface"),
        **map_content(
            imgs,
            np.asarray(model.masker.mask_img_.dataobj) > 0,
            title=title,
            units={"z_map": "z value", "brain_map": unit},
            top=top,
            explanation=explanation if text is None else "",
        ),
    }


def _describe_text(model, text, k, top) -> dict:
    """Return the content of the page of a text."""
    (text,) = check_words([text], "results")
    maps = model.transform([text])
    message = ""
    if "z_map" in maps:
        message = model.low_confidence_message(maps["z_map"][0], text)
    support = model.describe_support(text)
    note = " ".join(filter(None, [support, message]))
    marked = model.highlighted_text(text)
    imgs = {name: maps[name][0] for name in ("brain_map", "z_map") if name in maps}
    content = {
        "marked": Markup(marked),  # `highlighted_text` has escaped the text.
        "has_marks": "<mark" in marked,
        "n_terms": len(model.terms),
        "message": message,
        "support": support,
        "map": _draw_map(model, imgs, top, text=text, message=note),
        "terms": None,
        "documents": None,
    }
    if model.terms:
        words = model.similar_words(text).head(k).reset_index()
        # Models without text features have no similarity of texts.
        names = [name for name in _TERM_HEADINGS if name in words]
        words = words[names].rename(columns=_TERM_HEADINGS)
        formats = dict.fromkeys(words.columns[1:-1], _TWO_DIGITS)
        formats[words.columns[-1]] = "{:,}".format
        content["terms"] = table(words, formats)
    if model.studies is not None:
        ranked = model.similar_documents(text, k=len(model.studies.titles))
        median, high = np.quantile(ranked["similarity"], (0.5, 0.95))
        shown = ranked.head(k)
        content |= {
            "documents": table(
                shown[["title", "year", "journal", "similarity"]],
                {"similarity": _TWO_DIGITS},
                links=shown["pubmed_url"].tolist(),
            ),
            "n_documents": len(ranked),
            "median": median,
            "high": high,
        }
    return content


def _describe_corpus(model, corpus, k, top) -> dict:
    """Return the content of the page of a corpus."""
    indexed = copy.copy(model).index_corpus(corpus).studies
    n_usable = len(indexed.titles)
    if n_usable < 2:
        raise ValueError(
            "The corpus must have at least two studies with a title and a peak inside "
            "the mask; got one."
        )
    rows = np.arange(n_usable)
    if n_usable > _MAX_STUDIES:
        rng = np.random.default_rng(0)
        rows = np.sort(rng.choice(rows, _MAX_STUDIES, replace=False))
    maps = indexed.coefficients
    if model.unit_maps:
        maps = unit_rows(maps)
    titles = [american_spelling(indexed.titles[row]) for row in rows]
    matrix = similarity(model.model, titles, maps[rows])
    true = np.diag(matrix)[:, None]
    ranks = (matrix > true).sum(axis=1) + (1 + (matrix == true).sum(axis=1)) / 2
    studies = indexed.table.iloc[rows].assign(rank=ranks).sort_values("rank")
    formats = {"rank": "{:g}".format}
    mean = scale_like_predictions(model.model, maps).mean(axis=0, keepdims=True)
    mean_img = model.masker.inverse_transform(mean).slicer[..., 0]
    curve = plot_recall_curves({"the model": recall_curve(matrix)})
    return {
        "description": corpus.get("description", ""),
        "n_studies": len(corpus["peaks"]),
        "n_peaks": sum(len(one) for one in corpus["peaks"]),
        "n_usable": n_usable,
        "n_candidates": len(matrix),
        "scores": _retrieval_table(matrix),
        "recall_curve": picture(curve.figure, "recall curve"),
        "best": table(studies.head(k), formats),
        "worst": table(studies.iloc[::-1].head(k), formats),
        "map": _draw_map(model, {"brain_map": mean_img}, top),
    }


def _retrieval_table(matrix) -> dict:
    """Return a table of recall, mix&match and chance levels in both directions."""
    n, rows = len(matrix), []
    for direction, one in (("text → brain", matrix), ("brain → text", matrix.T)):
        for k in (k for k in (1, 10, 100) if k < n):
            rows.append((direction, f"recall@{k}", recall_at_k(one, k), k / n))
        rows.append((direction, "mix&match", mix_match_score(one), 0.5))
    scores = pd.DataFrame(rows, columns=["direction", "score", "model", "chance"])
    return table(scores, dict.fromkeys(("model", "chance"), "{:.1%}".format))


def _benchmark_title(result) -> str:
    """Return a title with the names of the corpus and the text field, if known."""
    settings = [run.get("settings", {}) for run in result.provenance or []]
    names = [
        str(one[key])
        for key in ("corpus", "text_field")
        for one in settings
        if key in one
    ]
    return "Benchmark" + (": " if names else "") + ", ".join(dict.fromkeys(names))


def _describe_benchmark(result) -> dict:
    """Return the content of the page of a benchmark."""
    summary = result.summary()
    has_chance = summary["chance"].notna()
    n_splits = sorted(set(summary["n_splits"]))
    curves = plot_recall_curves(result.recall_curves()).figure
    content = {
        "n_splits": " to ".join(
            f"{n:,}" for n in sorted({*n_splits[:1], *n_splits[-1:]})
        ),
        "n_candidates": f"{summary['n_candidates'].mean():,.0f}",
        "intervals": result.describe_intervals(),
        "scores": _numbers(_score_frame(summary[has_chance], result), 2),
        "recall_curves": picture(curves, "recall curves"),
        "differences": None,
        "costs": None,
    }
    differences = result.differences()
    if len(differences):
        content |= _describe_differences(result, differences)
    if not has_chance.all():
        costs = _wide_frame(summary[~has_chance], result, 1)
        content["costs"] = _numbers(costs.rename(columns={"metric": "cost"}), 1)
    return content


def _numbers(frame, n_names) -> dict:
    """Return a table in which all columns after the first `n_names` are numbers."""
    return table(frame, dict.fromkeys(frame.columns[n_names:], str))


def _score_frame(summary, result):
    """Return a table with a row per score.

    Each estimator has a column. The last column contains the chance levels.
    """
    wide = _wide_frame(summary, result, 100)
    chance = summary.groupby("metric", sort=False)["chance"].mean()
    wide["chance"] = (100 * chance).map("{:.1f}".format).to_numpy()
    wide.insert(0, "direction", [result.direction(one) for one in chance.index])
    return _sort_directions(wide)


def _sort_directions(frame):
    """Sort rows so that text → brain comes before brain → text."""
    return frame.sort_values("direction", ascending=False, kind="stable")


def _wide_frame(summary, result, scale):
    """Return a table with a row per score or cost and a column per estimator."""
    mean, std, low, high = (
        (scale * summary[name]).map("{:,.1f}".format)
        for name in ("mean", "std", "low", "high")
    )
    # Scores have intervals, and costs have standard deviations.
    is_cost = summary["chance"].isna()
    cells = mean + (" ± " + std).where(is_cost & summary["std"].notna(), "")
    cells += (" [" + low + ", " + high + "]").where(summary["low"].notna(), "")
    wide = summary.assign(cell=cells).pivot(
        index="metric", columns="estimator", values="cell"
    )
    wide = wide.loc[summary["metric"].unique(), summary["estimator"].unique()]
    wide.index = wide.index.map(result.heading)
    return wide.rename_axis(columns=None).reset_index()


def _describe_differences(result, differences) -> dict:
    """Return a table and a plot of differences from the reference estimator.

    The plot displays only the differences in the first score of the table.
    """
    reference = differences["reference"].iloc[0]
    metric = differences["metric"].iloc[0]
    wide = result.table().pivot(index="split", columns="estimator", values=metric)
    of_metric = differences[differences["metric"] == metric].set_index("estimator")
    axes = plot_paired_differences(
        {
            name: (100 * (wide[name] - wide[reference])).dropna()
            for name in of_metric.index
        },
        intervals={
            name: (100 * one["low"], 100 * one["high"])
            for name, one in of_metric.iterrows()
            if one[["low", "high"]].notna().all()
        },
        unit=f"points of {result.heading(metric)}, {result.direction(metric)}",
        reference=reference,
    )
    points = 100 * differences[["mean", "low", "high"]]
    intervals = [
        "" if np.isnan(low) else f"{low:+.1f} to {high:+.1f}"
        for low, high in zip(points["low"], points["high"], strict=True)
    ]
    frame = pd.DataFrame(
        {
            "direction": differences["metric"].map(result.direction),
            "metric": differences["metric"].map(result.heading),
            "estimator": differences["estimator"],
            f"minus {reference}": points["mean"].map("{:+.1f}".format),
            "95 % interval": intervals,
        }
    )
    return {
        "reference": reference,
        "difference_plot": picture(axes.figure, "paired differences"),
        "differences": _numbers(_sort_directions(frame), 3),
    }
