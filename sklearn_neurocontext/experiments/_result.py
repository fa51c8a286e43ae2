"""Results of a benchmark: tables of scores and of paired differences."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from .._utils.files import write_json, write_text

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
_COSTS = (
    "fit_seconds",
    "fit_processor_seconds",
    "score_seconds",
    "peak_memory_mb",
    "best_epoch",
    "n_epochs",
)
_CONFIDENCE = 0.95


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


@dataclass(eq=False)
class BenchmarkResult:
    """What `run_benchmark` measured, and tables of it.

    Parameters
    ----------
    records : list of dict
        One for each split and estimator, scores as fractions.
    reference : str or None, default=None
        Estimator that the others are compared with.
    overlapping : bool, default=False
        Whether test parts share studies.
    provenance : list of dict or None, default=None
        Versions, machine and settings of each run that made records; a record's
        ``run`` is its place in this list.

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
        """All records as a table, one row per split and estimator.

        Returns
        -------
        table : DataFrame
            Scores are fractions, times seconds, memory MB. Recall curves are left out.
        """
        return pd.DataFrame(self.records).drop(
            columns=["recall_curve", "settings_hash"], errors="ignore"
        )

    def metrics(self) -> list[str]:
        """Names of the scores, in the order of the records.

        Returns
        -------
        metrics : list of str
            Keys such as ``recall_at_10`` and ``mix_match_brain_to_text``.
        """
        return [key for key in self.table().columns if _chance(key, 2) is not None]

    @staticmethod
    def heading(metric) -> str:
        """Name a score or a cost in words.

        Parameters
        ----------
        metric : str
            As in `metrics` and `summary`.

        Returns
        -------
        words : str
            For example ``"recall@10"``, in either direction.
        """
        return heading(metric)

    @staticmethod
    def direction(metric) -> str:
        """Say what a score asks for.

        Parameters
        ----------
        metric : str
            As in `metrics`.

        Returns
        -------
        direction : {"text→brain", "brain→text"}
            The map of a text, or the text of a map.
        """
        return DIRECTIONS[metric.endswith(BRAIN_TO_TEXT)]

    def summary(self) -> pd.DataFrame:
        """Mean and standard deviation over splits, beside chance.

        Returns
        -------
        summary : DataFrame
            One row per estimator and score or cost: ``estimator``, ``metric``,
            ``mean``, ``sd`` (over splits, n - 1 in the denominator), ``chance``,
            ``n_splits`` and ``n_candidates`` (mean over splits).
        """
        table = self.table()
        rows = []
        wanted = [*self.metrics(), *(cost for cost in _COSTS if cost in table)]
        for name, of_estimator in table.groupby("estimator", sort=False):
            for metric in wanted:
                values = of_estimator[metric].dropna()
                if values.empty:
                    continue
                pools = of_estimator.loc[values.index, "n_candidates"]
                chances = [_chance(metric, n) for n in pools]
                rows.append(
                    {
                        "estimator": name,
                        "metric": metric,
                        "mean": values.mean(),
                        "sd": values.std(ddof=1),
                        "chance": np.nan if None in chances else np.mean(chances),
                        "n_splits": len(values),
                        "n_candidates": pools.mean(),
                    }
                )
        return pd.DataFrame(rows)

    def differences(self) -> pd.DataFrame:
        """Each estimator minus the reference, split by split, with a paired interval.

        The interval is that of a paired t-test over splits. Training parts share
        studies, and test parts too where ``overlapping``: splits are not independent
        and the interval is too narrow.

        Returns
        -------
        differences : DataFrame
            One row per estimator and score: ``estimator``, ``reference``, ``metric``,
            ``mean``, ``low`` and ``high`` (95 %, NaN with a single split), and
            ``n_splits``. Empty without a reference.
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
                    of_what = (name, self.reference, metric)
                    rows.append((*of_what, paired.mean(), *interval, len(paired)))
        return pd.DataFrame(rows, columns=columns)

    def recall_curves(self) -> dict[str, np.ndarray]:
        """Recall curves (text→brain) of each estimator, split by split.

        Returns
        -------
        curves : dict of str to ndarray of shape (n_splits, n_candidates)
            Column ``k - 1`` is recall at k among the candidates of the smallest test
            part; curves of larger parts are read at the same fractions of their
            candidates, so that all end at 1 and share their chance.
        """
        curves: dict[str, list] = {}
        for record in self.records:
            curves.setdefault(record["estimator"], []).append(record["recall_curve"])
        shortest = min(len(one) for of_name in curves.values() for one in of_name)
        return {
            name: np.array([_read_at_fractions(one, shortest) for one in of_name])
            for name, of_name in curves.items()
        }

    def to_markdown(self) -> str:
        """Tables for people, in percent.

        Returns
        -------
        text : str
            Markdown: scores beside chance, cost, differences, and what to know when
            reading them.
        """
        parts = score_tables(self.summary(), self.metrics())
        differences = self.differences()
        if len(differences):
            parts += difference_tables(differences)
        parts.append(self._caveat())
        return "\n\n".join(parts) + "\n"

    def _caveat(self) -> str:
        pools = sorted({record["n_candidates"] for record in self.records})
        count = f"{pools[0]:,}" if len(pools) == 1 else f"{pools[0]:,} to {pools[-1]:,}"
        n_splits = len({record["split"] for record in self.records})
        text = (
            f"Mean ± standard deviation over {n_splits} splits, {count} candidates "
            "each. Recall depends on the number of candidates, mix&match does not. "
            "Training parts share studies, so paired intervals are somewhat too narrow."
        )
        sources = [(run["versions"], run["machine"]) for run in self.provenance or ()]
        if any(source != sources[0] for source in sources):
            text += (
                " The records come from runs with different versions or machines, "
                "see results.json."
            )
        if self.overlapping:
            text += (
                " Test parts overlap, because the corpus is too small for disjoint "
                "ones: deviations and intervals are too narrow."
            )
        return text

    def write(self, output) -> list[Path]:
        """Write all tables into a folder.

        Parameters
        ----------
        output : path-like
            Folder, made where missing; files in it are replaced.

        Returns
        -------
        paths : list of Path
            ``records.csv``, ``summary.csv``, ``differences.csv``, ``table.md`` and
            ``results.json`` (records, summary, differences, provenance).
        """
        output = Path(output)
        summary, differences = self.summary(), self.differences()
        tables = {"records": self.table(), "summary": summary}
        tables["differences"] = differences
        paths = []
        for name, table in tables.items():
            paths.append(output / f"{name}.csv")
            write_text(paths[-1], table.to_csv(index=False))
        paths.append(output / "table.md")
        write_text(paths[-1], self.to_markdown())
        paths.append(output / "results.json")
        content = {
            "provenance": self.provenance or [],
            "overlapping": self.overlapping,
            "reference": self.reference,
            "summary": _plain(summary),
            "differences": _plain(differences),
            "records": self.records,
        }
        write_json(paths[-1], content)
        return paths


def _read_at_fractions(curve, n: int) -> np.ndarray:
    """Read a recall curve at 1/n, 2/n … 1 of its candidates, linear from (0, 0)."""
    fractions = np.arange(len(curve) + 1) / len(curve)
    return np.interp(np.arange(1, n + 1) / n, fractions, [0.0, *curve])


def _chance(metric: str, n_candidates: float) -> float | None:
    """Score of a constant similarity; None for what is no score."""
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


def _plain(table: pd.DataFrame) -> list[dict]:
    """Rows as dictionaries that JSON knows, None for NaN."""
    return table.astype(object).where(table.notna(), None).to_dict("records")
