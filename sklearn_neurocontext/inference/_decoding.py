"""Index the studies of a corpus and rank candidates for a brain map."""

import hashlib

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from scipy.stats import false_discovery_control
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches

from .._utils.disk_cache import fetch_entry
from .._utils.files import replace_surrogates
from .._utils.volumes import unit_rows
from ..persistence import fingerprint

# Number of candidates in a batch. Null similarities are computed batch by batch to save
# memory.
_BATCH = 2048
_COLUMNS = ["study_id", "pmid", "title", "year", "journal"]
_PUBMED = "https://pubmed.ncbi.nlm.nih.gov/{}/"
# Empty table with the columns of the table that `IndexedStudies.best` returns.
NO_STUDIES = pd.DataFrame(columns=[*_COLUMNS, "pubmed_url", "similarity"])
# Version of the cached files. Increase this number when the content of the files
# changes, so that files of an earlier version are not read.
_FORMAT = 2


def cosines(rows, one) -> np.ndarray:
    """Return the cosine similarity of each row with a single vector.

    `rows` has shape (n_rows, n_features), `one` has shape (1, n_features), and the
    result has shape (n_rows,). The cosine with a vector of zeros is 0.
    """
    products = _unit(rows) @ _unit(one).T
    return (products.toarray() if issparse(products) else products)[:, 0]


def _unit(rows):
    return normalize(rows) if issparse(rows) else unit_rows(rows)


def rank_candidates(names, similarity, null_similarity) -> pd.DataFrame:
    r"""Rank candidates by their similarity with a map, most similar first.

    Let :math:`s_c` be the similarity of candidate c with the map, and :math:`s_{cj}`
    its similarity with the map of reference study j. Let :math:`\mu_c` and
    :math:`\sigma_c` be the mean and the standard deviation of :math:`s_{cj}` over the n
    reference studies. Similarities are standardized for each candidate:
    :math:`z_c = (s_c - \mu_c) / \sigma_c` and
    :math:`z_{cj} = (s_{cj} - \mu_c) / \sigma_c`. The null distribution consists of the
    :math:`z_{dj}` of all candidates d and reference studies j. Let K be the number of
    pairs (d, j) with :math:`z_{dj} \ge z_c`. The p value of candidate c is
    :math:`(1 + K) / (1 + n_{candidates} n)`. The null distribution is pooled over
    candidates, because the p values would otherwise be at least
    :math:`1 / (1 + n)`. Such p values are often too large to be significant after the
    Benjamini-Hochberg correction. The column ``q_value`` contains the corrected p
    values.

    `similarity` has shape (n_candidates,). ``null_similarity(rows)`` returns the
    similarities of a slice of candidates with the reference studies, an array of shape
    (n_rows, n_studies).
    """
    scores, null = np.empty(len(names)), []
    for rows in gen_batches(len(names), _BATCH):
        batch = null_similarity(rows)
        mean = batch.mean(axis=1, keepdims=True)
        std = batch.std(axis=1, keepdims=True)
        std[std == 0] = 1
        scores[rows] = ((similarity[rows, None] - mean) / std)[:, 0]
        null.append(((batch - mean) / std).astype(np.float32).ravel())
    null = np.sort(np.concatenate(null))
    n_as_large = len(null) - np.searchsorted(null, scores.astype(np.float32))
    p_values = (1 + n_as_large) / (1 + len(null))
    ranking = pd.DataFrame(
        {
            "candidate": [replace_surrogates(name) for name in names],
            "similarity": similarity,
            "p_value": p_values,
            "q_value": false_discovery_control(p_values),
        }
    )
    ranking = ranking.sort_values("similarity", ascending=False, kind="stable")
    return ranking.reset_index(drop=True)


class IndexedStudies:
    """Studies that have a title and at least one peak inside the mask.

    Coefficients of studies and features of titles are stored in the cache folder of the
    package. Each stored array is identified by a hash of the data from which it was
    computed.

    Attributes
    ----------
    titles : list of str
        Title of each study.
    coefficients : ndarray of shape (n_studies, n_components), float32
        Coefficients of each study.
    table : DataFrame
        Columns ``study_id``, ``pmid``, ``title``, ``year`` and ``journal``; one row per
        study.
    """

    def __init__(self, corpus, masker):
        # Imported here because this subpackage is not needed to predict maps.
        from ..datasets import study_texts

        name = _fingerprint_or_none(masker)
        if name is None:
            coefficients = np.asarray(masker.transform(corpus.peaks))
        else:
            coefficients = _cached(
                "studies",
                {"masker": name, "peaks": _hash_peaks(corpus.peaks)},
                lambda: masker.transform(corpus.peaks),
            )
        titles = study_texts(corpus, "title")
        has_title = np.array([bool(title) for title in titles])
        rows = np.flatnonzero(has_title & np.any(coefficients != 0, axis=1))
        if not len(rows):
            raise ValueError(
                "No study of the corpus has both a title and a peak inside the mask. "
                "Check that peaks are in mm and in MNI space."
            )
        self.titles = [titles[row] for row in rows]
        self.coefficients = coefficients[rows]
        table = corpus.studies.iloc[rows][_COLUMNS].reset_index(drop=True)
        self.table = table.assign(title=self.titles)
        self._features = None

    def features(self, compute, steps=None):
        """Return the features of the titles, of shape (n_studies, n_features).

        The function `compute` returns the features of a list of texts, and `steps` is
        the estimator that `compute` uses. The features of all titles are computed once
        and kept in memory. Dense features are also stored in the cache folder, if
        `steps` can be saved.
        """
        if self._features is None:
            name = None if steps is None else _fingerprint_or_none(steps)
            if name is None or issparse(compute(self.titles[:1])):
                self._features = compute(self.titles)
            else:
                settings = {"steps": name, "titles": _hash_texts(self.titles)}
                self._features = _cached(
                    "titles", settings, lambda: compute(self.titles)
                )
        return self._features

    def best(self, scores, k: int) -> pd.DataFrame:
        """Return the k studies with the highest scores, in descending order."""
        order = np.argsort(-scores, kind="stable")[:k]
        found = self.table.iloc[order]
        links = ["" if pd.isna(one) else _PUBMED.format(one) for one in found["pmid"]]
        found = found.assign(pubmed_url=links, similarity=scores[order])
        return found.reset_index(drop=True)


def _fingerprint_or_none(estimator):
    """Return a hash of a fitted estimator, or None if it cannot be saved."""
    try:
        return fingerprint(estimator)
    except TypeError:
        return None


def _cached(kind, settings, compute) -> np.ndarray:
    """Return an array from the cache folder; compute it if it is missing or altered."""

    def build(folder):
        np.save(folder / "rows.npy", np.asarray(compute()), allow_pickle=False)
        return {}

    return fetch_entry(kind, {"format": _FORMAT, **settings}, build).arrays["rows"]


def _hash_peaks(peaks) -> str:
    digest = hashlib.sha256()
    for one in peaks:
        one = np.asarray(one, dtype=np.float64).reshape(-1, 3)
        digest.update(len(one).to_bytes(8, "little") + one.tobytes())
    return digest.hexdigest()


def _hash_texts(texts) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()
