"""The table of coefficients against direct sums, and laws of the density."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext._utils.volumes import FWHM_TO_SIGMA
from sklearn_neurocontext.maskers import _table
from sklearn_neurocontext.maskers._kde import (
    gaussian_matrix,
    peaks_to_weights,
    reflected_matrix,
)
from tests.maskers.slow_density import (
    AFFINE,
    FWHM,
    SHAPE,
    VOXEL_MM,
    build,
    draw_peaks,
    fast_coefficients,
    slow_density,
)


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


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
@pytest.mark.parametrize("overlapping", [True, False])
def test_table_equals_direct_sum_and_lstsq(
    inside, maps, rng, voxelization, overlapping
):
    if not overlapping:
        maps = np.eye(5, dtype=np.float32)[rng.integers(5, size=len(maps))]
    peaks = draw_peaks(inside, rng)
    slow = np.stack(
        [
            np.linalg.lstsq(
                maps.astype(float), slow_density(rows, inside, voxelization)
            )[0]
            for rows in peaks
        ]
    )
    fast = fast_coefficients(peaks, maps, inside, voxelization=voxelization)
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max(), rtol=0)


def test_mean_strategy_is_the_mean_of_the_direct_sum(inside, maps, rng):
    maps = np.abs(maps)
    peaks = draw_peaks(inside, rng)
    density = np.stack([slow_density(rows, inside, "nearest") for rows in peaks])
    slow = density @ maps / maps.sum(axis=0)
    fast = fast_coefficients(peaks, maps, inside, strategy="mean")
    np.testing.assert_allclose(fast, slow, atol=1e-6 * slow.max(), rtol=0)


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
@pytest.mark.parametrize("fwhm", [0.5, 2.25, 5.0])
def test_unmasked_mass_is_the_number_of_peaks(rng, voxelization, fwhm):
    inside = np.ones((31, 31, 31), dtype=bool)
    peaks = [rng.uniform(14, 16, (n, 3)) for n in (0, 1, 7, 40)]
    table, _ = build(
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
    one, two = draw_peaks(inside, rng, n_studies=6)[4:]
    joint = np.concatenate([one, two, two])
    rows = fast_coefficients([one, two, joint], maps, inside, voxelization="linear")
    expected = rows[0] + 2 * rows[1]
    np.testing.assert_allclose(rows[2], expected, atol=1e-6 * np.abs(rows).max())


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
def test_order_of_peaks_does_not_matter(inside, maps, rng, voxelization):
    peaks = draw_peaks(inside, rng)
    shuffled = [rng.permutation(rows) for rows in peaks]
    np.testing.assert_allclose(
        fast_coefficients(peaks, maps, inside, voxelization=voxelization),
        fast_coefficients(shuffled, maps, inside, voxelization=voxelization),
        rtol=1e-5,
        atol=1e-7,
    )


def test_permuted_studies_give_permuted_rows(inside, maps, rng):
    peaks = draw_peaks(inside, rng)
    order = rng.permutation(len(peaks))
    np.testing.assert_array_equal(
        fast_coefficients(peaks, maps, inside)[order],
        fast_coefficients([peaks[index] for index in order], maps, inside),
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
            fast_coefficients(low, maps, inside, voxelization=voxelization)
            - fast_coefficients(high, maps, inside, voxelization=voxelization)
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
    density = slow_density(peaks[0], inside, "linear")
    slow = np.linalg.lstsq(maps.astype(float), density, rcond=None)[0]
    fast = fast_coefficients(peaks, maps, inside, voxelization="linear")[0]
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max())


def test_dropped_peaks_are_counted_by_kind(inside):
    far, corner = [1e300, 0, 0], AFFINE[:3, 3]
    peaks = [np.array([far, corner, [0, 0, 0]]), np.array([[-1e300, 0, 0]])]
    weights, n_off_grid, n_off_mask = peaks_to_weights(peaks, AFFINE, inside)
    assert (n_off_grid, n_off_mask) == (2, 1)
    np.testing.assert_array_equal(weights.sum(axis=1), [1, 0])


def test_collinear_maps_give_the_solution_of_least_norm(inside, maps, rng):
    maps = np.column_stack([maps, maps[:, 0]])
    _, unique = build(maps, inside, fwhm=FWHM, voxel_mm=VOXEL_MM)
    assert not unique
    peaks = draw_peaks(inside, rng)[4:]
    slow = [
        np.linalg.lstsq(
            maps.astype(float), slow_density(rows, inside, "nearest"), rcond=None
        )[0]
        for rows in peaks
    ]
    fast = fast_coefficients(peaks, maps, inside)
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max())


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_a_sum_of_maps_is_recognised_at_any_scale(inside, maps, scale):
    collinear = np.column_stack([maps, scale * (maps[:, 0] + maps[:, 1])])
    independent = np.column_stack([maps[:, :4], scale * maps[:, 4]])
    settings = {"fwhm": FWHM, "voxel_mm": VOXEL_MM}
    assert not build(collinear, inside, **settings)[1]
    assert build(independent, inside, **settings)[1]


@pytest.mark.parametrize("strategy", ["lstsq", "mean"])
def test_an_empty_map_has_zero_coefficients_and_changes_no_other(
    inside, maps, rng, strategy
):
    maps = np.abs(maps)
    peaks = draw_peaks(inside, rng)
    with_empty = np.insert(maps, 2, 0, axis=1)
    coefficients = fast_coefficients(peaks, with_empty, inside, strategy=strategy)
    assert not coefficients[:, 2].any()
    np.testing.assert_allclose(
        np.delete(coefficients, 2, axis=1),
        fast_coefficients(peaks, maps, inside, strategy=strategy),
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
    peaks = draw_peaks(inside, rng, jitter=0.9)
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
    fast = fast_coefficients(peaks, maps, inside, voxelization="neuroquery")
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max())
    _, n_off_grid, n_off_mask = peaks_to_weights(
        peaks, AFFINE, inside, voxelization="neuroquery"
    )
    assert (n_off_grid, n_off_mask) == (1, 1 + n_outside)


def _count_outside(peaks, inside):
    voxels = np.floor((np.concatenate(peaks) - AFFINE[:3, 3]) / VOXEL_MM).astype(int)
    return (~inside[tuple(voxels.T)]).sum()


def test_blocks_of_rows_change_nothing(inside, maps, rng, monkeypatch):
    peaks = draw_peaks(inside, rng)
    expected = fast_coefficients(peaks, maps, inside)
    monkeypatch.setattr(_table, "_BLOCK", 7)
    np.testing.assert_allclose(
        fast_coefficients(peaks, maps, inside), expected, rtol=1e-6
    )
