"""Read and join ids; errors of wrong ids; groups of rows of the same article."""

import numpy as np
import pandas as pd
import pytest

from sklearn_neurocontext.datasets._ids import (
    group_articles,
    join_rows,
    read_dois,
    read_integers,
    write_ids,
)

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
def test_integers_are_read_from_any_type(ids):
    numbers = read_integers(pd.Series(ids), "pmid")
    assert numbers.dtype == "Int64"
    assert numbers.tolist() == [12, 7, pd.NA]


def test_prefix_of_pmcids():
    assert read_integers(pd.Series(["PMC12", "pmc7"]), "pmcid").tolist() == [12, 7]
    copied = pd.Series(["PMCID: PMC12", "PMCID:7"])
    assert read_integers(copied, "pmcid").tolist() == [12, 7]
    assert write_ids(copied, "pmcid").tolist() == ["12", "7"]
    copied = pd.Series(["PMID: 12", "pmid 7"])
    assert read_integers(copied, "pmid").tolist() == [12, 7]
    assert write_ids(copied, "pmid").tolist() == ["12", "7"]


def test_pmcids_among_pmids_raise():
    with pytest.raises(
        ValueError, match=r"holds 1 PMCIDs, for example 'PMC12'; expected PMIDs"
    ):
        read_integers(pd.Series(["11", "PMC12"]), "pmid")


@pytest.mark.parametrize("wrong", ["12a", 12.5, np.inf, "10.1016/j.x"])
def test_values_other_than_integers_raise(wrong):
    with pytest.raises(ValueError, match=r"1 cells of the column pmid .* expected PMI"):
        read_integers(pd.Series([11, wrong]), "pmid")


def test_wrong_years_raise():
    with pytest.raises(ValueError, match=r"column year .*'n\.d\.'.* expected years"):
        read_integers(pd.Series(["2001", "n.d."]), "year")


@pytest.mark.parametrize("as_kind", [int, float, str, object])
def test_join_rows_equals_a_loop(as_kind, rng):
    known = rng.permutation(1000)[:200]
    studies = pd.DataFrame({"pmid": pd.array(known, dtype="Int64")})
    ids = pd.Series(rng.integers(1000, size=500)).astype(as_kind)
    rows = join_rows(studies, "pmid", ids, "peaks")
    where = {pmid: row for row, pmid in enumerate(known)}
    assert rows.tolist() == [where.get(int(one), -1) for one in ids]


def test_missing_ids_match_no_study():
    rows = join_rows(STUDIES, "pmid", [101, None, 104], "peaks")
    assert rows.tolist() == [0, -1, 3]


def test_pmcids_match_with_or_without_prefix():
    rows = join_rows(STUDIES, "pmcid", ["PMC9002", "9003"], "peaks")
    assert rows.tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["study_id", "id"])
def test_study_ids_are_strings(kind):
    studies = pd.DataFrame({kind: ["007", "7", "7.0"]})
    rows = join_rows(studies, kind, ["7.0", "007", "7"], "peaks")
    assert rows.tolist() == [2, 0, 1]


@pytest.mark.parametrize("kind", ["study_id", "id", "pmid", "pmcid"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", object])
def test_whole_floats_are_formatted_as_integers(kind, dtype):
    # Python formats floats from 1e16 on with an exponent.
    ids = [2.0**55, 12.0, np.nan]
    column = pd.Series(ids).astype(dtype)
    assert write_ids(column, kind).tolist() == [str(2**55), "12", pd.NA]
    studies = pd.DataFrame({kind: ["12", str(2**55)]})
    assert join_rows(studies, kind, column, "peaks").tolist() == [1, 0, -1]


def test_wrong_numbers_are_shown_as_python_numbers():
    with pytest.raises(ValueError, match=r"not integers, for example 12\.5"):
        read_integers(pd.Series([11.0, 12.5]), "pmid")


def test_pmids_instead_of_pmcids_raise():
    with pytest.raises(
        ValueError,
        match=r"peaks look like PMIDs. Of 2 ids, 2 are .*, and 0 are in pmcid",
    ):
        join_rows(STUDIES, "pmcid", [102, 104], "peaks")


def test_wrong_kind_with_an_accidental_match_raises():
    # The PMID 101 is also the PMCID of another study.
    with pytest.raises(
        ValueError, match=r"look like PMIDs. Of 3 ids, 3 are .*, and 1 are in pmcid"
    ):
        join_rows(STUDIES, "pmcid", [101, 102, 104], "peaks")


def test_pmcids_instead_of_pmids_raise():
    with pytest.raises(ValueError, match=r"look like PMCIDs.*Expected PMIDs"):
        join_rows(STUDIES, "pmid", [9001, 9003, 9003], "peaks")


def test_ids_without_any_match_raise():
    with pytest.raises(ValueError, match=r"None of the 2 ids .* is 55; .* pmid is 101"):
        join_rows(STUDIES, "pmid", [55, 56], "peaks")


def test_one_matching_id_is_enough():
    rows = join_rows(STUDIES, "pmid", [55, 56, 57, 102], "peaks")
    assert rows.tolist() == [-1, -1, -1, 1]


def test_empty_tables_raise():
    with pytest.raises(ValueError, match="peaks has no row"):
        join_rows(STUDIES, "pmid", [], "peaks")
    with pytest.raises(ValueError, match="no row, so peaks cannot be joined"):
        join_rows(STUDIES.iloc[:0], "pmid", [1], "peaks")


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
def test_same_title_and_abstract_are_one_article(title, abstract):
    first = (None, "Pain and heat", "We heated.")
    assert group_articles(_studies(first, (7, title, abstract))).tolist() == ["s0"] * 2


def test_same_pmid_with_different_texts():
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
def test_similar_rows_are_different_articles(one, other):
    assert group_articles(_studies(one, other)).tolist() == ["s0", "s1"]


def test_rows_linked_by_a_third_row_are_one_article():
    # The last row has the text of the first row and the PMID of the second row.
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


def test_dois_are_read_in_all_spellings():
    dois = ["10.1002/HBM.1", "doi:10.1002/hbm.1.", "https://doi.org/10.1002/hbm.1", " "]
    expected = ["10.1002/hbm.1"] * 3 + [""] * 3
    assert read_dois(pd.Series([*dois, None, "in press"])).tolist() == expected
    rows = join_rows(pd.DataFrame({"doi": dois[:1]}), "doi", dois[1:], "peaks")
    assert rows.tolist() == [0, 0, -1]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("pmcid", ["PMC7", "8", "7"]),
        ("doi", ["10.1002/a", "10.1002/b", "https://doi.org/10.1002/A"]),
    ],
)
def test_same_pmcid_or_doi_is_one_article(column, cells):
    studies = _studies((1, "a", "A"), (2, "b", "B"), (3, "c", "C"))
    groups = group_articles(studies.assign(**{column: cells}))
    assert groups.tolist() == ["s0", "s1", "s0"]


@pytest.mark.parametrize("as_kind", [object, "string"])
def test_ids_stored_as_text_with_other_signs(as_kind):
    cells = pd.Series(["２００１", "\xa02002\u2009", "'2003", "2004,0"], dtype=as_kind)
    assert read_integers(cells, "year").tolist() == [2001, 2002, 2003, 2004]
    with pytest.raises(ValueError, match="for example '2,001'"):
        read_integers(pd.Series(["2,001"], dtype=as_kind), "year")
