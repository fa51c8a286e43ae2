"""Methods that are compared: each predicts a map from the words of each topic.

All are trained on the same studies. Methods with a bare name get MiniLM embeddings of
titles, and of titles with abstracts if available; those with ", words" also get LSA of
NeuroQuery's word counts of titles, keywords and abstracts. NeuroQuery gets these counts
alone, with its own terms.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
from sklearn.preprocessing import normalize

from benchmarks.encoding.features import (
    MIN_STUDIES,
    choose_terms,
    fit_words,
    make_rows,
    side_by_side,
)
from benchmarks.encoding.topics import Topics
from sklearn_neurocontext import load_model, save_model, similarity
from sklearn_neurocontext.comparators import NeuroQuery
from sklearn_neurocontext.datasets import study_texts, usable_rows
from sklearn_neurocontext.experiments import make_embedder, make_estimators
from sklearn_neurocontext.inference import NeuroContextModel
from sklearn_neurocontext.maskers import density_map
from sklearn_neurocontext.model_selection import find_studies_sharing_peaks
from sklearn_neurocontext.models import scale_like_predictions
from training import recipe
from training.measures import mean_density, voxels_of
from training.train import CHOSEN, MAPS

BASELINES = ("mean map", "nearest title")
_ESTIMATORS = ("ridge", "mlp", "cca", "contrastive")
LEARNED = (*_ESTIMATORS, *(f"{name}, words" for name in _ESTIMATORS))
OURS = "pretrained recipe"
# The density that its regression predicts, or the z map of its answer to a query.
DENSITIES = ("NeuroQuery, density", "NeuroQuery unsmoothed, density")
Z_MAPS = ("NeuroQuery, z map", "NeuroQuery unsmoothed, z map")


@dataclass
class Task:
    """Training studies and topics.

    Attributes
    ----------
    corpus : Bunch
        Studies, peaks and word counts.
    studies : ndarray of shape (n_studies,), int
        Rows of the training studies in the corpus.
    n_sharing : int
        Number of studies excluded since they share peaks with an experiment of a topic.
    y : ndarray of shape (n_corpus, n_components)
        Coefficients of all rows of the corpus.
    mean_map : ndarray of shape (n_voxels,)
        Mean density of the training studies, divided by the norms of coefficients: the
        map of the mean unit coefficients at the resolution of voxels.
    masker, embedder : estimator
        Fitted transformers.
    topics : Topics
        Topics whose maps are predicted.
    output : Path
        Folder of intermediate results.
    random_state : int
        Seed of the networks.
    """

    corpus: object
    studies: np.ndarray
    n_sharing: int
    y: np.ndarray
    mean_map: np.ndarray
    masker: object
    embedder: object
    topics: Topics
    output: Path
    random_state: int
    _kept: dict = field(default_factory=dict)

    def rows(self):
        """Return the terms and the training rows."""
        if "rows" not in self._kept:
            terms, counts = choose_terms(
                self.corpus, self.studies, MIN_STUDIES, all_words=True
            )
            self._kept["rows"] = terms, make_rows(self.corpus, self.studies, counts)
        return self._kept["rows"]

    def words(self):
        """Return the fitted LSA of words and the features of the rows."""
        if "words" not in self._kept:
            terms, rows = self.rows()
            self._kept["words"] = fit_words(rows, terms)
        return self._kept["words"]

    def neuroquery(self):
        """Return NeuroQuery's model, trained or loaded."""
        from benchmarks.encoding.neuroquery_maps import term_counts

        if "neuroquery" not in self._kept:
            counts = term_counts(self.corpus)[self.studies]
            # One folder for each training set.
            key = joblib.hash((self.peaks(), counts, self.masker.get_params()))
            folder = self.output / f"neuroquery_{key[:12]}"
            if not folder.is_dir():
                model = NeuroQuery(masker=self.masker).fit(counts, self.peaks())
                save_model(model, folder)
            self._kept["neuroquery"] = load_model(folder)
        return self._kept["neuroquery"]

    def peaks(self):
        """Return the peaks of the training studies."""
        return [self.corpus.peaks[row] for row in self.studies]

    def density(self, row):
        """Compute the density of the peaks of a row of the corpus."""
        return density_map(self.corpus.peaks[row], self.masker.mask_img_)


def prepare(corpus, masker, topics, *, cache, output, random_state) -> Task:
    """Exclude studies that share peaks; compute the mean map of the others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # peaks outside the mask
        y = masker.transform(corpus.peaks)
    studies = usable_rows(study_texts(corpus, "title"), y)
    sharing = find_studies_sharing_peaks(corpus.peaks, topics.experiments)
    studies = studies[~np.isin(studies, [*sharing, *topics.left_out])]
    print(
        f"{len(sharing)} studies share peaks with an experiment and are excluded; "
        f"{len(studies):,} training studies, {len(topics.names)} topics.",
        flush=True,
    )
    peaks = [corpus.peaks[row] for row in studies]
    mean_map = mean_density(peaks, y[studies], masker.mask_img_)
    embedder = make_embedder().set_params(cache=cache).fit(["text"])
    return Task(
        corpus=corpus,
        studies=studies,
        n_sharing=len(sharing),
        y=y,
        mean_map=mean_map,
        masker=masker,
        embedder=embedder,
        topics=topics,
        output=output,
        random_state=random_state,
    )


def predict(name, task) -> dict:
    """Predict the topics' maps.

    Returns
    -------
    result : dict of str to ndarray
        ``maps`` of shape (n_topics, n_voxels); ``similarity`` of shape (n_topics,
        n_topics) if the method has one; if differences from the mean can be scaled,
        ``mean``, the mean map of the method, and ``fine_mean``, the mean density of
        studies in the same unit, both of shape (n_voxels,).
    """
    if name == "mean map":
        return {"maps": np.tile(task.mean_map, (len(task.topics.names), 1))}
    if name == "nearest title":
        return {"maps": _nearest(task)}
    if name in (*DENSITIES, *Z_MAPS):
        return _neuroquery(name, task)
    if name == OURS:
        return _ours(task)
    name, _, words = name.partition(", ")
    X, X_topics, y = _with_words(task) if words else _without_words(task)
    model = make_estimators([name], task.random_state, decoder="residual")[name]
    if words:
        model = model[-1]  # columns are scaled already
    model.fit(X, y)
    mean = scale_like_predictions(model, task.y[task.studies], average=True)[None]
    to_voxels = task.masker.coefficients_to_voxels
    return {
        "maps": to_voxels(model.predict(X_topics)),
        "similarity": similarity(model, X_topics, task.topics.y),
        "mean": to_voxels(mean)[0],
        "fine_mean": task.mean_map,
    }


def _nearest(task):
    """Return the density of the study whose title is nearest to the description."""
    titles = study_texts(task.corpus, "title")
    X = task.embedder.transform([titles[row] for row in task.studies])
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    topics = task.embedder.transform(task.topics.descriptions)
    return np.stack(
        [task.density(task.studies[row]) for row in (topics @ unit.T).argmax(axis=1)]
    )


def _without_words(task):
    _, rows = task.rows()
    titles = study_texts(task.corpus, "title")
    # Without counts, some rows would repeat a title.
    longer = np.array(
        [text != titles[row] for row, text in zip(rows.study, rows.texts, strict=True)]
    )
    kept = ~rows.counted | longer
    topics = task.embedder.transform(task.topics.descriptions)
    X = task.embedder.transform([rows.texts[row] for row in np.flatnonzero(kept)])
    return X, topics, task.y[rows.study[kept]]


def _with_words(task):
    (_, rows), (words, features) = task.rows(), task.words()
    topics = task.embedder.transform(task.topics.descriptions)
    X = side_by_side(features, task.embedder.transform(rows.texts))
    X_topics = side_by_side(words.transform(task.topics.descriptions), topics)
    # One factor for all dimensions, since the scales of LSA dimensions carry signal.
    factor = 1 / np.sqrt((X**2).mean())
    return factor * X, factor * X_topics, task.y[rows.study]


def _ours(task):
    """Train with the recipe of the shipped model on the training studies."""
    titles = study_texts(task.corpus, "title")
    terms, counts = recipe.choose_terms(task.corpus, task.studies, CHOSEN.min_studies)
    rows = recipe.make_rows(titles, task.studies, terms, counts, CHOSEN)
    embeddings = task.embedder.transform(rows.texts)
    union, features = recipe.fit_features(
        rows, terms, counts[task.studies], task.embedder, embeddings, CHOSEN
    )
    maps = normalize(task.y[task.studies])
    model = NeuroContextModel(
        recipe.fit_model(union, features, rows, maps, CHOSEN),
        task.masker,
        mean=maps.mean(axis=0),
        mean_map=task.mean_map,
        **MAPS,
    )
    texts = task.topics.descriptions
    return {
        "maps": voxels_of(model, texts),
        "similarity": similarity(model.model, texts, normalize(task.topics.y)),
    }


def _neuroquery(name, task):
    """Predict z maps or densities with NeuroQuery."""
    from benchmarks.encoding.neuroquery_maps import count_terms

    model = task.neuroquery()
    model.set_params(
        output="z" if name in Z_MAPS else "density",
        smoothing_weight=0.0 if "unsmoothed" in name else 0.1,
    )
    columns = model.terms_.columns_
    counts = count_terms(task.topics.descriptions, task.corpus.vocabulary, columns)
    maps = model.predict(counts)
    if name in Z_MAPS:
        return {"maps": maps}
    mean = model.observed_scaler_.mean_
    return {"maps": maps, "mean": mean, "fine_mean": mean}
