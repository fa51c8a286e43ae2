"""Numbers as words, and tables in Markdown, for people: percent and points."""

import numpy as np
import pandas as pd

BRAIN_TO_TEXT = "_brain_to_text"
DIRECTIONS = ("text→brain", "brain→text")
_COST_HEADINGS = {
    "fit_seconds": "fit (s)",
    "fit_processor_seconds": "fit, processor (s)",
    "peak_memory_mb": "peak memory (MB)",
}

_OTHER_HEADINGS = {
    "score_seconds": "score (s)",
    "best_epoch": "best epoch",
    "n_epochs": "epochs",
    "mix_match": "mix&match",
    "recall_curve_auc": "recall-curve AUC",
}


def heading(metric: str) -> str:
    """Name a score, in either direction, or a cost in words."""
    name = metric.removesuffix(BRAIN_TO_TEXT)
    shown = _COST_HEADINGS | _OTHER_HEADINGS
    return shown.get(name, name.replace("recall_at_", "recall@"))


def _directions(metrics) -> list:
    """Sort scores by what is asked for: maps for a text, then texts for a map."""
    back = [metric for metric in metrics if metric.endswith(BRAIN_TO_TEXT)]
    there = [metric for metric in metrics if metric not in back]
    return [
        (words, of) for words, of in zip(DIRECTIONS, (there, back), strict=True) if of
    ]


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
    >>> from sklearn_neurocontext.experiments import mean_and_deviation
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
    >>> from sklearn_neurocontext.experiments import difference_and_interval
    >>> difference_and_interval({"mean": 0.012, "low": 0.003, "high": 0.021})
    '+1.2 [+0.3, +2.1]'
    """
    words = f"{100 * row['mean']:+.1f}"
    if np.isnan(row["low"]):
        return words
    return f"{words} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"


def score_tables(summary: pd.DataFrame, metrics: list[str]) -> list[str]:
    """Write a table of scores for each direction; costs stand in the first."""
    costs = [cost for cost in _COST_HEADINGS if cost in set(summary["metric"])]
    tables = []
    for direction, of_direction in _directions(metrics):
        tables.append(_score_table(summary, direction, of_direction, costs))
        costs = []
    return tables


def _score_table(summary, direction, metrics, costs) -> str:
    cells = summary.set_index(["estimator", "metric"])
    headings = [_COST_HEADINGS[cost] for cost in costs]
    rows = [[f"{direction} (%)", *map(heading, metrics), *headings]]
    for name in summary["estimator"].unique():
        row = [name]
        for metric in [*metrics, *costs]:
            known = (name, metric) in cells.index
            row.append(_cell(metric, cells.loc[(name, metric)]) if known else "–")
        rows.append(row)
    chances = summary.groupby("metric")["chance"].mean()
    rows.append(["chance", *(f"{100 * chances[metric]:.1f}" for metric in metrics)])
    rows[-1] += [""] * len(costs)
    return _markdown(rows)


def _cell(metric, one) -> str:
    if metric == "peak_memory_mb":
        return f"{one['mean']:,.0f}"
    scale = 1 if metric in _COST_HEADINGS else 100
    return mean_and_deviation(one["mean"], one["sd"], scale)


def difference_tables(differences: pd.DataFrame) -> list[str]:
    """Write a table of differences to the reference for each direction."""
    metrics = list(differences["metric"].unique())
    return [
        _difference_table(differences, direction, of_direction)
        for direction, of_direction in _directions(metrics)
    ]


def _difference_table(differences, direction, metrics) -> str:
    reference = differences["reference"].iloc[0]
    first = f"{direction}, minus {reference} (points)"
    rows = [[first, *map(heading, metrics)]]
    for name, of_name in differences.groupby("estimator", sort=False):
        row = [str(name)]
        for metric in metrics:
            one = of_name[of_name["metric"] == metric].iloc[0]
            row.append(difference_and_interval(one))
        rows.append(row)
    return _markdown(rows)
