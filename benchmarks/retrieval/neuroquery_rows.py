"""Retrieval with NeuroQuery's own model on one split, by the correlation of maps."""

import json

import nilearn.image
import numpy as np
from neuroquery.img_utils import coords_to_peaks_img
from nilearn.masking import apply_mask

from benchmarks.encoding.neuroquery_maps import term_counts, timed, train
from sklearn_neurocontext.experiments import make_masker, score_similarity

FWHM = 9.0
_BLOCK = 100


def neuroquery_records(task, folder) -> list:
    """Train NeuroQuery on the first split and score its maps.

    Parameters
    ----------
    task : Task
        Corpus with NeuroQuery's counts.
    folder : Path
        Folder of intermediate results, with which a run that was stopped continues.

    Returns
    -------
    records : list of dict
        Records like those of `run_benchmark`, with correlations of maps as similarity:
        of the maps, and of their differences from the means of the training studies.
    """
    train_rows, test_rows = task.splits[0]
    maps = densities(task, folder)
    counts = term_counts(task.corpus)[task.rows]
    model = train(
        counts[train_rows], task.corpus.vocabulary, maps[train_rows], folder / "model"
    )
    predicted = model.z_maps(model.tfidf(counts[test_rows]))
    observed = maps[test_rows]
    mean = np.zeros(maps.shape[1])
    for rows in np.array_split(train_rows, 20):
        mean += model.z_maps(model.tfidf(counts[rows])).sum(axis=0)
    similarities = {
        "NeuroQuery": correlations(predicted, observed),
        "NeuroQuery, mean map removed": correlations(
            predicted - mean / len(train_rows), observed - maps[train_rows].mean(axis=0)
        ),
    }
    cost = model.cost | json.loads((folder / "densities.json").read_text())
    print(cost)
    return [
        _record(name, matrix, len(train_rows), cost)
        for name, matrix in similarities.items()
    ]


def _record(name, matrix, n_train, cost) -> dict:
    return {
        "split": 0,
        "estimator": name,
        **score_similarity(matrix),
        "n_train": n_train,
        "fit_seconds": sum(step["wall_seconds"] for step in cost.values()),
        "fit_cpu_seconds": sum(step["cpu_seconds"] for step in cost.values()),
        "cost": cost,
    }


def densities(task, folder) -> np.ndarray:
    """Compute NeuroQuery's densities of all studies, or load them.

    They equal those of ``neuroquery.img_utils.coordinates_to_maps``; smoothing many
    studies in one call of nilearn saves most of the time.
    """
    path = folder / "densities.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        mask_img = make_masker().fit().mask_img_
        peaks = [task.corpus.peaks[row] for row in task.rows]
        blocks = range(0, len(peaks), _BLOCK)
        maps, cost = timed(
            lambda: np.concatenate(
                [smooth(peaks[start : start + _BLOCK], mask_img) for start in blocks]
            )
        )
        np.save(folder / "unfinished.npy", maps)
        (folder / "densities.json").write_text(json.dumps({"densities": cost}))
        (folder / "unfinished.npy").rename(path)
    return np.load(path)


def smooth(peaks, mask_img) -> np.ndarray:
    """Compute the densities of some studies, (n_studies, n_voxels), float32."""
    imgs = [coords_to_peaks_img(one, mask_img) for one in peaks]
    imgs = nilearn.image.smooth_img(nilearn.image.concat_imgs(imgs), FWHM)
    return apply_mask(imgs, mask_img).astype(np.float32)


def correlations(predicted, observed) -> np.ndarray:
    """Correlate all rows of two arrays, (n_predicted, n_observed)."""

    def standardized(maps):
        maps = maps - maps.mean(axis=1, keepdims=True)
        return maps / np.linalg.norm(maps, axis=1, keepdims=True)

    return standardized(predicted) @ standardized(observed).T
