"""Load and download the public corpora of NeuroQuery and Neurosynth."""

import re

import pandas as pd

from .._utils.coordinate_spaces import find_sides
from .._utils.files import expand_path
from ._bunch import count_words, make_bunch, warn_about_spaces
from ._files import (
    describe_reading,
    fetch_files,
    find_files,
    read_columns,
    read_coordinates,
    read_matrix,
)
from ._ids import join_rows, write_study_ids

_GITHUB = "https://raw.githubusercontent.com/"
_NEUROQUERY_URL = (
    f"{_GITHUB}neuroquery/neuroquery_data/"
    "4580f86267fb7c14ac1f601e298cbed898d79f2d/data/"
)
_NEUROSYNTH_URL = (
    f"{_GITHUB}neurosynth/neurosynth-data/209c33cd009d0b069398a802198b41b9c488b9b7/"
)
_STEM = "data-neuroquery_version-1_"
_VOCABULARY = _STEM + "vocab-neuroquery156521_"
COUNTED_FIELDS = ("title", "keywords", "abstract")
# Size in bytes and SHA-256 of each file at the commit in its URL.
NEUROQUERY_FILES = {
    _STEM + "coordinates.tsv.gz": (
        2758923,
        "b97cf50346dc8a6f78b3c02c8a19680679d7dbdf35f760a1032e46c2cad3666c",
    ),
    _STEM + "metadata.tsv.gz": (
        495821,
        "d84d2c7b2e2ca1692381419833fde043fb42d279014104c3c957feeeece140ea",
    ),
    _VOCABULARY + "source-title_type-count_features.npz": (
        259468,
        "ce0f1aa8453531bbe9f9132ddc645648a9c59edac5583bb8f29a4255e74bdf31",
    ),
    _VOCABULARY + "source-keywords_type-count_features.npz": (
        177873,
        "dcdef30aa83e794cde4ff04a554d76446ca1599f1c304eb45286ad201479a2e1",
    ),
    _VOCABULARY + "source-abstract_type-count_features.npz": (
        2927907,
        "1afb653a7c638377dae3ac9785e0e7ba04d62d89ecbd4c2b2dee8514365138c8",
    ),
    _VOCABULARY + "vocabulary.txt": (
        1392309,
        "54a768ac2cd266f38a3010a20fd8b10abb107677776c8bda7060c8f9a4517793",
    ),
}
NEUROSYNTH_FILES = {
    "data-neurosynth_version-7_coordinates.tsv.gz": (
        3587167,
        "17135be3e08a0ab045896c77217e8463086543a0817d52a6a88c8e32c1161616",
    ),
    "data-neurosynth_version-7_metadata.tsv.gz": (
        1175486,
        "8acde7de2a14ee2a12b406e50a8805e83288b0bc78924ddb36879d496dfb757b",
    ),
}

_NEUROSYNTH = re.compile(r"data-neurosynth_version-(\d+)_coordinates\.tsv\.gz")


def load_neuroquery(directory):
    """Load the corpus of NeuroQuery from a folder.

    Parameters
    ----------
    directory : path-like
        Folder that contains the public files of NeuroQuery, directly or in its
        subfolder ``data``. For example, the folder may be a clone of the repository
        ``neuroquery_data``.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`, and two more fields.
        ``term_counts`` is a dict with the keys "title", "keywords" and "abstract"; each
        value is a float64 csr_array of shape (n_studies, n_terms), which contains the
        number of times that each term occurs in this text field of each study.
        ``vocabulary`` is the list of the n_terms terms. NeuroQuery does not state
        coordinate spaces. Therefore, ``coordinate_space`` is UNKNOWN, and no peak is
        converted. To copy the spaces from Neurosynth, use `merge_corpora`.

    Raises
    ------
    FileNotFoundError
        If the folder or a file is missing.
    OSError
        If a file is truncated or damaged.
    ValueError
        If a column is missing, or if no peak belongs to a study of the corpus.

    References
    ----------
    Dockès et al., NeuroQuery, comprehensive meta-analysis of human brain mapping,
    eLife 2020; https://github.com/neuroquery/neuroquery_data (BSD-3-Clause).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_neuroquery
    >>> corpus = load_neuroquery("neuroquery_data")  # doctest: +SKIP
    """
    paths = find_files(directory, [*NEUROQUERY_FILES], "NeuroQuery's public files")
    return warn_about_spaces(_read_neuroquery(paths))


def fetch_neuroquery(data_home=None):
    """Load the corpus of NeuroQuery; download its files if they are missing.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Download folder. If None, the folder ``sklearn_neurocontext`` in the user's data
        folder is used (on Linux, ``~/.local/share/sklearn_neurocontext``). If the
        environment variable ``NEUROCONTEXT_DATA`` names a folder, the files in its
        subfolder ``neuroquery`` are used instead, without verification.

    Returns
    -------
    corpus : Bunch
        The same fields as for `load_neuroquery`, and ``files``, a dict that maps each
        file name to ``"verified"`` or ``"local, unverified"``.

    Raises
    ------
    OSError
        If a file cannot be downloaded, or if its SHA-256 differs from that of the
        published file.

    References
    ----------
    https://github.com/neuroquery/neuroquery_data, at a fixed commit (BSD-3-Clause).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_neuroquery
    >>> corpus = fetch_neuroquery()  # doctest: +SKIP
    """
    files = fetch_files("neuroquery", _NEUROQUERY_URL, NEUROQUERY_FILES, data_home)
    return warn_about_spaces(_add_files(_read_neuroquery([*files]), files))


def load_neurosynth(directory):
    """Load the corpus of Neurosynth from a folder.

    Parameters
    ----------
    directory : path-like
        Folder with the public files of Neurosynth, for example
        ``data-neurosynth_version-7_coordinates.tsv.gz`` and
        ``data-neurosynth_version-7_metadata.tsv.gz``. Versions 3 to 7 are supported. If
        the folder contains several versions, the newest one is loaded.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`.

    Raises
    ------
    FileNotFoundError
        If the folder or a file is missing.
    OSError
        If a file is truncated or damaged.
    ValueError
        If a column is missing, or if no peak belongs to a study of the corpus.

    References
    ----------
    Yarkoni et al., Large-scale automated synthesis of human functional neuroimaging
    data, Nature Methods 2011; https://github.com/neurosynth/neurosynth-data (ODbL).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_neurosynth
    >>> corpus = load_neurosynth("neurosynth-data")  # doctest: +SKIP
    """
    names = _newest_neurosynth_files(expand_path(directory))
    paths = find_files(directory, names, "Neurosynth's public files")
    return warn_about_spaces(_read_neurosynth(paths))


def fetch_neurosynth(data_home=None):
    """Load the corpus of Neurosynth, version 7; download missing files.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Download folder. If None, the folder ``sklearn_neurocontext`` in the user's data
        folder is used (on Linux, ``~/.local/share/sklearn_neurocontext``). If the
        environment variable ``NEUROCONTEXT_DATA`` names a folder, the files in its
        subfolder ``neurosynth`` are used instead, without verification.

    Returns
    -------
    corpus : Bunch
        The same fields as for `load_neurosynth`, and ``files``, a dict that maps each
        file name to ``"verified"`` or ``"local, unverified"``.

    Raises
    ------
    OSError
        If a file cannot be downloaded, or if its SHA-256 differs from that of the
        published file.

    References
    ----------
    https://github.com/neurosynth/neurosynth-data, at a fixed commit (ODbL).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_neurosynth
    >>> corpus = fetch_neurosynth()  # doctest: +SKIP
    """
    files = fetch_files("neurosynth", _NEUROSYNTH_URL, NEUROSYNTH_FILES, data_home)
    return warn_about_spaces(_add_files(_read_neurosynth([*files]), files))


def _read_neuroquery(paths):
    """Read the corpus; `paths` has the same order as `NEUROQUERY_FILES`."""
    counts = dict(zip(COUNTED_FIELDS, map(read_matrix, paths[2:5]), strict=True))
    vocabulary = paths[5].read_text(encoding="utf-8").rstrip().splitlines()
    corpus = _read_tables(
        paths, ("title",), "NeuroQuery", term_counts=counts, vocabulary=vocabulary
    )
    expected = (len(corpus.studies), len(vocabulary))
    for field, matrix in counts.items():
        if matrix.shape != expected:
            raise ValueError(
                f"The term counts of {field} have shape {matrix.shape}; expected "
                f"{expected}, the numbers of studies and of terms. Use files that all "
                "belong to the same release."
            )
    return corpus


def _newest_neurosynth_files(folder) -> list[str]:
    """Return the names of the files of the newest version of Neurosynth in a folder."""
    names = [path.name for part in (folder, folder / "data") for path in part.glob("*")]
    versions = [int(found[1]) for found in map(_NEUROSYNTH.fullmatch, names) if found]
    newest = f"version-{max(versions, default=7)}_"
    return [name.replace("version-7_", newest) for name in NEUROSYNTH_FILES]


def _read_neurosynth(paths):
    """Read the corpus; `paths` has the same order as `NEUROSYNTH_FILES`."""
    columns = ("space", "title", "year", "journal")
    version = _NEUROSYNTH.fullmatch(paths[0].name)[1]
    return _read_tables(paths, columns, f"Neurosynth, version {version}")


def _read_tables(paths, columns, name, **extra):
    """Read a corpus; `paths` starts with the tables of peaks and of metadata."""
    coordinates = read_columns(paths[0], ("id", "x", "y", "z"))
    metadata = read_columns(paths[1], ("id", *columns))
    studies = metadata[["id", *columns]].rename(
        columns={"id": "pmid", "space": "coordinate_space"}
    )
    studies["doi"] = metadata.get("doi")
    studies["study_id"] = write_study_ids(studies["pmid"], "pmid")
    rows = join_rows(studies, "pmid", coordinates["id"], paths[0].name)
    known = rows >= 0
    unknown = pd.Series(pd.NA, index=studies.index)
    spaces = studies.get("coordinate_space", unknown).to_numpy(dtype=object)
    return make_bunch(
        studies,
        rows[known],
        read_coordinates(coordinates[known], paths[0].name),
        spaces[rows[known]],
        description=f"Corpus of {name}, "
        f"{count_words(len(studies), 'study', 'studies')}."
        + describe_reading(metadata, coordinates),
        sides=find_sides(coordinates[known]),
        is_published=True,
        **extra,
    )


def _add_files(corpus, files):
    """Add the field ``files`` to a corpus, and add its values to the description."""
    corpus.files = {path.name: state for path, state in files.items()}
    corpus.description += f" Files: {' and '.join(sorted(set(files.values())))}."
    return corpus
