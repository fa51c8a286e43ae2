"""Compute tables of scores and of paired differences from a benchmark."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from .._utils.files import expand_path, write_json, write_table, write_text

BRAIN_TO_TEXT = "_brain_to_text"
DIRECTIONS = ("text→brain", "brain→text")
# Headings of the values in a record that are costs, not scores.
_COST_HEADINGS = {
    "fit_seconds": "fit (s)",
    "fit_cpu_seconds": "fit, CPU time (s)",
    "score_seconds": "score (s)",
    "peak_memory_mb": "peak memory (MB)",
    "best_epoch": "best epoch",
    "n_epochs": "epochs",
}
_SCORE_HEADINGS = {
    "mix_match": "mix&match",
    "recall_curve_auc": "recall-curve AUC",
}
_COSTS_IN_TABLES = ("fit_seconds", "fit_cpu_seconds", "peak_memory_mb")
_CONFIDENCE = 0.95


def _direction(metric: str) -> str:
    return DIRECTIONS[metric.endswith(BRAIN_TO_TEXT)]


def _heading(metric: str) -> str:
    name = metric.removesuffix(BRAIN_TO_TEXT)
    headings = _COST_HEADINGS | _SCORE_HEADINGS
    return headings.get(name, name.replace("recall_at_", "recall@"))


def _group_by_direction(metrics) -> list:
    """Return a list of (direction, metrics), without directions that have no metric."""
    groups = [
        (direction, [metric for metric in metrics if _direction(metric) == direction])
        for direction in DIRECTIONS
    ]
    return [(direction, group) for direction, group in groups if group]


def _format_markdown(rows: list[list[str]]) -> str:
    """Format a table whose first row is the header."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)


def format_mean_std(mean: float, std: float, scale: float = 100) -> str:
    """Format a mean and its standard deviation, by default in percent.

    Parameters
    ----------
    mean, std : float
        Mean and standard deviation, as fractions. If `std` is NaN, as with a single
        split, only the mean is printed.
    scale : float, default=100
        Factor by which both values are multiplied. Use 1 for values that are not
        fractions.

    Returns
    -------
    text : str
        For example ``15.1 ± 0.9``.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import format_mean_std
    >>> format_mean_std(0.151, 0.009), format_mean_std(0.151, float("nan"))
    ('15.1 ± 0.9', '15.1')
    """
    spread = "" if np.isnan(std) else f" ± {scale * std:.1f}"
    return f"{scale * mean:.1f}{spread}"


def format_difference(row) -> str:
    """Format a row of `BenchmarkResult.differences` in percentage points.

    Parameters
    ----------
    row : Series or dict
        Row with the keys ``mean``, ``low`` and ``high``.

    Returns
    -------
    text : str
        For example ``+1.2 [+0.3, +2.1]``. If the interval is NaN, only the mean is
        printed.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import format_difference
    >>> format_difference({"mean": 0.012, "low": 0.003, "high": 0.021})
    '+1.2 [+0.3, +2.1]'
    """
    mean = f"{100 * row['mean']:+.1f}"
    if np.isnan(row["low"]):
        return mean
    return f"{mean} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"


def score_tables(summary: pd.DataFrame, metrics: list[str]) -> list[str]:
    """Return one Markdown table of scores per direction; the first includes costs."""
    costs = [cost for cost in _COSTS_IN_TABLES if cost in set(summary["metric"])]
    tables = []
    for direction, group in _group_by_direction(metrics):
        tables.append(_score_table(summary, direction, group, costs))
        costs = []
    return tables


def _score_table(summary, direction, metrics, costs) -> str:
    cells = summary.set_index(["estimator", "metric"])
    rows = [[f"{direction} (%)", *map(_heading, [*metrics, *costs])]]
    for name in summary["estimator"].unique():
        row = [name]
        for metric in [*metrics, *costs]:
            known = (name, metric) in cells.index
            row.append(_format_cell(metric, cells.loc[name, metric]) if known else "–")
        rows.append(row)
    chances = summary.groupby("metric")["chance"].mean()
    rows.append(["chance", *(f"{100 * chances[metric]:.1f}" for metric in metrics)])
    rows[-1] += [""] * len(costs)
    return _format_markdown(rows)


def _format_cell(metric, one) -> str:
    if metric == "peak_memory_mb":
        return f"{one['mean']:,.0f}"
    scale = 1 if metric in _COST_HEADINGS else 100
    return format_mean_std(one["mean"], one["std"], scale)


def difference_tables(differences: pd.DataFrame) -> list[str]:
    """Return one Markdown table per direction, of differences from the reference."""
    metrics = list(differences["metric"].unique())
    return [
        _difference_table(differences, direction, group)
        for direction, group in _group_by_direction(metrics)
    ]


def _difference_table(differences, direction, metrics) -> str:
    reference = differences["reference"].iloc[0]
    first = f"{direction}, minus {reference} (points)"
    rows = [[first, *map(_heading, metrics)]]
    for name, group in differences.groupby("estimator", sort=False):
        by_metric = group.set_index("metric")
        cells = [format_difference(by_metric.loc[metric]) for metric in metrics]
        rows.append([str(name), *cells])
    return _format_markdown(rows)


@dataclass(eq=False)
class BenchmarkResult:
    """Hold the records of `run_benchmark` and compute tables from them.

    Parameters
    ----------
    records : list of dict
        One record per split and estimator. Scores are fractions.
    reference : str or None, default=None
        Name of the estimator to which the others are compared.
    overlapping : bool, default=False
        Whether test sets share studies.
    provenance : list of dict or None, default=None
        Versions, machine, settings and start time of each run that contributed records.
        The value of ``run`` in a record is an index into this list.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import BenchmarkResult
    >>> records = [
    ...     {"split": 0, "estimator": "a", "n_candidates": 100, "mix_match": 0.75},
    ...     {"split": 1, "estimator": "a", "n_candidates": 100, "mix_match": 0.25},
    ... ]
    >>> summary = BenchmarkResult(records).summary()
    >>> float(summary["mean"].iloc[0]), float(summary["chance"].iloc[0])
    (0.5, 0.5)
    """

    records: list[dict]
    reference: str | None = None
    overlapping: bool = False
    provenance: list[dict] | None = None

    def table(self) -> pd.DataFrame:
        """Return all records as a table, one row per split and estimator.

        Returns
        -------
        table : DataFrame
            Scores in fractions, and costs in seconds or MB. Recall curves are omitted.
        """
        return pd.DataFrame(self.records).drop(
            columns=["recall_curve", "settings_hash"], errors="ignore"
        )

    def metrics(self) -> list[str]:
        """Return the names of the scores, in the order of the records.

        Returns
        -------
        metrics : list of str
            Keys such as ``recall_at_10`` and ``mix_match_brain_to_text``.
        """
        return [key for key in self.table().columns if _chance(key, 2) is not None]

    @staticmethod
    def heading(metric) -> str:
        """Return the heading of a score or a cost.

        Parameters
        ----------
        metric : str
            Name of a score or a cost, as in `metrics` or `summary`.

        Returns
        -------
        heading : str
            For example ``"recall@10"``. Both directions have the same heading.
        """
        return _heading(metric)

    @staticmethod
    def direction(metric) -> str:
        """Return the direction of retrieval that a score measures.

        Parameters
        ----------
        metric : str
            Name of a score, as in `metrics`.

        Returns
        -------
        direction : {"text→brain", "brain→text"}
            In ``"text→brain"``, texts are the queries and maps are the candidates. In
            ``"brain→text"``, maps are the queries and texts are the candidates.
        """
        return _direction(metric)

    def summary(self) -> pd.DataFrame:
        """Compute means, standard deviations and chance levels over splits.

        Returns
        -------
        summary : DataFrame
            One row for each score and each cost of each estimator. The columns are
            ``estimator``, ``metric``, ``mean``, ``std`` (over splits, ``ddof=1``),
            ``chance`` (chance level, NaN for costs), ``n_splits`` and ``n_candidates``
            (mean over splits).
        """
        table = self.table()
        rows = []
        columns = [*self.metrics(), *(cost for cost in _COST_HEADINGS if cost in table)]
        for name, group in table.groupby("estimator", sort=False):
            for metric in columns:
                values = group[metric].dropna()
                if values.empty:
                    continue
                pools = group.loc[values.index, "n_candidates"]
                chances = [_chance(metric, n) for n in pools]
                rows.append(
                    {
                        "estimator": name,
                        "metric": metric,
                        "mean": values.mean(),
                        "std": values.std(ddof=1),
                        "chance": np.nan if None in chances else np.mean(chances),
                        "n_splits": len(values),
                        "n_candidates": pools.mean(),
                    }
                )
        return pd.DataFrame(rows)

    def differences(self) -> pd.DataFrame:
        """Compute paired differences from the reference, with confidence intervals.

        The interval is computed by a paired t-test over splits. This interval is too
        narrow, because splits are not independent: training sets share studies. If
        ``overlapping`` is True, test sets share studies too.

        Returns
        -------
        differences : DataFrame
            One row for each score of each estimator except the reference. The columns
            are ``estimator``, ``reference``, ``metric``, ``mean``, ``low`` and ``high``
            (ends of the 95 % interval, NaN with a single split), and ``n_splits``. The
            table is empty if there is no reference.
        """
        columns = ["estimator", "reference", "metric", "mean", "low", "high"]
        columns.append("n_splits")
        rows = []
        if self.reference is not None:
            table = self.table()
            others = list(table["estimator"].unique())
            others.remove(self.reference)
            for metric in self.metrics():
                wide = table.pivot(index="split", columns="estimator", values=metric)
                for name in others:
                    paired = (wide[name] - wide[self.reference]).dropna()
                    interval = _t_interval(paired.to_numpy())
                    key = (name, self.reference, metric)
                    rows.append((*key, paired.mean(), *interval, len(paired)))
        return pd.DataFrame(rows, columns=columns)

    def recall_curves(self) -> dict[str, np.ndarray]:
        """Return the recall curves (text→brain) of each estimator and split.

        Returns
        -------
        curves : dict of str to ndarray of shape (n_splits, n_candidates)
            Column ``k - 1`` contains recall@k, and ``n_candidates`` is the size of the
            smallest test set. The curve of a larger test set of n studies is
            interpolated at ``k * n / n_candidates``, so that all curves have the chance
            level ``k / n_candidates``.
        """
        shortest = min(len(record["recall_curve"]) for record in self.records)
        curves: dict[str, list] = {}
        for record in self.records:
            curve = _resample_curve(record["recall_curve"], shortest)
            curves.setdefault(record["estimator"], []).append(curve)
        return {name: np.array(splits) for name, splits in curves.items()}

    def to_markdown(self) -> str:
        """Format all tables in Markdown, with scores in percent.

        Returns
        -------
        text : str
            Tables of scores, chance levels, costs and differences, and notes on the
            precision of these values.
        """
        parts = score_tables(self.summary(), self.metrics())
        differences = self.differences()
        if len(differences):
            parts += difference_tables(differences)
        parts.append(self._notes())
        return "\n\n".join(parts) + "\n"

    def _notes(self) -> str:
        pools = sorted({record["n_candidates"] for record in self.records})
        count = f"{pools[0]:,}" if len(pools) == 1 else f"{pools[0]:,} to {pools[-1]:,}"
        n_splits = len({record["split"] for record in self.records})
        text = (
            f"Mean ± standard deviation over {n_splits} splits, {count} candidates "
            "each. Recall depends on the number of candidates, mix&match does not. "
            "Training sets share studies, so paired intervals are somewhat too narrow."
        )
        sources = [(run["versions"], run["machine"]) for run in self.provenance or ()]
        if any(source != sources[0] for source in sources):
            text += (
                " The records come from runs with different versions or machines; "
                "see results.json."
            )
        if self.overlapping:
            text += (
                " Test sets overlap, because the corpus is too small for disjoint test "
                "sets. Therefore standard deviations and intervals are too small."
            )
        return text

    def write(self, output) -> list[Path]:
        """Write all tables to a folder.

        Parameters
        ----------
        output : path-like
            Folder for the tables. It is created if missing, and existing files are
            replaced.

        Returns
        -------
        paths : list of Path
            Paths of ``records.csv``, ``summary.csv``, ``differences.csv``, ``table.md``
            and ``results.json``. The file ``results.json`` contains records, summary,
            differences and provenance.
        """
        output = expand_path(output)
        summary, differences = self.summary(), self.differences()
        tables = {
            "records": self.table(),
            "summary": summary,
            "differences": differences,
        }
        for name, table in tables.items():
            write_table(output / f"{name}.csv", table)
        write_text(output / "table.md", self.to_markdown())
        content = {
            "provenance": self.provenance or [],
            "overlapping": self.overlapping,
            "reference": self.reference,
            "summary": _to_records(summary),
            "differences": _to_records(differences),
            "records": self.records,
        }
        write_json(output / "results.json", content)
        names = [*(f"{name}.csv" for name in tables), "table.md", "results.json"]
        return [output / name for name in names]


def _resample_curve(curve, n: int) -> np.ndarray:
    """Interpolate a recall curve to n points; the recall of 0 candidates is 0."""
    fractions = np.arange(len(curve) + 1) / len(curve)
    return np.interp(np.arange(1, n + 1) / n, fractions, [0.0, *curve])


def _chance(metric: str, n_candidates: float) -> float | None:
    """Return the chance level of a score; None if `metric` is not a score."""
    name = metric.removesuffix(BRAIN_TO_TEXT)
    if name in ("mix_match", "recall_curve_auc"):
        return 0.5
    found = re.fullmatch(r"recall_at_(\d+)", name)
    return int(found[1]) / n_candidates if found else None


def _t_interval(differences) -> tuple[float, float]:
    n = len(differences)
    if n < 2:
        return np.nan, np.nan
    half = stats.t.ppf(0.5 + _CONFIDENCE / 2, n - 1) * stats.sem(differences)
    return differences.mean() - half, differences.mean() + half


def _to_records(table: pd.DataFrame) -> list[dict]:
    """Return the rows as dictionaries for JSON, with NaN replaced by None."""
    return table.astype(object).where(table.notna(), None).to_dict("records")
