"""The table of coefficients against direct sums, and laws of the density."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_array
from sklearn.utils import gen_batches

from sklearn_neurocontext.maskers import _table
from sklearn_neurocontext.maskers._kde import (
    FWHM_TO_SIGMA,
    gaussian_matrix,
    peaks_to_weights,
    reflected_matrix,
)
from sklearn_neurocontext.maskers._solve import _invert, gram_matrix, solve_gram
from sklearn_neurocontext.maskers._table import Table, build_table

SHAPE = (9, 8, 7)
VOXEL_MM = np.array([4.0, 3.0, 5.0])
AFFINE = np.diag([*VOXEL_MM, 1.0])
AFFINE[:3, 3] = [-16, -12, -15]
FWHM = 8.0


@pytest.fixture
def inside():
    """An ellipsoid that touches no border."""
    centre = (np.array(SHAPE) - 1) / 2
    offsets = (np.moveaxis(np.indices(SHAPE), 0, -1) - centre) / centre
    return (offsets**2).sum(axis=-1) < 0.95


@pytest.fixture
def maps(inside, rng):
    """Five overlapping maps with zeros, of both signs."""
    values = rng.standard_normal((inside.sum(), 5)) * (
        rng.random((inside.sum(), 5)) > 0.5
    )
    return values.astype(np.float32)


def _draw_peaks(inside, rng, n_studies=6, jitter=0.49):
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


def _gaussian(offsets):
    """Sampled Gaussian of unit sum on an endless grid, at offsets in voxels."""
    values = 1.0
    for offset, voxel_mm in zip(offsets.T, VOXEL_MM, strict=True):
        sigma = FWHM / 2.3548200450309493 / voxel_mm
        total = sum(np.exp(-0.5 * (step / sigma) ** 2) for step in range(-99, 100))
        values = values * np.exp(-0.5 * (offset / sigma) ** 2) / total
    return values


def _shares(position, voxelization):
    """Voxels and shares of one peak, in words: the nearest, or products of hats."""
    if voxelization == "nearest":
        return [(np.floor(position + 0.5), 1.0)]
    corners = itertools.product(*[(np.floor(p), np.floor(p) + 1) for p in position])
    return [(np.array(c), np.prod(1 - np.abs(c - position))) for c in corners]


def _slow_density(peaks, inside, voxelization):
    """Sum the Gaussian of each peak at the voxels of the mask."""
    voxels = np.argwhere(inside)
    density = np.zeros(len(voxels))
    for peak in peaks:
        for centre, share in _shares((peak - AFFINE[:3, 3]) / VOXEL_MM, voxelization):
            density += share * _gaussian(voxels - centre)
    return density


def _build(maps, inside, *, fwhm, voxel_mm, strategy="lstsq", kernel="endless"):
    """Build a table in blocks of two maps, and tell whether maps are independent."""
    maps = csc_array(maps)
    blocks = list(gen_batches(maps.shape[1], 2))

    def read(block):
        return maps[:, np.arange(block.start, block.stop)]

    mix, condition = solve_gram(gram_matrix(blocks, read))
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


def _fast(peaks, maps, inside, *, fwhm=FWHM, strategy="lstsq", voxelization="nearest"):
    kernel = "reflected" if voxelization == "neuroquery" else "endless"
    table, _ = _build(
        maps, inside, fwhm=fwhm, voxel_mm=VOXEL_MM, strategy=strategy, kernel=kernel
    )
    weights, _, _ = peaks_to_weights(peaks, AFFINE, inside, voxelization=voxelization)
    return table.sum_rows(weights)


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
@pytest.mark.parametrize("overlapping", [True, False])
def test_table_equals_direct_sum_and_lstsq(
    inside, maps, rng, voxelization, overlapping
):
    if not overlapping:
        maps = np.eye(5, dtype=np.float32)[rng.integers(5, size=len(maps))]
    peaks = _draw_peaks(inside, rng)
    slow = np.stack(
        [
            np.linalg.lstsq(
                maps.astype(float), _slow_density(rows, inside, voxelization)
            )[0]
            for rows in peaks
        ]
    )
    fast = _fast(peaks, maps, inside, voxelization=voxelization)
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max(), rtol=0)


def test_mean_strategy_is_the_mean_of_the_direct_sum(inside, maps, rng):
    maps = np.abs(maps)
    peaks = _draw_peaks(inside, rng)
    density = np.stack([_slow_density(rows, inside, "nearest") for rows in peaks])
    slow = density @ maps / maps.sum(axis=0)
    fast = _fast(peaks, maps, inside, strategy="mean")
    np.testing.assert_allclose(fast, slow, atol=1e-6 * slow.max(), rtol=0)


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
@pytest.mark.parametrize("fwhm", [0.5, 2.25, 5.0])
def test_unmasked_mass_is_the_number_of_peaks(rng, voxelization, fwhm):
    inside = np.ones((31, 31, 31), dtype=bool)
    peaks = [rng.uniform(14, 16, (n, 3)) for n in (0, 1, 7, 40)]
    table, _ = _build(
        np.ones((inside.size, 1), dtype=np.float32),
        inside,
        fwhm=fwhm,
        voxel_mm=np.ones(3),
        strategy="mean",
    )
    weights, _, _ = peaks_to_weights(
        peaks, np.eye(4), inside, voxelization=voxelization
    )
    mass = table.sum_rows(weights)[:, 0] * inside.size
    np.testing.assert_allclose(mass, [0, 1, 7, 40], rtol=1e-6)


def test_gaussian_has_unit_rows_half_height_at_half_width_and_its_variance():
    weights = gaussian_matrix(201, 10 * FWHM_TO_SIGMA)
    np.testing.assert_array_equal(weights, weights.T)
    middle = weights[100]
    assert middle.sum() == pytest.approx(1, abs=1e-12)
    assert middle[105] == pytest.approx(middle[100] / 2)
    variance = middle @ (np.arange(201) - 100.0) ** 2
    assert variance == pytest.approx((10 * FWHM_TO_SIGMA) ** 2)
    assert weights[0].sum() < 0.6


def test_gaussian_does_not_depend_on_the_length_of_the_line():
    middle = slice(99, 102)
    np.testing.assert_allclose(
        gaussian_matrix(3, 8.0), gaussian_matrix(201, 8.0)[middle, middle]
    )


def test_concatenated_peaks_add_up_and_duplicates_count(inside, maps, rng):
    one, two = _draw_peaks(inside, rng, n_studies=6)[4:]
    joint = np.concatenate([one, two, two])
    rows = _fast([one, two, joint], maps, inside, voxelization="linear")
    expected = rows[0] + 2 * rows[1]
    np.testing.assert_allclose(rows[2], expected, atol=1e-6 * np.abs(rows).max())


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
def test_order_of_peaks_does_not_matter(inside, maps, rng, voxelization):
    peaks = _draw_peaks(inside, rng)
    shuffled = [rng.permutation(rows) for rows in peaks]
    np.testing.assert_allclose(
        _fast(peaks, maps, inside, voxelization=voxelization),
        _fast(shuffled, maps, inside, voxelization=voxelization),
        rtol=1e-5,
        atol=1e-7,
    )


def test_permuted_studies_give_permuted_rows(inside, maps, rng):
    peaks = _draw_peaks(inside, rng)
    order = rng.permutation(len(peaks))
    np.testing.assert_array_equal(
        _fast(peaks, maps, inside)[order],
        _fast([peaks[index] for index in order], maps, inside),
    )


def test_linear_shares_sum_to_one_and_keep_the_position(rng):
    inside = np.ones(SHAPE, dtype=bool)
    position = rng.uniform(1, 5, (20, 3))
    peaks = [(row * VOXEL_MM + AFFINE[:3, 3])[None] for row in position]
    weights, *_ = peaks_to_weights(peaks, AFFINE, inside, voxelization="linear")
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    voxels = np.argwhere(inside)
    np.testing.assert_allclose(weights @ voxels, position, rtol=1e-5)


def test_linear_is_continuous_where_nearest_jumps(inside, maps):
    low, high = (
        [(np.array([3.5 + step, 4, 3]) * VOXEL_MM + AFFINE[:3, 3])[None]]
        for step in (-1e-6, 1e-6)
    )
    jump = {
        voxelization: np.abs(
            _fast(low, maps, inside, voxelization=voxelization)
            - _fast(high, maps, inside, voxelization=voxelization)
        ).max()
        for voxelization in ("nearest", "linear")
    }
    assert jump["linear"] < 1e-4 * jump["nearest"]


def test_linear_at_the_border_moves_the_share_to_the_border_voxel():
    inside = np.ones(SHAPE, dtype=bool)
    peak = np.array([[-0.4, 3, 3]]) * VOXEL_MM + AFFINE[:3, 3]
    weights, n_off_grid, _ = peaks_to_weights(
        [peak], AFFINE, inside, voxelization="linear"
    )
    assert n_off_grid == 0
    assert weights.toarray().reshape(SHAPE)[0, 3, 3] == pytest.approx(1)


def test_linear_at_the_edge_of_the_mask_reaches_voxels_beside_it(inside, maps):
    voxels = np.argwhere(inside)
    edge = voxels[voxels[:, 0].argmax()] + [0.4, 0, 0]
    peaks = [(edge * VOXEL_MM + AFFINE[:3, 3])[None]]
    density = _slow_density(peaks[0], inside, "linear")
    slow = np.linalg.lstsq(maps.astype(float), density, rcond=None)[0]
    fast = _fast(peaks, maps, inside, voxelization="linear")[0]
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max())


def test_dropped_peaks_are_counted_by_kind(inside):
    far, corner = [1e300, 0, 0], AFFINE[:3, 3]
    peaks = [np.array([far, corner, [0, 0, 0]]), np.array([[-1e300, 0, 0]])]
    weights, n_off_grid, n_off_mask = peaks_to_weights(peaks, AFFINE, inside)
    assert (n_off_grid, n_off_mask) == (2, 1)
    np.testing.assert_array_equal(weights.sum(axis=1), [1, 0])


def test_collinear_maps_give_the_solution_of_least_norm(inside, maps, rng):
    maps = np.column_stack([maps, maps[:, 0]])
    _, unique = _build(maps, inside, fwhm=FWHM, voxel_mm=VOXEL_MM)
    assert not unique
    peaks = _draw_peaks(inside, rng)[4:]
    slow = [
        np.linalg.lstsq(
            maps.astype(float), _slow_density(rows, inside, "nearest"), rcond=None
        )[0]
        for rows in peaks
    ]
    fast = _fast(peaks, maps, inside)
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max())


@pytest.mark.parametrize(("gap", "expected"), [(1e-14, False), (1e-6, True)])
def test_a_nearly_singular_matrix_is_inverted_on_its_range(gap, expected):
    matrix = np.array([[1, 1 - gap], [1 - gap, 1]])
    inverse, condition = _invert(matrix)
    assert np.isfinite(condition) == expected
    if expected:
        assert condition == pytest.approx(np.linalg.cond(matrix, 1), rel=1e-6)
    np.testing.assert_allclose(matrix @ inverse @ matrix, matrix, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_a_sum_of_maps_is_recognised_at_any_scale(inside, maps, scale):
    collinear = np.column_stack([maps, scale * (maps[:, 0] + maps[:, 1])])
    independent = np.column_stack([maps[:, :4], scale * maps[:, 4]])
    settings = {"fwhm": FWHM, "voxel_mm": VOXEL_MM}
    assert not _build(collinear, inside, **settings)[1]
    assert _build(independent, inside, **settings)[1]


@pytest.mark.parametrize("strategy", ["lstsq", "mean"])
def test_an_empty_map_has_zero_coefficients_and_changes_no_other(
    inside, maps, rng, strategy
):
    maps = np.abs(maps)
    peaks = _draw_peaks(inside, rng)
    with_empty = np.insert(maps, 2, 0, axis=1)
    coefficients = _fast(peaks, with_empty, inside, strategy=strategy)
    assert not coefficients[:, 2].any()
    np.testing.assert_allclose(
        np.delete(coefficients, 2, axis=1),
        _fast(peaks, maps, inside, strategy=strategy),
        rtol=1e-5,
        atol=1e-8,
    )


def test_neuroquerys_gaussian_is_scipys(inside, rng):
    """Cut off at four deviations and reflected, also where the grid is short."""
    sigma = FWHM / 2.3548200450309493 / VOXEL_MM
    volume = rng.random(SHAPE)
    x, y, z = (reflected_matrix(*axis) for axis in zip(SHAPE, sigma, strict=True))
    np.testing.assert_allclose(
        np.einsum("ai,bj,ck,ijk->abc", x, y, z, volume),
        gaussian_filter(volume, sigma, mode="reflect", truncate=4),
        atol=1e-12,
    )
    for weights in (x, y, z, reflected_matrix(3, 2.0)):
        np.testing.assert_allclose(weights, weights.T, atol=1e-15)
        np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_neuroquery_floors_and_keeps_what_is_outside_the_mask(inside, maps, rng):
    peaks = _draw_peaks(inside, rng, jitter=0.9)
    n_outside = _count_outside(peaks, inside)
    peaks[-1] = np.concatenate([peaks[-1], AFFINE[:3, 3] + [[1, 1, 1], [-1, 0, 0]]])
    sigma = FWHM / 2.3548200450309493 / VOXEL_MM
    slow = []
    for rows in peaks:
        counts = np.zeros(SHAPE)
        for peak in rows:
            voxel = np.floor((peak - AFFINE[:3, 3]) / VOXEL_MM).astype(int)
            if (voxel >= 0).all():
                counts[tuple(voxel)] += 1
        density = gaussian_filter(counts, sigma, mode="reflect", truncate=4)[inside]
        slow.append(np.linalg.lstsq(maps.astype(float), density, rcond=None)[0])
    fast = _fast(peaks, maps, inside, voxelization="neuroquery")
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max())
    _, n_off_grid, n_off_mask = peaks_to_weights(
        peaks, AFFINE, inside, voxelization="neuroquery"
    )
    assert (n_off_grid, n_off_mask) == (1, 1 + n_outside)


def _count_outside(peaks, inside):
    voxels = np.floor((np.concatenate(peaks) - AFFINE[:3, 3]) / VOXEL_MM).astype(int)
    return (~inside[tuple(voxels.T)]).sum()


def test_blocks_of_rows_change_nothing(inside, maps, rng, monkeypatch):
    peaks = _draw_peaks(inside, rng)
    expected = _fast(peaks, maps, inside)
    monkeypatch.setattr(_table, "_BLOCK", 7)
    np.testing.assert_allclose(_fast(peaks, maps, inside), expected, rtol=1e-6)


def test_gram_matrix_is_that_of_dense_maps_for_any_mixture_of_blocks(rng):
    maps = rng.standard_normal((50, 6))
    maps[:, 2:4] *= rng.random((50, 2)) > 0.95
    stored = csc_array(maps)
    blocks = list(gen_batches(6, 2))
    gram = gram_matrix(blocks, lambda b: stored[:, np.arange(b.start, b.stop)])
    np.testing.assert_allclose(gram, maps.T @ maps, atol=1e-12)
