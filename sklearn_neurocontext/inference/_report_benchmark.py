"""Sections about a benchmark: scores beside chance, curves, paired differences."""

import html

import numpy as np
import pandas as pd

from ..plotting import plot_paired_differences, plot_recall_curves
from ._report_page import picture, provenance, table


def benchmark_title(result) -> str:
    """Name the corpus and the part of the text, where the settings have them."""
    settings = [run.get("settings", {}) for run in result.provenance or []]
    names = [one["corpus"] for one in settings if "corpus" in one]
    parts = [one["text"] for one in settings if "text" in one]
    named = ", ".join(map(str, dict.fromkeys((*names, *parts))))
    return f"Benchmark: {named}" if named else "A benchmark"


def benchmark_sections(model, result) -> list:
    """Give headings and HTML about what `run_benchmark` measured."""
    summary = result.summary()
    scored = summary["chance"].notna()
    words = f"<p>{html.escape(_describe(summary, result.overlapping))}</p>\n"
    words += _table(_scores(summary[scored], result), 2)
    curves = plot_recall_curves(result.recall_curves()).figure
    sections = [("Scores", words), ("Recall curves", picture(curves, "recall curves"))]
    differences = result.differences()
    if len(differences):
        sections.append(("Paired differences", _differences(result, differences)))
    if not scored.all():
        costs = _wide(summary[~scored], result, 1).rename(columns={"metric": "cost"})
        sections.append(("Costs of one split", _table(costs, 1)))
    facts = {"runs": result.provenance}
    if model is not None:
        facts["model"] = model.card
    return [*sections, ("Where this comes from", provenance(**facts))]


def _table(frame, n_names):
    """Write a table whose cells, after the first columns, stand as numbers do."""
    return table(frame, dict.fromkeys(frame.columns[n_names:], str))


def _describe(summary, overlapping):
    splits = sorted(set(summary["n_splits"]))
    n_splits = " to ".join(f"{n:,}" for n in dict.fromkeys((splits[0], splits[-1])))
    words = (
        f"Mean ± standard deviation over {n_splits} splits, in percent; on average "
        f"{summary['n_candidates'].mean():,.0f} candidates, on which recall depends."
    )
    if overlapping:
        words += " Test parts share studies: deviations are too narrow."
    return words


def _scores(summary, result):
    """One row per score and direction, a column per estimator and one for chance."""
    wide = _wide(summary, result, 100)
    chance = summary.groupby("metric", sort=False)["chance"].mean()
    wide["chance"] = (100 * chance).map("{:.1f}".format).to_numpy()
    wide.insert(0, "direction", [result.direction(one) for one in chance.index])
    return _by_direction(wide)


def _by_direction(frame):
    """Sort by what is asked for: maps for a text, then texts for a map."""
    return frame.sort_values("direction", ascending=False, kind="stable")


def _wide(summary, result, scale):
    """One row per score or cost, a column per estimator."""
    cells = (scale * summary["mean"]).map("{:,.1f}".format)
    spread = (scale * summary["std"]).map(" ± {:,.1f}".format)
    cells += spread.where(summary["std"].notna(), "")
    wide = summary.assign(cell=cells).pivot(
        index="metric", columns="estimator", values="cell"
    )
    wide = wide.loc[summary["metric"].unique(), summary["estimator"].unique()]
    wide.index = wide.index.map(result.heading)
    return wide.rename_axis(columns=None).reset_index()


def _differences(result, differences):
    """Differences to the reference in points, the first score drawn split by split."""
    reference = differences["reference"].iloc[0]
    metric = differences["metric"].iloc[0]
    wide = result.table().pivot(index="split", columns="estimator", values=metric)
    of_metric = differences[differences["metric"] == metric].set_index("estimator")
    points = {
        name: (100 * (wide[name] - wide[reference])).dropna()
        for name in of_metric.index
    }
    intervals = {
        name: (100 * one["low"], 100 * one["high"])
        for name, one in of_metric.iterrows()
        if one[["low", "high"]].notna().all()
    }
    ax = plot_paired_differences(
        points,
        intervals=intervals,
        unit=f"points of {result.heading(metric)}, {result.direction(metric)}",
        reference=reference,
    )
    in_points = 100 * differences[["mean", "low", "high"]]
    interval = [
        "" if np.isnan(low) else f"{low:+.1f} to {high:+.1f}"
        for low, high in zip(in_points["low"], in_points["high"], strict=True)
    ]
    shown = pd.DataFrame(
        {
            "direction": differences["metric"].map(result.direction),
            "metric": differences["metric"].map(result.heading),
            "estimator": differences["estimator"],
            f"minus {reference}": in_points["mean"].map("{:+.1f}".format),
            "95 % interval": interval,
        }
    )
    words = (
        f"<p>Points that each estimator is above {html.escape(reference)}, split by "
        "split; intervals of a paired t-test. Training parts share studies, so they "
        "are somewhat too narrow.</p>"
    )
    return (
        words
        + picture(ax.figure, "paired differences")
        + _table(_by_direction(shown), 3)
    )
