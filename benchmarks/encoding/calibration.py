"""Measure whether z maps and low-confidence warnings are calibrated.

    python -m benchmarks.encoding.calibration shipped [--folder FOLDER] [--set test]
    python -m benchmarks.encoding.calibration ridge

``shipped`` prints the share of texts that raise a `LowConfidenceWarning`: made-up texts
of random letters, phrases of other fields (tests/data/other_fields.tsv), and titles of
development studies. Thresholds were chosen on the development half of each list; look
at the test half only once. It also prints the figures of the null distribution from the
card of the model, which `training.calibrate` measured.

``ridge`` fits ridge regression to the 320 studies that come with NiMARE, with
`fit_model`. It prints the share of 100 made-up texts whose largest z is in the central
95 % of the null distribution of largest z values. It also prints statistics of z values
under further permutations, which were not used to estimate the null distribution.
"""

import argparse
import copy
import csv
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.datasets import load_corpus, study_texts, usable_rows
from sklearn_neurocontext.experiments import (
    make_embedder,
    make_estimators,
    make_masker,
    prepare_studies,
)
from sklearn_neurocontext.inference import (
    LowConfidenceWarning,
    clone_with_chosen_settings,
    fit_model,
    make_up_text,
)
from sklearn_neurocontext.model_selection import paper_splits

PHRASES = Path(__file__).parents[2] / "tests" / "data" / "other_fields.tsv"
# Numbers of texts of each half of a list.
N_TEXTS = 100
# Seeds of the made-up texts and of the drawn titles.
SEEDS = {"development": 1, "test": 2}
# Permutations that check the null distribution, and words predicted in each of them.
N_PERMUTATIONS, N_WORDS = 5, 100
# A word is rare if fewer studies contain it.
RARE = 20


def made_up_texts(part) -> list:
    """Return texts of random letters, for a half of the list."""
    rng = np.random.default_rng(SEEDS[part])
    return [make_up_text(rng) for _ in range(N_TEXTS)]


def phrases_of_other_fields(part) -> list:
    """Return the phrases of other fields."""
    with PHRASES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [row["text"] for row in rows if row["set"] == part]


def development_titles(part) -> list:
    """Draw titles of development studies, which the shipped model has not seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # doubtful peaks
        corpus = load_corpus("neuroquery+neurosynth")
        peaks_inside = make_masker("geometric", 64).fit_transform(corpus.peaks)
    titles = study_texts(corpus, "title")
    studies = usable_rows(titles, peaks_inside)
    development = studies[paper_splits(len(studies)).development[:1000]]
    half = np.array_split(development, 2)[part == "test"]
    rng = np.random.default_rng(SEEDS[part])
    return [titles[row] for row in rng.choice(half, N_TEXTS, replace=False)]


def share_of_warnings(model, texts) -> float:
    """Return the share of texts that raise a `LowConfidenceWarning`."""
    n_warned = 0
    for text in texts:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", LowConfidenceWarning)
            model.transform([text])
        n_warned += any(one.category is LowConfidenceWarning for one in caught)
    return n_warned / len(texts)


def measure_shipped(model, part) -> dict:
    """Compute the shares of warnings of a model, and read its null distribution."""
    lists = {
        "made-up texts": made_up_texts(part),
        "phrases of other fields": phrases_of_other_fields(part),
        "titles of development studies": development_titles(part),
    }
    figures = {
        f"warnings: {name}": share_of_warnings(model, texts)
        for name, texts in lists.items()
    }
    keys = ("z_mean_square", "rare_above_3", "frequent_above_3")
    return figures | {key: model.card["null"][key] for key in keys}


def z_values(model, texts) -> np.ndarray:
    """Return the z maps of texts, of shape (n_texts, n_voxels)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LowConfidenceWarning)
        imgs = model.transform(texts)["z_map"]
    inside = np.asarray(model.masker.mask_img_.dataobj) > 0
    return np.stack([np.asarray(img.dataobj)[inside] for img in imgs])


def measure_ridge() -> dict:
    """Fit ridge regression to NiMARE's studies and check its null distribution."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        corpus = load_corpus("nimare")
        masker, embedder = make_masker(n_components=256), make_embedder().fit()
        studies = prepare_studies(corpus, "title+abstract", embedder, masker)
    estimator = make_estimators(["ridge"])["ridge"]
    model = fit_model(
        estimator,
        studies.X,
        studies.y,
        masker,
        texts=studies.texts,
        groups=studies.groups,
        embedder=embedder,
    )
    null = model.card["null"]
    low, high = (null[f"z_largest_of_words_quantile_{q}"] for q in (0.025, 0.975))
    made_up = made_up_texts("test")
    largest = z_values(model, made_up).max(axis=1)
    titles, words, rare = _permuted_z_values(model, estimator, studies)
    return {
        "penalty": model.model[-1].alpha_,
        "largest z of words under permutation, 2.5 % quantile": low,
        "largest z of words under permutation, 97.5 % quantile": high,
        "made-up texts in this range": np.mean((largest >= low) & (largest <= high)),
        "made-up texts not above this range": np.mean(largest <= high),
        "warnings: made-up texts": share_of_warnings(model, made_up),
        "warnings: titles of the studies": share_of_warnings(
            model, study_texts(corpus, "title")[:N_TEXTS]
        ),
        "mean z², held-out titles and abstracts": np.mean(titles**2),
        "z > 3, held-out titles and abstracts": np.mean(titles > 3),
        "z > 3, words of fewer than 20 studies": np.mean(words[rare] > 3),
        "z > 3, other words": np.mean(words[~rare] > 3),
    }


def _permuted_z_values(model, estimator, studies):
    """Return z values of held-out texts and of words in models of permuted pairs."""
    rng = np.random.default_rng(99)
    fitted = copy.deepcopy(estimator).fit(studies.X, studies.y)
    known = sorted(model.word_counts)
    of_titles, of_words, rare = [], [], []
    for _ in range(N_PERMUTATIONS):
        order = rng.permutation(len(studies.y))
        held_out, train = np.split(order, [len(order) // 5])
        null = clone_with_chosen_settings(fitted)
        null.fit(studies.X[train], studies.y[rng.permutation(train)])
        permuted = copy.copy(model)
        permuted.model = Pipeline([model.model.steps[0], *null.steps])
        of_titles.append(z_values(permuted, [studies.texts[row] for row in held_out]))
        words = rng.choice(known, N_WORDS, replace=False).tolist()
        of_words.append(z_values(permuted, words))
        rare += [model.word_counts[word] < RARE for word in words]
    return np.concatenate(of_titles), np.concatenate(of_words), np.array(rare)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=("shipped", "ridge"))
    parser.add_argument("--folder", default="minilm", help="folder of a saved model")
    parser.add_argument("--set", choices=tuple(SEEDS), default="development")
    arguments = parser.parse_args()
    if arguments.model == "ridge":
        figures = measure_ridge()
    else:
        model = NeuroContextModel.from_pretrained(arguments.folder)
        figures = measure_shipped(model, arguments.set)
    figures = {name: round(float(value), 4) for name, value in figures.items()}
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
