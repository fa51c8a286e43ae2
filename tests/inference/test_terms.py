"""Known terms in a text: counted, found, and marked without other HTML."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from sklearn_neurocontext.inference import _terms
from sklearn_neurocontext.inference._terms import (
    count_terms,
    find_terms,
    mark_terms,
    term_shares,
)

KNOWN = {"memory": 5, "working memory": 1200, "n back": 3, "a<b": 1}


def _words(text):
    return re.findall(r"\w+", text.lower())


def _count_all(texts, n_terms):
    """Count all pairs of all words, then choose the most frequent."""
    counts = Counter()
    for text in texts:
        words = _words(text)
        terms = {*words, *map(" ".join, pairwise(words))}
        counts.update(
            term
            for term in terms
            if all(
                len(word) > 1
                and not word[0].isdigit()
                and word not in ENGLISH_STOP_WORDS
                for word in term.split()
            )
        )
    ranking = sorted(counts, key=lambda term: (-counts[term], term))[:n_terms]
    return {term: counts[term] for term in sorted(ranking) if counts[term] >= 5}


@pytest.mark.parametrize("n_terms", [3, 10, 40, 1000])
def test_terms_are_those_of_a_count_of_all_pairs(n_terms, monkeypatch):
    monkeypatch.setattr(_terms, "_N_TERMS", n_terms)
    rng = np.random.default_rng(0)
    known = [
        "pain",
        "of",
        "the",
        "amygdala",
        "role",
        "3",
        "b7",
        "memory",
        "load",
        "and",
        "fear",
        "x",
    ]
    texts = [" ".join(rng.choice(known, 12)) for _ in range(60)]
    found = count_terms(texts)
    assert found == _count_all(texts, n_terms)
    assert list(found) == sorted(found)


def test_pairs_stand_side_by_side_in_a_text():
    texts = ["The role of the amygdala, 3 tasks in pain memory"] * 5 + ["pain"]
    assert count_terms(texts) == {
        "amygdala": 5,
        "memory": 5,
        "pain": 6,
        "pain memory": 5,
        "role": 5,
        "tasks": 5,
    }
    assert count_terms(["", "of 3"] * 9) == {}


def test_the_longest_term_is_found_at_each_place():
    text = "Memory, WORKING\nmemory and n-back; workingmemory memory"
    found = [(text[start:stop], term) for start, stop, term in find_terms(text, KNOWN)]
    assert found == [
        ("Memory", "memory"),
        ("WORKING\nmemory", "working memory"),
        ("n-back", "n back"),
        ("memory", "memory"),
    ]
    assert find_terms("nothing known", KNOWN) == []
    assert find_terms("anything", {}) == []


def test_shares_sum_to_one():
    shares = term_shares("memory working memory, memory", KNOWN)
    assert shares == {
        "memory": pytest.approx(2 / 3),
        "working memory": pytest.approx(1 / 3),
    }
    assert term_shares("nothing", KNOWN) == {}


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert('memory')</script> & working memory",
        '"><img src=x onerror=alert(1)> memory </mark>',
        "&lt;memory&gt;",
        "memory",
        "<memory>",
    ],
)
def test_marked_text_is_the_text_and_nothing_but_marks(text):
    parser = _Tags()
    parser.feed(mark_terms(text, KNOWN))
    parser.close()
    assert "".join(parser.words) == text
    assert {tag for tag, _ in parser.tags} == {"mark"}
    titles = [attributes["title"] for _, attributes in parser.tags]
    assert all(re.fullmatch(r"[\d,]+ studies", title) for title in titles)


def test_marks_say_how_many_studies():
    assert mark_terms("Working memory.", KNOWN) == (
        '<mark title="1,200 studies">Working memory</mark>.'
    )
