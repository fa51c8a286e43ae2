"""Figures of the comparison."""

from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.encoding.methods import OURS
from benchmarks.encoding.steps import read_name
from sklearn_neurocontext._utils.volumes import voxels_to_imgs
from sklearn_neurocontext.metrics import bootstrap_interval
from sklearn_neurocontext.plotting import (
    plot_dice_bars,
    plot_maps,
    plot_similarity_matrix,
)

# Maximum number of topics in a figure of a similarity matrix.
_MATRIX = 40
# Methods in figures of maps and of similarities, if they were run.
_MAPS = ("mean map", "NeuroQuery, density", "contrastive", OURS)
_SIMILARITIES = ("contrastive", OURS)


def draw(table, results, topics, masker, output: Path) -> None:
    """Plot Dice of all methods, similarity matrices and maps of the median topic."""
    dice = {
        name: part["dice"].to_numpy()
        for name, part in table.groupby("method", sort=False)
    }
    title = f"Maps predicted from the words of {len(topics.names)} topics"
    draw_dice(dice, title).savefig(output / "dice.png", dpi=110)
    if len(topics.names) <= _MATRIX:
        for name in _SIMILARITIES:
            if name in results:
                ax = plot_similarity_matrix(
                    results[name]["similarity"],
                    paired=True,
                    texts=topics.descriptions,
                    maps=topics.names,
                    title=f"{name}: words and observed maps",
                )
                path = output / f"similarity_{name.replace(' ', '_')}.png"
                ax.figure.savefig(path, dpi=110)
    if OURS not in results:
        return
    median = int(np.argsort(dice[OURS], kind="stable")[len(topics.names) // 2])
    shown = {name: results[name]["maps"][median] for name in _MAPS if name in results}
    shown = {"observed": topics.observed[median]} | {
        f"{name} (Dice {dice[name][median]:.2f})": one for name, one in shown.items()
    }
    imgs = voxels_to_imgs(list(shown.values()), masker.mask_img_)
    figure = plot_maps(
        dict(zip(shown, imgs, strict=True)),
        views="surface",
        unit="density",
        title=f"{topics.descriptions[median]} (the topic of median Dice of {OURS})",
    )
    figure.savefig(output / "median_topic.png", dpi=110)


def draw_dice(dice, title):
    """Plot Dice of all methods as predicted and, below, after the steps.

    Parameters
    ----------
    dice : dict of str to ndarray of shape (n_topics,)
        Dice of each topic by method.
    title : str
        Title of the figure.

    Returns
    -------
    figure : matplotlib Figure
        Both parts show the mean map and the shipped recipe.
    """
    from matplotlib.figure import Figure

    rows = _parts(dice)
    width = 3 + 1.35 * max(map(len, rows.values()))
    figure = Figure(figsize=(width, 5.2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), squeeze=False)[:, 0]
    highest = max(one.max() for one in dice.values())
    for ax, (words, names) in zip(axes, rows.items(), strict=True):
        scores = {label: dice[name] for name, label in names.items()}
        intervals = {label: bootstrap_interval(one) for label, one in scores.items()}
        plot_dice_bars(scores, intervals=intervals, title=f"{title}: {words}", ax=ax)
        ax.set_ylim(0, 1.25 * highest)
    return figure


def _parts(names) -> dict:
    """Return methods and their labels for each part of the figure."""
    methods = {name: read_name(name) for name in names}
    parts = {"as predicted": {n: n for n, one in methods.items() if not one.steps}}
    stepped = {name: one for name, one in methods.items() if one.steps}
    if stepped:
        bases = Counter(one.base for one in stepped.values())
        # Steps are in the title; labels need them only if they differ.
        labels = {
            name: one.base if bases[one.base] == 1 else name
            for name, one in stepped.items()
        }
        steps = "; ".join(dict.fromkeys(one.steps for one in stepped.values()))
        first, last = (
            {name: name} if name in names else {} for name in ("mean map", OURS)
        )
        parts[steps] = first | labels | last
    return {words: labels for words, labels in parts.items() if labels}
