"""NeuroQuery's corpus: peaks, titles and word counts."""

import pandas as pd

from ._bunch import make_bunch, say_spaces
from ._files import find_one, locate, read_columns, read_coordinates, read_matrix
from ._ids import join_rows, name_studies

STEM = "data-neuroquery_version-1_"
_COUNTS = STEM + "vocab-neuroquery156521_source-{part}_type-count_features.npz"
_VOCABULARY = STEM + "vocab-neuroquery156521_vocabulary.txt"
COUNTED_PARTS = ("title", "keywords", "abstract")
FILES = (
    STEM + "coordinates.tsv.gz",
    STEM + "metadata.tsv.gz",
    *(_COUNTS.format(part=part) for part in COUNTED_PARTS),
    _VOCABULARY,
)


def load_neuroquery(directory):
    """Read NeuroQuery's corpus from a folder.

    Parameters
    ----------
    directory : path-like
        Folder with the public files, or the checkout that holds them in ``data``.

    Returns
    -------
    corpus : Bunch
        ``studies``, ``peaks``, ``groups``, ``space_counts``, ``description`` as every
        loader gives them, and ``term_counts`` (dict of title, keywords and abstract to
        csr_array of shape (n_studies, n_terms), float64) with ``vocabulary`` (list of
        n_terms str). NeuroQuery states no coordinate space and has not converted its
        peaks, so ``coordinate_space`` is UNKNOWN; `merge_corpora` fills it in from
        Neurosynth.

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
    Dockès et al., NeuroQuery, comprehensive meta-analysis of human brain mapping,
    eLife 2020; https://github.com/neuroquery/neuroquery_data (BSD-3-Clause).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_neuroquery
    >>> corpus = load_neuroquery("neuroquery_data")  # doctest: +SKIP
    """
    folder = locate(directory, FILES[0])
    paths = [find_one(folder, name, "NeuroQuery's public files") for name in FILES]
    return say_spaces(read_neuroquery(paths))


def read_neuroquery(paths):
    """Read the corpus from its files, in the order of `FILES`."""
    coordinates = read_columns(paths[0], ("id", "x", "y", "z"))
    metadata = read_columns(paths[1], ("id", "title"))
    studies = pd.DataFrame(
        {
            "study_id": name_studies(metadata["id"], "pmid"),
            "pmid": metadata["id"],
            "title": metadata["title"],
        }
    )
    rows = join_rows(studies, "pmid", coordinates["id"], paths[0].name)
    known = rows >= 0
    counts = {
        part: read_matrix(path)
        for part, path in zip(COUNTED_PARTS, paths[2:5], strict=True)
    }
    vocabulary = paths[5].read_text(encoding="utf-8").splitlines()
    _check_counts(counts, len(studies), len(vocabulary))
    return make_bunch(
        studies,
        rows[known],
        read_coordinates(coordinates[known], paths[0].name),
        ["UNKNOWN"] * int(known.sum()),
        description=f"NeuroQuery's corpus, {len(studies):,} studies.",
        term_counts=counts,
        vocabulary=vocabulary,
    )


def _check_counts(counts, n_studies, n_terms):
    for part, matrix in counts.items():
        if matrix.shape != (n_studies, n_terms):
            raise ValueError(
                f"The term counts of {part} have shape {matrix.shape}; expected "
                f"({n_studies}, {n_terms}), studies of the metadata by terms of the "
                "vocabulary. Take all files from one release."
            )
