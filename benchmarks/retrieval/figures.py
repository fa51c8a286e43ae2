"""Figures of retrieval tables that the package does not plot."""

import numpy as np
from matplotlib.figure import Figure

_SCORES = {"recall_at_10": "recall@10", "recall_at_100": "recall@100"}
_SCORES["mix_match"] = "mix&match"
_COLORS = ("#0072B2", "#D55E00", "#009E73")


def plot_sizes(result, title) -> Figure:
    """Plot means and 95 % intervals of scores against training studies."""
    table = result.table()
    summary = result.summary()
    by_size = table.groupby("estimator", sort=False)
    n_train = by_size["n_train"].mean()
    figure = Figure(figsize=(8.0, 5.5), layout="constrained")
    ax = figure.add_subplot()
    for (metric, name), color in zip(_SCORES.items(), _COLORS, strict=True):
        rows = summary[summary["metric"] == metric].set_index("estimator")
        mean, low, high = (100 * rows[key] for key in ("mean", "low", "high"))
        ax.errorbar(
            n_train,
            mean,
            (mean - low, high - mean),
            color=color,
            marker="o",
            markersize=8,
            linewidth=2.5,
            capsize=4,
        )
        ax.annotate(
            name,
            (n_train.iloc[-1], mean.iloc[-1]),
            xytext=(12, 0),
            textcoords="offset points",
            color=color,
            fontsize=14,
            va="center",
        )
    ax.set_xscale("log")
    labels = [f"{round(n):,}" for n in n_train]
    ax.set_xticks(n_train, labels, rotation=45, ha="right", rotation_mode="anchor")
    ax.minorticks_off()
    ax.set_xlim(right=n_train.max() * 2)
    ax.set_ylim(0, 100)
    ax.set_yticks(np.arange(0, 101, 20))
    ax.tick_params(labelsize=12)
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    n = round(table["n_candidates"].mean())
    ax.set_xlabel("training studies", fontsize=14)
    ax.set_ylabel(f"% ({n:,} candidates), 95 % intervals over studies", fontsize=14)
    ax.set_title(title, fontsize=16)
    return figure
