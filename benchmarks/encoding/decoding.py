"""Calibration and power of the p values of `NeuroContextModel.decode`.

    python -m benchmarks.encoding.decoding calibration [--model MODEL] [--seed SEED]
    python -m benchmarks.encoding.decoding power [--model MODEL] [--seed SEED]

Calibration (some minutes): the share of pairs of a map and a term with p < .01, which
should be .01, for maps without a topic:

- maps of single development studies of `paper_splits`;
- permuted labels: means of 5, 20 and 50 randomly drawn development studies;
- Gaussian random fields with a full width at half maximum of 6 to 30 mm.

For single studies, the share is also computed for each term. Reference studies of the
model are left out. The shipped model was trained on all but the first 1,000 development
studies, so the share is also printed for these 1,000.

Power: 20 terms are drawn from the terms of ``candidates="terms"`` that occur in the
titles of at least 40 development studies. For each term, five maps are made, each of
which is the mean of the maps of 20 of these studies, scaled to norm 1. They are ranked
among ``candidates="terms"``. The effect of a decoded term is estimated from all other
studies of the corpus: the mean similarity of the term with studies that have the topic
in their titles, minus its mean similarity with all studies. An unrelated term has a
negative effect in half of the cases. Therefore, the false discovery rate is estimated
as twice the share of decoded terms (q < .05) with a negative effect.
"""

import argparse
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext._utils.volumes import (
    FWHM_TO_SIGMA,
    unit_rows,
    voxels_to_imgs,
)
from sklearn_neurocontext.datasets import load_corpus, study_texts, usable_rows
from sklearn_neurocontext.model_selection import paper_splits

ALPHA, FDR = 0.01, 0.05
# Goal of the rate of p < ALPHA for each term.
LOW, HIGH = 0.005, 0.02
N_TOPICS, MIN_STUDIES, N_DRAWS, N_POOLED = 20, 40, 5, 20
POOL_SIZES = (5, 20, 50)
WIDTHS = (6, 8, 10, 14, 20, 30)
N_POOLS, N_FIELDS = 200, 20
# The shipped model was not trained on this number of development studies.
N_UNSEEN = 1000
ALL = 100_000


class Studies:
    """Coefficients and titles of the studies of a corpus, and which of them to test."""

    def __init__(self, model):
        corpus = load_corpus("neuroquery+neurosynth")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # peaks outside the mask
            self.maps = unit_rows(model.masker.transform(corpus.peaks))
        titles = study_texts(corpus, "title")
        self.rows = usable_rows(titles, self.maps)
        # Words of each title in lower case, between spaces.
        found = (re.findall(r"[^\W_]+", one.lower()) for one in titles)
        self.words = [f" {' '.join(words)} " for words in found]
        development = self.rows[paper_splits(len(self.rows)).development]
        known = {_key(row) for row in unit_rows(model._reference)}
        is_new = [_key(self.maps[row]) not in known for row in development]
        self.tested = development[is_new]
        self.unseen = np.intersect1d(development[:N_UNSEEN], self.tested)

    def with_topic(self, topic, rows):
        """Return the rows whose titles contain a term."""
        return np.array([row for row in rows if f" {topic} " in self.words[row]], int)


def _key(row) -> bytes:
    return np.round(row, 3).astype(np.float16).tobytes()


def p_values(model, imgs) -> tuple[np.ndarray, pd.Series]:
    """Return the p values of all terms, (n_maps, n_terms), and counts of nulls."""
    tables = [model.decode(img, "all_terms", k=ALL) for img in imgs]
    values = [
        one.set_index("candidate")["p_value"][list(model.terms)] for one in tables
    ]
    nulls = pd.Series([_name(one.attrs) for one in tables]).value_counts()
    return np.array(values), nulls


def p_values_of_densities(model, maps) -> tuple[np.ndarray, pd.Series]:
    """Return the same as `p_values` for coefficients of densities, but faster."""
    model.decode(as_img(model, maps[0]))  # prepares the null maps
    nulls, features = model._null_maps, model._known_features()
    chosen = pd.Series([nulls.choose("auto", one[None]) for one in maps])
    values = np.empty((len(maps), len(model.terms)))
    for null, rows in chosen.groupby(chosen).groups.items():
        fitted = nulls.fit(
            null,
            "terms",
            len(model.terms),
            lambda places, null_maps: model._similarity(features[places], null_maps),
        )
        similarity = model._similarity(features, nulls.prepare(null, maps[rows]))
        values[rows] = [fitted.p_values(one) for one in similarity.T]
    expected = p_values(model, [as_img(model, maps[0])])[0]
    np.testing.assert_allclose(values[:1], expected, rtol=0.05, atol=1e-4)
    names = chosen.map(lambda null: " ".join(map(str, null)))
    return values, names.value_counts()


def _name(attrs) -> str:
    return " ".join(str(attrs[key]) for key in ("null", "n_pooled") if key in attrs)


def print_calibration(name, values, nulls):
    """Print the share of small p values, and the nulls that were chosen."""
    chosen = ", ".join(f"{null} {n}" for null, n in nulls.items())
    rates = " ".join(f"{(values < level).mean():.5f}" for level in (0.05, ALPHA, 0.001))
    print(f"{name}: p < .05, .01, .001: {rates}; nulls: {chosen}", flush=True)


def as_img(model, coefficients):
    """Return the map of coefficients, as a 3D image."""
    voxels = model.masker.coefficients_to_voxels(coefficients[None])
    return voxels_to_imgs(voxels, model.masker.mask_img_)[0]


def measure_calibration(model, studies, rng):
    """Print the share of small p values of maps without a topic."""
    single, nulls = p_values_of_densities(model, studies.maps[studies.tested])
    print_calibration(f"{len(single):,} single studies", single, nulls)
    unseen = single[np.isin(studies.tested, studies.unseen)]
    print_calibration(f"of which {len(unseen):,} not trained on", unseen, nulls[:0])
    rates = (single < ALPHA).mean(axis=0)
    good = np.mean((rates >= LOW) & (rates <= HIGH))
    print(
        f"rates of {len(rates):,} terms: {good:.1%} within {LOW:.1%} and {HIGH:.1%}, "
        f"lowest {rates.min():.2%}, highest {rates.max():.2%}"
    )
    for size in POOL_SIZES:
        draws = [
            rng.choice(studies.tested, size, replace=False) for _ in range(N_POOLS)
        ]
        maps = np.array([studies.maps[rows].mean(axis=0) for rows in draws])
        print_calibration(
            f"means of {size} studies", *p_values_of_densities(model, maps)
        )
    for width in WIDTHS:
        imgs = (_draw_field(model, width, rng) for _ in range(N_FIELDS))
        print_calibration(f"random fields of {width} mm", *p_values(model, imgs))


def _draw_field(model, width, rng):
    """Return an image of smoothed white noise."""
    mask_img = model.masker.mask_img_
    sigma = width * FWHM_TO_SIGMA / np.sqrt((mask_img.affine[:3, :3] ** 2).sum(axis=0))
    margin = np.ceil(3 * sigma).astype(int)
    shape = np.array(mask_img.shape) + 2 * margin
    noise = gaussian_filter(rng.standard_normal(shape), sigma)
    inner = tuple(slice(n, -n) for n in margin)
    inside = np.asarray(mask_img.dataobj) > 0
    return voxels_to_imgs(noise[inner][inside][None], mask_img)[0]


def draw_topics(model, studies, rng) -> list:
    """Draw terms that are frequent in the titles of development studies."""
    curated = model.decode([[0, 0, 0]], "terms", k=ALL)["candidate"]
    counts = {one: len(studies.with_topic(one, studies.tested)) for one in curated}
    frequent = sorted(term for term, n in counts.items() if n >= MIN_STUDIES)
    print(f"{len(frequent)} terms in at least {MIN_STUDIES} titles")
    return sorted(rng.choice(frequent, min(N_TOPICS, len(frequent)), replace=False))


def measure_power(model, studies, rng) -> pd.DataFrame:
    """Return a table with one row per map of pooled studies."""
    rows = []
    terms = list(model.terms)
    features = model._known_features()
    similarity = model._similarity(features, studies.maps[studies.rows])
    for topic in draw_topics(model, studies, rng):
        with_topic = studies.with_topic(topic, studies.rows)
        here = np.intersect1d(with_topic, studies.tested)
        for _ in range(N_DRAWS):
            pooled = rng.choice(here, N_POOLED, replace=False)
            others = np.isin(studies.rows, np.setdiff1d(with_topic, pooled))
            effects = similarity[:, others].mean(axis=1) - similarity.mean(axis=1)
            img = as_img(model, studies.maps[pooled].mean(axis=0))
            table = model.decode(img, "terms", k=ALL)
            found = table[table["q_value"] < FDR]["candidate"].tolist()
            places = [terms.index(term) for term in found]
            rows.append(
                {
                    "topic": topic,
                    "own": topic in found,
                    "rank": table["candidate"].tolist().index(topic) + 1,
                    "n_found": len(found),
                    "n_negative": int((effects[places] < 0).sum()),
                    "null": _name(table.attrs),
                    "first": "; ".join(table["candidate"][:3]),
                }
            )
    return pd.DataFrame(rows)


def print_power(table):
    """Print the power for each topic and over all topics."""
    by_topic = table.groupby("topic").agg(
        own=("own", "mean"),
        median_rank=("rank", "median"),
        n_found=("n_found", "mean"),
        n_negative=("n_negative", "sum"),
        first=("first", "first"),
    )
    print(by_topic.to_string(float_format="{:.1f}".format))
    share = table["n_negative"] / table["n_found"].clip(lower=1)
    print(
        f"own term at q < {FDR}: {table['own'].mean():.0%} of {len(table)} maps; "
        f"{table['n_found'].mean():.1f} terms found per map; false discovery rate "
        f"{2 * share.mean():.1%}; nulls: {table['null'].value_counts().to_dict()}"
    )


def measure_false_alarms(model, studies, rng):
    """Print how often means of random studies have any significant term."""
    n_found = []
    for _ in range(N_POOLS):
        rows = rng.choice(studies.tested, N_POOLED, replace=False)
        img = as_img(model, studies.maps[rows].mean(axis=0))
        n_found.append((model.decode(img, "terms", k=ALL)["q_value"] < FDR).sum())
    share = np.mean(np.array(n_found) > 0)
    print(f"means of {N_POOLED} random studies: {share:.1%} with any q < {FDR}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("calibration", "power"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = NeuroContextModel.from_pretrained(
        *([] if arguments.model is None else [arguments.model])
    )
    studies = Studies(model)
    rng = np.random.default_rng(arguments.seed)
    if arguments.step == "calibration":
        measure_calibration(model, studies, rng)
        return
    print_power(measure_power(model, studies, rng))
    measure_false_alarms(model, studies, rng)


if __name__ == "__main__":
    main()
