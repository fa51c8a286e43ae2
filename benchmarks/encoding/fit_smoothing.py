"""Effect of smoothing and of a voxelwise mean map on maps of `neurocontext fit`.

    python -m benchmarks.encoding.fit_smoothing nimare ridge
    python -m benchmarks.encoding.fit_smoothing neuroquery best_text_brain

For five folds of NiMARE's studies, or one of five folds of 2,500 NeuroQuery titles, it
prints the agreement of maps predicted for held-out studies with the density of their
peaks: mean Dice at the top 10 % of voxels and mean correlation over voxels.
"""

import argparse
import warnings

import numpy as np
from sklearn.utils import Bunch

from sklearn_neurocontext import dice_score
from sklearn_neurocontext._utils.volumes import smooth_voxels
from sklearn_neurocontext.datasets import load_corpus
from sklearn_neurocontext.experiments import (
    make_embedder,
    make_estimators,
    make_masker,
    prepare_studies,
    select_inputs,
)
from sklearn_neurocontext.maskers import density_map
from sklearn_neurocontext.model_selection import shuffled_folds
from sklearn_neurocontext.models import scale_like_predictions

N_STUDIES = 2500
FWHMS = (0.0, 8.0, 14.0)
TEXT_FIELDS = {"nimare": "title+abstract", "neuroquery": "title"}


def main():
    """Print one row per kind of map."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", choices=TEXT_FIELDS)
    parser.add_argument("estimator")
    arguments = parser.parse_args()
    corpus, text_field = load(arguments.corpus), TEXT_FIELDS[arguments.corpus]
    masker = make_masker("geometric", 256)
    studies = prepare_studies(corpus, text_field, make_embedder(), masker)
    mask_img = masker.mask_img_
    peaks = [corpus.peaks[row] for row in studies.rows]
    observed = np.stack([density_map(one, mask_img) for one in peaks])
    folds = shuffled_folds(studies.groups, 5)
    scores = {}
    for train, test in folds if arguments.corpus == "nimare" else folds[:1]:
        maps = predict(
            arguments.estimator, text_field, studies, masker, observed, train, test
        )
        for name, voxels in maps.items():
            scores.setdefault(name, []).append(measure(observed[test], voxels))
    print(f"{arguments.corpus}, {arguments.estimator}: {len(studies.texts)} studies")
    for name, found in scores.items():
        dice, correlation = np.concatenate(found, axis=1).mean(axis=1)
        print(f"{name}: Dice {dice:.3f}, correlation {correlation:.3f}")


def load(name):
    """Load a corpus; of NeuroQuery, a random sample of studies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        corpus = load_corpus(name)
    if name == "nimare":
        return corpus
    rows = np.random.default_rng(0).choice(len(corpus.peaks), N_STUDIES, replace=False)
    rows.sort()
    return Bunch(
        studies=corpus.studies.iloc[rows].reset_index(drop=True),
        peaks=[corpus.peaks[row] for row in rows],
        groups=corpus.groups[rows],
    )


def predict(name, text_field, studies, masker, observed, train, test) -> dict:
    """Predict maps of test studies with each smoothing and kind of mean map."""
    X = select_inputs([name], studies)[name]
    X_train, X_test = ([X[row] for row in rows] for rows in (train, test))
    model = make_estimators([name], decoder="residual", text_field=text_field)[name]
    model.fit(X_train, studies.y[train])
    predicted = model.predict(X_test)
    scaled = scale_like_predictions(model, studies.y[train])
    # Each study's density in the unit of the predictions.
    weights = np.abs(scaled).sum(axis=1) / np.abs(studies.y[train]).sum(axis=1)
    mean_map = (weights[:, None] * observed[train]).mean(axis=0)
    to_voxels, mask_img = masker.coefficients_to_voxels, masker.mask_img_
    maps = {"mean map": np.repeat(mean_map[None], len(test), axis=0)}
    for fwhm in FWHMS:
        maps[f"smoothed {fwhm:g} mm"] = smooth_voxels(
            to_voxels(predicted), mask_img, fwhm
        )
        differences = to_voxels(predicted - scaled.mean(axis=0))
        smoothed = smooth_voxels(differences, mask_img, fwhm)
        maps[f"mean map + difference smoothed {fwhm:g} mm"] = mean_map + smoothed
    return maps


def measure(observed, predicted) -> np.ndarray:
    """Compute Dice and correlation of each study, (2, n_studies)."""
    pairs = list(zip(observed, predicted, strict=True))
    dice = [dice_score(*pair, top=0.1) for pair in pairs]
    return np.array([dice, [np.corrcoef(*pair)[0, 1] for pair in pairs]])


if __name__ == "__main__":
    main()
