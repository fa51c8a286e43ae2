"""NeuroQuery's counts of terms: of the studies of a corpus, and of other texts."""

import numpy as np
from neuroquery.tokenization import TextVectorizer
from scipy import sparse

PARTS = ("title", "keywords", "abstract")


def term_counts(corpus):
    """Add the counts of titles, keywords and abstracts, as NeuroQuery does."""
    if "term_counts" not in corpus:
        raise ValueError("The corpus must have word counts; try the corpus neuroquery.")
    return sum(corpus.term_counts[part] for part in PARTS).tocsr()


def count_terms(texts, vocabulary, columns) -> sparse.csr_matrix:
    """Count terms of a vocabulary in texts with NeuroQuery's own vectorizer.

    Parameters
    ----------
    texts : list of str
        Texts.
    vocabulary : sequence of str
        Vocabulary of a corpus.
    columns : ndarray of shape (n_terms,), int
        Columns of the terms to count. The others remain zero.

    Returns
    -------
    counts : csr_matrix of shape (n_texts, n_vocabulary), float32
        Counts.
    """
    terms = [vocabulary[column] for column in columns]
    vectorizer = TextVectorizer.from_vocabulary(
        terms, use_idf=False, norm=None, add_unigrams=False
    ).fit()
    place = dict(zip(terms, columns, strict=True))
    counts = sparse.coo_matrix(vectorizer.transform(texts))
    found = np.array([place[term] for term in vectorizer.get_vocabulary()])
    shape = len(texts), len(vocabulary)
    entries = counts.data.astype(np.float32), (counts.row, found[counts.col])
    return sparse.csr_matrix(entries, shape=shape)
