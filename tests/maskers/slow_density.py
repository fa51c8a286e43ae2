"""Densities by direct sums, and tables of coefficients, on a grid of a few voxels."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
from scipy.sparse import csc_array
from sklearn.utils import gen_batches

from sklearn_neurocontext.maskers._kde import peaks_to_weights
from sklearn_neurocontext.maskers._maps import gram_matrix, invert_gram
from sklearn_neurocontext.maskers._table import Table, build_table

SHAPE = (9, 8, 7)
VOXEL_MM = np.array([4.0, 3.0, 5.0])
AFFINE = np.diag([*VOXEL_MM, 1.0])
AFFINE[:3, 3] = [-16, -12, -15]
FWHM = 8.0


def draw_peaks(inside, rng, n_studies=6, jitter=0.49):
    """Draw 0, 1, 2, … peaks in the mask, off the centres of voxels."""
    voxels = np.argwhere(inside)
    return [
        (
            voxels[rng.integers(len(voxels), size=n)]
            + rng.uniform(-jitter, jitter, (n, 3))
        )
        @ AFFINE[:3, :3]
        + AFFINE[:3, 3]
        for n in range(n_studies)
    ]


def gaussian(offsets):
    """Sampled Gaussian of unit sum on an endless grid, at offsets in voxels."""
    values = 1.0
    for offset, voxel_mm in zip(offsets.T, VOXEL_MM, strict=True):
        sigma = FWHM / 2.3548200450309493 / voxel_mm
        total = sum(np.exp(-0.5 * (step / sigma) ** 2) for step in range(-99, 100))
        values = values * np.exp(-0.5 * (offset / sigma) ** 2) / total
    return values


def shares_of(position, voxelization):
    """Voxels and shares of one peak, in words: the nearest, or products of hats."""
    if voxelization == "nearest":
        return [(np.floor(position + 0.5), 1.0)]
    corners = itertools.product(*[(np.floor(p), np.floor(p) + 1) for p in position])
    return [(np.array(c), np.prod(1 - np.abs(c - position))) for c in corners]


def slow_density(peaks, inside, voxelization):
    """Sum the Gaussian of each peak at the voxels of the mask."""
    voxels = np.argwhere(inside)
    density = np.zeros(len(voxels))
    for peak in peaks:
        for centre, share in shares_of((peak - AFFINE[:3, 3]) / VOXEL_MM, voxelization):
            density += share * gaussian(voxels - centre)
    return density


def build(maps, inside, *, fwhm, voxel_mm, strategy="lstsq", kernel="endless"):
    """Build a table in blocks of two maps, and tell whether maps are independent."""
    maps = csc_array(maps)
    blocks = list(gen_batches(maps.shape[1], 2))

    def read(block):
        return maps[:, np.arange(block.start, block.stop)]

    mix, condition = invert_gram(gram_matrix(blocks, read))
    if strategy == "mean":
        mass = maps.sum(axis=0)
        mix = 1 / np.where(mass > 0, mass, 1)
    settings = {"fwhm": fwhm, "voxel_mm": voxel_mm, "kernel": kernel}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_table(folder, blocks, read, mix, inside, **settings)
        files = {path.name for path in folder.iterdir()}
        assert files == {"table.npy", "rows.npy"}
        table = Table(np.load(folder / "rows.npy"), np.load(folder / "table.npy"))
    return table, np.isfinite(condition)


def fast_coefficients(
    peaks, maps, inside, *, fwhm=FWHM, strategy="lstsq", voxelization="nearest"
):
    """Give coefficients through a table, as the masker does."""
    kernel = "reflected" if voxelization == "neuroquery" else "endless"
    table, _ = build(
        maps, inside, fwhm=fwhm, voxel_mm=VOXEL_MM, strategy=strategy, kernel=kernel
    )
    weights, _, _ = peaks_to_weights(peaks, AFFINE, inside, voxelization=voxelization)
    return table.sum_rows(weights)
