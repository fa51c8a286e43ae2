"""Measure a trained model."""

import numpy as np

from sklearn_neurocontext import dice_score, similarity
from sklearn_neurocontext.maskers import density_map
from sklearn_neurocontext.metrics import make_retrieval_scorer
from training.positions import MAX_MM, distances_to_regions

# Minimum number of development studies with a topic in their titles.
MIN_TOPIC_STUDIES = 8
# Minimum and maximum number of development studies that use a phrase.
PHRASE_STUDIES = (10, 60)
N_PHRASES = 120
_SCORER = make_retrieval_scorer((10, 100))


def voxels_of(model, texts) -> np.ndarray:
    """Predict brain maps of texts, (n_texts, n_voxels)."""
    inside = np.asarray(model.masker.mask_img_.dataobj) > 0
    return model.predict_img(texts).get_fdata(dtype=np.float32)[inside].T


def measure_studies(model, data) -> dict:
    """Compute retrieval scores and map correlations of development titles."""
    titles = [data.titles[row] for row in data.development]
    scores = dict(_SCORER(model.model, titles, data.maps[data.development]))
    maps = voxels_of(model, titles)
    observed = data.development_densities
    pairs = zip(observed, maps, strict=True)
    scores["map_correlation"] = np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
    return {name: float(value) for name, value in scores.items()}


def measure_topics(model, data, terms) -> dict:
    """Compare maps of terms with peak densities of development studies that use them.

    A topic is a term in the titles of at least `MIN_TOPIC_STUDIES` development studies.
    """
    titles = [data.titles[row] for row in data.development]
    vectorizer = model.model[0].transformer_list[0][1]
    has = vectorizer.transform(titles).tocsc() > 0
    kept = np.flatnonzero(has.sum(axis=0) >= MIN_TOPIC_STUDIES)
    sizes = [len(data.corpus.peaks[row]) for row in data.development]
    densities = data.development_densities / np.sqrt(sizes)[:, None]
    observed = has[:, kept].T @ densities  # One map per topic.
    names = [terms[column] for column in kept]
    maps = voxels_of(model, names)
    dice = [dice_score(*pair, top=0.1) for pair in zip(observed, maps, strict=True)]
    floor = [dice_score(one, model.mean_map, top=0.1) for one in observed]
    ranks = similarity(model.model, names, data.maps_of(observed)).argsort(axis=0)[::-1]
    first = np.mean(ranks[0] == np.arange(len(names)))
    return {
        "n_topics": len(names),
        "topic_dice": float(np.mean(dice)),
        "topic_dice_of_mean_map": float(np.mean(floor)),
        "topic_decoded_first": float(first),
    }


def measure_phrases(model, data) -> dict:
    """Compare maps of frequent phrases with peaks of development studies that use them.

    Phrases are terms of several words in NeuroQuery's vocabulary.
    """
    counts = sum(data.corpus.term_counts.values())[data.development].tocsc()
    n_studies = np.diff(counts.indptr)
    fewest, most = PHRASE_STUDIES
    kept = [
        column
        for column in np.flatnonzero((n_studies >= fewest) & (n_studies <= most))
        if " " in data.corpus.vocabulary[column]
    ]
    kept = sorted(kept, key=lambda column: -n_studies[column])[:N_PHRASES]
    observed = densities_of(
        [
            np.concatenate(
                [data.corpus.peaks[data.development[row]] for row in _rows(counts, one)]
            )
            for one in kept
        ],
        data.masker.mask_img_,
    )
    maps = voxels_of(model, [data.corpus.vocabulary[column] for column in kept])
    pairs = list(zip(observed, maps, strict=True))
    return {
        "n_phrases": len(kept),
        "phrase_dice": float(np.mean([dice_score(*pair, top=0.1) for pair in pairs])),
        "phrase_correlation": float(
            np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
        ),
    }


def _rows(counts, column):
    """Return the rows with nonzero counts in a column."""
    return counts.indices[counts.indptr[column] : counts.indptr[column + 1]]


def measure_queries(model, queries) -> dict:
    """Compute how near the strongest voxels of queries are to their coordinates."""
    imgs = model.transform(list(queries))["brain_map"]
    distances = list(distances_to_regions(imgs, queries).values())
    near = np.mean([distance <= MAX_MM for distance in distances])
    return {
        "n_queries": len(queries),
        "near": float(near),
        "median_mm": float(np.median(distances)),
    }


def mean_density(peaks, coefficients, mask_img) -> np.ndarray:
    """Compute the mean of peak densities divided by the norms of coefficients.

    It is the map of the mean of unit coefficients, at the resolution of voxels.
    """
    sizes = [len(one) for one in peaks]
    weights = 1 / np.linalg.norm(coefficients, axis=1) / len(peaks)
    density = density_map(
        np.concatenate(peaks), mask_img, weights=np.repeat(weights, sizes)
    )
    return density.astype(np.float32)


def densities_of(peaks, mask_img) -> np.ndarray:
    """Compute the peak density of each study, (n_studies, n_voxels), float32."""
    return np.stack([density_map(one, mask_img).astype(np.float32) for one in peaks])
