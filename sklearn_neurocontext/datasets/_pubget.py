"""Load and download articles of PubMed Central with pubget."""

import codecs
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import find_sides
from .._utils.files import data_folder, expand_path
from ._bunch import count_words, make_bunch, warn_about_spaces
from ._files import (
    describe_reading,
    find_files,
    read_columns,
    read_coordinates,
    read_json,
)
from ._ids import join_rows, read_integers, write_study_ids

_SUBSET = "subset_*_extractedData"
_COLUMNS = {
    "metadata.csv": ("pmcid",),
    "text.csv": ("pmcid",),
    "coordinates.csv": ("pmcid", "x", "y", "z"),
}


def load_pubget(directory):
    """Load a corpus that was extracted by pubget.

    Parameters
    ----------
    directory : path-like
        The folder ``subset_…_extractedData``, or a folder that contains this folder
        directly or in a subfolder.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`. The ``study_id`` is
        "PMC" followed by the PMCID.

    Raises
    ------
    FileNotFoundError
        If there are no extracted data, or if one of the extracted files is missing.
    ValueError
        If there are several folders of extracted data, if there is no article, if a
        column is missing, or if no peak belongs to a study of the corpus.

    Warns
    -----
    UserWarning
        If pubget recorded that the extraction is incomplete, or if the file
        ``coordinate_space.csv`` is empty or belongs to other articles.

    References
    ----------
    Dockès et al., Mass analysis of the biomedical literature with pubget, eLife 2024;
    https://github.com/neuroquery/pubget (MIT).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_pubget
    >>> corpus = load_pubget("pubget_data/query_d41d8")  # doctest: +SKIP
    """
    folder = _find_extraction(expand_path(directory))
    info = folder / "info.json"
    content = read_json(info) if info.is_file() else {}
    if isinstance(content, dict) and not content.get("is_complete", True):
        warnings.warn(
            f"According to pubget, the extraction in {folder.name} is incomplete. Some "
            "studies are missing. Run pubget again to complete the extraction.",
            UserWarning,
            stacklevel=2,
        )
    return warn_about_spaces(_read_extraction(folder))


def fetch_pubget(query: str, data_home=None, *, n_docs=None, api_key=None, n_jobs=1):
    """Download the articles that match a PubMed Central query, and load them.

    This function runs three steps of pubget. The first step downloads files that
    contain several articles, the second step extracts the articles from these files,
    and the third step extracts texts and peaks from the articles. Each step reuses
    existing files. To resume an interrupted download, call the function again.

    Parameters
    ----------
    query : str
        A query in the syntax of PubMed Central's advanced search, for example
        ``"fMRI[abstract] AND (2020[PubDate])"``.
    data_home : path-like or None, default=None
        Folder in which the download folder ``pubget`` is created. If None, the folder
        ``sklearn_neurocontext`` in the user's data folder is used (on Linux,
        ``~/.local/share/sklearn_neurocontext``).
    n_docs : int or None, default=None
        Approximate maximum number of articles. If None, all articles that match the
        query are downloaded.
    api_key : str or None, default=None
        Key for the Entrez utilities of NCBI. A key allows more requests per second.
    n_jobs : int, default=1
        Number of processes for the extraction.

    Returns
    -------
    corpus : Bunch
        The same fields as for `load_pubget`. The corpus contains only articles that
        report peaks.

    Raises
    ------
    ValueError
        If the query is empty, or if none of the articles reports peaks.
    OSError
        If a step of pubget fails.

    Warns
    -----
    UserWarning
        If a step of pubget is incomplete. To complete it, call the function again.

    References
    ----------
    Dockès et al., Mass analysis of the biomedical literature with pubget, eLife 2024.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_pubget
    >>> corpus = fetch_pubget("fMRI[title] AND pain[title]")  # doctest: +SKIP
    """
    import pubget

    if not isinstance(query, str) or not query.strip():
        raise ValueError(
            f"query must be a PubMed Central query; got {query!r}. For example "
            "'fMRI[title] AND pain[title]'."
        )
    folder = data_folder(data_home) / "pubget"
    folder.mkdir(parents=True, exist_ok=True)
    codes = {}
    articlesets, codes["download"] = pubget.download_query_results(
        query, folder, n_docs=n_docs, api_key=api_key
    )
    _check_step(pubget, codes, "download")
    articles, codes["extraction of articles"] = pubget.extract_articles(
        articlesets, n_jobs=n_jobs
    )
    _check_step(pubget, codes, "extraction of articles")
    extracted, codes["extraction of data"] = pubget.extract_data_to_csv(
        articles, articles_with_coords_only=True, n_jobs=n_jobs
    )
    _check_step(pubget, codes, "extraction of data")
    return warn_about_spaces(_read_extraction(Path(extracted)))


def _check_step(pubget, codes: dict, step: str):
    """Raise OSError if a step failed; warn if it is the first incomplete step."""
    if codes[step] == pubget.ExitCode.ERROR:
        raise OSError(
            f"pubget's {step} failed; see its log. Downloaded files are kept. Check "
            "the network and the query, then call again."
        )
    incomplete = [s for s, code in codes.items() if code == pubget.ExitCode.INCOMPLETE]
    if incomplete == [step]:
        warnings.warn(
            f"pubget's {step} is incomplete because of n_docs or a lost connection. "
            "Call again to continue.",
            UserWarning,
            stacklevel=3,
        )


def _find_extraction(directory: Path) -> Path:
    """Find the folder of extracted data: `directory`, or up to two levels below it."""
    if not directory.is_dir():
        raise FileNotFoundError(
            f"The folder {str(directory)!r} does not exist. Pass pubget's query "
            "folder, or the folder subset_…_extractedData in it."
        )
    if (directory / "coordinates.csv").is_file():
        return directory
    for pattern in (_SUBSET, f"*/{_SUBSET}"):
        found = sorted(path for path in directory.glob(pattern) if path.is_dir())
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(path.relative_to(directory)) for path in found)
            raise ValueError(
                f"{str(directory)!r} contains several extractions: {names}. Pass one "
                "of them."
            )
    raise FileNotFoundError(
        f"{str(directory)!r} contains no extracted data: neither coordinates.csv nor a "
        f"folder {_SUBSET}. Run pubget's extract_data step first."
    )


def _read_extraction(folder: Path):
    """Read the corpus from the folder of extracted data."""
    paths = find_files(folder, [*_COLUMNS], "the files extracted by pubget")
    metadata, texts, coordinates = map(read_columns, paths, _COLUMNS.values())
    if not len(metadata):
        raise ValueError(
            f"pubget extracted no article into {folder.name}: metadata.csv has no row. "
            "Check the query."
        )
    studies = _study_table(metadata, texts)
    studies["coordinate_space"], spaces = _read_spaces(folder, studies)
    blanks = describe_reading(metadata, texts, coordinates, spaces)
    rows = join_rows(studies, "pmcid", coordinates["pmcid"], "coordinates.csv")
    known = rows >= 0
    return make_bunch(
        studies,
        rows[known],
        read_coordinates(coordinates[known], "coordinates.csv"),
        studies["coordinate_space"].to_numpy(dtype=object)[rows[known]],
        description=(
            f"{count_words(len(studies), 'article', 'articles')} extracted by pubget."
            f"{blanks}"
        ),
        sides=find_sides(coordinates[known]),
    )


def _study_table(metadata, texts) -> pd.DataFrame:
    """Join metadata and texts; fill missing titles from the metadata."""
    studies = pd.DataFrame({"pmcid": read_integers(metadata["pmcid"], "pmcid")})
    studies["study_id"] = "PMC" + write_study_ids(studies["pmcid"], "pmcid")
    if "pmid" in metadata:
        studies["pmid"] = read_integers(metadata["pmid"], "pmid")
    studies["doi"] = metadata.get("doi")
    studies["year"] = metadata.get("publication_year")
    studies["journal"] = metadata.get("journal")
    rows = join_rows(studies, "pmcid", texts["pmcid"], "text.csv")
    aligned = texts[rows >= 0].set_axis(rows[rows >= 0])
    aligned = aligned[~aligned.index.duplicated()].reindex(studies.index)
    for field in ("title", "keywords", "abstract", "body"):
        studies[field] = aligned.get(field)
    if "title" in metadata:
        titles = studies["title"].astype(object)
        studies["title"] = titles.where(titles.notna(), metadata["title"])
    return studies


def _read_spaces(folder: Path, studies):
    """Return the space of each study (None if unknown), and the table of spaces."""
    columns = ("pmcid", "coordinate_space")
    path = folder / "coordinate_space.csv"
    spaces = np.full(len(studies), None, dtype=object)
    table = pd.DataFrame(columns=columns)
    if not path.is_file():
        return spaces, table
    # A file that is empty or contains only blank cells is treated as a table without
    # rows.
    if path.read_bytes().removeprefix(codecs.BOM_UTF8).strip(b' \t\r\n,"'):
        table = read_columns(path, columns)
    try:
        rows = join_rows(studies, "pmcid", table["pmcid"], path.name)
    except ValueError as error:  # No id, or only ids of other articles.
        warnings.warn(
            f"{path.name} is ignored, and all coordinate spaces are unknown. {error}",
            UserWarning,
            stacklevel=4,
        )
        return spaces, table
    spaces[rows[rows >= 0]] = table["coordinate_space"].to_numpy()[rows >= 0]
    return spaces, table
