"""What pubget extracts from PubMed Central."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ._bunch import make_bunch, say_spaces
from ._files import find_one, read_columns, read_coordinates, read_json
from ._ids import join_rows, name_studies, read_numbers

_FOLDERS = "subset_*_extractedData"
_WANTED = {
    "metadata.csv": ("pmcid",),
    "text.csv": ("pmcid",),
    "coordinates.csv": ("pmcid", "x", "y", "z"),
}
_TEXTS = ("title", "keywords", "abstract", "body")


def load_pubget(directory):
    """Read a corpus that pubget extracted.

    Parameters
    ----------
    directory : path-like
        The folder ``subset_…_extractedData``, its parent, or the folder of the query.

    Returns
    -------
    corpus : Bunch
        ``studies``, ``peaks``, ``groups``, ``space_counts``, ``description`` as every
        loader gives them. The ``study_id`` is ``PMC`` and the PMCID. Peaks that pubget
        calls TAL are converted to MNI.

    Raises
    ------
    FileNotFoundError
        If no extracted data, or one of its files, is there.
    ValueError
        If there are several, it holds no article, a column is missing, or no peak
        belongs to a study.

    Warns
    -----
    UserWarning
        If pubget notes that the extraction is incomplete.

    References
    ----------
    Dockès et al., Mass analysis of the biomedical literature with pubget, eLife 2024;
    https://github.com/neuroquery/pubget (MIT).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_pubget
    >>> corpus = load_pubget("pubget_data/query_d41d8")  # doctest: +SKIP
    """
    folder = _find_extracted(Path(directory).expanduser())
    _warn_incomplete(folder)
    return say_spaces(read_pubget(folder))


def read_pubget(folder: Path):
    """Read the corpus from the folder with the extracted data."""
    metadata, texts, coordinates = (
        read_columns(find_one(folder, name, "the files that pubget extracted"), wanted)
        for name, wanted in _WANTED.items()
    )
    if not len(metadata):
        raise ValueError(
            f"pubget extracted no article into {folder.name}: metadata.csv has no row. "
            "Check the query."
        )
    studies = _study_table(metadata, texts)
    rows = join_rows(studies, "pmcid", coordinates["pmcid"], "coordinates.csv")
    known = rows >= 0
    studies["coordinate_space"] = _read_spaces(folder, studies)
    return make_bunch(
        studies,
        rows[known],
        read_coordinates(coordinates[known], "coordinates.csv"),
        studies["coordinate_space"].to_numpy(dtype=object)[rows[known]],
        description=f"{len(studies):,} articles that pubget extracted.",
    )


def _find_extracted(directory: Path) -> Path:
    if not directory.is_dir():
        raise FileNotFoundError(
            f"{str(directory)!r} is no folder. Pass pubget's query folder or the "
            "folder subset_…_extractedData in it."
        )
    if (directory / "coordinates.csv").is_file():
        return directory
    for pattern in (_FOLDERS, f"*/{_FOLDERS}"):
        found = sorted(path for path in directory.glob(pattern) if path.is_dir())
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(path.relative_to(directory)) for path in found)
            raise ValueError(
                f"{str(directory)!r} holds several extractions: {names}. Pass one."
            )
    raise FileNotFoundError(
        f"No extracted data in {str(directory)!r}: neither coordinates.csv nor a "
        f"folder {_FOLDERS}. Run pubget's extract_data step first."
    )


def _warn_incomplete(folder: Path):
    info = folder / "info.json"
    if info.is_file() and not read_json(info).get("is_complete", True):
        warnings.warn(
            f"pubget notes that the extraction in {folder.name} is incomplete; its "
            "studies are some of all. Run pubget again to complete it.",
            UserWarning,
            stacklevel=3,
        )


def _study_table(metadata, texts) -> pd.DataFrame:
    studies = pd.DataFrame({"pmcid": read_numbers(metadata["pmcid"], "pmcid")})
    studies["study_id"] = "PMC" + name_studies(studies["pmcid"], "pmcid")
    if "pmid" in metadata:
        studies["pmid"] = read_numbers(metadata["pmid"], "pmid")
    studies["year"] = metadata.get("publication_year")
    studies["journal"] = metadata.get("journal")
    rows = join_rows(studies, "pmcid", texts["pmcid"], "text.csv")
    aligned = texts[rows >= 0].set_axis(rows[rows >= 0])
    aligned = aligned[~aligned.index.duplicated()].reindex(studies.index)
    for part in _TEXTS:
        studies[part] = aligned.get(part)
    if "title" in metadata:
        titles = studies["title"].astype(object)
        studies["title"] = titles.where(titles.notna(), metadata["title"])
    return studies


def _read_spaces(folder: Path, studies) -> np.ndarray:
    path = folder / "coordinate_space.csv"
    spaces = np.full(len(studies), None, dtype=object)
    if path.is_file():
        table = read_columns(path, ("pmcid", "coordinate_space"))
        rows = join_rows(studies, "pmcid", table["pmcid"], path.name)
        spaces[rows[rows >= 0]] = table["coordinate_space"].to_numpy()[rows >= 0]
    return spaces
