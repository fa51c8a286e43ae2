"""Check figures that changes of the code must not change.

    python benchmarks/check_figures.py            # all: half an hour on two cores
    python benchmarks/check_figures.py maps masker

title, counts    retrieval on the first of the 15 splits, 1,000 candidates
masker           coefficients compared with NeuroQuery and nilearn
embedder         embeddings compared with those of single chunks without padding
maps             brain maps and z maps of 20 texts by the shipped model
positions        queries whose strongest voxels are near their coordinates

The corpora are read from the folder that NEUROCONTEXT_DATA names. Differences within
the tolerances come from numbers of threads and library versions. The exit code is 1 if
a figure has changed. A change that is intended replaces the figure here.
"""

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from scipy.ndimage import center_of_mass

sys.path.insert(0, str(Path(__file__).parents[1]))  # wherever it is called from

# Percent, text→brain and brain→text: recall@10, recall@100 and mix&match of each.
RETRIEVAL = {
    "title": {
        "best_text_brain": (19.5, 55.0, 83.55, 18.1, 55.7, 82.90),
        "contrastive, defaults": (14.0, 48.3, 79.54, 12.9, 47.9, 79.06),
        "cca": (14.4, 48.6, 78.29, 13.1, 47.9, 78.12),
        "ridge": (11.5, 42.6, 77.60, 13.1, 46.7, 77.74),
        "mlp": (13.8, 45.1, 77.97, 12.7, 47.6, 78.18),
    },
    "counts": {
        "best_text_brain": (32.0, 69.5, 89.55, 32.2, 69.1, 89.21),
        "contrastive, defaults": (23.3, 61.5, 86.23, 23.0, 61.8, 85.98),
        "cca": (23.5, 63.8, 86.82, 21.4, 62.6, 86.44),
        "ridge": (19.0, 60.5, 86.00, 24.0, 64.6, 86.74),
        "mlp": (18.9, 59.8, 86.16, 25.0, 64.9, 87.20),
    },
}
SCORES = ("recall_at_10", "recall_at_100", "mix_match")
# One query is 0.1 points; one may move with the number of threads.
RETRIEVAL_TOLERANCE = 0.11
MASKER_TOLERANCE = 1e-4
EMBEDDER_TOLERANCE = 1e-5
# Relative to the values of `describe`; of the center, in mm.
MAPS_TOLERANCE = 1e-4
CENTER_TOLERANCE = 1e-3
# Queries within 16 mm of their coordinates, and all queries.
POSITIONS = {"textbook topics": (39, 48), "development": (84, 116)}
# Values of `describe` for 20 texts.
MAPS_TSV = Path(__file__).with_name("expected_maps.tsv")


def compare(name, found, expected, tolerance) -> bool:
    """Print a figure beside the expected one; return whether it is unchanged."""
    same = bool(np.all(np.abs(np.subtract(found, expected)) <= tolerance))
    text = "unchanged" if same else f"CHANGED, expected {expected}"
    print(f"{name}: {found} ({text})", flush=True)
    return same


def check_retrieval(text_field) -> bool:
    """Check the scores of the estimators on the first split of a text field."""
    from sklearn_neurocontext.experiments import reproduce

    expected = RETRIEVAL[text_field]
    corpus = "neuroquery" if text_field == "counts" else "neuroquery+neurosynth"
    options = {"text_fields": [text_field], "rows": list(expected), "n_splits": 1}
    with tempfile.TemporaryDirectory() as name:
        store = Path(name, "embeddings.sqlite")
        result = reproduce("table1", corpus, cache=store, **options)
    records = result.results[text_field].records
    same = len(records) == len(expected)
    keys = [key + end for end in ("", "_brain_to_text") for key in SCORES]
    for record in records:
        found = tuple(round(100 * record[key], 2) for key in keys)
        estimator = record["estimator"]
        same &= compare(
            f"{text_field}, {estimator}",
            found,
            expected[estimator],
            RETRIEVAL_TOLERANCE,
        )
    return same


def _data_folder() -> Path:
    """Return the folder of NeuroQuery and Neurosynth; exit if it is not set."""
    if "NEUROCONTEXT_DATA" not in os.environ:
        raise SystemExit(
            "error: set the environment variable NEUROCONTEXT_DATA to the folder that "
            "contains the folders neuroquery and neurosynth"
        )
    return Path(os.environ["NEUROCONTEXT_DATA"])


def check_masker() -> bool:
    """Check coefficients against NeuroQuery's smoothing and nilearn's masker."""
    from benchmarks.speed.check_masker import measure_parity

    data = _data_folder()
    with tempfile.TemporaryDirectory() as name:
        worst = measure_parity(Path(name), data)
    return compare("masker, largest relative difference", worst, 0.0, MASKER_TOLERANCE)


def check_embedder() -> bool:
    """Check embeddings against those of single chunks without padding."""
    from benchmarks.speed import embedder

    data = _data_folder()
    names = ("ours", "published")
    rivals = {name: embedder.RIVALS[name](embedder.wheel_folder()) for name in names}
    same = True
    for kind, n_texts in (("titles", 200), ("fulltexts", 3)):
        off = embedder.check(rivals, embedder.load_texts(data, kind, n_texts))["ours"]
        same &= compare(
            f"embedder, {kind}, largest difference", off, 0.0, EMBEDDER_TOLERANCE
        )
    return same


def describe(brain_map, z_map) -> list:
    """Return maximum, sum and center of a brain map, maximum and norm of a z map."""
    voxels, z = brain_map.get_fdata(), z_map.get_fdata()
    center = apply_affine(brain_map.affine, center_of_mass(voxels))
    return [voxels.max(), voxels.sum(), *center, z.max(), np.linalg.norm(z)]


def check_maps() -> bool:
    """Check maps of texts by the shipped model."""
    from sklearn_neurocontext import NeuroContextModel

    table = pd.read_csv(MAPS_TSV, sep="\t", index_col="text")
    maps = NeuroContextModel.from_pretrained().transform(table.index.tolist())
    same = True
    for text, *imgs in zip(table.index, maps["brain_map"], maps["z_map"], strict=True):
        found = [float(f"{one:.6g}") for one in describe(*imgs)]
        expected = table.loc[text].tolist()
        tolerance = MAPS_TOLERANCE * np.abs(expected)
        tolerance[2:5] = CENTER_TOLERANCE
        same &= compare(f"maps, {text[:40]}", found, expected, tolerance)
    return same


def check_positions() -> bool:
    """Check the number of queries with strongest voxels near their coordinates."""
    from sklearn_neurocontext import NeuroContextModel
    from training.positions import MAX_MM, distances_to_regions, read_queries

    model = NeuroContextModel.from_pretrained()
    queries = {
        "textbook topics": read_queries("test", group="textbook topics"),
        "development": read_queries("development"),
    }
    same = True
    for name, expected in POSITIONS.items():
        imgs = model.transform(list(queries[name]))["brain_map"]
        distances = distances_to_regions(imgs, queries[name]).values()
        found = (sum(one <= MAX_MM for one in distances), len(queries[name]))
        same &= compare(f"positions, {name}", found, expected, 0)
    return same


CHECKS = {
    "maps": check_maps,
    "positions": check_positions,
    "masker": check_masker,
    "embedder": check_embedder,
    "counts": lambda: check_retrieval("counts"),
    "title": lambda: check_retrieval("title"),
}


def main():
    """Run the named checks, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    names = parser.parse_args().checks or list(CHECKS)
    if unknown := [name for name in names if name not in CHECKS]:
        parser.error(f"unknown: {', '.join(unknown)}; expected {', '.join(CHECKS)}")
    warnings.simplefilter("ignore")
    results = {name: CHECKS[name]() for name in names}
    changed = [name for name, same in results.items() if not same]
    print(f"changed: {', '.join(changed) or 'none'} of {len(results)} checks")
    sys.exit(bool(changed))


if __name__ == "__main__":
    main()
