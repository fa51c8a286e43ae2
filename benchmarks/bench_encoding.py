r"""Maps predicted from words, against the foci of meta-analyses or group maps of IBC.

    python benchmarks/bench_encoding.py META_ANALYSES --cache STORE --output FOLDER \
        [--abstracts FILE]
    python benchmarks/bench_encoding.py ibc --cache STORE --output FOLDER
    python benchmarks/bench_encoding.py development --cache STORE --output FOLDER \
        --methods "mean map;ridge, words;ridge, words, 12 mm"

META_ANALYSES holds ``descriptions.tsv`` (columns name, file, description) and the files
that it names, in Sleuth's text form. Files with one description are one topic. Training
studies that share foci with an experiment are left out for all methods. ``ibc`` is the
article's Figure 3: Individual Brain Charting's contrast definitions and group maps,
which are downloaded once (several GB). ``development`` chooses settings: topics are
phrases, and the foci of development studies that use them. A method whose name ends in
", 12 mm" has its maps smoothed with that full width at half maximum; ", 0.5 on the mean
map" adds half of what they differ from the mean to the mean of the studies' densities.

A run that was stopped goes on with the methods that are missing. NeuroQuery (``pip
install neuroquery``) is trained on the same studies with ``--methods`` "all", which
takes most of an hour and wants the corpus neuroquery, the one with its word counts.
"""

import argparse
import re
import time
from pathlib import Path

import joblib
import numpy as np
import train_pretrained
from encoding_features import add_abstracts
from encoding_methods import METHODS, NEUROQUERY, OURS, predict, prepare
from encoding_tables import score, write
from encoding_topics import load_development, load_ibc, load_meta_analyses
from sklearn.preprocessing import normalize

from sklearn_neurocontext.evaluation import (
    bootstrap_interval,
    load_corpus,
    make_masker,
    provenance,
)
from sklearn_neurocontext.maskers._smooth import smooth_voxels
from sklearn_neurocontext.plotting import (
    plot_dice_bars,
    plot_similarity_matrix,
    plot_surface_maps,
)

# Topics that a similarity matrix has room for.
_MATRIX = 40
# End the name of a method whose maps are smoothed, or shrunk to the mean map.
_SMOOTHED = re.compile(r", (\d+) mm$")
_ON_MEAN = re.compile(r", (\d*\.?\d+) on the mean map$")


def main():
    arguments = _parse()
    arguments.output.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus("neuroquery")
    n_abstracts = 0
    if arguments.abstracts:
        n_abstracts = add_abstracts(corpus, arguments.abstracts)
    masker = make_masker(arguments.atlas, arguments.components).fit()
    if arguments.topics == "ibc":
        topics = load_ibc(masker)
    elif arguments.topics == "development":
        topics = load_development(corpus, masker)
    else:
        topics = load_meta_analyses(Path(arguments.topics), masker)
    task = prepare(
        corpus,
        masker,
        topics,
        cache=arguments.cache,
        output=arguments.output,
        seed=arguments.seed,
    )
    results = {name: run(name, task) for name in arguments.methods}
    table = score(results, topics.observed, task.mean_map)
    facts = {
        "n_topics": len(topics.names),
        "n_training": len(task.studies),
        "n_excluded": task.n_sharing,
        "n_abstracts": n_abstracts,
        "atlas": arguments.atlas,
        "components": arguments.components,
        "seed": arguments.seed,
        "recipe": _recipe(),
        "seconds": {name: float(result["seconds"]) for name, result in results.items()},
        **provenance(),
    }
    write(table, topics.names, facts, arguments.output)
    draw(table, results, topics, masker, arguments.output)


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topics", help="folder of meta-analyses, or ibc")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="store of embeddings")
    parser.add_argument("--abstracts", type=Path, help="table of id and abstract")
    parser.add_argument(
        "--methods", type=_methods, default=METHODS, help="all, or names, by semicolons"
    )
    parser.add_argument("--atlas", default="geometric-soft")
    parser.add_argument("--components", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _methods(text):
    known = (*METHODS, *NEUROQUERY)
    names = known if text == "all" else tuple(text.split(";"))
    bare = {_SMOOTHED.sub("", _ON_MEAN.sub("", name)) for name in names}
    unknown = sorted(bare - set(known))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown}; known are {'; '.join(known)}")
    return names


def run(name, task) -> dict:
    """Give the maps of a method, from a file where an earlier run made them."""
    if on_mean := _ON_MEAN.search(name):
        result = run(_ON_MEAN.sub("", name), task)
        fwhm = _SMOOTHED.search(_ON_MEAN.sub("", name))
        maps = _put_on_mean(result["maps"], float(on_mean[1]), fwhm, task)
        return result | {"maps": maps}
    if smoothed := _SMOOTHED.search(name):
        result = run(_SMOOTHED.sub("", name), task)
        mask_img, fwhm = task.masker.mask_img_, float(smoothed[1])
        maps = smooth_voxels(result["maps"].astype(np.float64), mask_img, fwhm)
        return result | {"maps": maps}
    settings = _recipe() if name == OURS else None
    abstracts = task.corpus.studies["abstract"].iloc[task.studies].tolist()
    topics = task.topics.descriptions, task.topics.y
    key = joblib.hash(
        (name, settings, task.studies, abstracts, task.y, *topics, task.seed)
    )
    path = task.output / f"maps_{name.replace(' ', '_')}_{key[:12]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return {key: kept[key] for key in kept}
    started = time.perf_counter()
    result = predict(name, task)
    result["seconds"] = np.array(time.perf_counter() - started)
    np.savez_compressed(path, **result)
    print(f"{name}: {result['seconds']:.0f} s", flush=True)
    return result


def _put_on_mean(maps, gain, fwhm, task):
    """Add the deviation from the components' mean map to the mean of densities.

    Components are coarser than voxels; the mean of all studies need not be.
    """
    unit = normalize(task.y[task.studies])
    mean = task.masker.coefficients_to_voxels(unit.mean(axis=0, keepdims=True))
    mean = mean.astype(np.float64)
    fine = task.mean_map * np.linalg.norm(mean) / np.linalg.norm(task.mean_map)
    if fwhm is not None:
        mean = smooth_voxels(mean, task.masker.mask_img_, float(fwhm[1]))
    return fine + gain * (maps - mean)


def _recipe() -> str:
    return f"{train_pretrained.CHOSEN}, {train_pretrained.MAPS}"


def draw(table, results, topics, masker, output: Path) -> None:
    """Draw Dice bars, the similarity matrix of our model, and its median topic."""
    dice = {
        m: part["dice"].to_numpy() for m, part in table.groupby("method", sort=False)
    }
    intervals = {name: bootstrap_interval(values) for name, values in dice.items()}
    n = len(topics.names)
    title = f"Maps predicted from the words of {n} topics"
    ax = plot_dice_bars(dice, intervals=intervals, title=title)
    ax.figure.savefig(output / "dice.png", dpi=120, bbox_inches="tight")
    if OURS not in results:
        return
    if n <= _MATRIX:
        ax = plot_similarity_matrix(
            results[OURS]["similarity"],
            texts=topics.descriptions,
            maps=topics.names,
            title=f"{OURS}: words and observed maps",
        )
        ax.figure.savefig(output / "similarity.png", dpi=120)
    median = int(np.argsort(dice[OURS], kind="stable")[n // 2])
    shown = {"observed": topics.observed[median]}
    for name in ("contrastive", OURS, NEUROQUERY[0]):
        if name in results:
            shown[name] = results[name]["maps"][median]
    figure = plot_surface_maps(
        {name: _image(voxels, masker) for name, voxels in shown.items()},
        title=f"{topics.descriptions[median]} (the topic of median Dice of {OURS})",
    )
    figure.savefig(output / "median_topic.png", dpi=120)


def _image(voxels, masker):
    from nilearn.masking import unmask

    return unmask(voxels.astype(np.float32), masker.mask_img_)


if __name__ == "__main__":
    main()
