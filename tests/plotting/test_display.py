"""Tests of the selection of voxels and of the interpolation of maps for display."""

import math

import nibabel as nib
import numpy as np
import pytest
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_to_img
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext._utils.volumes import keep_strongest
from sklearn_neurocontext.plotting._display import make_display_map

# The origin of nilearn's MNI mask, so that its grid of 2 mm contains these voxels.
AFFINE = nib.affines.from_matvec(np.diag([4.0, 4.0, 4.0]), (-98, -134, -72))
SHAPE = (50, 59, 48)
MASK_IMG = load_mni152_brain_mask(resolution=2)
FINE = MASK_IMG.get_fdata() > 0


def _img(volume):
    return nib.Nifti1Image(np.asarray(volume, dtype=np.float64), AFFINE)


@pytest.fixture(scope="module")
def inside():
    """Return the MNI brain mask on the grid of the maps."""
    mask_img = resample_to_img(
        MASK_IMG,
        _img(np.zeros(SHAPE)),
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )
    return mask_img.get_fdata() > 0


@pytest.fixture(scope="module", params=[1.0, 2.0])
def img(request, inside):
    """Return a map of random blobs of both signs, which is zero outside the brain."""
    noise = np.random.default_rng(0).normal(size=SHAPE)
    volume = np.where(inside, gaussian_filter(noise, request.param), 0)
    return _img(volume / abs(volume).max())


def _position(img, volume, find):
    place = np.unravel_index(getattr(volume, find)(), volume.shape)
    return nib.affines.apply_affine(img.affine, place)


@pytest.mark.parametrize("top", [0.02, 0.1, 0.5, 1.0])
def test_fraction_of_brain_voxels_is_kept(img, inside, top):
    volume = np.abs(img.get_fdata()) + 1
    kept = keep_strongest(_img(volume), top, "img").get_fdata()
    assert not kept[~inside].any()
    assert np.count_nonzero(kept) == math.ceil(top * inside.sum())
    np.testing.assert_array_equal(kept[kept > 0], volume[kept > 0])
    if top < 1:
        assert kept[kept > 0].min() > volume[inside & (kept == 0)].max()


def test_largest_magnitudes_are_kept(img, inside):
    kept = keep_strongest(img, 0.1, "img", two_sided=True).get_fdata()
    assert np.count_nonzero(kept) == math.ceil(0.1 * inside.sum())
    assert kept.min() < 0 < kept.max()
    negated = keep_strongest(_img(-img.get_fdata()), 0.1, "img", two_sided=True)
    np.testing.assert_array_equal(negated.get_fdata(), -kept)


def test_voxels_below_a_hundredth_of_the_maximum_are_removed(img, inside):
    volume = img.get_fdata()
    shifted = volume - np.quantile(volume[inside], 0.98)
    kept = keep_strongest(_img(shifted), 0.5, "img").get_fdata()
    expected = inside & (shifted > 0.01 * shifted[inside].max())
    np.testing.assert_array_equal(kept > 0, expected)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_strongest_voxels_do_not_depend_on_the_unit(img, factor):
    scaled = keep_strongest(_img(factor * img.get_fdata()), 0.1, "img").get_fdata()
    kept = keep_strongest(img, 0.1, "img").get_fdata()
    np.testing.assert_allclose(scaled / factor, kept, rtol=1e-6)


def test_interpolation_keeps_location_value_and_sign_of_extremes(img):
    shown = make_display_map(img, "img", threshold=0.1, two_sided=True)
    volume, fine = img.get_fdata(), shown.img.get_fdata()
    for find in ("argmin", "argmax"):
        before, after = _position(img, volume, find), _position(shown.img, fine, find)
        np.testing.assert_allclose(after, before, atol=4)
    assert fine.min() == pytest.approx(volume.min(), abs=1e-6)
    assert fine.max() == pytest.approx(volume.max(), abs=1e-6)


def test_interpolation_keeps_the_values_of_the_voxels(img, inside):
    shown = make_display_map(img, "img", threshold=0.1)
    both = inside & FINE[::2, ::2, ::2]
    fine = shown.extended_img.get_fdata()[::2, ::2, ::2]
    np.testing.assert_allclose(fine[both], img.get_fdata()[both], atol=1e-6)


def test_constant_map_stays_constant_up_to_the_border_of_the_brain(inside):
    shown = make_display_map(_img(np.where(inside, 3.0, 0)), "img", threshold=1)
    np.testing.assert_allclose(shown.img.get_fdata()[FINE], 3)
    assert not shown.img.get_fdata()[~FINE].any()


def test_maps_on_other_grids_are_shown_at_the_same_place():
    affine = nib.affines.from_matvec(np.diag([-3.0, 3.0, 3.0]), (91, -126, -71))
    volume = np.zeros((61, 73, 61))
    volume[40, 30, 40] = 1
    img = nib.Nifti1Image(gaussian_filter(volume, 2), affine)
    shown = make_display_map(img, "img")
    found = _position(shown.img, shown.img.get_fdata(), "argmax")
    assert np.linalg.norm(found - (91 - 120, -126 + 90, -71 + 120)) < 2


def test_threshold_is_symmetric(img):
    one = make_display_map(img, "img", threshold=0.3, two_sided=True)
    other = make_display_map(
        _img(-img.get_fdata()), "img", threshold=0.3, two_sided=True
    )
    values = one.img.get_fdata()
    selected = one.select(values)
    np.testing.assert_array_equal(selected != 0, np.abs(values) >= 0.3)
    np.testing.assert_allclose(other.select(other.img.get_fdata()), -selected)
    assert (other.lowest, other.highest) == (-one.highest, -one.lowest)


def test_negative_values_need_two_sided(img):
    shown = make_display_map(img, "img", threshold=0.3)
    assert shown.select(shown.img.get_fdata()).min() == 0
    assert shown.lowest == 0


def test_shown_fraction_of_an_interpolated_map(img):
    for two_sided in (False, True):
        shown = make_display_map(img, "img", top=0.1, two_sided=two_sided)
        selected = shown.select(shown.img.get_fdata())[FINE] != 0
        assert 0.06 < selected.mean() < 0.11


@pytest.mark.parametrize(
    ("low", "high", "limits"),
    [(-5, 4, (-5, 5)), (0, 4, (0, 4)), (-2.9, 4, (0, 4)), (-5, 2, (-5, 0))],
)
def test_limits_have_no_unused_half(low, high, limits):
    volume = np.zeros(SHAPE)
    volume[15:18, 30:33, 20:23], volume[30:33, 30:33, 20:23] = low, high
    shown = make_display_map(_img(volume), "img", threshold=3, two_sided=True)
    assert shown.limits == limits
    assert not shown.is_empty


def test_map_below_the_threshold_is_empty(img):
    shown = make_display_map(img, "img", threshold=1.01, two_sided=True)
    assert shown.is_empty
    # Values that are equal to the threshold are shown.
    assert not make_display_map(img, "img", threshold=1, two_sided=True).is_empty
