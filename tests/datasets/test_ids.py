"""Joins by id, and ids of the wrong kind."""

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext.datasets._ids import join_rows, read_numbers, write_ids

STUDIES = pd.DataFrame(
    {
        "study_id": ["a", "b", "c", "d"],
        "pmid": pd.array([101, 102, None, 104], dtype="Int64"),
        "pmcid": pd.array([9001, 9002, 9003, 101], dtype="Int64"),
    }
)


@pytest.mark.parametrize(
    "ids",
    [
        [12, 7, None],
        [12.0, 7.0, np.nan],
        ["12", " 7 ", None],
        ["12.0", "7.0", ""],
        pd.array([12, 7, None], dtype="Int64"),
        pd.Series([12, 7, None], dtype=object),
    ],
)
def test_numbers_are_read_however_they_are_written(ids):
    numbers = read_numbers(pd.Series(ids), "pmid")
    assert numbers.dtype == "Int64"
    assert numbers.tolist() == [12, 7, pd.NA]


def test_prefix_of_pmcids():
    assert read_numbers(pd.Series(["PMC12", "pmc7"]), "pmcid").tolist() == [12, 7]


def test_pmcids_among_pmids_are_named():
    with pytest.raises(ValueError, match=r"holds 1 PMCIDs, 'PMC12' .* expected PMIDs"):
        read_numbers(pd.Series(["11", "PMC12"]), "pmid")


@pytest.mark.parametrize("wrong", ["12a", 12.5, np.inf, "10.1016/j.x"])
def test_no_whole_numbers_are_named(wrong):
    with pytest.raises(ValueError, match=r"1 cells of the column pmid .* expected PMI"):
        read_numbers(pd.Series([11, wrong]), "pmid")


def test_years_are_read_too():
    with pytest.raises(ValueError, match=r"column year .*'n\.d\.'.* expected years"):
        read_numbers(pd.Series(["2001", "n.d."]), "year")


@pytest.mark.parametrize("as_kind", [int, float, str, object])
def test_join_equals_a_loop(as_kind, rng):
    known = rng.permutation(1000)[:200]
    studies = pd.DataFrame({"pmid": pd.array(known, dtype="Int64")})
    ids = pd.Series(rng.integers(1000, size=500)).astype(as_kind)
    rows = join_rows(studies, "pmid", ids, "peaks")
    where = {pmid: row for row, pmid in enumerate(known)}
    assert rows.tolist() == [where.get(int(one), -1) for one in ids]


def test_missing_ids_join_nothing():
    rows = join_rows(STUDIES, "pmid", [101, None, 104], "peaks")
    assert rows.tolist() == [0, -1, 3]


def test_prefix_joins_where_pmcids_are_meant():
    rows = join_rows(STUDIES, "pmcid", ["PMC9002", "9003"], "peaks")
    assert rows.tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["study_id", "id"])
def test_study_ids_are_words(kind):
    studies = pd.DataFrame({kind: ["007", "7", "7.0"]})
    rows = join_rows(studies, kind, ["7.0", "007", "7"], "peaks")
    assert rows.tolist() == [2, 0, 1]


@pytest.mark.parametrize("kind", ["study_id", "id", "pmid", "pmcid"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", object])
def test_whole_floats_are_whole_numbers(kind, dtype):
    """Also from 1e16 on, where Python writes floats with an exponent."""
    ids = [2.0**55, 12.0, np.nan]
    column = pd.Series(ids).astype(dtype)
    assert write_ids(column, kind).tolist() == [str(2**55), "12", pd.NA]
    studies = pd.DataFrame({kind: ["12", str(2**55)]})
    assert join_rows(studies, kind, column, "peaks").tolist() == [1, 0, -1]


def test_a_wrong_number_is_written_as_python_does():
    with pytest.raises(ValueError, match=r"numbers, 12\.5 among them"):
        read_numbers(pd.Series([11.0, 12.5]), "pmid")


def test_pmids_in_the_place_of_pmcids_are_named():
    with pytest.raises(
        ValueError, match=r"peaks look like PMIDs: 2 of 2 .* and none in pmcid"
    ):
        join_rows(STUDIES, "pmcid", [102, 104], "peaks")


def test_a_chance_match_does_not_hide_the_wrong_kind():
    """The PMID 101 is some other study's PMCID."""
    with pytest.raises(ValueError, match=r"look like PMIDs: 3 of 3 .* and 1 in pmcid"):
        join_rows(STUDIES, "pmcid", [101, 102, 104], "peaks")


def test_pmcids_in_the_place_of_pmids_are_named():
    with pytest.raises(ValueError, match=r"look like PMCIDs.*PMIDs were expected"):
        join_rows(STUDIES, "pmid", [9001, 9003, 9003], "peaks")


def test_ids_that_never_match():
    with pytest.raises(ValueError, match=r"None of the 2 ids .* with 55, .* with 101"):
        join_rows(STUDIES, "pmid", [55, 56], "peaks")


def test_few_matches_of_the_right_kind_are_enough():
    rows = join_rows(STUDIES, "pmid", [55, 56, 57, 102], "peaks")
    assert rows.tolist() == [-1, -1, -1, 1]


def test_nothing_to_join():
    with pytest.raises(ValueError, match="peaks has no row"):
        join_rows(STUDIES, "pmid", [], "peaks")
    with pytest.raises(ValueError, match="There is no study for peaks"):
        join_rows(STUDIES.iloc[:0], "pmid", [1], "peaks")
