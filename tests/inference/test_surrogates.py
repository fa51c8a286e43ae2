"""Surrogate maps have the spatial autocorrelation of the given map."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext._utils.volumes import (
    FWHM_TO_SIGMA,
    unit_rows,
    voxels_to_imgs,
)
from sklearn_neurocontext.inference._nulls import NullMaps
from sklearn_neurocontext.inference._surrogates import (
    autocorrelation,
    coefficient_covariances,
    draw_surrogates,
    fit_shares,
    fit_widths,
)


def _field(shape, fwhm, voxel_mm, rng):
    """Return smoothed white noise without effects of the border."""
    sigma = fwhm * FWHM_TO_SIGMA / voxel_mm
    margin = int(np.ceil(4 * sigma))
    noise = rng.standard_normal(np.array(shape) + 2 * margin)
    return gaussian_filter(noise, sigma)[(slice(margin, -margin),) * 3]


def test_autocorrelation_is_that_of_a_brute_force_sum():
    rng = np.random.default_rng(0)
    volume, inside = rng.normal(size=(9, 8, 7)), rng.random((9, 8, 7)) < 0.9
    lags, found = autocorrelation(volume, inside, (4.0, 4.0, 4.0))
    values = volume - volume[inside].mean()
    products = [
        values[i, j, k] * values[i + 2, j, k]
        for i, j, k in np.argwhere(inside)
        if i + 2 < 9 and inside[i + 2, j, k]
    ]
    expected = np.mean(products) / np.mean(values[inside] ** 2)
    assert found[lags == 8.0][0] == pytest.approx(expected)


@pytest.mark.parametrize("fwhm", [6.0, 12.0, 24.0])
def test_width_of_a_random_field_is_found(fwhm):
    rng = np.random.default_rng(0)
    inside = np.ones((50, 50, 50), dtype=bool)
    pairs = [
        autocorrelation(_field(inside.shape, fwhm, 4.0, rng), inside, (4.0,) * 3)
        for _ in range(3)
    ]
    shares = fit_widths(pairs[0][0], np.mean([one for _, one in pairs], axis=0))
    assert shares.sum() == pytest.approx(1)
    assert shares[[6.0, 12.0, 24.0, 48.0].index(fwhm)] > 0.7


@pytest.mark.parametrize(("fwhm", "column"), [(12.0, 1), (24.0, 2)])
def test_covariances_are_those_of_the_coefficients_of_random_fields(
    fwhm, column, parts
):
    masker = parts["masker"]
    inside = np.asarray(masker.mask_img_.dataobj) > 0
    rng = np.random.default_rng(0)
    voxel_mm = abs(masker.mask_img_.affine[0, 0])
    fields = np.array(
        [_field(inside.shape, fwhm, voxel_mm, rng)[inside] for _ in range(150)]
    )
    # Smoothing with this standard deviation in voxels multiplies the variance.
    sigma = fwhm * FWHM_TO_SIGMA / voxel_mm
    y = masker.voxels_to_coefficients(fields) * (4 * np.pi * sigma**2) ** 0.75
    expected = y.T @ y / len(y)
    covariance = coefficient_covariances(masker)[column]
    # Maps are averaged in cubes of 8 mm, which lowers the variance of narrow kernels.
    assert np.trace(covariance) == pytest.approx(np.trace(expected), rel=0.15)
    differences = _correlations(covariance) - _correlations(expected)
    # The standard error of a correlation near 0 is 1 / sqrt(n).
    assert np.sqrt(np.mean(differences**2)) < 1.3 / np.sqrt(len(y))


def _correlations(covariance):
    std = np.sqrt(np.diag(covariance))
    return covariance / np.outer(std, std)


def test_surrogates_have_the_weighted_covariance():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(4, 5, 5))
    covariances = roots @ roots.transpose(0, 2, 1)
    shares = (0.5, 0.0, 0.5, 0.0)
    maps = draw_surrogates(shares, covariances)
    assert maps.shape == (1000, 5)
    expected = (covariances[0] + covariances[2]) / 2
    found = maps.T @ maps / len(maps)
    np.testing.assert_allclose(found, expected, atol=0.15 * np.abs(expected).max())


def test_shares_depend_neither_on_the_grid_nor_on_the_unit(parts):
    mask_img = parts["masker"].mask_img_
    rng = np.random.default_rng(0)
    field = _field(mask_img.shape, 16.0, abs(mask_img.affine[0, 0]), rng)
    img = nib.Nifti1Image(field, mask_img.affine)
    shares = fit_shares(img, mask_img)
    assert fit_shares(nib.Nifti1Image(1e4 * field, mask_img.affine), mask_img) == shares
    single = nib.Nifti1Image(field[..., None], mask_img.affine)
    assert fit_shares(single, mask_img) == shares


def test_p_values_of_random_fields_are_uniform(parts):
    masker, mask_img = parts["masker"], parts["masker"].mask_img_
    inside = np.asarray(mask_img.dataobj) > 0
    rng = np.random.default_rng(0)
    voxel_mm = abs(mask_img.affine[0, 0])
    fields = [_field(inside.shape, 14.0, voxel_mm, rng)[inside] for _ in range(300)]
    y = masker.voxels_to_coefficients(fields)
    nulls = NullMaps(parts["reference"], masker)
    null = nulls.choose("auto", y[:1], voxels_to_imgs(fields[:1], mask_img)[0])
    assert null[0] == "surrogates"
    candidates = rng.normal(size=(30, y.shape[1]))

    def compare(rows, maps):
        return candidates[rows] @ unit_rows(maps).T

    fitted = nulls.fit(null, None, len(candidates), compare)
    similarity = compare(slice(None), nulls.prepare(null, y))
    p_values = np.array([fitted.p_values(one) for one in similarity.T])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p_values < level) == pytest.approx(level, rel=0.2)
