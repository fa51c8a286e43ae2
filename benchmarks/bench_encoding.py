"""Maps predicted from descriptions of meta-analyses, against their foci.

    python benchmarks/bench_encoding.py META_ANALYSES --cache FOLDER --output FOLDER

META_ANALYSES holds ``descriptions.tsv`` (columns name, file, description) and the files
that it names, in Sleuth's text form. Files with one description are one topic. Training
studies that share foci with an experiment are left out for all methods. A run that was
stopped goes on with the methods that are missing. ``--methods neuroquery`` trains
NeuroQuery (``pip install neuroquery``) on the same studies, takes most of an hour, and
wants ``--corpus neuroquery``, the one that has its word counts.
"""

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from embedding_cache import embed_kept
from encoding_tables import score, write

from sklearn_neurocontext import similarity
from sklearn_neurocontext.datasets import SpaceWarning, load_sleuth, study_texts
from sklearn_neurocontext.evaluation import (
    bootstrap_interval,
    density_map,
    load_corpus,
    make_embedder,
    make_estimators,
    make_masker,
    provenance,
    studies_sharing_peaks,
    usable_rows,
)
from sklearn_neurocontext.plotting import (
    plot_dice_bars,
    plot_similarity_matrix,
    plot_surface_maps,
)

# It is made of two others.
LEFT_OUT = ("reward_cue_reactivity",)
FLOORS = ("mean map", "nearest title")
METHODS = (*FLOORS, "ridge", "mlp", "cca", "contrastive")


@dataclass
class Task:
    """Training studies and topics, as every method sees them."""

    corpus: object
    rows: np.ndarray
    X: np.ndarray
    y: np.ndarray
    X_topics: np.ndarray
    y_topics: np.ndarray
    topics: pd.DataFrame
    mean_map: np.ndarray
    masker: object
    embedder: object
    seed: int


def main():
    arguments = _parse()
    arguments.output.mkdir(parents=True, exist_ok=True)
    topics = load_topics(arguments.meta_analyses)
    task, n_excluded = prepare(arguments, topics)
    observed = np.stack(
        [density_map(one, task.masker.mask_img_) for one in topics.foci]
    )
    results = {name: run(name, task, arguments.output) for name in arguments.methods}
    table = score(results, observed, task.mean_map)
    facts = {
        "n_topics": len(topics),
        "n_training": len(task.rows),
        "n_excluded": n_excluded,
        "corpus": arguments.corpus,
        "components": arguments.components,
        "seed": arguments.seed,
        "seconds": {name: result["seconds"] for name, result in results.items()},
        **provenance(),
    }
    write(table, topics, facts, FLOORS, arguments.output)
    draw(table, results, observed, task, arguments.output)


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meta_analyses", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="embeddings")
    parser.add_argument("--corpus", default="neuroquery+neurosynth")
    parser.add_argument("--methods", type=lambda t: t.split(","), default=METHODS)
    parser.add_argument("--components", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def load_topics(folder: Path) -> pd.DataFrame:
    """Read one row per description: name, description, foci, experiments."""
    table = pd.read_csv(folder / "descriptions.tsv", sep="\t")
    table = table[~table["name"].isin(LEFT_OUT)]
    topics = []
    for description, files in table.groupby("description", sort=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpaceWarning)
            corpora = [load_sleuth(folder / name) for name in files["file"]]
        experiments = [peaks for corpus in corpora for peaks in corpus.peaks]
        topics.append(
            {
                "name": files["name"].iloc[0],
                "description": description,
                "foci": np.concatenate(experiments),
                "experiments": experiments,
            }
        )
    return pd.DataFrame(topics)


def prepare(arguments, topics):
    """Embed titles and topics; leave out studies that share foci."""
    corpus = load_corpus(arguments.corpus)
    masker = make_masker("geometric", arguments.components)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # peaks outside the mask
        y = masker.fit_transform(corpus.peaks)
        y_topics = masker.transform(topics.foci.tolist())
    titles = study_texts(corpus, "title")
    studies = usable_rows(titles, y)
    embedder = make_embedder().fit(titles[:1])
    X = embed_kept([titles[row] for row in studies], embedder, arguments.cache)
    experiments = [one for of_topic in topics.experiments for one in of_topic]
    sharing = studies_sharing_peaks(corpus.peaks, experiments)
    kept = ~np.isin(studies, sharing)
    rows = studies[kept]
    print(
        f"{len(sharing)} studies share foci with an experiment and are left out; "
        f"{len(rows):,} are trained on. {len(topics)} topics."
    )
    sizes = np.array([len(corpus.peaks[row]) for row in rows])
    mean_map = density_map(
        np.concatenate([corpus.peaks[row] for row in rows]),
        masker.mask_img_,
        weights=np.repeat(1 / sizes, sizes),
    )
    task = Task(
        corpus=corpus,
        rows=rows,
        X=X[kept],
        y=y[rows],
        X_topics=embedder.transform(topics.description.tolist()),
        y_topics=y_topics,
        topics=topics,
        mean_map=mean_map,
        masker=masker,
        embedder=embedder,
        seed=arguments.seed,
    )
    return task, len(sharing)


def run(name, task, output: Path) -> dict:
    """Give the maps of a method, from a file where an earlier run made them."""
    key = joblib.hash((name, task.X, task.y, task.X_topics, task.seed))
    path = output / f"maps_{name.replace(' ', '_')}_{key[:12]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return {key: kept[key] for key in kept}
    started = time.perf_counter()
    result = predict(name, task, output)
    result["seconds"] = np.array(time.perf_counter() - started)
    np.savez_compressed(path, **result)
    print(f"{name}: {result['seconds']:.0f} s", flush=True)
    return result


def predict(name, task, output) -> dict:
    """Predict the topics' maps, and their similarity with the observed ones."""
    if name == "mean map":
        return {"maps": np.tile(task.mean_map, (len(task.topics), 1))}
    if name == "nearest title":
        unit = task.X / np.linalg.norm(task.X, axis=1, keepdims=True)
        nearest = task.rows[(task.X_topics @ unit.T).argmax(axis=1)]
        peaks = [task.corpus.peaks[row] for row in nearest]
        return {
            "maps": np.stack([density_map(one, task.masker.mask_img_) for one in peaks])
        }
    if name == "neuroquery":
        from neuroquery_maps import predict_maps

        return {"maps": predict_maps(task, output)}
    model = make_estimators([name], task.seed, decoder="residual")[name]
    model.fit(task.X, task.y)
    return {
        "maps": task.masker.coefficients_to_voxels(model.predict(task.X_topics)),
        "similarity": similarity(model, task.X_topics, task.y_topics),
    }


def draw(table, results, observed, task, output: Path) -> None:
    """Draw Dice bars, the matrix of the best method, and its median topic."""
    dice = {
        m: part["dice"].to_numpy() for m, part in table.groupby("method", sort=False)
    }
    intervals = {name: bootstrap_interval(values) for name, values in dice.items()}
    n = len(task.topics)
    title = f"Maps predicted from the descriptions of {n} meta-analyses"
    ax = plot_dice_bars(dice, intervals=intervals, title=title)
    ax.figure.savefig(output / "dice.png", dpi=150, bbox_inches="tight")
    best = max(dice, key=lambda name: dice[name].mean())
    if "similarity" in results[best]:
        ax = plot_similarity_matrix(
            results[best]["similarity"],
            texts=task.topics["description"],
            maps=task.topics["name"],
            title=f"{best}: descriptions and observed maps",
        )
        ax.figure.savefig(output / "similarity.png", dpi=150)
    median = int(np.argsort(dice[best], kind="stable")[n // 2])
    imgs = [
        _image(maps[median], task.masker) for maps in (observed, results[best]["maps"])
    ]
    figure = plot_surface_maps(
        {"observed": imgs[0], f"predicted by {best}": imgs[1]},
        title=f"{task.topics['description'][median]} (the topic of median Dice)",
    )
    figure.savefig(output / "median_topic.png", dpi=150)


def _image(voxels, masker):
    from nilearn.masking import unmask

    return unmask(voxels.astype(np.float32), masker.mask_img_)


if __name__ == "__main__":
    main()
