"""TermCounts: counts of frequent terms, from texts or from the counts of a corpus."""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer

from .._utils.validation import (
    TERM_PATTERN,
    Integral,
    Interval,
    StrOptions,
    check_feature_names_in,
    check_is_fitted,
    check_texts,
    fit_context,
    validate_data,
)

# Attributes that are set only by fitting to texts, or only by fitting to counts.
_INPUT_ATTRIBUTES = ("vectorizer_", "columns_", "n_features_in_", "feature_names_in_")


class TermCounts(TransformerMixin, BaseEstimator):
    """Count the terms that occur in enough training studies.

    The input is texts, or counts of terms if a corpus has those instead of texts
    (NeuroQuery's abstracts); of counts, the columns of frequent terms are selected.
    Terms of texts are words of at least two characters that begin with a letter, such
    as "b7". Numbers are not terms, as they could be coordinates of peaks (remove those
    of "x46 y56 z18" with `strip_coordinates`). Use ``TfidfTransformer`` after it.

    Parameters
    ----------
    min_df : int, default=10
        Minimum number of training studies in which a term occurs.
    ngram_range : tuple (int, int), default=(1, 1)
        Minimum and maximum number of words in a term, at least 1. Used for texts only.
    stop_words : {"english"} or None, default=None
        Words that are left out. Used for texts only.

    Attributes
    ----------
    vectorizer_ : CountVectorizer
        Vectorizer of the texts; absent if fitted to counts.
    columns_ : ndarray of shape (n_terms_,), int64
        Indices of the selected columns; absent if fitted to texts.
    n_terms_ : int
        Number of terms.
    n_features_in_ : int
        Number of columns of the counts; absent if fitted to texts.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns; only if fitted to a data frame of counts.

    See Also
    --------
    strip_coordinates : Remove coordinates of peaks from texts.

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
        """Select the terms that occur in at least `min_df` studies.

        Parameters
        ----------
        X : sequence of str, or {array-like, sparse matrix} of shape (n_studies, n)
            Texts, or counts of terms.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : TermCounts
            The fitted transformer.

        Raises
        ------
        ValueError
            If no term occurs in `min_df` studies, or `ngram_range` is not two ascending
            integers of at least 1.
        """
        self._check_ngram_range()
        for name in _INPUT_ATTRIBUTES:
            vars(self).pop(name, None)
        if _is_counts(X):
            counts = csr_matrix(self._check_counts(X, reset=True), copy=True)
            studies_with = _canonical(counts).getnnz(axis=0)
            self.columns_ = np.flatnonzero(studies_with >= self.min_df)
            self.n_terms_ = len(self.columns_)
            if not self.n_terms_:
                raise ValueError(
                    f"No term occurs in min_df={self.min_df} studies. Pass more "
                    "studies or longer texts, or lower min_df."
                )
        else:
            self.vectorizer_ = self._fit_vectorizer(check_texts(X))
            self.n_terms_ = len(self.vectorizer_.vocabulary_)
        return self

    def _check_ngram_range(self):
        """Check that the n-gram range is two ascending positive integers."""
        given = self.ngram_range
        integers = [n for n in given if isinstance(n, Integral) and n >= 1]
        if not len(given) == len(integers) == 2 or integers[0] > integers[1]:
            raise ValueError(
                "ngram_range must be the minimum and the maximum number of words in a "
                f"term, two integers of at least 1, such as (1, 2); got {given!r}."
            )

    def _fit_vectorizer(self, texts):
        """Return a fitted CountVectorizer."""
        vectorizer = CountVectorizer(
            min_df=self.min_df,
            ngram_range=self.ngram_range,
            stop_words=self.stop_words,
            token_pattern=TERM_PATTERN,
            dtype=np.float32,
        )
        terms_of = vectorizer.build_analyzer()
        try:
            return vectorizer.fit(texts)
        except ValueError as error:
            advice = (
                "Pass more studies or longer texts, or lower min_df."
                if any(terms_of(text) for text in texts)
                else "The texts contain no term: words of at least two characters that "
                "begin with a letter, without stop_words, in the ngram_range."
            )
            raise ValueError(
                f"No term occurs in min_df={self.min_df} studies. {advice}"
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
            Number of occurrences of each term in each study.

        Raises
        ------
        TypeError
            If it was fitted to texts and X holds counts, or the reverse.
        """
        check_is_fitted(self)
        if _is_counts(X) != hasattr(self, "columns_"):
            kinds = ("counts", "texts") if _is_counts(X) else ("texts", "counts")
            raise TypeError(
                f"TermCounts was fitted to {kinds[1]}; got {kinds[0]}. Fit it to the "
                "same kind of input."
            )
        if _is_counts(X):
            counts = csr_matrix(self._check_counts(X, reset=False))
            return _canonical(counts[:, self.columns_])
        return self.vectorizer_.transform(check_texts(X))

    def get_feature_names_out(self, input_features=None):
        """Return the terms.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of the counts; ignored for texts.

        Returns
        -------
        names : ndarray of shape (n_terms_,), object
            The terms, or the names of the selected columns.
        """
        check_is_fitted(self)
        if hasattr(self, "vectorizer_"):
            return self.vectorizer_.get_feature_names_out()
        return check_feature_names_in(self, input_features)[self.columns_]

    def _check_counts(self, X, *, reset):
        """Return counts as a float32 array or CSR matrix."""
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
    """Return whether the input is two-dimensional, as counts are, rather than texts."""
    # Only the first row of a list is converted: an array of all texts would pad each to
    # the longest.
    if isinstance(X, list | tuple):
        return bool(X) and not isinstance(X[0], str) and np.ndim(X[0]) == 1
    return len(getattr(X, "shape", ())) == 2


def _canonical(counts):
    """Sum duplicate entries and remove explicit zeros, in place."""
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return counts
