"""Index the studies of a corpus and rank candidates for a brain map."""

import hashlib

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from scipy.stats import false_discovery_control
from sklearn.preprocessing import normalize

from .._utils.files import replace_surrogates
from .._utils.volumes import unit_rows
from ._array_cache import cached_array, fingerprint_or_none

_COLUMNS = ["study_id", "pmid", "title", "year", "journal"]
_PUBMED = "https://pubmed.ncbi.nlm.nih.gov/{}/"
# Empty table with the columns of the table that `IndexedStudies.best` returns.
NO_STUDIES = pd.DataFrame(columns=[*_COLUMNS, "pubmed_url", "similarity"])


def cosines(rows, one) -> np.ndarray:
    """Return the cosine similarity of each row with a single vector.

    `rows` has shape (n_rows, n_features), `one` has shape (1, n_features), and the
    result has shape (n_rows,). The cosine with a vector of zeros is 0.
    """
    products = _unit(rows) @ _unit(one).T
    return (products.toarray() if issparse(products) else products)[:, 0]


def _unit(rows):
    return normalize(rows) if issparse(rows) else unit_rows(rows)


def rank_candidates(names, similarity, null, tail="positive") -> pd.DataFrame:
    """Rank candidates by their p values, then by their similarity with a map.

    `similarity` has shape (n_candidates,), and `null` is the `NullDistribution` of the
    candidates. `NeuroContextModel.decode` documents the columns and `tail`. The index
    contains the positions of the candidates in `names`.
    """
    similarity = np.asarray(similarity)
    p_values = null.p_values(similarity, tail)
    ranking = pd.DataFrame(
        {
            "candidate": [replace_surrogates(name) for name in names],
            "similarity": similarity,
            "percentile": 100 * (1 - null.p_values(similarity)),
            "p_value": p_values,
            "q_value": false_discovery_control(p_values),
        }
    )
    strength = {"positive": 1, "negative": -1, "both": np.sign(similarity)}[tail]
    order = np.lexsort((-strength * similarity, p_values))
    return ranking.iloc[order]


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

        name = fingerprint_or_none(masker)
        if name is None:
            coefficients = np.asarray(masker.transform(corpus.peaks))
        else:
            coefficients = cached_array(
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
            name = None if steps is None else fingerprint_or_none(steps)
            if name is None or issparse(compute(self.titles[:1])):
                self._features = compute(self.titles)
            else:
                settings = {"steps": name, "titles": _hash_texts(self.titles)}
                self._features = cached_array(
                    "titles", settings, lambda: compute(self.titles)
                )
        return self._features

    def best(self, scores, k: int) -> pd.DataFrame:
        """Return the k studies with the highest scores, in descending order."""
        order = np.argsort(-scores, kind="stable")[:k]
        return self.describe(order).assign(similarity=scores[order])

    def describe(self, rows) -> pd.DataFrame:
        """Return rows of `table` with the column ``pubmed_url``."""
        found = self.table.iloc[rows]
        links = ["" if pd.isna(one) else _PUBMED.format(one) for one in found["pmid"]]
        return found.assign(pubmed_url=links).reset_index(drop=True)


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
