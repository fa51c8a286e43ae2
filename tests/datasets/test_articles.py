"""Rows of the same article."""

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext.datasets._articles import group_articles


def _studies(*rows):
    table = pd.DataFrame(rows, columns=["pmid", "title", "abstract"])
    table["pmid"] = table["pmid"].astype("Int64")
    return table.assign(study_id=[f"s{row}" for row in range(len(rows))])


@pytest.mark.parametrize(
    ("title", "abstract"),
    [
        ("Pain, and heat", "We heated."),
        ("PAIN AND  HEAT.", " we heated "),
        ('Reprint of "Pain and heat"', "We heated."),
        ("Reprint of: Pain and heat", "We heated."),
    ],
)
def test_same_title_and_abstract(title, abstract):
    first = (None, "Pain and heat", "We heated.")
    assert group_articles(_studies(first, (7, title, abstract))).tolist() == ["s0"] * 2


def test_same_pmid_whatever_the_texts():
    groups = group_articles(_studies((7, "a", "A"), (8, "b", "B"), (7, None, None)))
    assert groups.tolist() == ["s0", "s1", "s0"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "Editorial", ""), (2, "Editorial", "")),
        ((1, "", "Abstract"), (2, "", "Abstract")),
        ((1, None, None), (2, None, None)),
        ((None, "Pain I", "We heated."), (None, "Pain II", "We heated.")),
        ((None, "Pain", "We heated."), (None, "Pain", "We cooled.")),
        ((None, "Reprint of x", "X"), (None, "On a reprint of x", "X")),
        ((None, "ab", "c"), (None, "a", "bc")),
    ],
)
def test_what_may_be_another_article_is_one(one, other):
    assert group_articles(_studies(one, other)).tolist() == ["s0", "s1"]


def test_links_are_followed():
    """By text with the first, by PMID with the second."""
    groups = group_articles(
        _studies((1, "a", "A"), (2, "c", "C"), (3, "d", "D"), (2, "a", "A"))
    )
    assert groups.tolist() == ["s0", "s0", "s2", "s0"]


def test_groups_equal_those_of_a_loop(rng):
    table = _studies(*[(None, "t", "A")] * 60)
    pmids = rng.integers(40, size=60)
    table["pmid"] = pd.array(np.where(pmids < 20, pmids, -1), dtype="Int64")
    table.loc[table["pmid"] == -1, "pmid"] = pd.NA
    table["title"] = [f"t{number}" for number in rng.integers(50, size=60)]
    expected = list(range(60))
    for one in range(60):
        for other in range(60):
            a, b = table.iloc[one], table.iloc[other]
            same_pmid = pd.notna(a["pmid"]) and pd.notna(b["pmid"])
            same_pmid = same_pmid and a["pmid"] == b["pmid"]
            if same_pmid or a["title"] == b["title"]:
                low, high = sorted((expected[one], expected[other]))
                expected = [low if group == high else group for group in expected]
    found = group_articles(table).tolist()
    assert found == [f"s{group}" for group in expected]
    assert len(set(found)) < 45
