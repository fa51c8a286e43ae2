"""Tables of ``bench_encoding.py``: means, paired differences, intervals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_neurocontext.evaluation import bootstrap_interval, score_maps

SCORES = {
    "dice": "Dice, top 10 %",
    "dice_mean": "Dice, mean of top 2 to 30 %",
    "correlation": "correlation",
    "rank": "rank of {n}",
    "decoded_rank": "decoded rank of {n}",
}
_LOWER_IS_BETTER = ("rank", "decoded_rank")


def score(results, observed, mean_map) -> pd.DataFrame:
    """Score every method and topic: one row each."""
    parts = []
    for name, result in results.items():
        scores = score_maps(result["maps"], observed, mean_map)
        if "similarity" in result:
            # The rank of each map's own description.
            own = np.diag(result["similarity"])
            scores["decoded_rank"] = 1 + (result["similarity"] > own).sum(axis=0)
        part = pd.DataFrame(scores)
        part.insert(0, "topic", range(len(part)))
        part.insert(0, "method", name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def summarize(table) -> pd.DataFrame:
    """Mean of each score and its bootstrap interval over topics."""
    rows = []
    for (method, name), values in _groups(table):
        low, high = bootstrap_interval(values)
        rows.append((method, name, values.mean(), low, high))
    columns = ["method", "score", "mean", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def compare(table, reference) -> pd.DataFrame:
    """Mean difference of each score to a reference, paired by topic."""
    rows = []
    values_of = dict(_groups(table))
    for (method, name), values in values_of.items():
        if method != reference and (reference, name) in values_of:
            difference = values - values_of[reference, name]
            low, high = bootstrap_interval(difference)
            sign = -1 if name in _LOWER_IS_BETTER else 1
            better = float((sign * difference > 0).mean())
            rows.append((method, name, difference.mean(), low, high, better))
    columns = ["method", "score", "difference", "low", "high", "share_better"]
    return pd.DataFrame(rows, columns=columns)


def _groups(table):
    for name in SCORES:
        for method, part in table.groupby("method", sort=False):
            if name in part and part[name].notna().all():
                yield (method, name), part[name].to_numpy()


def write(table, topics, facts, floors, output: Path) -> None:
    """Write scores, tables and facts; print the table."""
    named = table.assign(topic=topics["name"].to_numpy()[table["topic"]])
    named.to_csv(output / "scores.csv", index=False, float_format="%.5g")
    n = len(topics)
    summary = summarize(table)
    headings = [words.format(n=n) for words in SCORES.values()]
    lines = ["| method | " + " | ".join(headings) + " |", "|---" * 6 + "|"]
    for method, part in summary.groupby("method", sort=False):
        cells = []
        for name in SCORES:
            found = part[part["score"] == name]
            cells.append(
                "–"
                if found.empty
                else "{mean:.3f} [{low:.3f}, {high:.3f}]".format(**found.iloc[0])
            )
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    decoded = table.dropna(subset="decoded_rank") if "decoded_rank" in table else ()
    for method, part in decoded.groupby("method", sort=False) if len(decoded) else ():
        first, third = ((part["decoded_rank"] <= k).mean() for k in (1, 3))
        lines.append(
            f"\n{method}, decoding: top-1 {first:.2f} (chance {1 / n:.2f}), top-3 "
            f"{third:.2f} (chance {3 / n:.2f})."
        )
    best = summary[summary["score"] == "dice"].set_index("method")["mean"]
    reference = best[[name for name in floors if name in best]].idxmax()
    differences = compare(table, reference)
    lines.append(f"\nDice at top 10 % minus {reference}, paired over {n} topics:")
    for row in differences[differences["score"] == "dice"].itertuples():
        lines.append(
            f"{row.method} {row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}], "
            f"better on {row.share_better:.0%}."
        )
    (output / "encoding.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    facts = {key: _plain(value) for key, value in facts.items()}
    (output / "encoding.json").write_text(json.dumps(facts, indent=1) + "\n")
    print("\n".join(lines))


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return float(value) if isinstance(value, np.ndarray) else value
