"""Count frequent terms in texts, or select frequent terms from given counts."""

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer

from .._utils.validation import (
    TERM_PATTERN,
    Integral,
    Interval,
    StrOptions,
    american_spelling,
    check_feature_names_in,
    check_is_fitted,
    check_texts,
    fit_context,
    validate_data,
)

# Attributes that exist only after a fit to texts, or only after a fit to counts. `fit`
# deletes them first, because an earlier fit may have had another type of input.
_INPUT_ATTRIBUTES = ("vectorizer_", "columns_", "n_features_in_", "feature_names_in_")


class TermCounts(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Count the terms that occur in at least `min_df` training studies.

    The input is either texts or an array of counts with one column per term. Some
    corpora contain counts instead of texts. For example, NeuroQuery contains counts of
    terms in abstracts. If the input is an array of counts, the columns of the frequent
    terms are selected.

    In texts, terms consist of words that have at least two characters and begin with a
    letter, such as "b7". Numbers are not terms, because they could be coordinates of
    peaks. Coordinates such as "x46 y56 z18" begin with a letter, so call
    `strip_coordinates` first. In texts, British spellings are counted as American
    spellings, for example "tumour" as "tumor". To weight the counts, use
    :class:`~sklearn.feature_extraction.text.TfidfTransformer`.

    Parameters
    ----------
    min_df : int, default=10
        Minimum number of training studies in which a term must occur.
    ngram_range : array-like of shape (2,), default=(1, 1)
        Minimum and maximum number of words in a term, both at least 1. Ignored for
        counts.
    stop_words : {"english"} or None, default=None
        Words to exclude. ``"english"`` excludes scikit-learn's English stop words. If
        None, no word is excluded. Ignored for counts.

    Attributes
    ----------
    vectorizer_ : CountVectorizer
        Fitted vectorizer. Defined only after a fit to texts.
    columns_ : ndarray of shape (n_terms_,), int64
        Indices of the selected columns. Defined only after a fit to counts.
    n_terms_ : int
        Number of terms.
    n_features_in_ : int
        Number of columns of X. Defined only after a fit to counts.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the columns of X. Defined only after a fit to a DataFrame of counts.

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
        "ngram_range": ["array-like"],
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
        X : sequence of str or {array-like, sparse matrix} of shape (n_studies, n_terms)
            Texts, or counts of terms.
        y : None, default=None
            Ignored.

        Returns
        -------
        self : TermCounts
            The fitted transformer.

        Raises
        ------
        TypeError
            If a text is not a string.
        ValueError
            If no term occurs in at least `min_df` studies, if a text is empty, or if
            `ngram_range` is not a pair of ascending integers of at least 1.
        """
        ngram_range = self._check_ngram_range()
        for name in _INPUT_ATTRIBUTES:
            vars(self).pop(name, None)
        if _is_counts(X):
            counts = csr_matrix(self._check_counts(X, reset=True), copy=True)
            studies_with = _canonical(counts).getnnz(axis=0)
            self.columns_ = np.flatnonzero(studies_with >= self.min_df)
            self.n_terms_ = len(self.columns_)
            if not self.n_terms_:
                raise ValueError(
                    f"No term occurs in at least min_df={self.min_df} studies. Pass "
                    "more studies or longer texts, or lower min_df."
                )
        else:
            self.vectorizer_ = self._fit_vectorizer(_check_texts(X), ngram_range)
            self.n_terms_ = len(self.vectorizer_.vocabulary_)
        return self

    def _check_ngram_range(self) -> tuple:
        """Check that `ngram_range` is two ascending positive integers; return them."""
        given = self.ngram_range
        integers = [int(n) for n in given if isinstance(n, Integral) and n >= 1]
        if not len(given) == len(integers) == 2 or integers[0] > integers[1]:
            raise ValueError(
                "ngram_range must be two ascending integers of at least 1, the minimum "
                f"and maximum number of words in a term; got {given!r}. Use for "
                "example (1, 2)."
            )
        return tuple(integers)

    def _fit_vectorizer(self, texts, ngram_range):
        """Return a fitted CountVectorizer."""
        vectorizer = CountVectorizer(
            min_df=self.min_df,
            ngram_range=ngram_range,
            stop_words=self.stop_words,
            token_pattern=TERM_PATTERN,
            dtype=np.float32,
        )
        find_terms = vectorizer.build_analyzer()
        try:
            return vectorizer.fit(texts)
        except ValueError as error:
            advice = (
                "Pass more studies or longer texts, or lower min_df."
                if any(find_terms(text) for text in texts)
                else "The texts contain no term. A term is a word that has at least "
                "two characters, begins with a letter, and is not in stop_words."
            )
            raise ValueError(
                f"No term occurs in at least min_df={self.min_df} studies. {advice}"
            ) from error

    def transform(self, X):
        """Count the terms.

        Parameters
        ----------
        X : sequence of str or {array-like, sparse matrix} of shape (n_studies, n_terms)
            Texts if `fit` was called with texts, otherwise counts.

        Returns
        -------
        counts : csr_matrix of shape (n_studies, n_terms_), float32
            Number of occurrences of each term in each study.

        Raises
        ------
        TypeError
            If X contains counts but `fit` was called with texts, or if X contains texts
            but `fit` was called with counts.
        """
        check_is_fitted(self)
        if not hasattr(self, "columns_"):
            if _is_counts(X):
                raise TypeError("X must be texts, as in fit; got counts.")
            return self.vectorizer_.transform(_check_texts(X))
        if not _is_counts(X):
            raise TypeError("X must be counts, as in fit; got texts.")
        counts = csr_matrix(self._check_counts(X, reset=False))
        return _canonical(counts[:, self.columns_])

    def set_output(self, *, transform=None):
        """Return the transformer unchanged, because counts always remain sparse.

        The ``set_output`` of a Pipeline calls this method, and would raise an error if
        the method did not exist.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Ignored.

        Returns
        -------
        self : TermCounts
            The transformer.
        """
        return self

    def get_feature_names_out(self, input_features=None):
        """Return the names of the terms.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X. Ignored after a fit to texts.

        Returns
        -------
        names : ndarray of shape (n_terms_,), object
            Terms found in texts, or names of the selected columns of counts.
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


def _check_texts(texts) -> list[str]:
    """Check texts and return them in American spelling."""
    return [american_spelling(text) for text in check_texts(texts)]


def _is_counts(X) -> bool:
    """Return whether X contains counts: it is two-dimensional and contains no texts."""
    # Lists are not converted to arrays, because a NumPy array of strings reserves as
    # much memory for each text as the longest text needs.
    if isinstance(X, list | tuple):
        return bool(X) and not isinstance(X[0], str) and np.ndim(X[0]) == 1
    if len(getattr(X, "shape", ())) != 2:
        return False
    # False is returned for a table of texts, so that `check_texts` raises an error that
    # advises to select one column.
    return issparse(X) or not any(isinstance(one, str) for one in np.ravel(X[:1]))


def _canonical(counts):
    """Sum duplicate entries of a sparse matrix and remove stored zeros, in place."""
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return counts
