"""Train the model that comes with the package, measure it, and write its card.

    python -m training.train select --cache STORE
    python -m training.train train --cache STORE --output FOLDER
    python -m training.train check --output FOLDER [--queries test]

``select`` compares settings on development queries and on development studies, which
are in no test set of `paper_splits`. ``train`` fits the chosen settings to all other
studies, measures the model, and saves it with its card. ``check`` prints, for each
query, the distance of the strongest voxels to its coordinates, and that of the
strongest voxels of the mean map; use the test queries only once. The corpora are
downloaded, or read from the folder named by NEUROCONTEXT_DATA.
"""

import argparse
import dataclasses
import json
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

from sklearn_neurocontext._utils.volumes import voxels_to_imgs
from sklearn_neurocontext.datasets import load_corpus, study_texts, usable_rows
from sklearn_neurocontext.experiments import make_embedder, make_masker, provenance
from sklearn_neurocontext.inference import NeuroContextModel
from sklearn_neurocontext.model_selection import paper_splits
from training import recipe
from training.calibrate import calibrate, make_features
from training.card import write_card
from training.measures import (
    densities_of,
    mean_density,
    measure_phrases,
    measure_queries,
    measure_studies,
    measure_topics,
)
from training.positions import MAX_MM, distances_to_regions, read_queries

CHOSEN = recipe.Settings()
# Parameters of `NeuroContextModel`.
MAPS = {"smoothing_fwhm": 14.0, "quadratic_coef": 2.0}
# Alternatives, each of which changes one of the chosen settings.
VARIANTS = {
    "min_studies": (20,),
    "n_pairs": (10_000,),
    "term_copies": (1,),
    "prior_studies": (3.0, 30.0),
    "alpha_text": (3.0, 30.0),
}
MAP_VARIANTS = {"smoothing_fwhm": (11.0, 18.0), "quadratic_coef": (0.0, 0.5, 1.0, 3.0)}
N_DEVELOPMENT = 1000
N_REFERENCE = 1000
N_TERMS = 3000


class Data:
    """Corpus, unit coefficients of its studies, and its development studies."""

    def __init__(self, arguments):
        self.corpus = load_corpus("neuroquery+neurosynth")
        self.masker = make_masker("geometric-soft", 512)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # peaks outside the mask
            coefficients = self.masker.fit_transform(self.corpus.peaks)
        self.maps = normalize(coefficients)
        self.titles = study_texts(self.corpus, "title")
        self.studies = usable_rows(self.titles, self.maps)
        splits = paper_splits(len(self.studies))
        self.development = self.studies[splits.development[:N_DEVELOPMENT]]
        self.rest = np.setdiff1d(self.studies, self.development)
        self.mean = self.maps[self.rest].mean(axis=0)
        self.mean_map = mean_density(
            [self.corpus.peaks[row] for row in self.rest],
            coefficients[self.rest],
            self.masker.mask_img_,
        )
        self.embedder = make_embedder().fit(["text"])
        # Stores embeddings on disk, so that an interrupted run can be continued.
        store = str(arguments.cache)
        self.stored_embedder = make_embedder().set_params(cache=store).fit(["text"])

    @cached_property
    def development_densities(self):
        """Peak densities of the development studies, (n_studies, n_voxels)."""
        peaks = [self.corpus.peaks[row] for row in self.development]
        return densities_of(peaks, self.masker.mask_img_)

    def model(self, pipeline, **options):
        """Return a `NeuroContextModel` with a fitted pipeline."""
        means = {"mean": self.mean, "mean_map": self.mean_map, "unit_maps": True}
        return NeuroContextModel(pipeline, self.masker, **means, **(MAPS | options))

    def maps_of(self, voxels):
        """Return the unit coefficients of maps."""
        imgs = voxels_to_imgs(voxels.astype(np.float32), self.masker.mask_img_)
        return normalize(self.masker.transform_imgs(imgs))

    def prepare(self, studies, settings):
        """Return terms, counts, rows, the fitted transformer and features of rows."""
        terms, counts = recipe.choose_terms(self.corpus, studies, settings.min_studies)
        rows = recipe.make_rows(self.titles, studies, terms, counts, settings)
        embeddings = self.stored_embedder.transform(rows.texts)
        union, features = recipe.fit_features(
            rows, terms, counts[studies], self.embedder, embeddings, settings
        )
        return terms, counts[studies], rows, union, features

    def fit(self, prepared, studies, settings):
        """Return the fitted pipeline of texts."""
        _, _, rows, union, features = prepared
        return recipe.fit_model(union, features, rows, self.maps[studies], settings)


def main():
    arguments = _parse()
    if arguments.step == "check":
        check(arguments.output, arguments.queries)
        return
    data = Data(arguments)
    print(f"{len(data.studies):,} studies", flush=True)
    if arguments.step == "train":
        train(data, arguments.output)
    else:
        select(data)


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("select", "train", "check"))
    parser.add_argument("--cache", type=Path, help="file of stored embeddings")
    parser.add_argument("--output", type=Path, help="folder of the model")
    parser.add_argument(
        "--queries",
        choices=("development", "test", "cognitive atlas"),
        default="development",
    )
    return parser.parse_args()


def select(data):
    """Print the scores of the chosen settings and of the alternatives."""
    prepared = data.prepare(data.rest, CHOSEN)
    pipeline = data.fit(prepared, data.rest, CHOSEN)
    _print_scores("chosen", data.model(pipeline), data, prepared[0])
    for name, values in MAP_VARIANTS.items():
        for value in values:
            model = data.model(pipeline, **{name: value})
            _print_scores(f"{name}={value}", model, data, prepared[0])
    del prepared, pipeline, model  # Several gigabytes.
    for name, values in VARIANTS.items():
        for value in values:
            _try_settings(f"{name}={value}", data, {name: value})


def _try_settings(name, data, changed):
    settings = dataclasses.replace(CHOSEN, **changed)
    prepared = data.prepare(data.rest, settings)
    model = data.model(data.fit(prepared, data.rest, settings))
    _print_scores(name, model, data, prepared[0])


def _print_scores(name, model, data, terms):
    scores = score(model, data, terms) | measure_phrases(model, data)
    text = ", ".join(f"{key} {value:.4g}" for key, value in scores.items())
    print(f"{name}: {text}", flush=True)


def score(model, data, terms) -> dict:
    """Score a model on development studies, their topics, and development queries."""
    return {
        **measure_studies(model, data),
        **measure_topics(model, data, terms),
        **measure_queries(model, read_queries("development")),
    }


def train(data, output):
    """Train on all but the development studies, measure the model, and save it."""
    prepared = data.prepare(data.rest, CHOSEN)
    terms, counts, rows, _, features = prepared
    pipeline = data.fit(prepared, data.rest, CHOSEN)
    print("fitted", flush=True)
    scores = score(data.model(pipeline), data, terms)
    print(json.dumps(scores, indent=1), flush=True)
    n_studies = np.asarray((counts > 0).sum(axis=0)).ravel()
    del prepared, features  # Several gigabytes.
    words, embedded = make_features(pipeline[0], rows.texts, data.stored_embedder)
    calibrated = calibrate(
        data.model(pipeline),
        data,
        rows,
        words=words,
        embedded=embedded,
        term_counts=dict(zip(terms, n_studies.tolist(), strict=True)),
    )
    null = calibrated.pop("null")
    print(json.dumps(null, indent=1), flush=True)
    common = np.sort(np.argsort(-n_studies, kind="stable")[:N_TERMS])
    rng = np.random.default_rng(0)
    reference = rng.choice(data.rest, N_REFERENCE, replace=False)
    model = data.model(
        pipeline,
        terms={terms[column]: int(n_studies[column]) for column in common},
        **calibrated,
        reference=data.maps[reference],
        card={
            "settings": dataclasses.asdict(CHOSEN),
            **MAPS,
            "n_studies": len(data.rest),
            "n_counted": int((counts.sum(axis=1) > 0).sum()),
            "n_development": len(data.development),
            "n_vocabulary": len(terms),
            "n_vocabulary_of_neuroquery": len(data.corpus.vocabulary),
            "n_terms": len(common),
            "n_texts": len(rows.texts),
            "n_rows": int(rows.copies.sum()),
            "n_reference": N_REFERENCE,
            "scores": scores,
            "null": null,
            **provenance(),
        },
    )
    model.save(output, half=True)
    write_card(output, model.card, cost_of_half(model, output))


def cost_of_half(model, output) -> float:
    """Return the lowest correlation between maps of the full and the half model."""
    texts = list(read_queries("development"))
    half = NeuroContextModel.from_pretrained(output)
    pairs = [one.transform(texts)["brain_map"] for one in (model, half)]
    return min(
        float(np.corrcoef(*(img.get_fdata().ravel() for img in pair))[0, 1])
        for pair in zip(*pairs, strict=True)
    )


def check(folder, queries):
    """Print how far the strongest voxels of queries are from their coordinates."""
    model = NeuroContextModel.from_pretrained(folder)
    mean_img = voxels_to_imgs(model.mean_map[None], model.masker.mask_img_)[0]
    for name, table in _tables(queries).items():
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
            f"{name}: {near:.0%} of {len(table)} queries within {MAX_MM:g} mm "
            f"(mean map: {near_mean:.0%})"
        )


def _tables(queries):
    """Return groups of queries by name."""
    if queries == "test":
        textbook = {"group": "textbook topics"}
        return {
            "textbook, new topic": read_queries(
                "test", topic_in_development="no", **textbook
            ),
            "textbook, topic in development": read_queries(
                "test", topic_in_development="yes", **textbook
            ),
            "textbook": read_queries("test", **textbook),
            "named in advance": read_queries("test", group="named in advance"),
        }
    if queries == "cognitive atlas":
        return {
            "concepts": read_queries(queries, group="concept"),
            "tasks": read_queries(queries, group="task"),
            "cognitive atlas": read_queries(queries),
        }
    table = read_queries("development")
    rarer = read_queries("development", group="rarer topics")
    others = {query: table[query] for query in table if query not in rarer}
    return {"rarer topics": rarer, "others": others, "development": table}


if __name__ == "__main__":
    main()
