r"""Estimate the null distribution of the z maps of the model, and count its words.

    python -m training.calibrate --cache STORE --output FOLDER

The model in FOLDER, which `training.train` wrote, is loaded. Its ridge regression is
solved again for permuted text-map pairs. The null statistics, the counts of words and
the thresholds of the low-confidence warning are then written to FOLDER. The weights of
the model do not change.

All permutations share one Cholesky factorization. Let X be the centered features of the
training texts, C the diagonal matrix of their copies, S the matrix of the weights of
studies in the targets of texts, and M the centered maps of the studies. The weights of
the regression are :math:`(X^T C X + \lambda I)^{-1} X^T C S M`. A permutation of
studies only permutes the rows of M.
"""

import argparse
import json
import re
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.volumes import smooth_voxels
from sklearn_neurocontext.inference import (
    describe_null,
    draw_short_texts,
    interpolate_scale,
    null_statistics,
    split_words,
)
from sklearn_neurocontext.persistence import load_values, save_values
from training.card import write_card

# Numbers of permutations that estimate the null distribution and that check it.
N_PERMUTATIONS = 4
N_CHECK_PERMUTATIONS = 2
N_TITLES = 200
N_SHORT = 300
# Thresholds of the low-confidence warning, chosen on titles of development studies and
# on development phrases of other fields (benchmarks/encoding/calibration.py). With the
# 95 % quantile of the largest z values of null maps, which `fit_model` uses, a third of
# the titles would raise a warning.
Z_THRESHOLD = 3.0
SUPPORT_THRESHOLD = 5.0
# A word is rare if fewer studies contain it.
RARE = 20
# Largest difference between a weight of the model and the weight that `PermutedRidge`
# computes without a permutation, divided by the largest weight. The weights of a saved
# model are rounded to 16 bits, and solved in another order.
TOLERANCE = 0.05


def count_words(corpus, titles, studies) -> dict:
    """Return the number of studies that contain each word.

    A study contains a word if it is in the title, or in a term of NeuroQuery's
    vocabulary that occurs in the study.
    """
    counts = sparse.csr_array(sum(corpus.term_counts.values()))[studies]
    place, pairs = {}, []
    for row, term in enumerate(corpus.vocabulary):
        for word in set(split_words(term)):
            pairs.append((row, place.setdefault(word, len(place))))
    of_titles = [
        (row, place.setdefault(word, len(place)))
        for row, study in enumerate(studies)
        for word in set(split_words(titles[study]))
    ]
    term, word = np.array(pairs).T
    ones = np.ones(len(pairs), dtype=np.float32)
    shape = (len(corpus.vocabulary), len(place))
    has_word = counts.astype(np.float32) @ sparse.csr_array((ones, (term, word)), shape)
    row, word = np.array(of_titles).T
    ones = np.ones(len(of_titles), dtype=np.float32)
    has_word = has_word + sparse.csr_array((ones, (row, word)), has_word.shape)
    n_studies = np.asarray((has_word > 0).sum(axis=0)).ravel()
    return {word: int(n) for word, n in zip(place, n_studies, strict=True) if n}


class PermutedRidge:
    """Ridge regression of the recipe, solved for permuted studies.

    Parameters
    ----------
    words, embedded : csr_array, ndarray
        Features of the texts of `rows`: sparse features of words, and dense features of
        embeddings.
    rows : Rows
        Training rows.
    maps : ndarray of shape (n_studies, n_components)
        Unit coefficients of the studies.
    alpha : float
        Relative penalty, as in `solve_ridge`.
    """

    def __init__(self, words, embedded, rows, maps, alpha):
        copies = rows.copies.astype(np.float32)
        n, n_words = copies.sum(), words.shape[1]
        mean = np.concatenate([words.T @ copies, embedded.T @ copies]) / n
        copied = embedded * copies[:, None]
        of_words = sparse.csr_array(words.multiply(copies[:, None]))
        mixed = words.T @ copied
        gram = np.empty((len(mean),) * 2, dtype=np.float32)
        gram[:n_words, :n_words] = (of_words.T @ words).toarray()
        gram[:n_words, n_words:], gram[n_words:, :n_words] = mixed, mixed.T
        gram[n_words:, n_words:] = embedded.T @ copied
        gram -= (n * np.outer(mean, mean)).astype(np.float32)
        gram.flat[:: len(mean) + 1] += alpha * np.trace(gram, dtype=np.float64) / n
        self.factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        shares = sparse.csr_array(rows.shares.multiply(copies[:, None]))
        shares = sparse.csr_array(shares, dtype=np.float32)
        total = np.asarray(shares.sum(axis=0)).ravel()
        cross = np.vstack([(words.T @ shares).toarray(), (shares.T @ embedded).T])
        self.cross = cross - np.outer(mean, total).astype(np.float32)
        self.mean, self.of_mean = mean, total / n
        self.maps = (maps - maps.mean(axis=0)).astype(np.float32)

    def solve(self, order):
        """Return the weights and the intercept for studies in the given order.

        The regression predicts differences from the mean coefficients.
        """
        maps = self.maps[order]
        weights = cho_solve(self.factor, self.cross @ maps, check_finite=False)
        return weights, self.of_mean @ maps - self.mean @ weights


def check_weights(weights, coef) -> None:
    """Check that solved weights are those of the model, `coef`."""
    difference = np.abs(weights - coef).max() / np.abs(coef).max()
    if difference > TOLERANCE:
        raise ValueError(
            f"The weights of the model must be reproduced up to {TOLERANCE:.0%} of the "
            f"largest weight; got a difference of {difference:.0%}. Use the corpus and "
            "the settings with which the model was trained."
        )


def make_features(transformer, texts, embedder):
    """Return the sparse and the dense features of texts.

    `transformer` is the first step of the model, and `embedder` stores embeddings.
    """
    (_, words), (_, pipeline) = transformer.transformer_list
    embedded = [
        pipeline[1:].transform(embedder.transform(texts[start : start + 8000]))
        for start in range(0, len(texts), 8000)
    ]
    return sparse.csr_array(words.transform(texts)), np.concatenate(embedded)


def calibrate(model, data, rows, *, words, embedded, term_counts) -> dict:
    """Return the null statistics, word counts and thresholds of a model.

    `words` and `embedded` are the features of the texts of `rows`. `term_counts`
    contains the numbers of studies of the terms of the vocabulary.
    """
    counts = count_words(data.corpus, data.titles, data.rest)
    ridge = PermutedRidge(
        words, embedded, rows, data.maps[data.rest], model.model[-1].alpha_text
    )
    weights, _ = ridge.solve(np.arange(len(data.rest)))
    check_weights(weights, model.model[-1].coef_)
    of_studies, of_texts = np.random.default_rng(0), np.random.default_rng(1)
    titles = [data.titles[row] for row in data.development[:N_TITLES]]
    drawn = draw_short_texts(counts | term_counts, of_texts, N_SHORT)
    checked = draw_short_texts(counts | term_counts, of_texts, N_SHORT)
    # Support is computed by the model, which needs the counts of words.
    counted = {"word_counts": counts, "n_studies": len(data.rest)}
    supported = data.model(model.model, **counted)
    of_titles, of_drawn, of_checked = (
        sparse.csr_array(model.model[:-1].transform(one))
        for one in (titles, drawn, checked)
    )

    def predict(features, n_permutations):
        """Return the differences that permuted fits predict for blocks of texts."""
        n_studies = len(data.rest)
        solved = (
            ridge.solve(of_studies.permutation(n_studies))
            for _ in range(n_permutations)
        )
        return [
            [(one @ weights + intercept).astype(np.float32) for one in features]
            for weights, intercept in solved
        ]

    fwhm = model.smoothing_fwhm
    found = null_statistics(
        predict([of_titles, of_drawn], N_PERMUTATIONS),
        data.masker,
        supports=[supported.support([*titles, *drawn])] * N_PERMUTATIONS,
        smoothing_fwhm=fwhm,
    )
    found.pop("null")
    blocks = predict([of_titles, of_checked], N_CHECK_PERMUTATIONS)
    z = [
        np.concatenate(
            [
                _z_maps(block[part], supported.support(texts), found, data, fwhm)
                for block in blocks
            ]
        )
        for part, texts in enumerate((titles, checked))
    ]
    null = describe_null(z[0], z[0].max(axis=1))
    # Words that are not terms of the vocabulary have no feature of their own, so their
    # maps hardly vary.
    n_studies = np.array([counts.get(text, 0) for text in checked])
    is_feature = np.array([text in term_counts for text in checked])
    is_rare = is_feature & (n_studies > 0) & (n_studies < RARE)
    by_kind = z[1].reshape(N_CHECK_PERMUTATIONS, len(checked), -1)
    null |= {
        "n_rare": int(is_rare.sum()),
        "rare_above_3": float((by_kind[:, is_rare] > 3).mean()),
        "frequent_above_3": float((by_kind[:, n_studies >= RARE] > 3).mean()),
    }
    return {
        **found,
        **counted,
        "support_threshold": SUPPORT_THRESHOLD,
        "z_threshold": Z_THRESHOLD,
        "null": null,
    }


def _z_maps(differences, support, statistics, data, fwhm):
    """Return the z maps of predicted differences of coefficients from the mean."""
    voxels = data.masker.coefficients_to_voxels(differences)
    maps = smooth_voxels(voxels, data.masker.mask_img_, fwhm)
    scale = interpolate_scale(statistics["null_scale"], support)
    return (maps / (scale[:, None] * statistics["null_std"])).astype(np.float32)


def main():
    from training.train import CHOSEN, Data, recipe

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    data = Data(arguments)
    model = NeuroContextModel.from_pretrained(arguments.output)
    terms, counts = recipe.choose_terms(data.corpus, data.rest, CHOSEN.min_studies)
    rows = recipe.make_rows(data.titles, data.rest, terms, counts, CHOSEN)
    words, embedded = make_features(model.model[0], rows.texts, data.stored_embedder)
    n_studies = np.asarray((counts[data.rest] > 0).sum(axis=0)).ravel().tolist()
    term_counts = dict(zip(terms, n_studies, strict=True))
    found = calibrate(
        model, data, rows, words=words, embedded=embedded, term_counts=term_counts
    )
    write(found, arguments.output)


def write(found, folder):
    """Write the statistics to the index of a model, whose other files do not change."""
    index = load_values(folder / "index")
    card = index["card"] | {"null": found.pop("null")}
    readme = folder / "README.md"
    half = re.search(r"unrounded\s+model\s+is\s+(\d\.\d+)", readme.read_text())[1]
    with tempfile.TemporaryDirectory() as temporary:
        saved = Path(temporary) / "index"
        save_values(index | found | {"card": card}, saved, half=True)
        for path in saved.iterdir():
            (folder / "index" / path.name).write_bytes(path.read_bytes())
    write_card(folder, card, float(half))
    print(json.dumps(card["null"], indent=1))


if __name__ == "__main__":
    main()
