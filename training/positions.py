"""Read queries and the coordinates of regions where their maps should be strong.

The table has one row for each region and side of a query. Its columns:

set
    "test", "development" or "cognitive atlas". Development queries guided the choice of
    settings. Queries of the set "cognitive atlas" are names of its concepts and tasks,
    drawn at random, see ``draw_queries.py``. They compare two models.
group
    Test queries are "textbook topics" (functions, tasks and stimuli for which
    handbooks, localizers or meta-analyses agree on one to three regions; one to three
    queries for each behavioral domain of BrainMap) or "named in advance" (two queries
    that the package should map well). Development queries are "large regions" (of AAL),
    or belong to two former tests that became development queries once their maps had
    been seen: "first former test" and "rarer topics" (which include lesions, clinical
    groups and illusions).
maps_seen
    When maps of the query were first seen. Regions of test queries were chosen earlier,
    from the reference.
topic_in_development
    For test queries, whether a development query names the same function in other
    words.
query, reference
    Text of the query, and the publication that supports the choice of regions.
region, side, x, y, z, atlas, label
    Name of the region, its centroid in whole mm of MNI space, and the label of the
    atlas that the centroid was computed from, see ``check_query_positions.py``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine

QUERIES_TSV = Path(__file__).parents[1] / "tests" / "data" / "query_positions.tsv"
N_STRONGEST = 60
MAX_MM = 16.0


def read_queries(set_name, **columns) -> dict:
    """Read the coordinates (n_coordinates, 3), in MNI mm, of each query of a set.

    Keywords select queries, for instance ``group="textbook topics"``.
    """
    table = pd.read_csv(QUERIES_TSV, sep="\t", keep_default_na=False)
    for column, value in {"set": set_name, **columns}.items():
        table = table[table[column] == value]
    by_query = table.groupby("query", sort=False)
    return {query: rows[["x", "y", "z"]].to_numpy(float) for query, rows in by_query}


def distances_to_regions(imgs, queries) -> dict:
    """Compute the median distance, in mm, of each map's strongest voxels to its query.

    The distance of a voxel is that to the nearest coordinate of the query.
    """
    medians = {}
    for (query, targets), img in zip(queries.items(), imgs, strict=True):
        strongest = np.argsort(img.get_fdata(), axis=None)[-N_STRONGEST:]
        grid = np.stack(np.unravel_index(strongest, img.shape), axis=1)
        offsets = apply_affine(img.affine, grid)[:, None] - targets
        medians[query] = float(np.median(np.linalg.norm(offsets, axis=2).min(axis=1)))
    return medians
