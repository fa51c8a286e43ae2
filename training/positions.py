"""Queries with the coordinates of the regions where their maps should be strong.

The table has one row for each region and side of a query. Its columns:

set
    "test" or "development". Development queries guided the choice of settings.
group
    Of the test, "textbook topics" (functions, tasks and stimuli for which handbooks,
    localizers or meta-analyses agree on one to three places; one to three for each
    behavioral domain of BrainMap) and "named in advance" (two that the package should
    map well). Of the development queries, "large regions" (of AAL) and two former
    tests, which became development queries once their maps had been seen: "first
    former test" and "rarer topics" (also lesions, clinical groups, illusions).
maps_seen
    When maps of the query were first seen. Regions of the tests were chosen from the
    reference before.
topic_in_development
    Of the test, whether a development query asks for the same function in other words.
query, reference
    Its text, and the publication that the choice of regions follows.
region, side, x, y, z, atlas, label
    A name of the region, its centroid in whole mm of MNI space, and the label of the
    atlas that it was computed from, see ``check_query_positions.py``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine

QUERIES_TSV = Path(__file__).parents[1] / "tests" / "data" / "query_positions.tsv"
N_STRONGEST = 60
MAX_MM = 16.0


def read_queries(set_name, **columns) -> dict:
    """Read the coordinates of queries.

    Parameters
    ----------
    set_name : {"test", "development"}
        Which queries to read.
    **columns : str
        Only queries with these values, for instance ``group="textbook topics"``.

    Returns
    -------
    queries : dict of str to ndarray of shape (n_coordinates, 3)
        Coordinates in MNI mm by query, in the order of the file.
    """
    table = pd.read_csv(QUERIES_TSV, sep="\t", keep_default_na=False)
    for column, value in {"set": set_name, **columns}.items():
        table = table[table[column] == value]
    by_query = table.groupby("query", sort=False)
    return {query: rows[["x", "y", "z"]].to_numpy(float) for query, rows in by_query}


def distances_to_regions(imgs, queries) -> dict:
    """Compute the median distance of each map's strongest voxels to its coordinates.

    Parameters
    ----------
    imgs : list of Nifti1Image
        The map of each query, in order, on a grid of 4 mm.
    queries : dict of str to ndarray of shape (n_coordinates, 3)
        From `read_queries`, in MNI mm.

    Returns
    -------
    distances : dict of str to float
        Median over the `N_STRONGEST` voxels of the distance to the nearest coordinate
        of the query, in mm.
    """
    medians = {}
    for (query, targets), img in zip(queries.items(), imgs, strict=True):
        strongest = np.argsort(img.get_fdata(), axis=None)[-N_STRONGEST:]
        grid = np.stack(np.unravel_index(strongest, img.shape), axis=1)
        offsets = apply_affine(img.affine, grid)[:, None] - targets
        medians[query] = float(np.median(np.linalg.norm(offsets, axis=2).min(axis=1)))
    return medians
