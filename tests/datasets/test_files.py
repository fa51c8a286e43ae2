"""Find, download and read files; errors of damaged and incomplete files."""

import csv
import gzip
import hashlib
import lzma
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_neurocontext.datasets._files import (
    describe_reading,
    fetch_files,
    find_files,
    read_columns,
    read_coordinates,
    read_json,
    read_matrix,
    read_parquet,
)


@pytest.fixture
def table(rng):
    return pd.DataFrame(rng.normal(size=(2000, 3)), columns=["x", "y", "z"])


@pytest.mark.parametrize("extension", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.xz"])
def test_tables_are_read_by_extension(table, tmp_path, extension):
    path = tmp_path / f"peaks{extension}"
    table.to_csv(path, sep="\t" if ".tsv" in extension else ",", index=False)
    pd.testing.assert_frame_equal(read_columns(path, ["x", "z"]), table)


def _truncate(path, share=0.5):
    body = path.read_bytes()
    path.write_bytes(body[: int(share * len(body))])


@pytest.mark.parametrize("extension", [".tsv.gz", ".csv.xz", ".csv.zip"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_table_raises(table, tmp_path, extension, share):
    path = tmp_path / f"peaks{extension}"
    table.to_csv(path, index=False)
    _truncate(path, share)
    # An empty gzip file raises ValueError, as it is read as an empty table.
    with pytest.raises(
        (OSError, ValueError), match=r"(?s)peaks\..* truncated.*\. Download or copy it"
    ):
        read_columns(path)


def test_table_in_another_format_raises(tmp_path):
    path = tmp_path / "peaks.tsv.gz"
    path.write_bytes(lzma.compress(b"x\n1\n"))
    with pytest.raises(OSError, match=r"peaks\.tsv\.gz' cannot be read \(Not a gzip"):
        read_columns(path)


def test_missing_columns_raise_with_those_present(table, tmp_path):
    path = tmp_path / "peaks.csv"
    table.to_csv(path, index=False)
    message = r"peaks\.csv' has no column pmcid, id; it has x, y, z\. Check"
    with pytest.raises(ValueError, match=message):
        read_columns(path, ["pmcid", "x", "id"])


def test_system_errors_are_not_changed(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_columns(tmp_path)


def test_parquet(table, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "peaks.parquet"
    table.to_parquet(path)
    pd.testing.assert_frame_equal(read_parquet(path, ["x"]), table)
    with pytest.raises(ValueError, match="has no column id; it has x, y, z"):
        read_parquet(path, ["id"])
    _truncate(path)
    with pytest.raises(ValueError, match=r"peaks\.parquet' is not a table in Parquet"):
        read_parquet(path)


def test_matrices(tmp_path, rng):
    path = tmp_path / "counts.npz"
    matrix = sparse.csr_array(rng.poisson(0.5, size=(50, 40)))
    sparse.save_npz(path, matrix)
    assert (read_matrix(path) != matrix).nnz == 0
    _truncate(path)
    with pytest.raises(OSError, match=r"counts\.npz' cannot be read .*zip.* truncated"):
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
    _truncate(path)
    with pytest.raises(
        ValueError, match=r"studyset\.json' is not JSON .*or is truncated"
    ):
        read_json(path)


def test_coordinates(table):
    xyz = read_coordinates(table.astype(str), "peaks")
    np.testing.assert_array_equal(xyz, table.to_numpy())
    with pytest.raises(ValueError, match="peaks has no column y, z; it has x"):
        read_coordinates(table[["x"]], "peaks")
    wrong = table.astype(object)
    wrong.loc[7, "y"] = "left"
    with pytest.raises(
        ValueError,
        match=r"In peaks, .* of 1 of 2000 .* row 8 of the table .*: .*; left; ",
    ):
        read_coordinates(wrong, "peaks")


def test_missing_file_raises_with_its_source(tmp_path):
    (tmp_path / "text.csv").touch()
    message = r"a\.csv is missing in .*, which contains text\.csv\. .* pubget's files,"
    with pytest.raises(FileNotFoundError, match=message):
        find_files(tmp_path, ["a.csv"], "pubget's files")
    with pytest.raises(FileNotFoundError, match=r"nowhere' does not exist. Pass the"):
        find_files(tmp_path / "nowhere", ["a.csv"], "pubget's files")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("extension", [".csv", ".tsv", ".txt", ".csv.gz"])
def test_separators_and_encodings(tmp_path, encoding, separator, extension):
    path = tmp_path / f"studies{extension}"
    expected = pd.DataFrame({"title, short": ["Müller; a, b\tc", "“x”"], "x": [1, 2]})
    expected.to_csv(
        path,
        sep=separator,
        encoding=encoding,
        index=False,
        quoting=csv.QUOTE_NONNUMERIC,
    )
    found = read_columns(path)
    pd.testing.assert_frame_equal(found, expected)
    note = f" {path.name} is not UTF-8 and was read as Windows-1252."
    assert describe_reading(found) == note * (encoding == "cp1252")


def test_unclear_separators_raise(tmp_path):
    path = tmp_path / "studies.csv"
    path.write_text("pmid;title\tyear\n1;pain\t2001\n")
    with pytest.raises(ValueError, match=r"is unclear .* Put names that contain a sep"):
        read_columns(path)
    path.write_text('"pmid";"title\tyear"\n1;pain\n')
    assert read_columns(path).columns.tolist() == ["pmid", "title\tyear"]


def test_binary_files_and_workbooks_raise(tmp_path):
    path = tmp_path / "studies.csv"
    path.write_bytes("pmid,title\n".encode("utf-16-le"))
    with pytest.raises(ValueError, match=r"studies\.csv is not a text .* zero bytes"):
        read_columns(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    (tmp_path / "old.csv").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(99))
    (tmp_path / "new.XLSX").write_text("pmid")
    for each in tmp_path.iterdir():
        with pytest.raises(ValueError, match=r"got an Excel .*pandas\.read_excel"):
            read_columns(each)


# Downloads

BODY = bytes(range(256)) * 1000
NAME = "peaks.tsv.gz"
SHA256 = hashlib.sha256(BODY).hexdigest()
REGISTRY = {NAME: (len(BODY), SHA256)}


@pytest.fixture
def address(server, no_local_files):
    server.files[NAME] = BODY
    return server.url


@pytest.fixture
def path(tmp_path):
    return tmp_path / "corpus" / NAME


def _fetch(address, home, registry=REGISTRY):
    return fetch_files("corpus", address, registry, home)


def test_file_is_downloaded_once_and_verified(address, tmp_path, path, server):
    for _ in range(2):
        assert _fetch(address, tmp_path) == {path: "verified"}
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask(tmp_path)
    assert server.requests == [NAME]


def _umask(folder):
    (folder / "new").touch()
    return 0o777 & ~stat.S_IMODE((folder / "new").stat().st_mode)


@pytest.mark.parametrize(
    "failures", [{"cuts": [100_000, 50_000]}, {"statuses": [503, 404]}]
)
def test_failed_download_is_repeated(address, tmp_path, path, server, failures):
    for name, values in failures.items():
        getattr(server, name).extend(values)
    _fetch(address, tmp_path)
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]


def test_missing_download_raises(address, tmp_path, path, server):
    server.files.clear()
    message = r"peaks\.tsv\.gz could not .* from http.*404 .*NEUROCONTEXT_DATA to <"
    with pytest.raises(OSError, match=message):
        _fetch(address, tmp_path)
    assert list(path.parent.iterdir()) == []


def test_unreachable_server_raises(tmp_path, path, address, server):
    server.close()
    with pytest.raises(OSError, match=r"could not be downloaded from http.*corpus/pea"):
        _fetch(address, tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("body", [BODY[::-1], BODY[:-1]])
def test_download_with_another_hash_raises(address, tmp_path, path, server, body):
    server.files[NAME] = body
    with pytest.raises(OSError, match=f"(?s){SHA256}.*{_sha256(body)}"):
        _fetch(address, tmp_path)
    assert list(path.parent.iterdir()) == []


def _sha256(body):
    return hashlib.sha256(body).hexdigest()


def test_too_large_download_raises(address, tmp_path, path, server):
    server.files[NAME] = BODY * 10
    with pytest.raises(OSError, match="sent more than the published 256,000 bytes"):
        _fetch(address, tmp_path)
    assert list(path.parent.iterdir()) == []
    assert server.requests == [NAME]


def test_file_appears_only_when_verified(address, tmp_path, path, monkeypatch):
    seen = []
    check = "pooch.core.hash_matches"
    monkeypatch.setattr(check, lambda *args, **kwargs: seen.append(path.exists()))
    _fetch(address, tmp_path)
    assert seen == [False]
    assert path.exists()


def test_simultaneous_downloads(address, tmp_path, path):
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(_fetch, address, tmp_path) for _ in range(4)]
        assert [call.result() for call in calls] == [{path: "verified"}] * 4
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]


def test_existing_file_is_verified_without_network(
    path, tmp_path, no_local_files, no_network
):
    path.parent.mkdir()
    path.write_bytes(BODY)
    assert _fetch("http://127.0.0.1/", tmp_path) == {path: "verified"}


def test_existing_file_with_another_hash_is_not_replaced(
    path, tmp_path, no_local_files, no_network, monkeypatch
):
    path.parent.mkdir()
    path.write_bytes(b"a subset")
    with pytest.raises(OSError, match="The file was left unchanged") as raised:
        _fetch("http://127.0.0.1/", tmp_path)
    for part in (str(path), _sha256(b"a subset"), SHA256, repr(str(tmp_path))):
        assert part in str(raised.value)
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path))
    assert _fetch("http://127.0.0.1/", tmp_path) == {path: "local, unverified"}
    assert path.read_bytes() == b"a subset"


def test_local_files_take_precedence(address, tmp_path, monkeypatch, server):
    local = tmp_path / "local" / "corpus" / "studies.tsv"
    local.parent.mkdir(parents=True)
    local.write_text("own")
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(tmp_path / "local"))
    files = _fetch(address, tmp_path / "home", {"studies.tsv": (3, "")} | REGISTRY)
    downloaded = tmp_path / "home" / "corpus" / NAME
    assert files == {local: "local, unverified", downloaded: "verified"}
    assert list(files) == [local, downloaded]
    assert server.requests == [NAME]


# Rows longer than the header

HEADER = "pmid,x,y,z"


def _write_long_rows(path, table, header, ends):
    """Write a table in CSV or TSV; append `ends[i % len(ends)]` to row i."""
    rows = [",".join(map(repr, row)) for row in table.to_numpy().tolist()]
    rows = [row + ends[i % len(ends)] for i, row in enumerate(rows)]
    separator = "\t" if ".tsv" in path.suffixes else ","
    text = "\n".join([header, *rows, ""]).replace(",", separator)
    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "wt", encoding="utf-8") as stream:
        stream.write(text)


@pytest.fixture
def peaks(rng):
    """Return 200 peaks whose ids would also be valid indices."""
    table = pd.DataFrame(rng.normal(scale=40, size=(200, 4)), columns=HEADER.split(","))
    return table.assign(pmid=rng.integers(1, 60, size=200).astype(float))


@pytest.mark.parametrize("extension", [".csv", ".tsv", ".csv.gz", ".tsv.gz"])
@pytest.mark.parametrize(
    ("header", "ends"),
    [
        (HEADER, [","]),
        (HEADER, [",,,"]),
        (HEADER, ["", ",", ", ,"]),
        (HEADER, [",left"]),
        (HEADER, [",", ",7", ",5.5,"]),
        (HEADER + ",", [",left"]),
        (HEADER + ",", [",left,,", ","]),
        ("\ufeff" + HEADER, [","]),
    ],
)
def test_rows_longer_than_the_header(peaks, tmp_path, extension, header, ends):
    path = tmp_path / f"peaks{extension}"
    _write_long_rows(path, peaks, header, ends)
    found = read_columns(path)[HEADER.split(",")]
    pd.testing.assert_frame_equal(found, peaks)


def test_ids_that_count_rows_are_not_an_index(peaks, tmp_path):
    path = tmp_path / "peaks.csv"
    for first in (0, 1):
        table = peaks.assign(pmid=np.arange(first, 200.0 + first))
        _write_long_rows(path, table, HEADER, [","])
        pd.testing.assert_frame_equal(read_columns(path), table)


def test_row_numbers_of_r(peaks, tmp_path):
    # The function write.table of R writes row names without a name in the header.
    path = tmp_path / "peaks.tsv"
    header = '"pmid"\t"x"\t"y"\t"z"\n'
    for step in (1, 3):  # A subset of rows keeps its row names.
        named = peaks.set_axis([f"{1 + step * row}" for row in peaks.index])
        rows = named.to_csv(
            sep="\t", header=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n"
        )
        path.write_bytes((header + rows).encode())
        pd.testing.assert_frame_equal(read_columns(path)[peaks.columns], peaks)
    rows = peaks.set_axis(peaks.index + 1).to_csv(sep="\t", header=False)
    path.write_text(header.replace('"', "") + rows)
    with pytest.raises(ValueError, match=r"(?s)must not be longer.*row\.names = FALSE"):
        read_columns(path)


@pytest.mark.parametrize(
    ("header", "rows", "shown"),
    [
        ("pmid,title,year", ["11,Pain,2001", "12,Pain, and heat,2002"], "12,Pain, and"),
        ("pmid,x,y,z", ["11,-42,5,-22,0,54,5", "12,4,5,0,5,60,5"], "11,-42,5"),
        ("pmid,title", ["11,Pain,a,b", "12,Words,a,b"], "11,Pain,a,b"),
    ],
)
def test_rows_with_unquoted_commas_raise(tmp_path, header, rows, shown):
    path = tmp_path / "table.csv"
    path.write_text("\n".join([header, *rows]))
    with pytest.raises(ValueError, match=f"table.csv' must not be longer .* '{shown}"):
        read_columns(path)


def test_blocks_of_rows_of_excel(peaks, tmp_path):
    # Excel writes 16 rows at a time, with separators up to the last cell of the block.
    path = tmp_path / "peaks.csv"
    _write_long_rows(path, peaks, HEADER, [""])
    lines = path.read_text().splitlines()
    lines[32:48] = [line + "," for line in lines[32:48]]
    lines[40] += "see note 2"
    path.write_text("\n".join(lines))
    found = read_columns(path)
    pd.testing.assert_frame_equal(found[peaks.columns], peaks)
    assert found.iloc[:, 4].dropna().to_dict() == {39: "see note 2"}
    lines[70] += ",5"
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="must not be longer than its header"):
        read_columns(path)


def test_blank_rows_and_columns_are_counted(tmp_path):
    path = tmp_path / "studies.csv"
    path.write_text("pmid,title,,\n11,Pain,,\n12,,,\n , ,,\n,,,\n")
    table = read_columns(path)
    assert table.to_dict("list") == {"pmid": ["11", "12"], "title": ["Pain", np.nan]}
    expected = " Skipped 2 blank rows and 2 blank columns of studies.csv."
    assert describe_reading(table, table[["pmid"]]) == expected + expected
    path.write_text("pmid,title\n11,Pain\n")
    assert describe_reading(read_columns(path)) == ""


def test_long_texts_in_long_rows(tmp_path):
    body = 'words, and "words"\n' * 10_000
    path = tmp_path / "text.csv"
    quoted = body.replace('"', '""')
    path.write_text(f'pmcid,body\n1,"{quoted}",\n2,"b",\n')
    assert read_columns(path)["body"].tolist() == [body, "b"]
    path.write_text('pmcid,body\n1,"b",\n2,"b,\n')
    with pytest.raises(
        ValueError, match=r"text\.csv' is not a table in CSV or TSV, or is tr"
    ):
        read_columns(path)
