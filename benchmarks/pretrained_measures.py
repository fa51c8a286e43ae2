"""What a pretrained model is measured by: studies, topics, queries, and chance."""

import numpy as np
from positions import MAX_MM, distances_to_regions

from sklearn_neurocontext import dice_score, similarity
from sklearn_neurocontext.evaluation import density_map
from sklearn_neurocontext.metrics import make_retrieval_scorer
from sklearn_neurocontext.models._ridge_solver import solve_ridge
from sklearn_neurocontext.pretrained._arrays import voxels_to_imgs

# Terms in the titles of so many development studies are topics.
MIN_TOPIC_STUDIES = 8
# Exchanges that the null of z maps is made of, and titles that it is measured with.
N_EXCHANGES = 5
N_NULL_TITLES = 200
# A voxel's deviation under the null is not less than this quantile over voxels.
FLOOR = 0.05
_SCORER = make_retrieval_scorer((10, 100))


def measure_studies(model, data) -> dict:
    """Score a model on the titles of the development studies."""
    titles = [data.titles[row] for row in data.development]
    scores = dict(_SCORER(model, titles, data.maps[data.development]))
    maps = data.to_voxels(model.predict(titles))
    observed = data.densities(data.development)
    pairs = zip(observed, maps, strict=True)
    scores["map_correlation"] = np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
    return {name: float(value) for name, value in scores.items()}


def measure_topics(model, data, terms) -> dict:
    """Compare maps of terms with the densities of held-out studies that have them.

    A topic is a term in the titles of at least `MIN_TOPIC_STUDIES` development studies;
    each of them adds the density of its peaks, over the root of their number.
    """
    titles = [data.titles[row] for row in data.development]
    has = model[0].transformer_list[0][1][0].transform(titles).tocsc() > 0
    kept = np.flatnonzero(has.sum(axis=0) >= MIN_TOPIC_STUDIES)
    sizes = [len(data.corpus.peaks[row]) for row in data.development]
    densities = data.densities(data.development) / np.sqrt(sizes)[:, None]
    observed = has[:, kept].T @ densities
    names = [terms[column] for column in kept]
    maps = data.to_voxels(model.predict(names))
    mean = data.to_voxels(data.maps[data.rest].mean(axis=0)[None])[0]
    dice = [dice_score(*pair, top=0.1) for pair in zip(observed, maps, strict=True)]
    floor = [dice_score(one, mean, top=0.1) for one in observed]
    ranks = (similarity(model, names, data.maps_of(observed))).argsort(axis=0)[::-1]
    first = np.mean(ranks[0] == np.arange(len(names)))
    return {
        "n_topics": len(names),
        "topic_dice": float(np.mean(dice)),
        "topic_dice_of_mean_map": float(np.mean(floor)),
        "topic_decoded_first": float(first),
    }


def measure_queries(model, data, queries) -> dict:
    """Share of queries whose strongest voxels lie near their coordinates."""
    maps = data.to_voxels(model.predict(list(queries)))
    imgs = voxels_to_imgs(maps, data.masker.mask_img_)
    distances = distances_to_regions(imgs, queries).values()
    near = np.mean([distance <= MAX_MM for distance in distances])
    return {"near": float(near), "median_mm": float(np.median(list(distances)))}


def null_scale(model, features, rows, data) -> tuple[np.ndarray, dict]:
    """Deviation, at each voxel, of maps by chance; and how z maps by chance look.

    Parameters
    ----------
    model : Pipeline
        Trained on `rows`.
    features : ndarray of shape (n_texts, n_features)
        Of the rows.
    rows : Rows
        Trained on.
    data : Data
        Corpus and development studies.

    Returns
    -------
    scale : ndarray of shape (n_voxels,), float32
        Over `N_EXCHANGES` exchanges and `N_NULL_TITLES` titles.
    facts : dict of str to float
        Mean square and quantiles of z maps of a further exchange.
    """
    rng = np.random.default_rng(0)
    maps = data.maps[data.rest]
    mean = maps.mean(axis=0)
    rest = 1 - np.asarray(rows.shares.sum(axis=1))
    targets = [
        rows.shares @ maps[rng.permutation(len(maps))] + rest[:, None] * mean
        for _ in range(N_EXCHANGES + 1)
    ]
    copied = np.repeat(np.arange(len(rows.texts)), rows.copies)
    weights, intercept = solve_ridge(
        features[copied],
        np.hstack(targets).astype(np.float32)[copied],
        model[-1].alpha_text,
    )
    titles = [data.titles[row] for row in data.development[:N_NULL_TITLES]]
    predicted = model[:-1].transform(titles) @ weights + intercept
    predicted = predicted.reshape(len(titles), N_EXCHANGES + 1, -1) - mean
    *used, checked = (
        data.to_voxels(predicted[:, one].astype(np.float32)).astype(np.float64)
        for one in range(N_EXCHANGES + 1)
    )
    scale = np.sqrt(np.mean([(one**2).mean(axis=0) for one in used], axis=0))
    scale = np.maximum(scale, np.quantile(scale, FLOOR))
    z = checked / scale
    quantiles = (0.001, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999)
    facts = {f"z_quantile_{q}": float(np.quantile(z, q)) for q in quantiles}
    return scale.astype(np.float32), {"z_mean_square": float((z**2).mean()), **facts}


def densities_of(peaks, mask_img) -> np.ndarray:
    """Density of the peaks of each study: (n_studies, n_voxels), float32."""
    return np.stack([density_map(one, mask_img).astype(np.float32) for one in peaks])
