"""Neurosynth's corpus: peaks, titles, years, journals, coordinate spaces."""

import pandas as pd

from ._bunch import make_bunch, say_spaces
from ._files import find_one, locate, read_columns, read_coordinates
from ._ids import join_rows, name_studies

STEM = "data-neurosynth_version-7_"
FILES = (STEM + "coordinates.tsv.gz", STEM + "metadata.tsv.gz")


def load_neurosynth(directory):
    """Read Neurosynth's corpus, version 7, from a folder.

    Parameters
    ----------
    directory : path-like
        Folder with the public files.

    Returns
    -------
    corpus : Bunch
        ``studies``, ``peaks``, ``groups``, ``space_counts``, ``description`` as every
        loader gives them. Peaks that Neurosynth calls TAL are converted to MNI.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is missing.
    OSError
        If a file is cut off or damaged.
    ValueError
        If a column is missing, or no peak belongs to a study.

    References
    ----------
    Yarkoni et al., Large-scale automated synthesis of human functional neuroimaging
    data, Nature Methods 2011; https://github.com/neurosynth/neurosynth-data (ODbL).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_neurosynth
    >>> corpus = load_neurosynth("neurosynth-data")  # doctest: +SKIP
    """
    folder = locate(directory, FILES[0])
    paths = [find_one(folder, name, "Neurosynth's public files") for name in FILES]
    return say_spaces(read_neurosynth(paths))


def read_neurosynth(paths):
    """Read the corpus from its files, in the order of `FILES`."""
    coordinates = read_columns(paths[0], ("id", "x", "y", "z"))
    metadata = read_columns(paths[1], ("id", "space", "title", "year", "journal"))
    studies = pd.DataFrame(
        {
            "study_id": name_studies(metadata["id"], "pmid"),
            "pmid": metadata["id"],
            "title": metadata["title"],
            "year": metadata["year"],
            "journal": metadata["journal"],
            "coordinate_space": metadata["space"],
        }
    )
    rows = join_rows(studies, "pmid", coordinates["id"], paths[0].name)
    known = rows >= 0
    return make_bunch(
        studies,
        rows[known],
        read_coordinates(coordinates[known], paths[0].name),
        metadata["space"].to_numpy()[rows[known]],
        description=f"Neurosynth's corpus, version 7, {len(studies):,} studies.",
    )
