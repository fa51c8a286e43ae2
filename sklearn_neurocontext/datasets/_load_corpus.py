"""Load a corpus by its name, or from a folder whose files tell its kind."""

import warnings
from pathlib import Path

import numpy as np

from ._bunch import CoordinateSpaceWarning, SkippedPeaksWarning
from ._fetchers import fetch_neuroquery, fetch_neurosynth
from ._merge import merge_corpora
from ._neuroquery import load_neuroquery
from ._neurosynth import load_neurosynth
from ._nimare import load_nimare_studyset
from ._pubget import load_pubget
from ._table import load_table

CORPORA = ("neuroquery", "neurosynth", "neuroquery+neurosynth", "nimare")
# The files that tell which loader reads a folder, in the order of trying.
_SIGNS = {
    load_neuroquery: [
        "data-neuroquery_version-*_coordinates.tsv.gz",
        "data/data-neuroquery_version-*_coordinates.tsv.gz",
    ],
    load_neurosynth: [
        "data-neurosynth_version-*_coordinates.tsv.gz",
        "data/data-neurosynth_version-*_coordinates.tsv.gz",
    ],
    load_pubget: [
        "coordinates.csv",
        "subset_*_extractedData",
        "*/subset_*_extractedData",
    ],
    load_table: ["studies.[ct]sv", "peaks.[ct]sv"],
    load_nimare_studyset: ["studies.parquet", "*.json"],
}
_FOLDERS = (
    "a folder with NeuroQuery's or Neurosynth's data-…_coordinates.tsv.gz, with "
    "pubget's coordinates.csv or its folder subset_…_extractedData, with a NiMARE "
    "studyset (studies.parquet and its tables, or one file in JSON), or with the two "
    "tables studies.csv and peaks.csv (or .tsv)"
)


def load_corpus(name_or_folder):
    """Load a corpus by its name, or from a folder.

    Parameters
    ----------
    name_or_folder : str or path-like
        One of ``"neuroquery"``, ``"neurosynth"``, ``"neuroquery+neurosynth"`` (the
        public downloads, or the folder that the environment variable
        ``NEUROCONTEXT_DATA`` names), ``"nimare"`` (the studies that come with NiMARE);
        or a folder of NeuroQuery, Neurosynth or pubget, a NiMARE studyset (a JSON file,
        a folder with one, or a folder in Parquet), or a folder with the two tables
        ``studies.csv`` and ``peaks.csv`` (or ``.tsv``) as `load_table` takes them, each
        recognised by its files. ``~`` is the home folder.

    Returns
    -------
    corpus : Bunch
        ``studies``, ``peaks``, ``groups`` and ``description``, as every loader of
        `sklearn_neurocontext.datasets` gives them. What is known of the peaks' spaces,
        and what was left out, stands in the description, and is not warned of.

    Raises
    ------
    ValueError
        If it is neither a known name nor a corpus's folder or file, or the folder's
        files are unknown or ambiguous.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_corpus
    >>> load_corpus("brainmap")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: 'brainmap' is neither a folder nor one of ...
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoordinateSpaceWarning)
        warnings.simplefilter("ignore", SkippedPeaksWarning)
        if str(name_or_folder) in CORPORA:
            return _load_named(str(name_or_folder))
        return _load_folder(name_or_folder)


def _load_folder(name_or_folder):
    folder = Path(name_or_folder).expanduser()
    if folder.is_file() and folder.suffix == ".json":
        return _load_files(load_nimare_studyset, folder)
    if not folder.is_dir():
        raise ValueError(
            f"{str(name_or_folder)!r} is neither a folder nor one of "
            f"{', '.join(CORPORA)}, nor a studyset in JSON. Check the spelling, or "
            f"pass {_FOLDERS}."
        )
    for loader, patterns in _SIGNS.items():
        if any(any(folder.glob(pattern)) for pattern in patterns):
            return _load_files(loader, folder)
    raise ValueError(
        f"No corpus was recognised in {str(folder)!r}. Expected {_FOLDERS}. Other "
        "tables can be read with sklearn_neurocontext.datasets.load_table."
    )


def _load_files(loader, path: Path):
    if loader is load_table:
        tables = [_the_one(path, f"{name}.[ct]sv") for name in ("studies", "peaks")]
        return load_table(*tables)
    in_json = path.is_dir() and not (path / "studies.parquet").is_file()
    if loader is load_nimare_studyset and in_json:
        path = _the_one(path, "*.json")
    return loader(path)


def _the_one(folder, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ValueError(
            f"Expected one file {pattern} in {str(folder)!r}; there is {names}. Pass "
            f"{_FOLDERS}."
        )
    return found[0]


def _load_named(name: str):
    if name == "nimare":
        return load_nimare_studyset()
    if name == "neuroquery":
        return fetch_neuroquery()
    if name == "neurosynth":
        return fetch_neurosynth()
    return merge_corpora(fetch_neuroquery(), fetch_neurosynth())


def usable_rows(texts, y) -> np.ndarray:
    """Find the studies that have a text and at least one peak in the mask.

    Parameters
    ----------
    texts : sequence of str
        One per study; empty where unknown.
    y : ndarray of shape (n_studies, n_components)
        Coefficients; all zero where no peak lies in the mask.

    Returns
    -------
    rows : ndarray of int64
        Indices of the usable studies, rising.

    Raises
    ------
    ValueError
        If the lengths differ, or no study is usable.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.datasets import usable_rows
    >>> usable_rows(["pain", "", "words"], np.array([[1.0], [1.0], [0.0]]))
    array([0])
    """
    if len(texts) != len(y):
        raise ValueError(
            f"Got {len(texts)} texts and {len(y)} rows of y; expected one of each per "
            "study."
        )
    has_text = np.array([bool(text and text.strip()) for text in texts], dtype=bool)
    has_peak = np.any(np.asarray(y) != 0, axis=1)
    rows = np.flatnonzero(has_text & has_peak)
    if not rows.size:
        raise ValueError(
            f"No study is usable: of {len(texts)}, {has_text.sum()} have a text and "
            f"{has_peak.sum()} a peak in the mask. Choose another text part, and check "
            "that peaks are in mm."
        )
    return rows
