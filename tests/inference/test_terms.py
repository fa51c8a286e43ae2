"""Terms are counted, found and marked in texts."""

import re
from collections import Counter
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
from tests.inference.pages import parse

KNOWN = {"memory": 5, "working memory": 1200, "n back": 3, "a<b": 1}


def _words(text):
    return re.findall(r"\w+", text.lower())


def _count_all(texts, n_terms):
    """Count all words and pairs; return the most frequent."""
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
def test_count_terms_matches_count_of_all_pairs(n_terms, monkeypatch):
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


def test_count_terms_pairs_only_adjacent_words():
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


def test_find_terms_returns_longest_terms():
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
def test_mark_terms_escapes_text(text):
    page = parse(mark_terms(text, KNOWN))
    assert "".join(page.words) == text
    assert {tag for tag, _ in page.tags} == {"mark"}
    titles = [attributes["title"] for _, attributes in page.tags]
    assert all(re.fullmatch(r"[\d,]+ studies", title) for title in titles)


def test_marks_show_numbers_of_studies():
    assert mark_terms("Working memory.", KNOWN) == (
        '<mark title="1,200 studies">Working memory</mark>.'
    )
