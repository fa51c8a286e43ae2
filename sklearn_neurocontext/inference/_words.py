"""Known terms inside a text: how often, and where."""

import html
import re
from collections import Counter

_WORD = re.compile(r"\w+")


def find_terms(text: str, terms) -> list:
    """Find the known terms in a text, the longest ones first at each place.

    Parameters
    ----------
    text : str
        Any text.
    terms : container of str
        In lower case; words inside a phrase are apart by one blank.

    Returns
    -------
    found : list of (int, int, str)
        Where each begins and ends in the text, and the term; they do not overlap.

    Examples
    --------
    >>> from sklearn_neurocontext.inference._words import find_terms
    >>> find_terms("Working  memory load", {"memory", "working memory"})
    [(0, 15, 'working memory')]
    """
    longest = max((term.count(" ") + 1 for term in terms), default=0)
    words = list(_WORD.finditer(text))
    found, start = [], 0
    while start < len(words):
        for size in range(min(longest, len(words) - start), 0, -1):
            run = words[start : start + size]
            term = " ".join(word[0].lower() for word in run)
            if term in terms:
                found.append((run[0].start(), run[-1].end(), term))
                break
        else:
            size = 1
        start += size
    return found


def term_shares(text: str, terms) -> dict:
    """Count the known terms in a text, as shares of all that are known in it."""
    counts = Counter(term for _, _, term in find_terms(text, terms))
    return {term: count / counts.total() for term, count in counts.items()}


def highlight(text: str, n_documents: dict) -> str:
    """Mark the known terms of a text in HTML; everything else is escaped.

    Parameters
    ----------
    text : str
        Any text.
    n_documents : dict of str to int
        Training studies of each known term, shown when a mark is pointed at.

    Returns
    -------
    marked : str
        Text with ``<mark>`` elements and no other element.

    Examples
    --------
    >>> from sklearn_neurocontext.inference._words import highlight
    >>> highlight("pain < heat", {"pain": 12})
    '<mark title="12 studies">pain</mark> &lt; heat'
    """
    parts, last = [], 0
    for start, stop, term in find_terms(text, n_documents):
        parts.append(html.escape(text[last:start]))
        word = html.escape(text[start:stop])
        parts.append(f'<mark title="{n_documents[term]:,} studies">{word}</mark>')
        last = stop
    return "".join([*parts, html.escape(text[last:])])
