"""The table of query positions is consistent and not matched by hub regions."""

import re

import numpy as np
import pandas as pd
import pytest

from training.positions import MAX_MM, QUERIES_TSV, distances_to_regions, read_queries

# Regions where studies of almost any topic report peaks.
HUBS = (
    "pre-SMA",
    "anterior midcingulate",
    "anterior insula",
    "inferior frontal junction",
    "hIP3",
    "thalamus",
)


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(QUERIES_TSV, sep="\t", keep_default_na=False)


def test_each_region_has_one_coordinate_per_side(table):
    assert not table.duplicated(["set", "query", "region", "side"]).any()
    places = table.groupby(["region", "side"])[["x", "y", "z", "atlas", "label"]]
    assert (places.nunique() == 1).all(axis=None)
    assert ((table["x"] < 0) == (table["side"] == "L")).all()


def test_columns_are_consistent_within_queries(table):
    columns = ["group", "maps_seen", "topic_in_development", "reference"]
    assert (table.groupby(["set", "query"])[columns].nunique() == 1).all(axis=None)
    groups = table.groupby(["set", "group"])["query"].nunique().to_dict()
    assert groups == {
        ("test", "textbook topics"): 48,
        ("test", "named in advance"): 2,
        ("development", "large regions"): 25,
        ("development", "first former test"): 30,
        ("development", "rarer topics"): 61,
        ("cognitive atlas", "concept"): 32,
        ("cognitive atlas", "task"): 28,
    }
    is_test = table["group"] == "textbook topics"
    assert is_test.equals(table["maps_seen"].str.startswith("once"))
    assert set(table.loc[is_test, "topic_in_development"]) == {"yes", "no"}
    has_reference = table["reference"] != ""
    assert has_reference.equals(table["group"] != "large regions")


def test_test_and_development_queries_are_disjoint():
    test, development = read_queries("test"), read_queries("development")
    named = read_queries("test", group="named in advance")

    def as_words(queries):
        return {frozenset(re.findall(r"\w+", query.lower())) for query in queries}

    assert as_words(test.keys() - named.keys()).isdisjoint(as_words(development))
    assert all(2 <= len(targets) <= 14 for targets in test.values())


def test_queries_of_the_cognitive_atlas_are_new():
    new = read_queries("cognitive atlas")
    assert len(new) == 60
    assert new.keys().isdisjoint(read_queries("development"))
    assert new.keys().isdisjoint(read_queries("test"))


def test_hub_regions_are_near_few_test_queries(table):
    hubs = table[table["region"].isin(HUBS)].drop_duplicates(["region", "side"])
    assert set(hubs["region"]) == set(HUBS)
    places = hubs[["x", "y", "z"]].to_numpy(float)
    near = []
    for targets in read_queries("test", group="textbook topics").values():
        distances = np.linalg.norm(places[:, None] - targets, axis=2).min(axis=1)
        by_hub = [np.median(distances[hubs["region"] == hub]) for hub in HUBS]
        near.append(np.array([np.median(distances), *by_hub]) <= MAX_MM)
    shares = np.mean(near, axis=0)
    assert shares[0] <= 0.05
    assert shares[1:].max() <= 0.2


def test_distance_of_strongest_voxels_to_the_nearest_coordinate():
    from nibabel import Nifti1Image

    values = np.zeros((10, 10, 10))
    values[:5, :4, :3] = 1  # 60 voxels of 4 mm around (8, 6, 4)
    img = Nifti1Image(values, np.diag([4.0, 4, 4, 1]))
    queries = {
        "near": np.array([[8.0, 6, 4], [500, 0, 0]]),
        "far": np.full((1, 3), 900),
    }
    distances = distances_to_regions([img, img], queries)
    assert distances["near"] < 12
    assert distances["far"] > 1500
