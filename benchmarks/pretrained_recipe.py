"""How the pretrained model is trained: words and MiniLM side by side, then CCA.

A study gives up to three rows with the same coefficients: its title; its title and
abstract, where the abstract is at hand; and the word counts of its title, keywords and
abstract, where NeuroQuery counted them (beside the embedding of its longest text). So
the model has seen short texts and long ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Normalizer, normalize

from sklearn_neurocontext import CCABaseline
from sklearn_neurocontext.datasets import study_texts

_COUNTED = ("title", "keywords", "abstract")
_MAX_WORDS = 3


@dataclass(frozen=True)
class Settings:
    """What is chosen on development studies."""

    min_studies: int = 20
    word_dim: int = 300
    minilm_weight: float = 0.7
    alpha_text: float = 1.0
    alpha_brain: float = 1.0


@dataclass
class Rows:
    """Rows to train on: the study of each, its text, and its counts where there are.

    Attributes
    ----------
    study : ndarray of shape (n_rows,), int
        Row of the corpus.
    texts : list of str
        For the language model, and for words where there are no counts.
    counts : csr_array of shape (n_rows, n_terms)
        Zero where the words come from the text.
    counted : ndarray of shape (n_rows,), bool
        Whether they do not.
    """

    study: np.ndarray
    texts: list
    counts: sparse.csr_array
    counted: np.ndarray


def add_abstracts(corpus, path) -> int:
    """Fill in abstracts of a table with the columns id (PMID) and abstract."""
    table = pd.read_csv(path, sep="\t").drop_duplicates("id").set_index("id")
    known = corpus.studies["pmid"].map(table["abstract"])
    empty = corpus.studies["abstract"] == ""
    corpus.studies["abstract"] = (
        corpus.studies["abstract"].mask(empty, known).fillna("")
    )
    return int((corpus.studies["abstract"] != "").sum())


def choose_terms(corpus, rows, min_studies) -> tuple[list, sparse.csr_array]:
    """Choose terms of enough studies; give their counts, words inside phrases too."""
    counts = sparse.csr_array(sum(corpus.term_counts[part] for part in _COUNTED))
    n_studies = np.asarray((counts[rows] > 0).sum(axis=0)).ravel()
    words = [len(term.split()) for term in corpus.vocabulary]
    kept = np.flatnonzero((n_studies >= min_studies) & (np.array(words) <= _MAX_WORDS))
    terms = [corpus.vocabulary[column] for column in kept]
    counts = counts[:, kept]
    # NeuroQuery counts "working memory" as one term; a vectorizer counts "memory" too.
    place = {term: column for column, term in enumerate(terms)}
    pairs = [
        (column, place[part])
        for column, term in enumerate(terms)
        for part in _parts(term)
        if part in place
    ]
    phrase, part = np.array(pairs).T
    inner = sparse.csr_array((np.ones(len(pairs)), (phrase, part)), (len(terms),) * 2)
    return terms, sparse.csr_array(counts + counts @ inner)


def _parts(term):
    """Give the shorter runs of words inside a phrase."""
    words = term.split()
    for size in range(1, len(words)):
        for start in range(len(words) - size + 1):
            yield " ".join(words[start : start + size])


def make_rows(corpus, studies, counts) -> Rows:
    """List the rows of some studies."""
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


def fit_words(rows, terms, settings):
    """Fit TF-IDF and LSA on counts and texts; give the pipeline and its features."""
    vectorizer = TfidfVectorizer(
        vocabulary=terms, ngram_range=(1, _MAX_WORDS), sublinear_tf=True
    )
    n_counted = rows.counted.sum()
    frequency = np.asarray((rows.counts[rows.counted] > 0).sum(axis=0)).ravel()
    vectorizer.idf_ = np.log((1 + n_counted) / (1 + frequency)) + 1
    words = make_pipeline(
        vectorizer, TruncatedSVD(settings.word_dim, random_state=0), Normalizer()
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


def fit_model(words, embedder, features, embeddings, y, settings):
    """Fit CCA on both blocks of features; give a pipeline that takes texts."""
    weights = {"words": 1.0, "minilm": settings.minilm_weight}
    blocks = [("words", words), ("minilm", make_pipeline(embedder, Normalizer()))]
    X = np.hstack([features, settings.minilm_weight * _unit(embeddings)])
    cca = CCABaseline(alpha_text=settings.alpha_text, alpha_brain=settings.alpha_brain)
    union = FeatureUnion(blocks, transformer_weights=weights)
    return make_pipeline(union, cca.fit(X, y))


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
