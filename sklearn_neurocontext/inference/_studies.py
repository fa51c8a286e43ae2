"""Studies of a corpus, ready to be found; what takes long is kept on disk."""

import hashlib

import numpy as np

from .._utils.disk_cache import fetch_entry
from ..datasets import study_texts
from ..persistence._fingerprint import fingerprint

_COLUMNS = ["study_id", "pmid", "title", "year", "journal"]
# Raised when what is kept changes, so that no version reads another's.
_FORMAT = 1


class IndexedStudies:
    """Studies with a title and a peak inside the mask, and their coefficients.

    Coefficients, and features of the titles once they were needed, are kept in the
    package's cache folder under the hashes of what they were computed from, so the next
    process finds them.

    Parameters
    ----------
    corpus : Bunch
        What a loader gave.
    masker : KDEDiFuMoMasker
        Fitted.

    Attributes
    ----------
    titles : list of str
        One per study.
    coefficients : ndarray of shape (n_studies, n_components), float32
        One row per study.
    table : DataFrame
        ``study_id``, ``pmid``, ``title``, ``year`` and ``journal`` of each.
    """

    def __init__(self, corpus, masker):
        name = _name(masker)
        if name is None:
            coefficients = masker.transform(corpus.peaks)
        else:
            coefficients = _keep(
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
        self.table = corpus.studies.iloc[rows][_COLUMNS].reset_index(drop=True)
        self._features = None

    def features(self, compute, steps=None):
        """Give ``compute(titles)``, which takes long and is done once.

        Parameters
        ----------
        compute : callable
            Makes features of a list of texts.
        steps : estimator or None, default=None
            What `compute` computes with; it names the features on disk. Without it, or
            where it is of a type that cannot be saved, or where features are sparse,
            they are kept in memory alone.

        Returns
        -------
        features : {ndarray, sparse matrix} of shape (n_studies, n_features)
            One row per study.
        """
        if self._features is None:
            self._features = self._keep_features(compute, steps)
        return self._features

    def _keep_features(self, compute, steps):
        name = None if steps is None else _name(steps)
        if name is None or hasattr(compute(self.titles[:1]), "toarray"):
            return compute(self.titles)
        digest = hashlib.sha256()
        for title in self.titles:
            digest.update(title.encode("utf-8", "surrogatepass") + b"\0")
        settings = {"steps": name, "titles": digest.hexdigest()}
        return _keep("titles", settings, lambda: compute(self.titles))

    def best(self, scores, k: int):
        """Give a table of the k studies of highest score, the best first."""
        order = np.argsort(-scores, kind="stable")[:k]
        found = self.table.iloc[order].assign(similarity=scores[order])
        return found.reset_index(drop=True)


def _name(estimator):
    """Name what an estimator computes; None where it cannot be saved."""
    try:
        return fingerprint(estimator)
    except TypeError:
        return None


def _keep(kind, settings, compute) -> np.ndarray:
    """Read an array from the cache folder; compute it where it is missing or broken."""

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
