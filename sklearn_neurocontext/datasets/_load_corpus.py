"""Load a corpus by its name, or from files in any supported format."""

import difflib
import re
import warnings
from pathlib import Path

import numpy as np

from .._utils.coordinate_spaces import CoordinateSpaceWarning
from .._utils.files import expand_path
from ._bunch import SkippedPeaksWarning
from ._files import WORKBOOKS, check_no_workbook
from ._merge import merge_corpora
from ._neuroquery_neurosynth import (
    fetch_neuroquery,
    fetch_neurosynth,
    load_neuroquery,
    load_neurosynth,
)
from ._nimare import load_nimare_studyset
from ._pubget import load_pubget
from ._sleuth import load_sleuth
from ._table import load_table

# Names of the corpora that `load_corpus` can load.
CORPORA = ("neuroquery", "neurosynth", "neuroquery+neurosynth", "nimare")
_STUDYSETS = (".json", ".json.gz", ".pkl", ".pkl.gz", ".pickle")
_TABLE = re.compile(r".*\.[ct]sv(\.\w+)?", re.IGNORECASE)
_SLEUTH_FILES = "*.[Tt][Xx][Tt]"
_SUPPORTED = (
    "a folder that contains (1) the file data-…_coordinates.tsv.gz of NeuroQuery or "
    "Neurosynth, (2) the file coordinates.csv or the folder subset_…_extractedData of "
    "pubget, (3) a NiMARE studyset (one JSON file, or studies.parquet and the other "
    "Parquet files), (4) the tables studies.csv and peaks.csv (or .tsv), or (5) text "
    "files (.txt) of Sleuth or GingerALE"
)


def load_corpus(name_or_folder):
    """Load a corpus by its name, or from files.

    Parameters
    ----------
    name_or_folder : str, path-like or list of path-like
        Name or path of the corpus, or a list of text files of Sleuth or GingerALE. The
        names are:

        - ``"neuroquery"``: see `fetch_neuroquery`;
        - ``"neurosynth"``: see `fetch_neurosynth`;
        - ``"neuroquery+neurosynth"``: both corpora, merged by `merge_corpora`;
        - ``"nimare"``: the studies distributed with NiMARE, see `load_nimare_studyset`.

        A path must be one of these:

        - a folder with the files of NeuroQuery, Neurosynth or pubget;
        - a NiMARE studyset, which is a JSON file (``.json`` or ``.json.gz``), a folder
          with one JSON file, or a folder of Parquet files;
        - a folder with the tables ``studies.csv`` and ``peaks.csv`` (or ``.tsv``);
          see `load_table`;
        - a text file (``.txt``) of Sleuth or GingerALE, or a folder of such files; see
          `load_sleuth`.

        The names of the files in a folder determine which loader is used.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`. This function does not
        warn about coordinate spaces or skipped peaks; ``description`` reports them.

    Raises
    ------
    ValueError
        If `name_or_folder` is neither a known name nor the path of a corpus, or if the
        folder contains several files of which only one is expected.

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
        if isinstance(name_or_folder, list | tuple):
            return load_sleuth(name_or_folder)
        if str(name_or_folder) in CORPORA:
            return _load_named(str(name_or_folder))
        return _load_folder(name_or_folder)


def _load_named(name: str):
    """Load a corpus by its name, which is one of `CORPORA`."""
    if name == "nimare":
        return load_nimare_studyset()
    if name == "neuroquery":
        return fetch_neuroquery()
    if name == "neurosynth":
        return fetch_neurosynth()
    return merge_corpora(fetch_neuroquery(), fetch_neurosynth())


def _load_folder(name_or_folder):
    """Load a file, or load a folder with the first loader that matches its files."""
    folder = expand_path(name_or_folder)
    if folder.is_file() and folder.suffix.lower() == ".txt":
        return load_sleuth(folder)
    # `load_nimare_studyset` does not read pickles, but its error explains why.
    if folder.is_file() and folder.name.lower().endswith(_STUDYSETS):
        return load_nimare_studyset(folder)
    if folder.is_file():
        _refuse_file(folder)
    if not folder.is_dir():
        alike = difflib.get_close_matches(str(name_or_folder).lower(), CORPORA, n=1)
        advice = f"Did you mean {alike[0]}?" if alike else "Check the spelling."
        raise ValueError(
            f"{str(name_or_folder)!r} is neither a folder nor one of "
            f"{', '.join(CORPORA)}, and no file has this name. {advice}"
        )
    for loader, patterns in _PATTERNS.items():
        if any(any(folder.glob(pattern)) for pattern in patterns):
            return loader(folder)
    _check_no_workbooks(folder)
    raise ValueError(
        f"No corpus was recognized in {str(folder)!r}. Expected {_SUPPORTED}. To load "
        "tables with other names, use sklearn_neurocontext.datasets.load_table."
    )


def _refuse_file(path):
    """Raise ValueError with advice on a file that is not a corpus."""
    check_no_workbook(path)
    if _TABLE.fullmatch(path.name):
        raise ValueError(
            f"{str(path)!r} is one table; a corpus consists of two tables. Pass a "
            "folder with studies.csv, which has one row per study and the columns "
            "study_id and title or abstract, and peaks.csv, which has one row per peak "
            "and the columns study_id, x, y, z. If one table contains the studies and "
            "the peaks, save it twice, and keep one row per study in studies.csv; in "
            "pandas, use table.drop_duplicates('study_id')."
        )
    raise ValueError(
        f"The file {str(path)!r} is neither a JSON studyset nor a text file (.txt) of "
        f"Sleuth or GingerALE. Pass such a file, or {_SUPPORTED}."
    )


def _check_no_workbooks(folder):
    """Raise ValueError if a folder contains a workbook of Excel."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in WORKBOOKS:
            check_no_workbook(path)


def _find_one(folder, pattern: str) -> Path:
    """Return the only file that matches a pattern; otherwise raise ValueError."""
    found = sorted(folder.glob(pattern))
    if not found:
        _check_no_workbooks(folder)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ValueError(
            f"{str(folder)!r} must contain one file {pattern}; found {names}. Pass "
            f"{_SUPPORTED}."
        )
    return found[0]


def _load_tables(folder):
    """Load the tables of studies and peaks from a folder."""
    names = ("studies.[ct]sv", "peaks.[ct]sv")
    return load_table(*[_find_one(folder, name) for name in names])


def _load_studyset(folder):
    """Load a NiMARE studyset from a folder with Parquet files or one JSON file."""
    in_parquet = (folder / "studies.parquet").is_file()
    pattern = "*.json" if any(folder.glob("*.json")) else "*.json.gz"
    return load_nimare_studyset(folder if in_parquet else _find_one(folder, pattern))


def _load_sleuth_files(folder):
    """Load all text files of Sleuth or GingerALE in a folder."""
    return load_sleuth(sorted(folder.glob(_SLEUTH_FILES)))


# Patterns of the names of the files and subfolders that each loader reads. A folder is
# read by the first loader with a pattern that matches the name of a file or subfolder
# in it.
_PATTERNS = {
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
    _load_tables: ["studies.[ct]sv", "peaks.[ct]sv"],
    _load_studyset: ["studies.parquet", "*.json", "*.json.gz"],
    _load_sleuth_files: [_SLEUTH_FILES],
}


def usable_rows(texts, y) -> np.ndarray:
    """Return the indices of studies with a text and at least one peak in the mask.

    Parameters
    ----------
    texts : sequence of str
        One text per study. An unknown text is an empty string.
    y : ndarray of shape (n_studies, n_components)
        Coefficients of the brain map of each study, which is computed from the peaks
        in the brain mask. If a study has no peak in the mask, all its coefficients are
        zero.

    Returns
    -------
    rows : ndarray of int64
        Indices of the usable studies, in ascending order.

    Raises
    ------
    ValueError
        If `texts` and `y` have different lengths, or if no study is usable.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.datasets import usable_rows
    >>> usable_rows(["pain", "", "words"], np.array([[1.0], [1.0], [0.0]]))
    array([0])
    """
    if len(texts) != len(y):
        raise ValueError(
            "texts and y must both have one row per study; got "
            f"{len(texts)} texts and {len(y)} rows of y."
        )
    has_text = np.array([bool(text and text.strip()) for text in texts], dtype=bool)
    has_peak = np.any(np.asarray(y) != 0, axis=1)
    rows = np.flatnonzero(has_text & has_peak)
    if not rows.size:
        raise ValueError(
            f"No study has both a text and a peak in the mask. Of {len(texts)} "
            f"studies, {has_text.sum()} have a text and {has_peak.sum()} have a peak "
            "in the mask. Choose another text field, or check that peaks are in mm."
        )
    return rows
