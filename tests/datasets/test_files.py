"""Files that are cut off, damaged, of another kind, or lack a column."""

import lzma

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_neurocontext.datasets._files import (
    find_one,
    read_columns,
    read_coordinates,
    read_json,
    read_matrix,
    read_parquet,
)


@pytest.fixture
def table(rng):
    return pd.DataFrame(rng.normal(size=(2000, 3)), columns=["x", "y", "z"])


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.xz"])
def test_tables_by_their_ending(table, tmp_path, ending):
    path = tmp_path / f"peaks{ending}"
    table.to_csv(path, sep="\t" if ".tsv" in ending else ",", index=False)
    pd.testing.assert_frame_equal(read_columns(path, ["x", "z"]), table)


def _cut(path, share=0.5):
    body = path.read_bytes()
    path.write_bytes(body[: int(share * len(body))])


@pytest.mark.parametrize("ending", [".tsv.gz", ".csv.xz", ".csv.zip"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_table_that_is_cut_off(table, tmp_path, ending, share):
    path = tmp_path / f"peaks{ending}"
    table.to_csv(path, index=False)
    _cut(path, share)
    # An empty gzip file is an empty table, which is no damage.
    with pytest.raises(
        (OSError, ValueError), match=r"(?s)peaks\..* cut off.*\. Fetch or copy it anew"
    ):
        read_columns(path)


def test_a_table_of_another_kind(tmp_path):
    path = tmp_path / "peaks.tsv.gz"
    path.write_bytes(lzma.compress(b"x\n1\n"))
    with pytest.raises(OSError, match=r"peaks\.tsv\.gz' cannot be read \(Not a gzip"):
        read_columns(path)
    path = tmp_path / "peaks.csv"
    path.write_bytes(b"title\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"peaks\.csv' is not a table in UTF-8"):
        read_columns(path)


def test_missing_columns_are_named_beside_those_that_are_there(table, tmp_path):
    path = tmp_path / "peaks.csv"
    table.to_csv(path, index=False)
    message = r"peaks\.csv' has no column pmcid, id; it has x, y, z\. Check"
    with pytest.raises(ValueError, match=message):
        read_columns(path, ["pmcid", "x", "id"])


def test_a_file_that_may_not_be_read_keeps_its_error(tmp_path):
    """Damage is not guessed where the system refused."""
    with pytest.raises(IsADirectoryError):
        read_columns(tmp_path)


def test_parquet(table, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "peaks.parquet"
    table.to_parquet(path)
    pd.testing.assert_frame_equal(read_parquet(path, ["x"]), table)
    with pytest.raises(ValueError, match="has no column id; it has x, y, z"):
        read_parquet(path, ["id"])
    _cut(path)
    with pytest.raises(ValueError, match=r"peaks\.parquet' is not a table in Parquet"):
        read_parquet(path)


def test_matrices(tmp_path, rng):
    path = tmp_path / "counts.npz"
    matrix = sparse.csr_array(rng.poisson(0.5, size=(50, 40)))
    sparse.save_npz(path, matrix)
    assert (read_matrix(path) != matrix).nnz == 0
    _cut(path)
    with pytest.raises(OSError, match=r"counts\.npz' cannot be read .*zip.* cut off"):
        read_matrix(path)
    path.write_bytes(b"404: Not Found")
    with pytest.raises(ValueError, match=r"counts\.npz' is not a sparse matrix"):
        read_matrix(path)
    np.savez(path, a=np.eye(2))
    with pytest.raises(ValueError, match=r"counts\.npz' is not a sparse matrix"):
        read_matrix(path)


def test_json(tmp_path):
    path = tmp_path / "studyset.json"
    path.write_text('{"id": 1}')
    assert read_json(path) == {"id": 1}
    _cut(path)
    with pytest.raises(
        ValueError, match=r"studyset\.json' is not JSON .*or is cut off"
    ):
        read_json(path)


def test_coordinates(table):
    xyz = read_coordinates(table.astype(str), "peaks")
    np.testing.assert_array_equal(xyz, table.to_numpy())
    with pytest.raises(ValueError, match="peaks has no column y, z; it has x"):
        read_coordinates(table[["x"]], "peaks")
    wrong = table.astype(object)
    wrong.loc[7, "y"] = "left"
    with pytest.raises(ValueError, match=r"In peaks 1 of 2000 .* row 7: .*, left, "):
        read_coordinates(wrong, "peaks")


def test_a_missing_file_is_named_with_whose_it_is(tmp_path):
    (tmp_path / "text.csv").touch()
    message = (
        r"a\.csv is missing in .*, which holds text\.csv\. .* with pubget's files,"
    )
    with pytest.raises(FileNotFoundError, match=message):
        find_one(tmp_path, "a.csv", "pubget's files")


def test_other_separators_and_encodings_are_named(tmp_path):
    path = tmp_path / "studies.csv"
    path.write_text("pmid;title\n1;pain\n")
    with pytest.raises(ValueError, match="looks separated by ';'; expected ','"):
        read_columns(path, ["pmid"])
    path.write_bytes("pmid,title\n1,Präfrontal\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"UTF-8 .* Save it as UTF-8"):
        read_columns(path, ["pmid"])
