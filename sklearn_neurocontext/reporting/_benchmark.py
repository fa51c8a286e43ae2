"""Sections about a benchmark: scores beside chance, curves, paired differences."""

import html

from ..plotting import plot_paired_differences, plot_recall_curves
from ._page import picture, provenance, table


def benchmark_sections(model, result) -> list:
    """Give headings and HTML about what `run_benchmark` measured."""
    summary = result.summary()
    wide = _wide(summary)
    # Written already; as numbers they are set right.
    numbers = dict.fromkeys(wide.columns[1:], str)
    words = f"<p>{html.escape(_describe(summary, result.overlapping))}</p>\n"
    words += table(wide, numbers)
    curves = plot_recall_curves(result.recall_curves()).figure
    sections = [("Scores", words), ("Recall curves", picture(curves, "recall curves"))]
    differences = result.differences()
    if len(differences):
        sections.append(("Paired differences", _differences(result, differences)))
    facts = {"runs": result.provenance}
    if model is not None:
        facts["model"] = model.card
    return [*sections, ("Where this comes from", provenance(**facts))]


def _describe(summary, overlapping):
    splits = sorted(set(summary["n_splits"]))
    n_splits = " to ".join(f"{n:,}" for n in dict.fromkeys((splits[0], splits[-1])))
    words = (
        f"Mean ± standard deviation over {n_splits} splits, in percent; on average "
        f"{summary['n_candidates'].mean():,.0f} candidates, on which recall depends. "
        "Costs are in seconds and MB."
    )
    if overlapping:
        words += " Test parts share studies: deviations are too narrow."
    return words


def _wide(summary):
    """One row per score, a column per estimator and one for chance."""
    scored = summary["chance"].notna()
    scale = scored.map({True: 100.0, False: 1.0})
    cells = (scale * summary["mean"]).map("{:.1f}".format)
    spread = (scale * summary["sd"]).map(" ± {:.1f}".format)
    cells += spread.where(summary["sd"].notna(), "")
    wide = summary.assign(cell=cells).pivot(
        index="metric", columns="estimator", values="cell"
    )
    wide = wide.loc[summary["metric"].unique(), summary["estimator"].unique()]
    chance = summary[scored].groupby("metric")["chance"].mean()
    wide["chance"] = (100 * chance).map("{:.1f}".format)
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
        unit=f"points of {metric}",
        reference=reference,
    )
    shown = differences.copy()
    for name in ("mean", "low", "high"):
        shown[name] = (100 * shown[name]).map("{:+.1f}".format, na_action="ignore")
    words = (
        "<p>Points, split by split; 95 % intervals of a paired t-test. Training parts "
        "share studies, so they are somewhat too narrow.</p>"
    )
    numbers = dict.fromkeys(("mean", "low", "high", "n_splits"), str)
    return words + picture(ax.figure, "paired differences") + table(shown, numbers)
