r"""Train the model that comes with the package, and write its card.

    python benchmarks/train_pretrained.py select --cache FOLDER [--abstracts FILE]
    python benchmarks/train_pretrained.py measure --cache FOLDER [--abstracts FILE]
    python benchmarks/train_pretrained.py train --cache FOLDER [--abstracts FILE] \
        --output FOLDER
    python benchmarks/train_pretrained.py check --output FOLDER [--queries test]

``select`` compares settings on development studies, which are in no test part of
`paper_splits`; ``measure`` trains with the chosen ones on all other studies, and keeps
scores and residuals of the development studies in the cache; ``train`` trains on all;
``check`` says how near to an atlas's regions the strongest voxels of queries lie, and
the mean map's: queries for development unless the test's, which are looked at once. The
corpora are downloaded, or taken from NEUROCONTEXT_DATA.
"""

import argparse
import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np
import pretrained_recipe as recipe
from embedding_cache import embed_kept
from positions import (
    DEVELOPMENT_TSV,
    MAX_MM,
    TEST_TSV,
    distances_to_regions,
    read_queries,
)

from sklearn_neurocontext.datasets import study_texts
from sklearn_neurocontext.evaluation import (
    density_map,
    load_corpus,
    make_embedder,
    make_masker,
    paper_splits,
    provenance,
    usable_rows,
)
from sklearn_neurocontext.metrics import make_retrieval_scorer
from sklearn_neurocontext.pretrained import NeuroContextModel
from sklearn_neurocontext.pretrained._arrays import smooth_voxels, voxels_to_imgs

CHOSEN = recipe.Settings()
# Of predicted maps, in mm. Retrieval knows nothing of it.
SMOOTHING_FWHM = 14.0
# Each is compared with the chosen one, all else being equal.
VARIANTS = {
    "minilm_weight": (0.35, 0.7, 1.4),
    "alpha_text": (0.03, 0.1, 0.3, 1.0),
    "alpha_brain": (0.3, 1.0, 3.0),
    "word_dim": (150, 300, 600),
}
N_DEVELOPMENT = 1000
N_REFERENCE = 1000
N_TERMS = 3000
_SCORER = make_retrieval_scorer((10, 100))


class Data:
    """Corpus, coefficients, embeddings; development studies put aside."""

    def __init__(self, arguments):
        self.corpus = load_corpus("neuroquery+neurosynth")
        self.n_abstracts = 0
        if arguments.abstracts:
            self.n_abstracts = recipe.add_abstracts(self.corpus, arguments.abstracts)
        self.masker = make_masker(arguments.atlas, arguments.components)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # peaks outside the mask
            self.y = self.masker.fit_transform(self.corpus.peaks)
        self.titles = study_texts(self.corpus, "title")
        self.studies = usable_rows(self.titles, self.y)
        splits = paper_splits(len(self.studies))
        self.development = self.studies[splits.development[:N_DEVELOPMENT]]
        self.rest = np.setdiff1d(self.studies, self.development)
        self.embedder = make_embedder().fit(["text"])
        self.cache, self.known, self.maps = arguments.cache, None, None

    def development_maps(self):
        """Give the densities of the development studies."""
        if self.maps is None:
            mask_img = self.masker.mask_img_
            peaks = [self.corpus.peaks[row] for row in self.development]
            self.maps = [density_map(one, mask_img) for one in peaks]
        return self.maps

    def to_voxels(self, coefficients):
        """Give maps as the pretrained model does."""
        voxels = self.masker.coefficients_to_voxels(coefficients)
        return smooth_voxels(voxels, self.masker.mask_img_, SMOOTHING_FWHM)

    def embed(self, texts):
        """Look up embeddings of texts; all of the corpus are computed once."""
        if self.known is None:
            longest = study_texts(self.corpus, "title+abstract")
            # Titles first: they are the same with and without abstracts.
            every = [self.titles[row] for row in self.studies]
            every += [longest[row] for row in self.studies]
            vectors = embed_kept(every, self.embedder, self.cache)
            self.known = dict(zip(every, vectors, strict=True))
        return np.stack([self.known[text] for text in texts])

    def prepare(self, studies, settings):
        """Give terms, rows, words pipeline, features and embeddings."""
        terms, counts = recipe.choose_terms(self.corpus, studies, settings.min_studies)
        rows = recipe.make_rows(self.corpus, studies, counts)
        words, features = recipe.fit_words(rows, terms, settings)
        return terms, counts, rows, words, features, self.embed(rows.texts)

    def fit(self, prepared, settings, study=None):
        """Fit the model; `study` replaces the study of each row, for a null."""
        _, _, rows, words, features, embeddings = prepared
        y = self.y[rows.study if study is None else study]
        return recipe.fit_model(words, self.embedder, features, embeddings, y, settings)


def main():
    arguments = _parse()
    if arguments.step == "check":
        check(arguments.output, arguments.queries)
        return
    data = Data(arguments)
    print(f"{len(data.studies):,} studies, {data.n_abstracts:,} abstracts", flush=True)
    steps = {"select": select, "measure": measure_chosen}
    if arguments.step in steps:
        steps[arguments.step](data)
    else:
        train(data, arguments.output)


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("select", "measure", "train", "check"))
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--abstracts", type=Path)
    parser.add_argument("--atlas", default="geometric-soft")
    parser.add_argument("--components", type=int, default=512)
    parser.add_argument("--output", type=Path)
    parser.add_argument(
        "--queries", choices=("development", "test"), default="development"
    )
    return parser.parse_args()


def select(data):
    """Print the scores of settings on development studies, by title alone."""
    prepared = data.prepare(data.rest, CHOSEN)
    for name, values in VARIANTS.items():
        for value in values:
            settings = dataclasses.replace(CHOSEN, **{name: value})
            if name == "word_dim":
                prepared = data.prepare(data.rest, settings)
            model = data.fit(prepared, settings)
            print(f"{name}={value}: {_say(measure(model, data))}", flush=True)


def measure(model, data) -> dict:
    """Score a model on the titles of the development studies."""
    titles = [data.titles[row] for row in data.development]
    y = data.y[data.development]
    X = model[:-1].transform(titles)
    scores = dict(_SCORER(model[-1], X, y))
    predicted = data.to_voxels(model[-1].predict(X))
    correlations = [
        np.corrcoef(density_map(data.corpus.peaks[row], data.masker.mask_img_), one)[
            0, 1
        ]
        for row, one in zip(data.development, predicted, strict=True)
    ]
    scores["map_correlation"] = float(np.nanmean(correlations))
    return scores


def _say(scores):
    return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())


def measure_chosen(data):
    """Keep scores and z scale, measured on development studies."""
    prepared = data.prepare(data.rest, CHOSEN)
    model = data.fit(prepared, CHOSEN)
    scores = measure(model, data)
    print(_say(scores), flush=True)
    z_scale, h = null_scale(model, prepared, data)
    facts = {**scores, "null_share": h, "settings": repr(CHOSEN)}
    (data.cache / "measured.json").write_text(json.dumps(facts))
    np.save(data.cache / "z_scale.npy", z_scale)


def train(data, output):
    """Train on all studies and save, with what was measured."""
    scores = json.loads((data.cache / "measured.json").read_text())
    if scores.pop("settings") != repr(CHOSEN):
        raise ValueError("Settings changed since they were measured: measure again.")
    z_scale = np.load(data.cache / "z_scale.npy")
    prepared = data.prepare(data.studies, CHOSEN)
    terms, counts = prepared[:2]
    n_documents = np.asarray((counts[data.studies] > 0).sum(axis=0)).ravel()
    common = np.sort(np.argsort(-n_documents, kind="stable")[:N_TERMS])
    reference = np.random.default_rng(0).choice(
        data.studies, N_REFERENCE, replace=False
    )
    card = {
        "settings": dataclasses.asdict(CHOSEN),
        "smoothing_fwhm_mm": SMOOTHING_FWHM,
        "n_studies": len(data.studies),
        "n_abstracts": data.n_abstracts,
        "n_development": len(data.development),
        "development_scores": {name: round(float(v), 4) for name, v in scores.items()},
        **provenance(),
    }
    NeuroContextModel(
        data.fit(prepared, CHOSEN),
        data.masker,
        smoothing_fwhm=SMOOTHING_FWHM,
        terms=dict(
            zip(
                [terms[column] for column in common],
                n_documents[common].tolist(),
                strict=True,
            )
        ),
        mean=final_mean(data),
        z_scale=z_scale,
        reference=data.y[reference],
        card=card,
    ).save(output, half=True)
    print(json.dumps(card, indent=1))


def check(folder, queries):
    """Print how far the strongest voxels lie from coordinates, and the mean map's."""
    model = NeuroContextModel.from_pretrained(folder)
    mean = model._to_voxels(model._mean[None])
    mean_img = voxels_to_imgs(mean, model.masker.mask_img_)[0]
    if queries == "test":
        tables = {kind: read_queries(TEST_TSV, kind) for kind in ("fresh", "named")}
    else:
        tables = {"development": read_queries(DEVELOPMENT_TSV)}
    for kind, table in tables.items():
        imgs = model.transform(list(table))["brain_map"]
        distances = distances_to_regions(imgs, table)
        of_mean = distances_to_regions([mean_img] * len(table), table)
        for query, distance in distances.items():
            print(f"{distance:5.1f} mm (mean map {of_mean[query]:5.1f})  {query}")
        near, near_mean = (
            np.mean([one <= MAX_MM for one in by_query.values()])
            for by_query in (distances, of_mean)
        )
        print(
            f"{near:.0%} of {len(table)} {kind} queries within {MAX_MM:g} mm, "
            f"of the mean map {near_mean:.0%}"
        )


def final_mean(data) -> np.ndarray:
    """Mean of the training studies' coefficients, each scaled to norm one."""
    y = data.y[data.studies]
    return (y / np.linalg.norm(y, axis=1, keepdims=True)).mean(axis=0)


def null_scale(model, prepared, data) -> tuple[np.ndarray, float]:
    """Scale of z maps: held-out residuals, times what chance leaves of them.

    A model that is trained on the same rows with the studies' maps exchanged predicts
    maps by chance alone. The share h of their variance in the residual variance of the
    real model on development studies says how uncertain a prediction is; z divides by
    the deviation of residuals times the root of h.
    """
    titles = [data.titles[row] for row in data.development]
    X = model[:-1].transform(titles)
    rows = prepared[2]
    order = np.random.default_rng(0).permutation(data.rest)
    exchanged = dict(zip(data.rest.tolist(), order.tolist(), strict=True))
    null = data.fit(prepared, CHOSEN, [exchanged[row] for row in rows.study.tolist()])
    to_voxels = data.to_voxels
    by_chance = to_voxels(null[-1].predict(X) - null[-1].y_mean_)
    y = data.y[data.development]
    observed = y / np.linalg.norm(y, axis=1, keepdims=True)
    residual = to_voxels(observed - model[-1].predict(X))
    variance = residual.astype(np.float64).var(axis=0)
    h = (by_chance.astype(np.float64) ** 2).mean() / variance.mean()
    print(f"h = {h:.4g}", flush=True)
    return np.sqrt(variance * h).astype(np.float32), float(h)


if __name__ == "__main__":
    main()
