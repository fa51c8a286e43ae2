"""The table against direct sums and least squares, laws of coefficients, the store."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext.maskers import _table
from sklearn_neurocontext.maskers._kde import peaks_to_weights
from sklearn_neurocontext.maskers._table import RecentStore
from tests.maskers.helpers import (
    AFFINE,
    FWHM,
    FWHM_TO_SIGMA,
    SHAPE,
    VOXEL_MM,
    draw_peaks,
    lstsq,
    make_table,
    slow_density,
    table_coefficients,
    to_mm,
    to_voxels,
)


def _assert_close(fast, slow):
    np.testing.assert_allclose(fast, slow, atol=1e-6 * np.abs(slow).max(), rtol=0)


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
@pytest.mark.parametrize("overlapping", [True, False])
def test_table_equals_direct_sum_and_lstsq(
    inside, maps, rng, voxelization, overlapping
):
    if not overlapping:
        maps = np.eye(5, dtype=np.float32)[rng.integers(5, size=len(maps))]
    peaks = draw_peaks(inside, rng)
    densities = [slow_density(rows, inside, voxelization) for rows in peaks]
    fast = table_coefficients(peaks, maps, inside, voxelization=voxelization)
    _assert_close(fast, lstsq(maps, densities))


def test_mean_strategy_is_the_mean_of_the_direct_sum(inside, maps, rng):
    maps = np.abs(maps)
    peaks = draw_peaks(inside, rng)
    density = np.stack([slow_density(rows, inside, "nearest") for rows in peaks])
    fast = table_coefficients(peaks, maps, inside, strategy="mean")
    _assert_close(fast, density @ maps / maps.sum(axis=0))


def test_neuroquery_floors_and_keeps_peaks_outside_the_mask(inside, maps, rng):
    peaks = draw_peaks(inside, rng, jitter=0.9)
    peaks[-1] = np.concatenate([peaks[-1], AFFINE[:3, 3] + [[1, 1, 1], [-1, 0, 0]]])
    sigma = FWHM * FWHM_TO_SIGMA / VOXEL_MM
    densities = []
    for rows in peaks:
        counts = np.zeros(SHAPE)
        for voxel in np.floor(to_voxels(rows)).astype(int):
            if (voxel >= 0).all():
                counts[tuple(voxel)] += 1
        smooth = gaussian_filter(counts, sigma, mode="reflect", truncate=4)
        densities.append(smooth[inside])
    fast = table_coefficients(peaks, maps, inside, voxelization="neuroquery")
    _assert_close(fast, lstsq(maps, densities))


def test_linear_at_the_edge_of_the_mask_reaches_voxels_beside_it(inside, maps):
    voxels = np.argwhere(inside)
    edge = voxels[voxels[:, 0].argmax()] + [0.4, 0, 0]
    peaks = [to_mm(edge)[None]]
    fast = table_coefficients(peaks, maps, inside, voxelization="linear")
    _assert_close(fast, lstsq(maps, [slow_density(peaks[0], inside, "linear")]))


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
@pytest.mark.parametrize("fwhm", [0.5, 2.25, 5.0])
def test_unmasked_mass_is_the_number_of_peaks(rng, voxelization, fwhm):
    inside = np.ones((31, 31, 31), dtype=bool)
    peaks = [rng.uniform(14, 16, (n, 3)) for n in (0, 1, 7, 40)]
    table, _ = make_table(
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


def test_concatenated_peaks_add_up_and_duplicates_count(inside, maps, rng):
    one, two = draw_peaks(inside, rng)[4:]
    joint = np.concatenate([one, two, two])
    rows = table_coefficients([one, two, joint], maps, inside, voxelization="linear")
    _assert_close(rows[2], rows[0] + 2 * rows[1])


@pytest.mark.parametrize("voxelization", ["nearest", "linear"])
def test_order_of_peaks_does_not_matter(inside, maps, rng, voxelization):
    peaks = draw_peaks(inside, rng)
    shuffled = [rng.permutation(rows) for rows in peaks]
    _assert_close(
        table_coefficients(shuffled, maps, inside, voxelization=voxelization),
        table_coefficients(peaks, maps, inside, voxelization=voxelization),
    )


def test_permuted_studies_give_permuted_rows(inside, maps, rng):
    peaks = draw_peaks(inside, rng)
    order = rng.permutation(len(peaks))
    np.testing.assert_array_equal(
        table_coefficients(peaks, maps, inside)[order],
        table_coefficients([peaks[index] for index in order], maps, inside),
    )


def test_linear_is_continuous_where_nearest_jumps(inside, maps):
    low, high = ([to_mm(np.array([[3.5 + step, 4, 3]]))] for step in (-1e-6, 1e-6))
    jump = {
        voxelization: np.abs(
            table_coefficients(low, maps, inside, voxelization=voxelization)
            - table_coefficients(high, maps, inside, voxelization=voxelization)
        ).max()
        for voxelization in ("nearest", "linear")
    }
    assert jump["linear"] < 1e-4 * jump["nearest"]


def test_collinear_maps_give_the_solution_of_minimum_norm(inside, maps, rng):
    maps = np.column_stack([maps, maps[:, 0]])
    _, condition = make_table(maps, inside)
    assert np.isinf(condition)
    peaks = draw_peaks(inside, rng)[4:]
    densities = [slow_density(rows, inside, "nearest") for rows in peaks]
    _assert_close(table_coefficients(peaks, maps, inside), lstsq(maps, densities))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_a_sum_of_maps_is_recognized_at_any_scale(inside, maps, scale):
    collinear = np.column_stack([maps, scale * (maps[:, 0] + maps[:, 1])])
    independent = np.column_stack([maps[:, :4], scale * maps[:, 4]])
    assert np.isinf(make_table(collinear, inside)[1])
    assert np.isfinite(make_table(independent, inside)[1])


@pytest.mark.parametrize("strategy", ["lstsq", "mean"])
def test_an_empty_map_has_zero_coefficients_and_changes_no_other(
    inside, maps, rng, strategy
):
    maps = np.abs(maps)
    peaks = draw_peaks(inside, rng)
    with_empty = np.insert(maps, 2, 0, axis=1)
    coefficients = table_coefficients(peaks, with_empty, inside, strategy=strategy)
    assert not coefficients[:, 2].any()
    _assert_close(
        np.delete(coefficients, 2, axis=1),
        table_coefficients(peaks, maps, inside, strategy=strategy),
    )


def test_blocks_of_rows_change_nothing(inside, maps, rng, monkeypatch):
    peaks = draw_peaks(inside, rng)
    expected = table_coefficients(peaks, maps, inside)
    monkeypatch.setattr(_table, "_BLOCK", 7)
    _assert_close(table_coefficients(peaks, maps, inside), expected)


def test_store_computes_once_and_forgets_the_oldest():
    store, built = RecentStore(size=2), []

    def get(key):
        return store.get(key, lambda: built.append(key) or key.upper())

    assert [get(key) for key in "abab"] == ["A", "B", "A", "B"]
    assert built == ["a", "b"]
    get("a")
    get("c")
    assert get("a") == "A"
    assert built == ["a", "b", "c"]
    get("b")
    assert built == ["a", "b", "c", "b"]


def test_store_keeps_nothing_of_a_failed_build():
    store = RecentStore(size=1)
    with pytest.raises(ZeroDivisionError):
        store.get("a", lambda: 1 / 0)
    assert store.get("a", lambda: 1) == 1


def test_store_lets_a_build_ask_for_another_result():
    store = RecentStore(size=2)
    assert store.get("b", lambda: store.get("a", lambda: 1) + 1) == 2
    assert store.get("a", lambda: 0) == 1


def test_store_shares_one_build_among_threads():
    store, built = RecentStore(size=1), []
    with ThreadPoolExecutor(4) as pool:
        results = [
            pool.submit(store.get, "a", lambda: built.append(1) or object())
            for _ in range(16)
        ]
    assert len({id(result.result()) for result in results}) == 1
    assert len(built) == 1
