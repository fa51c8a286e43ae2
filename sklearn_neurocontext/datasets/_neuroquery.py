"""NeuroQuery's corpus: peaks, titles and word counts."""

import pandas as pd
from scipy import sparse

from ._bunch import make_bunch, say_spaces
from ._files import find_one, locate
from ._ids import join_rows

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
        peaks, so ``reported_space`` is UNKNOWN; `merge_corpora` fills it in from
        Neurosynth.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is missing.
    ValueError
        If no peak belongs to a study.

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
    return say_spaces(read_neuroquery([find_one(folder, name) for name in FILES]))


def read_neuroquery(paths):
    """Read the corpus from its files, in the order of `FILES`."""
    coordinates = pd.read_csv(paths[0], sep="\t")
    metadata = pd.read_csv(paths[1], sep="\t")
    studies = pd.DataFrame(
        {
            "study_id": metadata["id"].astype(str),
            "pmid": metadata["id"],
            "title": metadata["title"],
        }
    )
    rows = join_rows(studies, "pmid", coordinates["id"], paths[0].name)
    known = rows >= 0
    counts = {
        part: sparse.csr_array(sparse.load_npz(path))
        for part, path in zip(COUNTED_PARTS, paths[2:5], strict=True)
    }
    vocabulary = paths[5].read_text(encoding="utf-8").splitlines()
    _check_counts(counts, len(studies), len(vocabulary))
    return make_bunch(
        studies,
        rows[known],
        coordinates.loc[known, ["x", "y", "z"]].to_numpy(),
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
