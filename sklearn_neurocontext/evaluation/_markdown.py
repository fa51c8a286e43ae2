"""Numbers as words, and tables in Markdown, for people: percent and points."""

import numpy as np
import pandas as pd

BRAIN_TO_TEXT = "_brain_to_text"
_COST_HEADINGS = {
    "fit_seconds": "fit (s)",
    "fit_processor_seconds": "fit, processor (s)",
    "peak_memory_mb": "peak memory (MB)",
}


def _heading(metric: str) -> str:
    name = metric.removesuffix(BRAIN_TO_TEXT)
    shown = {"mix_match": "mix&match", "recall_curve_auc": "recall-curve AUC"}
    heading = shown.get(name, name.replace("recall_at_", "recall@"))
    return heading + (" brain→text" if metric.endswith(BRAIN_TO_TEXT) else "")


def _markdown(rows: list[list[str]]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)


def mean_and_deviation(mean: float, deviation: float, scale: float = 100) -> str:
    """Write a mean and its deviation, if any, in percent.

    Parameters
    ----------
    mean, deviation : float
        Fractions; one split has the deviation NaN.
    scale : float, default=100
        1 writes what is no fraction as it is.

    Returns
    -------
    words : str
        For example ``15.1 ± 0.9``.

    Examples
    --------
    >>> from sklearn_neurocontext.evaluation import mean_and_deviation
    >>> mean_and_deviation(0.151, 0.009), mean_and_deviation(0.151, float("nan"))
    ('15.1 ± 0.9', '15.1')
    """
    spread = "" if np.isnan(deviation) else f" ± {scale * deviation:.1f}"
    return f"{scale * mean:.1f}{spread}"


def difference_and_interval(row) -> str:
    """Write a row of `BenchmarkResult.differences` in points, with its interval if any.

    Parameters
    ----------
    row : Series or dict
        With ``mean``, ``low`` and ``high``.

    Returns
    -------
    words : str
        For example ``+1.2 [+0.3, +2.1]``.

    Examples
    --------
    >>> from sklearn_neurocontext.evaluation import difference_and_interval
    >>> difference_and_interval({"mean": 0.012, "low": 0.003, "high": 0.021})
    '+1.2 [+0.3, +2.1]'
    """
    words = f"{100 * row['mean']:+.1f}"
    if np.isnan(row["low"]):
        return words
    return f"{words} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"


def score_table(summary: pd.DataFrame, metrics: list[str]) -> str:
    cells = summary.set_index(["estimator", "metric"])
    # A row has every score, and what it cost where that was measured.
    costs = [cost for cost in _COST_HEADINGS if cost in set(summary["metric"])]
    headings = [_COST_HEADINGS[cost] for cost in costs]
    rows = [["estimator (%)", *map(_heading, metrics), *headings]]
    for name in summary["estimator"].unique():
        row = [name]
        for metric in [*metrics, *costs]:
            if (name, metric) not in cells.index:
                row.append("–")
                continue
            one = cells.loc[(name, metric)]
            if metric == "peak_memory_mb":
                row.append(f"{one['mean']:.0f}")
                continue
            scale = 1 if metric in costs else 100
            row.append(mean_and_deviation(one["mean"], one["sd"], scale))
        rows.append(row)
    chances = summary.groupby("metric")["chance"].mean()
    rows.append(["chance", *(f"{100 * chances[metric]:.1f}" for metric in metrics)])
    rows[-1] += [""] * len(costs)
    return _markdown(rows)


def difference_table(differences: pd.DataFrame) -> str:
    reference = differences["reference"].iloc[0]
    metrics = list(differences["metric"].unique())
    rows = [[f"minus {reference} (points)", *map(_heading, metrics)]]
    for name, of_name in differences.groupby("estimator", sort=False):
        row = [str(name)]
        for metric in metrics:
            one = of_name[of_name["metric"] == metric].iloc[0]
            row.append(difference_and_interval(one))
        rows.append(row)
    return _markdown(rows)
