"""Known terms in a text: found, counted, and marked without opening a door."""

import re
from html.parser import HTMLParser

import pytest

from sklearn_neurocontext.inference._words import find_terms, highlight, term_shares

TERMS = {"memory": 5, "working memory": 1200, "n back": 3, "a<b": 1}


def test_the_longest_term_is_found_at_each_place():
    text = "Memory, WORKING\nmemory and n-back; workingmemory memory"
    found = [(text[start:stop], term) for start, stop, term in find_terms(text, TERMS)]
    assert found == [
        ("Memory", "memory"),
        ("WORKING\nmemory", "working memory"),
        ("n-back", "n back"),
        ("memory", "memory"),
    ]
    assert find_terms("nothing known", TERMS) == []
    assert find_terms("anything", {}) == []


def test_shares_sum_to_one():
    shares = term_shares("memory working memory, memory", TERMS)
    assert shares == {
        "memory": pytest.approx(2 / 3),
        "working memory": pytest.approx(1 / 3),
    }
    assert term_shares("nothing", TERMS) == {}


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
    parser.feed(highlight(text, TERMS))
    parser.close()
    assert "".join(parser.words) == text
    assert {tag for tag, _ in parser.tags} == {"mark"}
    titles = [attributes["title"] for _, attributes in parser.tags]
    assert all(re.fullmatch(r"[\d,]+ studies", title) for title in titles)


def test_marks_say_how_many_studies():
    assert highlight("Working memory.", TERMS) == (
        '<mark title="1,200 studies">Working memory</mark>.'
    )
