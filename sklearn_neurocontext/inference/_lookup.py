"""What a pretrained model finds: words, documents, and candidates for a map."""

import numpy as np
import pandas as pd

from .._utils.validation import check_texts
from ._arrays import check_count, cosines
from ._ranking import rank_candidates
from ._studies import IndexedStudies
from ._words import highlight, term_shares


class LookupMixin:
    """Methods of `NeuroContextModel` that look something up."""

    def similar_words(self, text):
        """Compare a text with the terms that the model knows.

        Parameters
        ----------
        text : str
            Of any length.

        Returns
        -------
        words : DataFrame
            Indexed by term, the column ``weight_in_brain_map`` falling: the cosine
            between the term's predicted map and the text's, the mean map taken out of
            both. ``similarity`` is the cosine of the texts' features (absent where the
            model is an ensemble),
            ``weight_in_query`` the term's share of the known terms in the text,
            ``n_documents`` the number of training studies with the term.

        Raises
        ------
        TypeError
            If `text` is no string.
        ValueError
            If it is blank, or the model knows no terms.
        """
        texts = check_texts([text], "text")
        predictor = self._predictor
        query, known = predictor.features(texts), self._known_features()
        mean = 0 if self._mean is None else self._mean
        shares = term_shares(text, self.terms)
        columns = (
            {"similarity": cosines(known, query)} if predictor.has_features else {}
        )
        columns |= {
            "weight_in_brain_map": cosines(
                predictor.coefficients(known) - mean,
                predictor.coefficients(query) - mean,
            ),
            "weight_in_query": [shares.get(term, 0.0) for term in self.terms],
            "n_documents": list(self.terms.values()),
        }
        words = pd.DataFrame(columns, index=pd.Index(list(self.terms), name="term"))
        return words.sort_values("weight_in_brain_map", ascending=False, kind="stable")

    def highlighted_text(self, text) -> str:
        """Mark the terms that the model knows in a text.

        Parameters
        ----------
        text : str
            Of any length.

        Returns
        -------
        marked : str
            HTML with ``<mark>`` elements; everything else is escaped.

        Raises
        ------
        TypeError
            If `text` is no string.
        ValueError
            If it is blank.
        """
        return highlight(*check_texts([text], "text"), self.terms)

    def index_corpus(self, corpus):
        """Take the studies of a corpus as documents, and compute their coefficients.

        They are computed once: coefficients, and what the model makes of the titles
        when ``decode(img, "studies")`` first needs it, are kept in the package's cache
        folder (the environment variable ``NEUROCONTEXT_CACHE`` names another one), as
        arrays named by the hashes of corpus and model. A file that was cut off or
        altered is noticed and made again.

        Parameters
        ----------
        corpus : Bunch
            What a loader of `sklearn_neurocontext.datasets` gave.

        Returns
        -------
        self : NeuroContextModel
            Studies without a title or a peak inside the mask are left out.

        Raises
        ------
        ValueError
            If no study is left.
        OSError
            If the cache folder cannot be written to.

        Warns
        -----
        UserWarning
            If a kept file was broken and is made again.

        Examples
        --------
        >>> from sklearn_neurocontext import NeuroContextModel
        >>> from sklearn_neurocontext.datasets import fetch_neuroquery
        >>> model = NeuroContextModel.from_pretrained("my_model")  # doctest: +SKIP
        >>> model.index_corpus(fetch_neuroquery())  # doctest: +SKIP
        >>> model.similar_documents("finger tapping", k=5)  # doctest: +SKIP
        """
        self.studies = IndexedStudies(corpus, self.masker)
        return self

    def similar_documents(self, text, *, k=100):
        """Find the studies whose maps match a text best.

        Parameters
        ----------
        text : str
            Of any length.
        k : int, default=100
            Number of studies.

        Returns
        -------
        documents : DataFrame
            Columns ``study_id``, ``pmid``, ``title``, ``year``, ``journal``,
            ``similarity``; the best first.

        Raises
        ------
        TypeError
            If `text` is no string.
        ValueError
            If it is blank, `k` is not a whole number above zero, or `index_corpus`
            was given no corpus.
        """
        texts = check_texts([text], "text")
        studies = self._indexed()
        features = self._predictor.features(texts)
        scores = self._predictor.similarity(features, studies.coefficients)[0]
        return studies.best(scores, check_count("k", k))

    def decode(self, img, candidates="terms", *, k=20):
        """Rank terms, studies or texts by how well they match a brain map.

        Parameters
        ----------
        img : Nifti image or path-like
            One map in MNI space, on any grid.
        candidates : {"terms", "studies"} or sequence of str, default="terms"
            The terms that the model knows, the titles of the corpus that
            `index_corpus` was given, or any texts.
        k : int, default=20
            Number of candidates to give.

        Returns
        -------
        ranking : DataFrame
            Columns ``candidate``, ``similarity``, ``p_value`` and ``q_value`` (for all
            candidates, not only those given), the best first. The p value compares with
            the same candidate's similarity to maps of training studies: a small one
            says that this map matches better than a study's map usually does.

        Raises
        ------
        ValueError
            If `img` holds several maps or only zeros, or the model lacks what is
            needed.
        """
        if self._reference is None:
            raise ValueError(
                "This model has no reference maps, which p values need. Pass reference "
                "to NeuroContextModel, or load a model that has them."
            )
        k = check_count("k", k)
        coefficients = self.masker.transform_imgs(img)
        if len(coefficients) != 1:
            raise ValueError(
                f"img holds {len(coefficients)} maps; expected one. Decode several one "
                "by one: nilearn.image.index_img(img, i)."
            )
        if not coefficients.any():
            raise ValueError(
                "img holds only zeros or not-a-number inside the brain, which nothing "
                "matches. Check that its affine is in mm and in MNI space."
            )
        names, features = self._candidates(candidates)
        score = self._predictor.similarity
        ranking = rank_candidates(
            names,
            score(features, coefficients)[:, 0],
            lambda rows: score(features[rows], self._reference),
        )
        return ranking.head(k)

    def _candidates(self, candidates):
        if isinstance(candidates, str) and candidates == "terms":
            return list(self.terms), self._known_features()
        if isinstance(candidates, str) and candidates == "studies":
            studies = self._indexed()
            steps = self.model[:-1] if self._predictor.has_features else None
            features = studies.features(self._predictor.features, steps)
            return studies.titles, features
        if isinstance(candidates, str):
            raise TypeError(
                f"candidates={candidates!r}; expected 'terms', 'studies' or a list of "
                f"texts. For one text pass a list: [{candidates!r}]."
            )
        texts = check_texts(candidates, "candidates")
        return texts, self._predictor.features(texts)

    def _known_features(self):
        if not self.terms:
            raise ValueError(
                "This model knows no terms. Pass terms to NeuroContextModel, or load a "
                "model that has them."
            )
        if self._term_features is None:
            features = self._predictor.features(list(self.terms))
            if features.dtype.kind == "f":
                features = features.astype(np.float32)  # as they are when loaded again
            self._term_features = features
        return self._term_features

    def _indexed(self):
        if self.studies is None:
            raise ValueError(
                "This model has no studies yet. Load or fetch a corpus and pass it to "
                "index_corpus(corpus)."
            )
        return self.studies
