"""Tables of the comparison: means, paired differences, decoding, topics."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_neurocontext.metrics import bootstrap_interval, dice_score, score_maps

SCORES = {
    "dice": "Dice, top 10 %",
    "dice_mean": "Dice, mean of top 2 to 30 %",
    "correlation": "correlation",
    "rank": "rank of {n}",
}
REFERENCES = (
    "pretrained recipe",
    "mean map",
    "contrastive",
    "NeuroQuery, density",
    "NeuroQuery, z map",
)
# Fractions of voxels that Dice is averaged over.
TOPS = (0.02, 0.05, 0.1, 0.2, 0.3)
_LOWER_IS_BETTER = ("rank", "decoded_rank")


def score(results, observed, mean_map) -> pd.DataFrame:
    """Score each method on each topic; one row each.

    ``decoded_rank`` is the rank of the own description of each observed map: by the
    similarity of the method if it has one, else by the correlation of predicted and
    observed maps after subtraction of the mean map.
    """
    parts = []
    for name, result in results.items():
        scores = score_maps(result["maps"], observed, mean_map, tops=TOPS)
        pairs = list(zip(observed, result["maps"], strict=True))
        for top in TOPS:
            scores[_dice_at(top)] = [dice_score(*pair, top=top) for pair in pairs]
        if "similarity" in result:
            scores["decoded_rank"] = rank_of_own(result["similarity"])
        else:
            # Here, predicted maps are the candidates of an observed map.
            backwards = score_maps(observed, result["maps"], mean_map)
            scores["decoded_rank"] = backwards["rank"]
        part = pd.DataFrame(scores)
        part.insert(0, "topic", range(len(part)))
        part.insert(0, "method", name)
        part["decoded_by"] = "similarity" if "similarity" in result else "maps"
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _dice_at(top) -> str:
    return f"dice_{100 * top:g}"


def rank_of_own(similarity) -> np.ndarray:
    """Return the rank of the diagonal entry in each column; ties count half."""
    own = np.diag(similarity)
    tied = (similarity == own).sum(axis=0) - 1
    return 1 + (similarity > own).sum(axis=0) + tied / 2


def summarize(table) -> pd.DataFrame:
    """Compute the mean of each score and its bootstrap interval over topics."""
    rows = []
    for (method, name), values in _groups(table):
        rows.append((method, name, values.mean(), *bootstrap_interval(values)))
    columns = ["method", "score", "mean", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def compare(table, reference) -> pd.DataFrame:
    """Compute the mean paired difference of each score from a reference."""
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
            yield (method, name), part[name].to_numpy()


def write(table, names, metadata, output: Path) -> None:
    """Write scores, tables and metadata; print the tables."""
    named = table.assign(topic=np.asarray(names)[table["topic"]])
    named.to_csv(output / "scores.csv", index=False, float_format="%.5g")
    text = "\n\n".join(
        [
            _means(table, len(names)),
            _thresholds(table),
            *_differences(table),
            _decoding(table, len(names)),
            _topics(named),
            _describe(metadata),
        ]
    )
    (output / "encoding.md").write_text(text + "\n", encoding="utf-8")
    (output / "encoding.json").write_text(json.dumps(metadata, indent=1) + "\n")
    print(text)


def _describe(metadata) -> str:
    """Return a paragraph about data, settings and machine."""
    machine = metadata["machine"]
    versions = (f"{name} {number}" for name, number in metadata["versions"].items())
    return (
        f"Topics: {metadata['n_topics']}. Brackets contain 95 % intervals of a "
        "bootstrap over topics. Percentages are shares of topics on which a method is "
        f"better. Training studies: {metadata['n_training']:,}; "
        f"{metadata['n_excluded']} were excluded since they share peaks with an "
        "experiment; abstracts of "
        f"{metadata['n_abstracts']:,}. Atlas {metadata['atlas']}, "
        f"{metadata['n_components']} components, random state "
        f"{metadata['random_state']}. "
        f"{machine['cpu_count']} cores ({machine['platform']}, {machine['threads']} "
        f"threads), {', '.join(versions)}."
    )


def _markdown(headings, rows):
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    lines = [cells[0], ["---"] + ["---:"] * (len(headings) - 1), *cells[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _means(table, n):
    summary = summarize(table)
    rows = []
    for method, part in summary.groupby("method", sort=False):
        cells = part.set_index("score").loc[list(SCORES)]
        places = [1 if name == "rank" else 3 for name in SCORES]
        rows.append(
            [method]
            + [
                f"{one.mean:.{p}f} [{one.low:.{p}f}, {one.high:.{p}f}]"
                for one, p in zip(cells.itertuples(), places, strict=True)
            ]
        )
    return _markdown(
        ["method", *(words.format(n=n) for words in SCORES.values())], rows
    )


def _thresholds(table):
    """Return the table of mean Dice at each threshold."""
    means = table.groupby("method", sort=False)[[_dice_at(top) for top in TOPS]].mean()
    rows = [
        [method, *(f"{one:.3f}" for one in row)] for method, *row in means.itertuples()
    ]
    return _markdown(["Dice, top", *(f"{100 * top:g} %" for top in TOPS)], rows)


def _differences(table):
    """Return the table of paired differences of Dice at the top 10 %."""
    known = [name for name in REFERENCES if (table["method"] == name).any()]
    cells = {}
    for reference in known:
        differences = compare(table, reference)
        for one in differences[differences["score"] == "dice"].itertuples():
            cells[one.method, reference] = (
                f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}], "
                f"{one.share_better:.0%}"
            )
    rows = [
        [method] + [cells.get((method, reference), "") for reference in known]
        for method in table["method"].unique()
    ]
    return [_markdown(["Dice, top 10 %, minus that of", *known], rows)] if known else []


def _decoding(table, n):
    chances = [f"{min(k / n, 1):.2f}" for k in (1, 3)]
    rows = [["chance", "", *chances, f"{(n + 1) / 2:.1f}"]]
    for method, part in table.groupby("method", sort=False):
        ranks = part["decoded_rank"]
        rows.append(
            [method, part["decoded_by"].iloc[0]]
            + [f"{(ranks <= k).mean():.2f}" for k in (1, 3)]
            + [f"{ranks.mean():.1f}"]
        )
    return _markdown(
        ["decoding", "by", f"top-1 of {n}", f"top-3 of {n}", "mean rank"], rows
    )


def _topics(named):
    wide = named.pivot(index="topic", columns="method", values="dice")
    wide = wide[named["method"].unique()].loc[named["topic"].unique()]
    rows = [
        [topic, *(f"{one:.3f}" for one in row)] for topic, *row in wide.itertuples()
    ]
    return _markdown(["topic: Dice, top 10 %", *wide.columns], rows)
