"""Queries, and where in the brain their maps must be strong.

Coordinates are about those of the centres of AAL's regions (Tzourio-Mazoyer et al.,
NeuroImage 2002) in MNI mm, written down without the atlas at hand and not yet compared
with its file. Which regions belong to a query was fixed before any map was predicted.
"""

import numpy as np
from nibabel.affines import apply_affine

N_STRONGEST = 60
MAX_MM = 16.0
# Left, right.
AAL = {
    "postcentral": ((-42, -23, 49), (41, -25, 53)),
    "precentral": ((-39, -6, 51), (41, -8, 52)),
    "paracentral": ((-8, -25, 70), (7, -32, 68)),
    "supplementary motor": ((-5, 5, 61), (9, 0, 62)),
    "rolandic operculum": ((-47, -8, 14), (53, -6, 15)),
    "inferior frontal, opercular": ((-48, 13, 19), (50, 15, 21)),
    "inferior frontal, triangular": ((-46, 30, 14), (50, 30, 14)),
    "middle frontal": ((-33, 33, 35), (38, 33, 34)),
    "superior frontal, medial": ((-5, 49, 31), (9, 51, 30)),
    "medial orbitofrontal": ((-5, 54, -7), (8, 52, -7)),
    "olfactory": ((-8, 15, -11), (10, 16, -11)),
    "insula": ((-35, 7, 3), (39, 6, 2)),
    "anterior cingulate": ((-4, 35, 14), (8, 37, 16)),
    "posterior cingulate": ((-5, -43, 25), (7, -42, 22)),
    "precuneus": ((-7, -56, 48), (10, -56, 44)),
    "hippocampus": ((-25, -21, -10), (29, -20, -10)),
    "amygdala": ((-23, -1, -17), (27, 1, -18)),
    "calcarine": ((-7, -79, 6), (16, -73, 9)),
    "lingual": ((-15, -68, -5), (16, -67, -4)),
    "inferior occipital": ((-36, -78, -8), (38, -82, -8)),
    "fusiform": ((-31, -40, -20), (34, -39, -20)),
    "superior parietal": ((-23, -60, 59), (26, -59, 62)),
    "inferior parietal": ((-43, -46, 47), (46, -46, 50)),
    "angular": ((-44, -61, 36), (46, -60, 39)),
    "caudate": ((-11, 11, 9), (15, 12, 9)),
    "putamen": ((-24, 4, 2), (28, 5, 2)),
    "pallidum": ((-18, 0, 0), (21, 0, 0)),
    "thalamus": ((-11, -18, 8), (13, -18, 8)),
    "Heschl": ((-42, -19, 10), (46, -17, 10)),
    "superior temporal": ((-53, -21, 7), (58, -22, 7)),
    "middle temporal": ((-56, -34, -2), (57, -37, -1)),
}
QUERIES = {
    "finger tapping": ["postcentral"],
    "foot movement": ["paracentral"],
    "tongue movement and swallowing": ["rolandic operculum", "postcentral"],
    "sequential motor planning": ["supplementary motor"],
    "eye movements and saccades": ["precentral", "supplementary motor"],
    "viewing faces": ["fusiform", "inferior occipital"],
    "fearful facial expressions": ["amygdala"],
    "visual checkerboard stimulation": ["calcarine", "lingual"],
    "listening to tones": ["Heschl", "superior temporal"],
    "speech perception": ["superior temporal", "middle temporal"],
    "semantic judgment of words": [
        "inferior frontal, triangular",
        "middle temporal",
    ],
    "phonological processing": ["inferior frontal, opercular"],
    "mental arithmetic": ["inferior parietal"],
    "mental rotation": ["superior parietal", "inferior parietal"],
    "working memory n-back task": ["middle frontal", "inferior parietal"],
    "shifting of spatial attention": ["superior parietal", "inferior parietal"],
    "monetary reward anticipation": ["olfactory", "caudate", "putamen", "pallidum"],
    "dopamine in the striatum": ["caudate", "putamen", "pallidum"],
    "painful heat stimulation": ["insula", "rolandic operculum", "thalamus"],
    "taste of sucrose": ["insula"],
    "odor perception": ["olfactory", "amygdala"],
    "episodic memory encoding": ["hippocampus"],
    "theory of mind": ["angular", "superior frontal, medial", "middle temporal"],
    "self-referential thought": [
        "superior frontal, medial",
        "medial orbitofrontal",
        "anterior cingulate",
    ],
    "default mode network at rest": ["posterior cingulate", "precuneus", "angular"],
}


def distances_to_regions(imgs) -> dict:
    """Median distance of a map's strongest voxels to its query's nearest region.

    Parameters
    ----------
    imgs : list of Nifti1Image
        The map of each of `QUERIES`, in order.

    Returns
    -------
    distances : dict of str to float
        By query, in mm.
    """
    medians = {}
    for (query, regions), img in zip(QUERIES.items(), imgs, strict=True):
        targets = np.array([xyz for region in regions for xyz in AAL[region]])
        strongest = np.argsort(img.get_fdata(), axis=None)[-N_STRONGEST:]
        grid = np.stack(np.unravel_index(strongest, img.shape), axis=1)
        offsets = apply_affine(img.affine, grid)[:, None] - targets
        medians[query] = float(np.median(np.linalg.norm(offsets, axis=2).min(axis=1)))
    return medians
