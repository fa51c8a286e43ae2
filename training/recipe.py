"""How the pretrained model is trained: short texts, and the mean maps of their studies.

A study's title with the study's own map teaches little about a short query: one map is
mostly noise. So most rows to train on are the terms that NeuroQuery counted in titles,
keywords and abstracts, and pairs of terms that studies use together; the map of each is
the weighted mean over the studies that use it. Titles are added. Each row's
target is linear in the studies' maps, so that exchanging the studies gives a null.
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
    """What is chosen on development studies and queries.

    Attributes
    ----------
    min_studies, min_studies_pair : int
        Studies that a term, or both terms of a pair, must occur in.
    min_information : float
        Pointwise mutual information of the terms of a pair, in nats.
    n_titles, n_pairs : int
        Rows drawn at random, at most.
    term_copies, pair_copies : int
        How often each term and pair is a row, which is its weight.
    prior_studies : float
        Studies with the mean map that are added to each mean.
    n_nystroem, kernel_width, alpha_text, alpha_brain, latent_dim
        Parameters of NystroemKernel and KernelCCA.
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
    """Rows to train on.

    Attributes
    ----------
    texts : list of str
        Titles, terms and pairs, each once.
    copies : ndarray of shape (n_texts,), int
        Weight of each.
    shares : csr_array of shape (n_texts, n_studies)
        What each study's map counts in the map of a text; the rest, up to one, is the
        mean map.
    """

    texts: list
    copies: np.ndarray
    shares: sparse.csr_array


def choose_terms(
    corpus, rows, min_studies, *, all_words=False
) -> tuple[list, sparse.csr_array]:
    """Choose terms of enough studies; give their counts, words inside phrases too.

    Numbers and function words are none, unless `all_words`.
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
    says_something = term[0].isalpha() and term not in ENGLISH_STOP_WORDS
    return len(term.split()) <= _MAX_WORDS and (all_words or says_something)


def _parts(term):
    """Give the shorter runs of words inside a phrase."""
    words = term.split()
    for size in range(1, len(words)):
        for start in range(len(words) - size + 1):
            yield " ".join(words[start : start + size])


def make_rows(titles, studies, terms, counts, settings) -> Rows:
    """List the rows to train on, of some studies.

    Parameters
    ----------
    titles : list of str
        Of all studies of the corpus.
    studies : ndarray of shape (n_studies,)
        Rows of the corpus.
    terms : list of str
        Of the columns of the counts.
    counts : csr_array
        Of all studies of the corpus.
    settings : Settings
        How many, and how much they weigh.

    Returns
    -------
    rows : Rows
        Titles first, then terms, then pairs; the shares' columns are `studies`.
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
    """Turn studies' weights for each text into shares of a mean with a prior."""
    total = np.asarray(weights.sum(axis=0)).ravel() + settings.prior_studies
    return sparse.csr_array((weights / total).T)


def choose_pairs(weights, terms, settings, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of terms that studies use together more often than by chance."""
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
    """Give the map of each row: shares of the studies' maps, the rest the mean map."""
    rest = 1 - np.asarray(rows.shares.sum(axis=1))
    return rows.shares @ maps + rest[:, None] * maps.mean(axis=0)


def sublinear(counts):
    """Give one plus the logarithm of the counts that are not zero."""
    counts = sparse.csr_array(counts, dtype=np.float64)
    counts.eliminate_zeros()
    counts.data = 1 + np.log(counts.data)
    return counts


def make_words(terms, counts):
    """Make TF-IDF of terms, with the frequencies of the studies' counts."""
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
    """Fit what turns texts into features; give it and the rows' features.

    Parameters
    ----------
    rows : Rows
        To train on.
    terms : list of str
        Of the columns of the counts.
    counts : csr_array
        Of the training studies.
    embedder : LLMChunkEmbedder
        Fitted.
    embeddings : ndarray of shape (n_texts, embedding_dim)
        Of the rows' texts.
    settings : Settings
        Sizes.

    Returns
    -------
    union : FeatureUnion
        Takes texts.
    features : csr_array of shape (n_texts, n_features), float32
        Of the rows' texts: the words whole, so that rare ones stay apart.
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
    """Fit CCA and ridge on the rows; give a pipeline that takes texts.

    Parameters
    ----------
    union : FeatureUnion
        From `fit_features`.
    features : csr_array of shape (n_texts, n_features)
        Of the rows' texts.
    rows : Rows
        Their shares and weights.
    maps : ndarray of shape (n_studies, n_components)
        Coefficients of the studies, of norm one.
    settings : Settings
        Parameters of the estimator.

    Returns
    -------
    model : Pipeline
        Fitted.
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
