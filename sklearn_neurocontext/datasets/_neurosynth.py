"""Neurosynth's corpus: peaks, titles, years, journals, coordinate spaces."""

import pandas as pd

from ._bunch import make_bunch, say_spaces
from ._files import find_one, locate
from ._ids import join_rows

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
    ValueError
        If no peak belongs to a study.

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
    return say_spaces(read_neurosynth([find_one(folder, name) for name in FILES]))


def read_neurosynth(paths):
    """Read the corpus from its files, in the order of `FILES`."""
    coordinates = pd.read_csv(paths[0], sep="\t")
    metadata = pd.read_csv(paths[1], sep="\t")
    studies = pd.DataFrame(
        {
            "study_id": metadata["id"].astype(str),
            "pmid": metadata["id"],
            "title": metadata["title"],
            "year": metadata["year"],
            "journal": metadata["journal"],
            "reported_space": metadata["space"],
        }
    )
    rows = join_rows(studies, "pmid", coordinates["id"], paths[0].name)
    known = rows >= 0
    return make_bunch(
        studies,
        rows[known],
        coordinates.loc[known, ["x", "y", "z"]].to_numpy(),
        metadata["space"].to_numpy()[rows[known]],
        description=f"Neurosynth's corpus, version 7, {len(studies):,} studies.",
    )
