"""Tables of the positions benchmark: they say what the choices say; hubs don't do."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "training"
TABLES = ["position_queries.tsv", "position_development.tsv"]


def _choices():
    """Give the kind, topic, reference and regions of each query, by table."""
    from training.position_choices import FRESH, NAMED
    from training.position_looked_at import COARSE, FORMER_TEST
    from training.position_rarer_topics import RARER_TOPICS

    choices = {
        (TABLES[0], query): ("fresh", topic, reference, regions.split("; "))
        for query, (topic, reference, regions) in FRESH.items()
    }
    kinds = [(TABLES[0], ("named", "seen"), NAMED)]
    kinds += [(TABLES[1], (None, None), FORMER_TEST | RARER_TOPICS)]
    for table, facts, queries in kinds:
        for query, (reference, regions) in queries.items():
            choices[table, query] = (*facts, reference, regions.split("; "))
    return choices | {
        (TABLES[1], query): (None, None, None, COARSE[query]) for query in COARSE
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_was_chosen(name):
    from training.make_query_positions import PLACES, SIDES, find_sides

    table = pd.read_csv(FOLDER / name, sep="\t")
    rows = []
    for (where, query), (*facts, regions) in _choices().items():
        for place, sides in map(find_sides, regions):
            atlas, label = PLACES[place].split(" ")
            for side in sides if where == name else "":
                word = SIDES[side] if atlas == "harvard_oxford" else side
                rows.append((query, place, side, atlas, label.format(word), *facts))
    columns = ["query", "region", "side", "atlas", "label"]
    columns += ["kind", "topic", "reference"]
    table = table.reindex(columns=["x", *columns])
    said = table[columns].astype(object).where(table[columns].notna(), None)
    assert sorted(said.itertuples(index=False, name=None), key=str) == sorted(
        rows, key=str
    )
    assert ((table["x"] < 0) == (table["side"] == "L")).all()


def test_a_region_has_one_place_in_both_tables():
    tables = [pd.read_csv(FOLDER / name, sep="\t") for name in TABLES]
    places = pd.concat(tables).groupby(["region", "side"])[["x", "y", "z", "label"]]
    assert (places.nunique() == 1).all(axis=None)


def _words(query):
    return frozenset(re.findall(r"\w+", query.lower()))


def test_fresh_queries_are_many_and_in_no_other_table():
    from training.positions import DEVELOPMENT_TSV, TEST_TSV, read_queries

    fresh, named = (read_queries(TEST_TSV, kind) for kind in ("fresh", "named"))
    looked_at = {*named, *read_queries(DEVELOPMENT_TSV)}
    assert len(fresh) >= 40
    assert len(named) == 2
    assert set(map(_words, fresh)).isdisjoint(map(_words, looked_at))
    assert {**fresh, **named}.keys() == read_queries(TEST_TSV).keys()
    assert all(2 <= len(targets) <= 14 for targets in fresh.values())


def test_each_fresh_query_has_a_topic_that_is_new_or_seen():
    from training.positions import TEST_TSV, read_queries

    new, seen = (read_queries(TEST_TSV, "fresh", topic) for topic in ("new", "seen"))
    assert new and seen
    assert new.keys().isdisjoint(seen)
    assert {**new, **seen}.keys() == read_queries(TEST_TSV, "fresh").keys()


def test_a_map_of_hubs_passes_hardly_any_fresh_query():
    from training.position_regions import HUBS
    from training.positions import MAX_MM, TEST_TSV, read_queries

    tables = pd.concat(pd.read_csv(FOLDER / name, sep="\t") for name in TABLES)
    hubs = tables[tables["region"].isin(HUBS)].drop_duplicates(["region", "side"])
    assert set(hubs["region"]) == set(HUBS)
    one_by_one = hubs.set_index("region")[["x", "y", "z"]]
    passed, passed_by_hub = [], {hub: [] for hub in HUBS}
    for targets in read_queries(TEST_TSV, "fresh").values():
        offsets = one_by_one.to_numpy()[:, None] - targets
        distances = np.linalg.norm(offsets, axis=2).min(axis=1)
        passed.append(np.median(distances) <= MAX_MM)
        for hub in HUBS:
            near = distances[one_by_one.index == hub]
            passed_by_hub[hub].append(np.median(near) <= MAX_MM)
    assert np.mean(passed) <= 0.05
    assert max(map(np.mean, passed_by_hub.values())) <= 0.2
