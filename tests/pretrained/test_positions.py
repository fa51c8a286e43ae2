"""Maps of the shipped model are strong where an atlas says that they must be."""

import numpy as np
import pytest
from nibabel.affines import apply_affine
from positions import AAL, QUERIES

from sklearn_neurocontext import NeuroContextModel

N_STRONGEST = 60
MAX_MM = 16.0
MIN_SHARE = 0.8


@pytest.fixture(scope="module")
def shipped():
    """The model that comes with the package."""
    return NeuroContextModel.from_pretrained()


def _distances(volumes, affine):
    """Median distance of the strongest voxels to the nearest target of each query."""
    medians = {}
    for (query, regions), volume in zip(QUERIES.items(), volumes, strict=True):
        targets = np.array([xyz for region in regions for xyz in AAL[region]])
        strongest = np.argsort(volume, axis=None)[-N_STRONGEST:]
        grid = np.stack(np.unravel_index(strongest, volume.shape), axis=1)
        offsets = apply_affine(affine, grid)[:, None] - targets
        medians[query] = np.median(np.linalg.norm(offsets, axis=2).min(axis=1))
    return medians


def test_strongest_voxels_lie_where_they_must(shipped):
    imgs = shipped.transform(list(QUERIES))["brain_map"]
    medians = _distances([img.get_fdata() for img in imgs], imgs[0].affine)
    share = np.mean([distance <= MAX_MM for distance in medians.values()])
    assert len(medians) >= 20
    assert share >= MIN_SHARE, medians


def test_the_mean_map_fails(shipped):
    mean_img = shipped.masker.inverse_transform(shipped._mean[None])
    volume = mean_img.get_fdata()[..., 0]
    medians = _distances([volume] * len(QUERIES), mean_img.affine)
    assert np.mean([distance <= MAX_MM for distance in medians.values()]) < 0.4
