"""Counts of terms, from texts or from counts that a corpus brings."""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer

from .._utils.validation import (
    Integral,
    Interval,
    StrOptions,
    check_feature_names_in,
    check_is_fitted,
    check_texts,
    fit_context,
    validate_data,
)

# Two characters and more, the first a letter: numbers could be coordinates.
_TERM = r"(?u)\b[^\W\d_]\w+\b"

# What fitting with one kind of input sets and with the other does not.
_OF_ONE_KIND = ("vectorizer_", "columns_", "n_features_in_", "feature_names_in_")


class TermCounts(TransformerMixin, BaseEstimator):
    """Counts of the terms that occur in enough training studies.

    Takes texts, or counts of terms where a corpus gives those instead of texts
    (NeuroQuery's abstracts): then it keeps the columns of frequent terms. Terms of
    texts are words of two characters and more that begin with a letter, as "b7" does;
    numbers are none, as they could be the coordinates that a map is made of (those of
    "x46 y56 z18" are for `strip_coordinates` to take out). Put ``TfidfTransformer``
    after it.

    Parameters
    ----------
    min_df : int, default=10
        Training studies that a term has to occur in, at least.
    ngram_range : tuple (int, int), default=(1, 1)
        Least and largest number of words in a term, from 1 up; of texts only.
    stop_words : {"english"} or None, default=None
        Words left out; of texts only.

    Attributes
    ----------
    vectorizer_ : CountVectorizer
        Counts the terms of texts; absent where it was fitted with counts.
    columns_ : ndarray of shape (n_terms_,), int64
        Columns that are kept; absent where it was fitted with texts.
    n_terms_ : int
        Number of terms.
    n_features_in_ : int
        Columns of the counts; absent where it was fitted with texts.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Their names; only where it was fitted with a frame of counts.

    See Also
    --------
    strip_coordinates : Takes peaks out of texts.

    Examples
    --------
    >>> from sklearn_neurocontext.text import TermCounts
    >>> TermCounts(min_df=2).fit_transform(["pain", "pain and fear"]).toarray()
    array([[1.],
           [1.]], dtype=float32)
    >>> TermCounts(min_df=2).fit_transform([[1, 3, 0], [0, 2, 0]]).toarray()
    array([[3.],
           [2.]], dtype=float32)
    """

    _parameter_constraints = {
        "min_df": [Interval(Integral, 1, None, closed="left")],
        "ngram_range": [tuple],
        "stop_words": [StrOptions({"english"}), None],
    }

    def __init__(self, min_df=10, *, ngram_range=(1, 1), stop_words=None):
        self.min_df = min_df
        self.ngram_range = ngram_range
        self.stop_words = stop_words

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Choose the terms.

        Parameters
        ----------
        X : sequence of str, or {array-like, sparse matrix} of shape (n_studies, n)
            Texts, or counts of terms.
        y : None
            Ignored.

        Returns
        -------
        self : TermCounts
            The fitted transformer.

        Raises
        ------
        ValueError
            If no term occurs in `min_df` studies, or `ngram_range` is not two integers
            from 1 up, the larger one last.
        """
        self._check_ngram_range()
        for name in _OF_ONE_KIND:
            vars(self).pop(name, None)  # of an earlier fit, to the other kind
        if _is_counts(X):
            counts = csr_matrix(self._check_counts(X, reset=True), copy=True)
            studies_with = _canonical(counts).getnnz(axis=0)
            self.columns_ = np.flatnonzero(studies_with >= self.min_df)
            self.n_terms_ = len(self.columns_)
            if not self.n_terms_:
                raise ValueError(
                    f"No term occurs in min_df={self.min_df} of the studies. "
                    "Lower min_df."
                )
        else:
            self.vectorizer_ = self._fit_vectorizer(check_texts(X))
            self.n_terms_ = len(self.vectorizer_.vocabulary_)
        return self

    def _check_ngram_range(self):
        given = self.ngram_range
        integers = [n for n in given if isinstance(n, Integral) and n >= 1]
        if not len(given) == len(integers) == 2 or integers[0] > integers[1]:
            raise ValueError(
                f"ngram_range is {given!r}; expected the least and the largest number "
                "of words in a term, two integers from 1 up, such as (1, 2)."
            )

    def _fit_vectorizer(self, texts):
        vectorizer = CountVectorizer(
            min_df=self.min_df,
            ngram_range=self.ngram_range,
            stop_words=self.stop_words,
            token_pattern=_TERM,
            dtype=np.float32,
        )
        terms_of = vectorizer.build_analyzer()
        try:
            return vectorizer.fit(texts)
        except ValueError as error:
            advice = (
                "Lower min_df."
                if any(terms_of(text) for text in texts)
                else "The texts hold none: of words with two characters and more that "
                "begin with a letter, less stop_words, ngram_range makes no term."
            )
            raise ValueError(
                f"No term occurs in min_df={self.min_df} of the studies. {advice}"
            ) from error

    def transform(self, X):
        """Count the terms.

        Parameters
        ----------
        X : sequence of str, or {array-like, sparse matrix} of shape (n_studies, n)
            Texts or counts, as in `fit`.

        Returns
        -------
        counts : csr_matrix of shape (n_studies, n_terms_), float32
            How often each term occurs; a csr_matrix whatever kind of array came.

        Raises
        ------
        TypeError
            If it was fitted with the other kind.
        """
        check_is_fitted(self)
        if _is_counts(X) != hasattr(self, "columns_"):
            kinds = ("counts", "texts") if _is_counts(X) else ("texts", "counts")
            raise TypeError(
                f"TermCounts got {kinds[0]} and was fitted with {kinds[1]}. Fit it "
                "with the same kind."
            )
        if _is_counts(X):
            counts = csr_matrix(self._check_counts(X, reset=False))
            return _canonical(counts[:, self.columns_])
        return self.vectorizer_.transform(check_texts(X))

    def get_feature_names_out(self, input_features=None):
        """Name the terms.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the counts' columns; of texts none are needed.

        Returns
        -------
        names : ndarray of shape (n_terms_,), object
            The terms, or the names of the columns that are kept.
        """
        check_is_fitted(self)
        if hasattr(self, "vectorizer_"):
            return self.vectorizer_.get_feature_names_out()
        return check_feature_names_in(self, input_features)[self.columns_]

    def _check_counts(self, X, *, reset):
        return validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=np.float32
        )

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_terms_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _is_counts(X) -> bool:
    """Tell counts, which have two dimensions, from texts.

    Of a list the first row tells: an array of all texts pads each to the longest.
    """
    if isinstance(X, list | tuple):
        return bool(X) and not isinstance(X[0], str) and np.ndim(X[0]) == 1
    return len(getattr(X, "shape", ())) == 2


def _canonical(counts):
    """Make each stored entry one occurrence in one study, in place."""
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return counts
