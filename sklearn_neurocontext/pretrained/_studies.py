"""Studies of a corpus, ready to be found."""

import numpy as np

from ..datasets import study_texts

_COLUMNS = ["study_id", "pmid", "title", "year", "journal"]


class IndexedStudies:
    """Studies with a title and a peak inside the mask, and their coefficients.

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
    """

    def __init__(self, corpus, masker):
        coefficients = masker.transform(corpus.peaks)
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
        self._table = corpus.studies.iloc[rows][_COLUMNS].reset_index(drop=True)
        self._features = None

    def features(self, compute) -> np.ndarray:
        """Give ``compute(titles)``, which takes long and is done once."""
        if self._features is None:
            self._features = compute(self.titles)
        return self._features

    def best(self, scores, k: int):
        """Give a table of the k studies of highest score, the best first."""
        order = np.argsort(-scores, kind="stable")[:k]
        table = self._table.iloc[order].assign(similarity=scores[order])
        return table.reset_index(drop=True)
