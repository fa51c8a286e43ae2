"""Training rows and features of the methods that are compared.

A study has up to three rows with the same coefficients: its title; its title and
abstract, if available; and the word counts of its title, keywords and abstract, if
NeuroQuery counted them (with its longest text for the language model). Every method is
thus trained on short and long texts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, normalize

from sklearn_neurocontext.datasets import study_texts
from training.recipe import choose_terms

__all__ = ["add_abstracts", "choose_terms", "fit_words", "make_rows", "side_by_side"]

# Chosen on development studies for the first trained model, see docs/experiments.md.
MIN_STUDIES = 20
WORD_DIM = 300
MINILM_WEIGHT = 0.7
_MAX_WORDS = 3


@dataclass
class Rows:
    """Training rows.

    Attributes
    ----------
    study : ndarray of shape (n_rows,), int
        Row of the study in the corpus.
    texts : list of str
        Input of the language model, and of the word features without counts.
    counts : csr_array of shape (n_rows, n_terms)
        Word counts; zero for rows whose words are counted in the text.
    counted : ndarray of shape (n_rows,), bool
        Whether a row has word counts.
    """

    study: np.ndarray
    texts: list
    counts: sparse.csr_array
    counted: np.ndarray


def add_abstracts(corpus, path) -> int:
    """Add abstracts of a TSV file with the columns id (PMID) and abstract."""
    table = pd.read_csv(path, sep="\t").drop_duplicates("id").set_index("id")
    known = corpus.studies["pmid"].map(table["abstract"])
    empty = corpus.studies["abstract"] == ""
    corpus.studies["abstract"] = (
        corpus.studies["abstract"].mask(empty, known).fillna("")
    )
    return int((corpus.studies["abstract"] != "").sum())


def make_rows(corpus, studies, counts) -> Rows:
    """Make the training rows of some studies."""
    titles = study_texts(corpus, "title")
    longest = study_texts(corpus, "title+abstract")
    counted = np.asarray(counts.sum(axis=1)).ravel() > 0
    plain = [row for row in studies if titles[row]]
    both = [row for row in plain if longest[row] != titles[row] and not counted[row]]
    rich = [row for row in plain if counted[row]]
    study = np.array([*plain, *both, *rich], dtype=np.int64)
    is_counted = np.arange(len(study)) >= len(plain) + len(both)
    texts = [titles[row] for row in plain] + [longest[row] for row in (*both, *rich)]
    keep = sparse.diags_array(is_counted.astype(float))
    counts = sparse.csr_array(keep @ counts[study])
    counts.eliminate_zeros()
    return Rows(study, texts, counts, is_counted)


def fit_words(rows, terms):
    """Fit TF-IDF and LSA on counts and texts; return the pipeline and the features."""
    vectorizer = TfidfVectorizer(
        vocabulary=terms, ngram_range=(1, _MAX_WORDS), sublinear_tf=True
    )
    n_counted = rows.counted.sum()
    frequency = np.asarray((rows.counts[rows.counted] > 0).sum(axis=0)).ravel()
    vectorizer.idf_ = np.log((1 + n_counted) / (1 + frequency)) + 1
    words = make_pipeline(
        vectorizer, TruncatedSVD(WORD_DIM, random_state=0), Normalizer()
    )
    from_texts = vectorizer.transform(rows.texts)
    from_counts = normalize(_sublinear(rows.counts) * vectorizer.idf_)
    by_text = sparse.diags_array((~rows.counted).astype(float))
    tfidf = sparse.csr_array(by_text @ from_texts + from_counts)
    return words, words[1:].fit_transform(tfidf)


def _sublinear(counts):
    counts = counts.copy()
    counts.data = 1 + np.log(counts.data)
    return counts


def side_by_side(lsa, embeddings) -> np.ndarray:
    """Concatenate word features and weighted unit embeddings."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.hstack([lsa, MINILM_WEIGHT * unit]).astype(np.float32)
