"""Make the training rows and features of the shipped model, and fit it.

The map of a single study is noisy, so pairs of one title and one map teach little about
short queries. Most training rows are therefore terms that NeuroQuery counted in titles,
keywords and abstracts, and pairs of terms that occur in the same studies. The target of
a term or a pair is the weighted mean of the maps of the studies that use it. The other
rows are titles, whose target is the map of the study. As targets are linear in maps,
permuting the studies yields the null distribution.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Normalizer, normalize

from sklearn_neurocontext import KernelCCA
from sklearn_neurocontext.models import NystroemKernel

_COUNTED = ("title", "keywords", "abstract")
_MAX_WORDS = 3


@dataclass(frozen=True)
class Settings:
    """Settings of training, chosen on development studies and queries.

    Attributes
    ----------
    min_studies, min_studies_pair : int
        Minimum number of studies that use a term, or both terms of a pair.
    min_information : float
        Minimum pointwise mutual information of the terms of a pair, in nats.
    n_titles, n_pairs : int
        Maximum number of titles and of pairs, drawn at random.
    term_copies, pair_copies : int
        Number of repetitions, and so the weight, of each term and of each pair.
    prior_studies : float
        Number of studies with the mean map that are added to the mean of each text.
    n_nystroem, kernel_width, alpha_text, alpha_brain, latent_dim
        Parameters of `NystroemKernel` and `KernelCCA`.
    """

    min_studies: int = 10
    min_studies_pair: int = 6
    min_information: float = 0.7
    n_titles: int = 20_000
    n_pairs: int = 150_000
    term_copies: int = 10
    pair_copies: int = 1
    prior_studies: float = 10.0
    n_nystroem: int = 800
    kernel_width: float = 1.0
    alpha_text: float = 10.0
    alpha_brain: float = 25.0
    latent_dim: int = 256


@dataclass
class Rows:
    """Training rows.

    Attributes
    ----------
    texts : list of str
        Titles, terms and pairs, each once.
    copies : ndarray of shape (n_texts,), int
        Number of repetitions of each text.
    shares : csr_array of shape (n_texts, n_studies)
        Weight of each study's map in the target of a text. The weight of the mean map
        is one minus their sum.
    """

    texts: list
    copies: np.ndarray
    shares: sparse.csr_array


def choose_terms(
    corpus, rows, min_studies, *, all_words=False
) -> tuple[list, sparse.csr_array]:
    """Return terms and their counts, including occurrences inside longer terms.

    Numbers and stop words are excluded unless `all_words` is true.
    """
    counts = sparse.csr_array(sum(corpus.term_counts[part] for part in _COUNTED))
    n_studies = np.asarray((counts[rows] > 0).sum(axis=0)).ravel()
    wanted = [_is_term(term, all_words) for term in corpus.vocabulary]
    kept = np.flatnonzero((n_studies >= min_studies) & np.array(wanted))
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


def _is_term(term, all_words):
    is_word = term[0].isalpha() and term not in ENGLISH_STOP_WORDS
    return len(term.split()) <= _MAX_WORDS and (all_words or is_word)


def _parts(term):
    """Yield the shorter sequences of words inside a term."""
    words = term.split()
    for size in range(1, len(words)):
        for start in range(len(words) - size + 1):
            yield " ".join(words[start : start + size])


def make_rows(titles, studies, terms, counts, settings) -> Rows:
    """Make the training rows of the given studies: titles, then terms, then pairs.

    `titles` and `counts` are those of all studies of the corpus.
    """
    rng = np.random.default_rng(0)
    n_titles = min(settings.n_titles, len(studies))
    some = np.sort(rng.choice(len(studies), n_titles, replace=False))
    one = np.ones(n_titles)
    of_titles = sparse.csr_array(
        (one, (np.arange(n_titles), some)), (n_titles, len(studies))
    )
    weights = sublinear(counts[studies]).tocsc()
    first, second = choose_pairs(weights, terms, settings, rng)
    both = weights[:, first] * weights[:, second]
    both.data **= 0.5
    shares = [_mean_over(part, settings) for part in (weights, both)]
    pairs = [f"{terms[a]} {terms[b]}" for a, b in zip(first, second, strict=True)]
    copies = [
        one,
        np.full(len(terms), settings.term_copies),
        np.full(len(pairs), settings.pair_copies),
    ]
    return Rows(
        [*(titles[row] for row in studies[some]), *terms, *pairs],
        np.concatenate(copies).astype(int),
        sparse.csr_array(sparse.vstack([of_titles, *shares])),
    )


def _mean_over(weights, settings):
    """Return the weight of each study in the mean map of each text."""
    total = np.asarray(weights.sum(axis=0)).ravel() + settings.prior_studies
    return sparse.csr_array((weights / total).T)


def choose_pairs(weights, terms, settings, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of terms that occur together more often than expected by chance."""
    used = sparse.csr_array((weights > 0).astype(np.float32))
    together = (used.T @ used).toarray()
    alone = together.diagonal()
    with np.errstate(divide="ignore"):
        information = np.log(together * len(used.indptr[1:]) / np.outer(alone, alone))
    near = (together >= settings.min_studies_pair) & (
        information >= settings.min_information
    )
    words = [set(term.split()) for term in terms]
    pairs = np.array(
        [(a, b) for a, b in np.argwhere(np.triu(near, 1)) if not words[a] & words[b]]
    )
    drawn = rng.choice(len(pairs), min(settings.n_pairs, len(pairs)), replace=False)
    # Either term may come first.
    return rng.permuted(pairs[drawn], axis=1).T


def targets(rows, maps) -> np.ndarray:
    """Compute the target of each row, a weighted mean of maps of studies."""
    rest = 1 - np.asarray(rows.shares.sum(axis=1))
    return rows.shares @ maps + rest[:, None] * maps.mean(axis=0)


def sublinear(counts):
    """Replace nonzero counts by one plus their logarithm."""
    counts = sparse.csr_array(counts, dtype=np.float64)
    counts.eliminate_zeros()
    counts.data = 1 + np.log(counts.data)
    return counts


def make_words(terms, counts):
    """Return a TF-IDF vectorizer with the document frequencies of the counts."""
    vectorizer = TfidfVectorizer(
        vocabulary=terms,
        ngram_range=(1, _MAX_WORDS),
        sublinear_tf=True,
        dtype=np.float32,
    )
    counted = counts[np.flatnonzero(np.diff(counts.indptr))]
    frequency = np.asarray((counted > 0).sum(axis=0)).ravel()
    vectorizer.idf_ = np.log((1 + counted.shape[0]) / (1 + frequency)) + 1
    return vectorizer


def fit_features(rows, terms, counts, embedder, embeddings, settings):
    """Fit the features of texts: TF-IDF, and a Gaussian kernel of embeddings.

    Return the fitted transformer of texts and the features of the rows, (n_texts, ...).
    """
    words = make_words(terms, counts)
    kernel = NystroemKernel(
        settings.kernel_width, n_components=settings.n_nystroem, random_state=0
    )
    of_model = kernel.fit_transform(normalize(embeddings))
    union = FeatureUnion(
        [("words", words), ("minilm", make_pipeline(embedder, Normalizer(), kernel))]
    )
    blocks = [words.transform(rows.texts), sparse.csr_array(of_model)]
    return union, sparse.csr_array(sparse.hstack(blocks), dtype=np.float32)


def fit_model(union, features, rows, maps, settings):
    """Fit canonical correlations and ridge regression; return a pipeline of texts.

    `features` are those of the rows; `maps` are the unit coefficients of the studies.
    """
    cca = KernelCCA(
        settings.latent_dim,
        alpha_text=settings.alpha_text,
        alpha_brain=settings.alpha_brain,
        kernel_width=None,
        hubness_weight=0.0,
        y_scaling=None,
    )
    copied = np.repeat(np.arange(len(rows.texts)), rows.copies)
    y = targets(rows, maps).astype(np.float32)
    return make_pipeline(union, cca.fit(features[copied], y[copied]))
