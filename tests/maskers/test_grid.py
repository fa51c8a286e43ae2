"""Grids are NeuroQuery's, or those that were asked for."""

import nibabel as nib
import numpy as np
import pytest

from sklearn_neurocontext.maskers._images import (
    check_affine,
    open_mask,
    resample_mask,
    to_volume,
    voxel_centers,
)


@pytest.fixture(scope="module")
def mask_img():
    return resample_mask(open_mask("mni"), 6.0)


def test_mask_is_binary_on_the_asked_grid(mask_img):
    fine = resample_mask(open_mask("mni"), 4.0)
    assert nib.affines.voxel_sizes(fine.affine) == pytest.approx([4, 4, 4])
    assert set(np.unique(fine.dataobj)) == {0, 1}
    volume_ml = np.sum(fine.dataobj, dtype=int) * 4**3 / 1000
    coarse_ml = np.sum(mask_img.dataobj, dtype=int) * 0.216
    assert volume_ml == pytest.approx(coarse_ml, rel=0.02)


def test_the_default_grid_is_neuroquerys():
    theirs = pytest.importorskip("neuroquery.img_utils").get_masker(None, (4, 4, 4))
    ours = resample_mask(open_mask("mni"), 4.0)
    np.testing.assert_array_equal(ours.affine, theirs.mask_img_.affine)
    np.testing.assert_array_equal(ours.dataobj, theirs.mask_img_.dataobj)


def test_a_mask_on_the_asked_grid_stays_as_it_is(mask_img):
    for target in (6, [6, 6, 6], np.eye(3) * 6, mask_img.affine, None):
        again = resample_mask(mask_img, target)
        np.testing.assert_array_equal(again.affine, mask_img.affine)
        np.testing.assert_array_equal(again.dataobj, mask_img.dataobj)


def test_an_affine_may_be_turned_but_not_sheared(mask_img):
    turned = np.array([[0.0, -6, 0, 60], [6, 0, 0, -90], [0, 0, 6, -60], [0, 0, 0, 1]])
    resampled = resample_mask(mask_img, turned)
    np.testing.assert_array_equal(resampled.affine, turned)
    assert np.sum(resampled.dataobj, dtype=int) > 1000
    sheared = turned.copy()
    sheared[0, 0] = 3
    with pytest.raises(ValueError, match="axes of the grid must be orthogonal"):
        resample_mask(mask_img, sheared)


def test_the_whole_box_has_the_masks_grid():
    mask_img, whole = (
        resample_mask(open_mask(m), 4.0, m is None) for m in ("mni", None)
    )
    assert np.all(whole.dataobj)
    np.testing.assert_array_equal(whole.affine, mask_img.affine)
    assert whole.shape == mask_img.shape


def test_a_mask_of_the_users_is_where_it_is_not_zero(mask_img, tmp_path):
    values = np.where(mask_img.dataobj, 0.25, np.nan)
    img = nib.Nifti1Image(values, mask_img.affine)
    nib.save(img, tmp_path / "mask.nii.gz")
    for mask in (img, tmp_path / "mask.nii.gz"):
        np.testing.assert_array_equal(open_mask(mask).dataobj, mask_img.dataobj)


@pytest.mark.parametrize(
    ("mask", "error", "match"),
    [
        (
            "no-such-file.nii",
            FileNotFoundError,
            "'mni', None, .*'no-such-file.nii' does not",
        ),
        (5, TypeError, "mask_img must be 'mni', None, the path .* got int"),
        (nib.Nifti1Image(np.ones((2, 2, 2, 2)), np.eye(4)), ValueError, "a 3D image"),
    ],
)
def test_no_mask_is_told(mask, error, match):
    with pytest.raises(error, match=match):
        open_mask(mask)


def test_mask_without_a_voxel_is_an_error():
    with pytest.raises(
        ValueError, match=r"No voxel of the grid with target_affine=500"
    ):
        resample_mask(open_mask("mni"), 500.0)


@pytest.mark.parametrize("target", [0, [4, 4], "4 mm", np.nan, np.ones((3, 3)), {}])
def test_no_affine_is_told(target):
    with pytest.raises(ValueError, match="'target_affine' parameter"):
        check_affine(target)


def test_written_voxels_are_read_back_in_the_mask(mask_img, rng):
    inside = np.asarray(mask_img.dataobj) > 0
    voxels = rng.random((2, inside.sum())).astype(np.float32)
    volume = to_volume(voxels, mask_img)
    np.testing.assert_array_equal(volume[inside].T, voxels)
    assert not volume[~inside].any()
    assert len(voxel_centers(mask_img)) == voxels.shape[1]
