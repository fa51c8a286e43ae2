"""Compute tables of scores and of paired differences from a benchmark."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.files import expand_path, write_json, write_table, write_text
from ..metrics import bootstrap_interval

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
_N_DRAWS = 2000  # Number of bootstrap samples of an interval.


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
    """Format rows as a Markdown table. The first row is the header."""
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


def format_interval(row, *, signed: bool = False) -> str:
    """Format a mean and its 95 % interval in percent.

    Parameters
    ----------
    row : Series or dict
        Row of `BenchmarkResult.summary` or `BenchmarkResult.differences`. Its keys
        ``mean``, ``low`` and ``high`` are fractions.
    signed : bool, default=False
        Whether positive values get a plus sign. Use it for differences.

    Returns
    -------
    text : str
        For example ``20.2 [19.5, 20.8]``. If the interval is NaN, only the mean is
        printed.

    Examples
    --------
    >>> from sklearn_neurocontext.experiments import format_interval
    >>> format_interval({"mean": 0.202, "low": 0.195, "high": 0.208})
    '20.2 [19.5, 20.8]'
    >>> format_interval({"mean": 0.012, "low": 0.003, "high": 0.021}, signed=True)
    '+1.2 [+0.3, +2.1]'
    """
    sign = "+" if signed else ""
    mean, low, high = (f"{100 * row[key]:{sign}.1f}" for key in ("mean", "low", "high"))
    return mean if np.isnan(row["low"]) else f"{mean} [{low}, {high}]"


def format_ranks(ranks) -> str:
    """Format the ranks of `true_ranks` as one line, for example ``"3 17 4-6"``.

    If other candidates tie with the true candidate, the best and the worst rank of the
    true candidate are joined by a hyphen.
    """
    return " ".join(
        str(best) if best == worst else f"{best}-{worst}"
        for best, worst in np.asarray(ranks).tolist()
    )


def parse_ranks(text: str) -> np.ndarray:
    """Convert a line written by `format_ranks` to an array of shape (n_studies, 2)."""
    words = text.split()
    if "-" not in text:
        return np.repeat(np.array(words, dtype=np.int64), 2).reshape(-1, 2)
    pairs = [word.split("-") for word in words]
    return np.array([(pair[0], pair[-1]) for pair in pairs], dtype=np.int64)


def score_tables(summary: pd.DataFrame, metrics: list[str], failures=()) -> list[str]:
    """Return Markdown tables of scores, one per direction; the first includes costs.

    `failures` contains the names of estimators that have a row without scores.
    """
    costs = [cost for cost in _COSTS_IN_TABLES if cost in set(summary["metric"])]
    tables = []
    for direction, group in _group_by_direction(metrics):
        tables.append(_score_table(summary, direction, group, costs, failures))
        costs = []
    return tables


def _score_table(summary, direction, metrics, costs, failures) -> str:
    cells = summary.set_index(["estimator", "metric"])
    rows = [[f"{direction} (%)", *map(_heading, [*metrics, *costs])]]
    for name in [*summary["estimator"].unique(), *failures]:
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
    if metric in _COST_HEADINGS:
        return format_mean_std(one["mean"], one["std"], scale=1)
    return format_interval(one)


def difference_tables(differences: pd.DataFrame) -> list[str]:
    """Return Markdown tables of differences from the reference, one per direction."""
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
        cells = [format_interval(by_metric.loc[one], signed=True) for one in metrics]
        rows.append([str(name), *cells])
    return _format_markdown(rows)


@dataclass(eq=False)
class BenchmarkResult:
    """Hold the records of `run_benchmark` and compute tables from them.

    Intervals are 95 % intervals of a bootstrap over test studies: studies are drawn
    with replacement, and each drawn study contributes its ranks in all splits. The
    splits are resampled together, so that a study in several test sets counts as one
    study, and not as several independent studies. Rows with equal numbers in `studies`,
    such as duplicates, are drawn together. Fitted estimators and candidates stay the
    same in all bootstrap samples. Therefore, the intervals include the variability due
    to the choice of test studies, but not the variability due to training and to the
    choice of candidates.

    Parameters
    ----------
    records : list of dict
        One record per split and estimator. Scores are fractions. For each test text,
        ``ranks`` contains the rank of its true map. For each test map,
        ``ranks_brain_to_text`` contains the rank of its true text. Ranks are separated
        by spaces. The most similar candidate has rank 1. ``4-6`` means that the true
        candidate ties with two others, so that its rank is between 4 and 6.
    reference : str or None, default=None
        Name of the estimator to which the others are compared.
    overlapping : bool, default=False
        Whether some studies are in several test sets.
    provenance : list of dict or None, default=None
        Versions, machine, settings and start time of each run that contributed records.
        The value of ``run`` in a record is an index into this list.
    studies : list of array-like of int, or None, default=None
        For each split, an array with the number of the study to which each rank
        belongs. Equal numbers mean the same study or duplicates of it. If None, no
        intervals are computed.
    failures : dict of str to str or None, default=None
        Error message of each estimator that could not be fitted. These estimators have
        a row without scores in the tables, and a note below.

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
    studies: list | None = None
    failures: dict | None = None

    def table(self) -> pd.DataFrame:
        """Return all records as a table, one row per split and estimator.

        Returns
        -------
        table : DataFrame
            Scores in fractions, and costs in seconds or MB. Recall curves and ranks are
            omitted.
        """
        omitted = ["recall_curve", "settings_hash", "ranks", f"ranks{BRAIN_TO_TEXT}"]
        return pd.DataFrame(self.records).drop(columns=omitted, errors="ignore")

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
        """Compute means over splits, with intervals and chance levels.

        Returns
        -------
        summary : DataFrame
            One row for each score and each cost of each estimator. The columns are
            ``estimator``, ``metric``, ``mean``, ``std`` (standard deviation over
            splits, ``ddof=1``), ``low`` and ``high`` (ends of the 95 % interval of a
            bootstrap over test studies, NaN for costs and for records without ranks),
            ``chance`` (chance level, NaN for costs), ``n_splits`` and ``n_candidates``
            (mean over splits).
        """
        table = self.table()
        intervals = self._bootstrap(self._score_studies())
        rows = []
        columns = [*self.metrics(), *(cost for cost in _COST_HEADINGS if cost in table)]
        for name, group in table.groupby("estimator", sort=False):
            for metric in columns:
                values = group[metric].dropna()
                if values.empty:
                    continue
                pools = group.loc[values.index, "n_candidates"]
                chances = [_chance(metric, n) for n in pools]
                low, high = intervals.get((name, metric), (np.nan, np.nan))
                rows.append(
                    {
                        "estimator": name,
                        "metric": metric,
                        "mean": values.mean(),
                        "std": values.std(ddof=1),
                        "low": low,
                        "high": high,
                        "chance": np.nan if None in chances else np.mean(chances),
                        "n_splits": len(values),
                        "n_candidates": pools.mean(),
                    }
                )
        return pd.DataFrame(rows)

    def differences(self) -> pd.DataFrame:
        """Compute paired differences from the reference, with confidence intervals.

        The difference of two estimators is computed for each test study. The interval
        is the 95 % interval of a bootstrap over test studies, as in `summary`.

        Returns
        -------
        differences : DataFrame
            One row for each score of each estimator except the reference. The columns
            are ``estimator``, ``reference``, ``metric``, ``mean``, ``low`` and ``high``
            (ends of the 95 % interval, NaN for records without ranks), and
            ``n_splits``. The table is empty if there is no reference.
        """
        columns = ["estimator", "reference", "metric", "mean", "low", "high"]
        columns.append("n_splits")
        rows = []
        if self.reference is not None:
            table = self.table()
            others = list(table["estimator"].unique())
            others.remove(self.reference)
            scores = self._score_studies()
            of_reference = scores.pop(self.reference, {})
            intervals = self._bootstrap(
                {
                    name: {
                        split: of_studies - of_reference[split]
                        for split, of_studies in of_splits.items()
                        if split in of_reference
                    }
                    for name, of_splits in scores.items()
                }
            )
            for metric in self.metrics():
                wide = table.pivot(index="split", columns="estimator", values=metric)
                for name in others:
                    paired = (wide[name] - wide[self.reference]).dropna()
                    low, high = intervals.get((name, metric), (np.nan, np.nan))
                    key = (name, self.reference, metric)
                    rows.append((*key, paired.mean(), low, high, len(paired)))
        return pd.DataFrame(rows, columns=columns)

    def _score_studies(self) -> dict:
        """Return the scores of studies for each estimator and split.

        Each array has shape (n_studies, n_metrics). Records without ranks are omitted.
        """
        metrics = self.metrics()
        scores: dict[str, dict] = {}
        for record in self.records if self.studies is not None else ():
            if "ranks" in record:
                of_splits = scores.setdefault(record["estimator"], {})
                of_splits[record["split"]] = _score_studies(record, metrics)
        return scores

    def _bootstrap(self, scores) -> dict:
        """Return the interval of the mean over splits for each estimator and metric.

        `scores` has the form of the result of `_score_studies`.
        """
        # Estimators with the same splits are resampled together, which saves time.
        by_splits: dict[tuple, list] = {}
        for name, of_splits in scores.items():
            if of_splits:
                by_splits.setdefault(tuple(of_splits), []).append(name)
        metrics, intervals = self.metrics(), {}
        for splits, names in by_splits.items():
            columns = [np.concatenate(list(scores[name].values())) for name in names]
            studies = [np.asarray(self.studies[split]) for split in splits]
            # All splits have the same weight, whatever their numbers of studies.
            weights = [np.full(len(one), 1 / len(one)) for one in studies]
            ends = bootstrap_interval(
                np.hstack(columns),
                groups=np.concatenate(studies),
                weights=np.concatenate(weights),
                n_draws=_N_DRAWS,
            )
            keys = [(name, metric) for name in names for metric in metrics]
            intervals |= dict(zip(keys, zip(*ends, strict=True), strict=True))
        return intervals

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
        parts = score_tables(self.summary(), self.metrics(), self.failures or {})
        differences = self.differences()
        if len(differences):
            parts += difference_tables(differences)
        parts.append(self._notes())
        return "\n\n".join(parts) + "\n"

    def describe_intervals(self) -> str:
        """Describe how intervals in tables were computed, for a note below the tables.

        Returns
        -------
        text : str
            Two or three sentences. The text is empty if there are no intervals.
        """
        if self.studies is None:
            return ""
        text = (
            "Brackets contain 95 % intervals of a bootstrap over test studies: studies "
            "are drawn with replacement, and a study in several test sets is drawn "
            "with its ranks in all of them. The intervals do not include the "
            "variability of training and of the choice of candidates."
        )
        if self.overlapping:
            text += " Test sets overlap; the intervals take this into account."
        return text

    def _describe_splits(self) -> str:
        """Return the number of splits; list estimators with different numbers."""
        names: dict[int, list] = {}
        for name, group in self.table().groupby("estimator", sort=False):
            names.setdefault(group["split"].nunique(), []).append(str(name))
        most = max(names)
        fewer = [
            f"{', '.join(of_number)}: {number}"
            for number, of_number in sorted(names.items())
            if number != most
        ]
        return f"{most} splits" + (f" ({'; '.join(fewer)})" if fewer else "")

    def _notes(self) -> str:
        pools = sorted({record["n_candidates"] for record in self.records})
        count = f"{pools[0]:,}" if len(pools) == 1 else f"{pools[0]:,} to {pools[-1]:,}"
        text = (
            f"Scores are means over {self._describe_splits()} with {count} candidates "
            "each. "
            "Recall depends on the number of candidates, mix&match does not. "
        )
        if self.studies is not None:
            text += f"{self.describe_intervals()} "
        text += "Costs are means ± standard deviations over splits."
        for name, message in (self.failures or {}).items():
            first_sentence = message.partition(". ")[0].rstrip(".")
            text += f" {name} could not be fitted: {first_sentence}."
        sources = [(run["versions"], run["machine"]) for run in self.provenance or ()]
        if any(source != sources[0] for source in sources):
            text += (
                " The records come from runs with different versions or machines; "
                "see results.json."
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
            differences, provenance and studies.
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
            "failures": self.failures or {},
            "studies": [
                " ".join(map(str, np.asarray(one).tolist()))
                for one in self.studies or []
            ],
            "summary": _to_records(summary),
            "differences": _to_records(differences),
            "records": self.records,
        }
        write_json(output / "results.json", content)
        names = [*(f"{name}.csv" for name in tables), "table.md", "results.json"]
        return [output / name for name in names]


def _resample_curve(curve, n: int) -> np.ndarray:
    """Interpolate a recall curve to n values. The curve starts at recall@0 = 0."""
    fractions = np.arange(len(curve) + 1) / len(curve)
    return np.interp(np.arange(1, n + 1) / n, fractions, [0.0, *curve])


def _chance(metric: str, n_candidates: float) -> float | None:
    """Return the chance level of a score; None if `metric` is not a score."""
    name = metric.removesuffix(BRAIN_TO_TEXT)
    if name in ("mix_match", "recall_curve_auc"):
        return 0.5
    found = re.fullmatch(r"recall_at_(\d+)", name)
    return int(found[1]) / n_candidates if found else None


def _score_studies(record, metrics) -> np.ndarray:
    """Return the scores of each test study, shape (n_studies, n_metrics).

    The means over studies are the scores of the record.
    """
    keys = ["ranks" + BRAIN_TO_TEXT * one.endswith(BRAIN_TO_TEXT) for one in metrics]
    ranks = {key: parse_ranks(record[key]) for key in set(keys)}
    pairs = zip(metrics, keys, strict=True)
    return np.column_stack([_score_ranks(metric, ranks[key]) for metric, key in pairs])


def _score_ranks(metric: str, ranks) -> np.ndarray:
    """Compute the score of each study from its best and worst rank: (n_studies,)."""
    n, (best, worst) = len(ranks), ranks.T
    name = metric.removesuffix(BRAIN_TO_TEXT)
    if name.startswith("recall_at_"):
        k = int(name.removeprefix("recall_at_"))
        # Each rank from the best to the worst is equally probable.
        return np.clip((k - best + 1) / (worst - best + 1), 0, 1)
    mix_match = (n - (best + worst) / 2) / (n - 1)
    return mix_match if name == "mix_match" else ((n - 1) * mix_match + 0.5) / n


def _to_records(table: pd.DataFrame) -> list[dict]:
    """Return the rows as dictionaries for JSON, with NaN replaced by None."""
    return table.astype(object).where(table.notna(), None).to_dict("records")
