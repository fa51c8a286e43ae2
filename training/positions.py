"""Queries, and where in the brain their maps must be strong.

The queries of ``position_queries.tsv`` test; all but the two of kind "named" were
written, and their coordinates fixed, before any map of them was predicted. Those of
``position_development.tsv`` were looked at while the model was made, those with a
reference after they had tested an earlier one. `make_position_queries.py` computes both
tables from atlases.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine

N_STRONGEST = 60
MAX_MM = 16.0
TEST_TSV = Path(__file__).with_name("position_queries.tsv")
DEVELOPMENT_TSV = Path(__file__).with_name("position_development.tsv")


def read_queries(path, kind=None, topic=None) -> dict:
    """Read the coordinates of queries.

    Parameters
    ----------
    path : Path
        `TEST_TSV` or `DEVELOPMENT_TSV`.
    kind : {"fresh", "named"} or None, default=None
        Queries of the test to read; all if None.
    topic : {"new", "seen"} or None, default=None
        Of the test, only queries whose topic development queries have ("seen") or
        lack ("new"); all if None.

    Returns
    -------
    queries : dict of str to ndarray of shape (n_coordinates, 3)
        In MNI mm, in the order of the file.
    """
    table = pd.read_csv(path, sep="\t")
    if kind is not None:
        table = table[table["kind"] == kind]
    if topic is not None:
        table = table[table["topic"] == topic]
    by_query = table.groupby("query", sort=False)
    return {query: rows[["x", "y", "z"]].to_numpy(float) for query, rows in by_query}


def distances_to_regions(imgs, queries) -> dict:
    """Median distance of a map's strongest voxels to its query's nearest coordinate.

    Parameters
    ----------
    imgs : list of Nifti1Image
        The map of each query, in order, on a grid of 4 mm.
    queries : dict of str to ndarray of shape (n_coordinates, 3)
        From `read_queries`, in MNI mm.

    Returns
    -------
    distances : dict of str to float
        By query, in mm.
    """
    medians = {}
    for (query, targets), img in zip(queries.items(), imgs, strict=True):
        strongest = np.argsort(img.get_fdata(), axis=None)[-N_STRONGEST:]
        grid = np.stack(np.unravel_index(strongest, img.shape), axis=1)
        offsets = apply_affine(img.affine, grid)[:, None] - targets
        medians[query] = float(np.median(np.linalg.norm(offsets, axis=2).min(axis=1)))
    return medians
