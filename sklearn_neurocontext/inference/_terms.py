"""Count, find and mark terms in texts."""

import re
from collections import Counter
from html import unescape
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape
from sklearn.feature_extraction.text import (
    ENGLISH_STOP_WORDS,
    CountVectorizer,
    TfidfVectorizer,
)

from .._utils.validation import TERM_PATTERN, american_spelling

_N_TERMS = 1000
_MIN_STUDIES = 5
_WORD = re.compile(r"\w+")
_MARKED = re.compile(r"<mark[^>]*>(.*?)</mark>", re.DOTALL)
_MARK = Markup('<mark title="{:,} studies">{}</mark>')


def count_terms(texts) -> dict:
    """Count the studies that contain each term, and return the most frequent terms.

    The terms of the returned dictionary are in alphabetical order. The texts are
    converted to American spelling, so the terms are in American spelling.
    """
    texts = [american_spelling(text) for text in texts]
    analyze = CountVectorizer(token_pattern=r"(?u)\b\w+\b").build_analyzer()
    words = Counter()
    for text in texts:
        words.update({word for word in analyze(text) if _is_term(word)})
    # Only pairs of frequent words are counted, because a pair of words cannot be more
    # frequent than either of its words.
    words = _most_frequent(words)
    pairs = Counter()
    for text in texts:
        # Words are paired before stop words are removed, because pairs must be adjacent
        # in the text. For example, "pain of heat" does not yield the pair "pain heat".
        adjacent = pairwise(analyze(text))
        pairs.update({f"{a} {b}" for a, b in adjacent if a in words and b in words})
    terms = words | _most_frequent(pairs)
    ranking = sorted(terms, key=lambda term: (-terms[term], term))
    return {term: terms[term] for term in sorted(ranking[:_N_TERMS])}


def _is_term(word) -> bool:
    return (
        word not in ENGLISH_STOP_WORDS and re.fullmatch(TERM_PATTERN, word) is not None
    )


def _most_frequent(counts) -> dict:
    """Return the counts of the 1,000 most frequent terms.

    Other terms that are as frequent as the last of these terms are also included. Terms
    that occur in fewer than five studies are omitted.
    """
    ranked = sorted(counts.values(), reverse=True)
    least = max(_MIN_STUDIES, ranked[_N_TERMS - 1] if len(ranked) >= _N_TERMS else 0)
    return {term: n for term, n in counts.items() if n >= least}


def count_known_words(estimator, terms) -> dict:
    """Return the number of training studies that contain each term or known word.

    The known words are those of the first fitted `TfidfVectorizer` in a pipeline. Their
    numbers of studies are computed from the inverse document frequencies in this
    vectorizer. `terms` maps the terms of the model to their numbers of studies. If a
    term is also a known word, its number in `terms` is used.
    """
    vectorizer = _find_vectorizer(estimator)
    if vectorizer is None:
        return dict(terms)
    # With smooth_idf, idf = 1 + log((1 + n_studies) / (1 + count)). n_studies is not
    # stored, but it follows from words whose counts are known.
    ratios = np.exp(vectorizer.idf_ - 1)
    words = vectorizer.vocabulary_
    known = [(1 + terms[word]) * ratios[words[word]] for word in terms if word in words]
    if not known:
        return dict(terms)
    counts = np.rint(np.median(known) / ratios - 1).astype(int)
    return {word: int(counts[place]) for word, place in words.items()} | dict(terms)


def _find_vectorizer(estimator):
    """Return the `TfidfVectorizer` of an estimator, or None.

    The estimator and its steps, which may be nested, are searched for the first
    `TfidfVectorizer` that uses smooth_idf.
    """
    if isinstance(estimator, TfidfVectorizer):
        is_smooth = estimator.use_idf and estimator.smooth_idf
        return estimator if is_smooth else None
    steps = [
        *getattr(estimator, "steps", ()),
        *getattr(estimator, "transformer_list", ()),
    ]
    found = (_find_vectorizer(step) for _, step in steps)
    return next((one for one in found if one is not None), None)


def find_terms(text: str, terms) -> list:
    """Return (start, end, term) of each known term that occurs in a text.

    The term consists of the characters ``text[start:end]``. If several terms start at
    the same word, only the longest term is returned. Returned terms do not overlap.
    British and American spellings of a term are equivalent.

    >>> find_terms("Working  memory load", {"memory", "working memory"})
    [(0, 15, 'working memory')]
    >>> find_terms("Brain tumour", {"tumor"})
    [(6, 12, 'tumor')]
    """
    return find_terms_in_texts([text], terms)[0]


def find_terms_in_texts(texts, terms) -> list:
    """Return the list of `find_terms` for each text."""
    # If both spellings of a term are known, the American spelling is returned.
    known = {american_spelling(term): term for term in terms}
    known |= {term: term for term in terms}
    longest = max((term.count(" ") + 1 for term in terms), default=0)
    return [_find_known(text, known, longest) for text in texts]


def _find_known(text, known, longest) -> list:
    """Return (start, end, term) of each known term of at most `longest` words."""
    words = list(_WORD.finditer(text))
    found, start = [], 0
    while start < len(words):
        for size in range(min(longest, len(words) - start), 0, -1):
            run = words[start : start + size]
            term = " ".join(american_spelling(word[0].lower()) for word in run)
            if term in known:
                found.append((run[0].start(), run[-1].end(), known[term]))
                break
        else:
            size = 1
        start += size
    return found


def term_shares(text: str, terms) -> dict:
    """Return the count of each known term in a text, divided by the sum of counts."""
    counts = Counter(term for _, _, term in find_terms(text, terms))
    return {term: count / counts.total() for term, count in counts.items()}


def mark_terms(text: str, n_studies: dict) -> str:
    """Return a text as HTML in which known terms are marked.

    The tooltip of each marked term shows the number of studies that contain the term.
    `n_studies` maps each known term to this number.

    >>> mark_terms("pain < heat", {"pain": 12})
    '<mark title="12 studies">pain</mark> &lt; heat'
    """
    parts, last = [], 0
    for start, stop, term in find_terms(text, n_studies):
        parts.append(escape(text[last:start]))
        parts.append(_MARK.format(n_studies[term], text[start:stop]))
        last = stop
    return str(Markup("").join([*parts, text[last:]]))


def print_highlighted_text(text) -> None:
    """Write a text to the terminal, with the marked terms in blue and in brackets.

    Parameters
    ----------
    text : str
        HTML text in which terms are marked, as returned by
        `NeuroContextModel.highlighted_text`.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import print_highlighted_text
    >>> print_highlighted_text("words &amp; tasks without marks")
    words & tasks without marks
    """
    print(unescape(_MARKED.sub("\033[94m[\\1]\033[0m", text)))
