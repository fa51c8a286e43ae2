"""Masks and grids; coefficients of images are those of nilearn."""

import math
import tracemalloc
import warnings

import nibabel as nib
import numpy as np
import pytest
from nibabel.openers import ImageOpener
from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext import KDEDiFuMoMasker, load_model, save_model
from sklearn_neurocontext.maskers import _images, load_mask
from sklearn_neurocontext.maskers._images import (
    _check_grid_size,
    check_affine,
    open_mask,
    resample_mask,
    to_volume,
    voxel_centers,
)
from tests.persistence.editing import edit


@pytest.fixture(scope="module")
def mask_img():
    return resample_mask(open_mask("mni"), 6.0)


def test_mask_is_binary_on_the_target_grid(mask_img):
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


def test_loaded_mask_is_that_of_the_masker(mask_img):
    expected = KDEDiFuMoMasker("geometric", 8).fit().mask_img_
    for found, wanted in (
        (load_mask(), expected),
        (load_mask(target_affine=6.0), mask_img),
        (load_mask(mask_img, None), mask_img),
    ):
        np.testing.assert_array_equal(found.affine, wanted.affine)
        np.testing.assert_array_equal(found.dataobj, wanted.dataobj)


def test_mask_on_the_target_grid_is_not_resampled(mask_img):
    for target in (6, [6, 6, 6], np.eye(3) * 6, mask_img.affine, None):
        again = resample_mask(mask_img, target)
        np.testing.assert_array_equal(again.affine, mask_img.affine)
        np.testing.assert_array_equal(again.dataobj, mask_img.dataobj)


def test_grid_may_be_rotated_but_not_sheared(mask_img):
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


def test_nonzero_voxels_of_a_mask_are_inside(mask_img, tmp_path):
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
def test_invalid_mask_raises(mask, error, match):
    with pytest.raises(error, match=match):
        open_mask(mask)


def test_mask_without_a_voxel_raises():
    with pytest.raises(
        ValueError, match=r"No voxel of the grid with target_affine=500"
    ):
        resample_mask(open_mask("mni"), 500.0)


@pytest.mark.parametrize("target", [0, [4, 4], "4 mm", np.nan, np.ones((3, 3)), {}])
def test_invalid_affine_raises(target):
    with pytest.raises(ValueError, match="'target_affine' parameter"):
        check_affine(target)


def test_volume_has_the_voxels_in_the_mask(mask_img, rng):
    inside = np.asarray(mask_img.dataobj) > 0
    voxels = rng.random((2, inside.sum())).astype(np.float32)
    volume = to_volume(voxels, mask_img)
    np.testing.assert_array_equal(volume[inside].T, voxels)
    assert not volume[~inside].any()
    assert len(voxel_centers(mask_img)) == voxels.shape[1]


def _smooth_maps_img(rng, mask_img, n_maps):
    noise = rng.standard_normal((*mask_img.shape, n_maps))
    maps = gaussian_filter(noise, (2, 2, 2, 0)).astype(np.float32)
    return nib.Nifti1Image(maps, mask_img.affine)


@pytest.fixture(scope="module")
def grid():
    return KDEDiFuMoMasker("geometric", 8, target_affine=8).fit().mask_img_


@pytest.fixture
def atlas_img(rng, grid):
    maps = np.abs(_smooth_maps_img(rng, grid, 5).dataobj)
    return nib.Nifti1Image(maps, grid.affine)


@pytest.fixture
def masker(atlas_img):
    return KDEDiFuMoMasker(atlas_img, target_affine=8).fit()


@pytest.fixture
def imgs(rng, grid):
    return _smooth_maps_img(rng, grid, 7)


@pytest.mark.parametrize("masked", [True, False])
def test_coefficients_equal_nilearns(atlas_img, grid, imgs, masked):
    masker = KDEDiFuMoMasker(
        atlas_img, target_affine=8, mask_img="mni" if masked else None
    ).fit()
    mask_img = grid if masked else None
    nilearn = NiftiMapsMasker(atlas_img, mask_img=mask_img, resampling_target=None)
    expected = nilearn.fit_transform(imgs)
    coefficients = masker.transform_imgs(imgs)
    assert coefficients.dtype == np.float32
    np.testing.assert_allclose(
        coefficients, expected, atol=1e-4 * np.abs(expected).max(), rtol=0
    )


def test_images_on_another_grid_are_resampled_as_by_nilearn(atlas_img, masker, rng):
    affine = np.diag([7.0, 7, 7, 1])
    affine[:3, 3] = [-100, -130, -70]
    noise = gaussian_filter(rng.standard_normal((29, 33, 27, 2)), (3, 3, 3, 0))
    imgs = nib.Nifti1Image(noise, affine)
    nilearn = NiftiMapsMasker(
        atlas_img, mask_img=masker.mask_img_, resampling_target="maps"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = nilearn.fit_transform(imgs)
    np.testing.assert_allclose(
        masker.transform_imgs(imgs, resampling="nilearn"),
        expected,
        atol=1e-4 * np.abs(expected).max(),
    )


# Affines from voxels of half the size, and of a third of the size, to the grid of the
# masker: aligned, flipped and permuted, and oblique.
_HALF = nib.affines.from_matvec(np.eye(3) / 2, np.full(3, -0.25))
_FLIPPED = np.array(
    [[0, -1 / 2, 0, 24.75], [0, 0, 1 / 2, -0.25], [1 / 3, 0, 0, -1 / 3], [0, 0, 0, 1]]
)
_OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.3, -0.2, 0.1) / 3, [2.0, 1.0, 3.0]
)


def test_voxels_are_means_of_the_smaller_voxels_in_them(atlas_img, rng):
    masker = KDEDiFuMoMasker(atlas_img, target_affine=8).fit()
    grid = masker.mask_img_
    shape = np.array(grid.shape)
    fine = rng.standard_normal(shape * 2)
    blocks = fine.reshape(shape[0], 2, shape[1], 2, shape[2], 2)
    expected = nib.Nifti1Image(blocks.mean(axis=(1, 3, 5)), grid.affine)
    img = nib.Nifti1Image(fine, grid.affine @ _HALF)
    coefficients = masker.transform_imgs(expected)
    np.testing.assert_allclose(masker.transform_imgs(img), coefficients, atol=1e-5)
    # The order in which voxels are stored does not matter.
    stored = fine[::-1].transpose(1, 2, 0)
    order = np.eye(4)[[2, 0, 1, 3]]
    order[0] = [0, 0, -1, len(fine) - 1]
    img = nib.Nifti1Image(stored, grid.affine @ _HALF @ order)
    np.testing.assert_allclose(masker.transform_imgs(img), coefficients, atol=1e-5)


@pytest.mark.parametrize("to_grid", [_HALF, _FLIPPED, _OBLIQUE])
def test_mean_of_a_linear_function_is_its_value_at_the_center(to_grid):
    def linear(affine, shape):
        voxels = np.moveaxis(np.indices(shape), 0, -1)
        x, y, z = np.moveaxis(nib.affines.apply_affine(affine, voxels), -1, 0)
        return 1 + x / 10 - y / 20 + z / 30

    affine = nib.affines.from_matvec(np.diag([4.0, 5, 6]), [3, -2, 1])
    coarse = nib.Nifti1Image(np.ones((25, 25, 25), np.uint8), affine)
    volume = linear(affine @ to_grid, (75, 75, 75))
    resampled = _images._resample(volume, affine @ to_grid, coarse, "average")
    # Coarse voxels that extend beyond the image are left out.
    inside = np.zeros((25, 25, 25), dtype=bool)
    inside[8:15, 8:15, 8:15] = True
    np.testing.assert_allclose(
        resampled[inside], linear(affine, (25, 25, 25))[inside], rtol=1e-9
    )


def test_all_peaks_of_an_image_of_1_mm_are_kept(rng):
    grid = resample_mask(open_mask("mni"), 4.0)
    affine = nib.affines.from_matvec(np.eye(3), [-90, -126, -72])
    volume = np.zeros((182, 218, 182), np.float32)
    volume[tuple(rng.integers(40, 140, (3, 50)))] = 1
    img = nib.Nifti1Image(volume, affine)
    means = _images._resample(volume.astype(float), affine, grid, "average")
    assert means.sum() * 4**3 == pytest.approx(volume.sum())
    density = nib.Nifti1Image(means, grid.affine)
    masker = KDEDiFuMoMasker("geometric", 128).fit()
    np.testing.assert_allclose(
        masker.transform_imgs(img), masker.transform_imgs(density), atol=1e-7
    )


@pytest.mark.slow
def test_noise_of_a_map_of_2_mm_is_averaged(rng):
    masker, fine = (
        KDEDiFuMoMasker("geometric", 512, target_affine=mm).fit() for mm in (4, 2)
    )
    inside = np.asarray(fine.mask_img_.dataobj) > 0
    clean = gaussian_filter(rng.standard_normal(inside.shape), 9 / 2.355 / 2)
    clean *= inside / clean[inside].std()
    noisy = clean + 4 * rng.standard_normal(inside.shape) * inside
    clean, noisy = (
        nib.Nifti1Image(one, fine.mask_img_.affine) for one in (clean, noisy)
    )
    expected = fine.transform_imgs(clean)[0]
    correlation = {
        name: np.corrcoef(expected, coefficients[0])[0, 1]
        for name, coefficients in {
            "average": masker.transform_imgs(noisy),
            "nilearn": masker.transform_imgs(noisy, resampling="nilearn"),
            "lstsq": fine.transform_imgs(noisy),
        }.items()
    }
    assert correlation["average"] > 0.9
    assert correlation["average"] > correlation["lstsq"] - 0.01
    assert correlation["nilearn"] < 0.75


def test_images_with_larger_voxels_are_interpolated(masker, rng):
    affine = np.diag([9.0, 9, 9, 1])
    affine[:3, 3] = [-100, -130, -70]
    noise = gaussian_filter(rng.standard_normal((23, 27, 21)), (3, 3, 3))
    img = nib.Nifti1Image(noise, affine)
    np.testing.assert_array_equal(
        masker.transform_imgs(img), masker.transform_imgs(img, resampling="nilearn")
    )


def test_an_image_without_values_in_the_mask_raises(masker):
    volume = np.zeros((40, 40, 40))
    volume[20, 20, 20] = 1
    away = nib.Nifti1Image(volume, nib.affines.from_matvec(np.eye(3), [500, 0, 0]))
    with pytest.raises(ValueError, match="Image 0 must have nonzero values in the mas"):
        masker.transform_imgs(away)
    # The voxel is at the center of a voxel of the grid, or between these centers.
    center = voxel_centers(masker.mask_img_)[500]
    for shift in (0, 3):
        affine = nib.affines.from_matvec(np.eye(3), center - 20 + shift)
        img = nib.Nifti1Image(volume, affine)
        coefficients = masker.transform_imgs(img)
        assert np.abs(coefficients).max() > 0
        if shift:
            with pytest.raises(ValueError, match="or pass resampling='average'"):
                masker.transform_imgs([img], resampling="nilearn")
    zeros = nib.Nifti1Image(np.zeros((4, 4, 4)), np.eye(4))
    assert not masker.transform_imgs(zeros).any()


def test_invalid_resampling_raises(masker, imgs):
    with pytest.raises(ValueError, match="'average' or 'nilearn'; got 'linear'"):
        masker.transform_imgs(imgs, resampling="linear")


@pytest.mark.parametrize("factor", [1e-300, 1e-50, 1e-8, 1e18, 1e50])
def test_coefficients_are_proportional_to_the_image(masker, imgs, factor):
    expected = masker.transform_imgs(imgs)
    img = nib.Nifti1Image(np.asarray(imgs.dataobj, float) * factor, imgs.affine)
    coefficients = masker.transform_imgs(img)
    np.testing.assert_allclose(coefficients / factor, expected, rtol=1e-5, atol=1e-7)
    back = masker.transform_imgs(masker.inverse_transform(coefficients))
    np.testing.assert_allclose(back / factor, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("voxel_mm", [2, 4, 9])
@pytest.mark.parametrize("resampling", ["average", "nilearn"])
def test_infinite_voxels_raise_on_every_grid(masker, value, voxel_mm, resampling):
    values = np.ones((10, 10, 10), dtype=np.float32)
    values[5, 5, 5] = value
    img = nib.Nifti1Image(values, np.diag([voxel_mm, voxel_mm, voxel_mm, 1]))
    with pytest.raises(ValueError, match="Image 1 must be finite; got infinite values"):
        masker.transform_imgs([masker.mask_img_, img], resampling=resampling)


def test_nan_is_zero_on_every_grid(masker, rng):
    values = rng.standard_normal((50, 50, 50))
    values[10:20] = np.nan
    for voxel_mm in (2, 9):
        affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1])
        np.testing.assert_array_equal(
            masker.transform_imgs(nib.Nifti1Image(values, affine)),
            masker.transform_imgs(nib.Nifti1Image(np.nan_to_num(values), affine)),
        )


def test_volumes_along_the_fifth_axis_are_read(masker, imgs, tmp_path):
    """AFNI writes the volumes of a bucket along the fifth axis."""
    expected = masker.transform_imgs(imgs)
    values = np.asarray(imgs.dataobj)[:, :, :, np.newaxis]
    bucket = nib.Nifti1Image(values, imgs.affine)
    nib.save(bucket, tmp_path / "bucket.nii.gz")
    for given in (bucket, tmp_path / "bucket.nii.gz"):
        np.testing.assert_allclose(masker.transform_imgs(given), expected, atol=1e-6)
    one = nib.Nifti1Image(values[..., :1], imgs.affine)
    np.testing.assert_allclose(masker.transform_imgs(one), expected[:1], atol=1e-6)


def _without_position(img, tmp_path):
    img = nib.Nifti1Image(np.asarray(img.dataobj), None)
    img.header.set_zooms((8, 8, 8, 1))
    nib.save(img, tmp_path / "none.nii.gz")
    return tmp_path / "none.nii.gz"


def _analyze(img, tmp_path):
    nib.save(nib.AnalyzeImage(np.asarray(img.dataobj), img.affine), tmp_path / "a.img")
    return tmp_path / "a.hdr"


def _flat(img, _):
    img.affine[0] = 0
    return img


def _colors(img, _):
    colors = np.zeros(img.shape[:3], dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    return nib.Nifti1Image(colors, img.affine)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (_without_position, "a header without position .*_code are 0"),
        (_analyze, r"a header without position \(Analyze\).* pass nibabel.Nifti1Image"),
        (_colors, r"img must have one real number per voxel; got colors \(RGB\)"),
        (
            lambda img, _: nib.Nifti1Image(
                np.asarray(img.dataobj, complex), img.affine
            ),
            "one real number per voxel; got complex numbers",
        ),
        (
            lambda img, _: nib.Nifti1Image(np.asarray(img.dataobj), None),
            "img must have an affine; got None",
        ),
        (
            lambda img, _: nib.Nifti1Image(
                img.get_fdata(), np.diag([1e-3, 1e-3, 1e-3, 1]) @ img.affine
            ),
            r"img must have voxels of 0.1 to 100 mm; got .*0.008, 0.008, 0.008",
        ),
        (
            _flat,
            "img must have an invertible affine; got",
        ),
    ],
)
def test_images_without_position_or_real_numbers_raise(
    masker, imgs, make, match, tmp_path
):
    with pytest.raises(ValueError, match=match):
        masker.transform_imgs(make(imgs, tmp_path))


def test_positions_of_analyze_images(masker, imgs, tmp_path):
    """SPM's .mat file states the position; SPM's origin does not state the side."""
    values, affine = np.asarray(imgs.dataobj[..., 0]), imgs.affine
    nib.save(nib.Spm99AnalyzeImage(values, affine), tmp_path / "mat.img")
    found = masker.transform_imgs(tmp_path / "mat.img")
    np.testing.assert_allclose(found, masker.transform_imgs(imgs)[:1], atol=1e-5)
    header = nib.Spm99AnalyzeImage(values, affine).header
    header.set_origin_from_affine(affine)
    nib.save(nib.Spm99AnalyzeImage(values, affine, header), tmp_path / "origin.img")
    (tmp_path / "origin.mat").unlink()
    with pytest.warns(UserWarning, match=r"origin.img' is an Analyze file"):
        masker.transform_imgs(tmp_path / "origin.img")


@pytest.mark.parametrize("name", ["cut.nii", "cut.nii.gz"])
def test_cut_off_file_raises(masker, imgs, name, tmp_path):
    path = tmp_path / name
    nib.save(imgs, path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(
        ValueError, match=r"Image 0 \(.*cut.nii.*\) cannot be read .* incomplete"
    ):
        masker.transform_imgs(path)


def test_mask_with_a_fourth_axis_of_length_one(mask_img):
    img = nib.Nifti1Image(np.asarray(mask_img.dataobj)[..., None], mask_img.affine)
    np.testing.assert_array_equal(open_mask(img).dataobj, mask_img.dataobj)


def test_means_equal_those_of_nilearns_labels_masker(grid, imgs, rng):
    labels_img = nib.Nifti1Image(
        rng.integers(1, 4, grid.shape).astype(np.int16) * np.asarray(grid.dataobj),
        grid.affine,
    )
    expected = NiftiLabelsMasker(labels_img).fit_transform(imgs)
    for strategy in ("mean", "lstsq"):
        masker = KDEDiFuMoMasker(labels_img, target_affine=8, strategy=strategy).fit()
        np.testing.assert_allclose(masker.transform_imgs(imgs), expected, atol=1e-5)


def test_all_forms_of_images_are_equivalent(masker, imgs, tmp_path, monkeypatch):
    expected = masker.transform_imgs(imgs)
    singles = [imgs.slicer[..., index] for index in range(7)]
    paths = [tmp_path / f"{index}.nii.gz" for index in range(7)]
    for img, path in zip(singles, paths, strict=True):
        nib.save(img, path)
    nib.save(imgs, tmp_path / "all.nii")
    monkeypatch.setattr(_images, "_BATCH", 8 * 3 * np.sum(masker.mask_img_.dataobj))
    for given in (
        singles,
        iter(paths),
        str(tmp_path / "all.nii"),
        [paths[0], imgs.slicer[..., 1:]],
    ):
        np.testing.assert_allclose(masker.transform_imgs(given), expected, atol=1e-6)
    np.testing.assert_allclose(masker.transform_imgs(singles[2]), expected[[2]])


def test_images_are_opened_one_by_one(masker, imgs, monkeypatch):
    opened, seen = [], []
    open_img = _images.open_img
    monkeypatch.setattr(
        _images, "open_img", lambda *given: opened.append(1) or open_img(*given)
    )

    def one_by_one():
        for index in range(7):
            seen.append(len(opened))
            yield imgs.slicer[..., index]

    masker.transform_imgs(one_by_one())
    assert seen == list(range(7))


def test_coefficients_are_recovered_from_their_images(masker, rng):
    coefficients = rng.standard_normal((40, 5)).astype(np.float32)
    back = masker.transform_imgs(masker.inverse_transform(coefficients))
    np.testing.assert_allclose(back, coefficients, atol=1e-4)


def test_nan_counts_as_zero(masker, imgs):
    values = np.array(imgs.dataobj)
    values[values < 0] = 0
    marked = np.where(values == 0, np.nan, values)
    np.testing.assert_array_equal(
        masker.transform_imgs(nib.Nifti1Image(marked, imgs.affine)),
        masker.transform_imgs(nib.Nifti1Image(values, imgs.affine)),
    )


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda img: 5, TypeError, "imgs must be an image, .* got int"),
        (lambda img: [], ValueError, "imgs must contain at least one"),
        (lambda img: [img, 5], TypeError, r"imgs\[1\] must be the path .* got int"),
        (lambda img: [__file__], ValueError, r"imgs\[0\]=.* cannot be read"),
        (lambda img: __file__, ValueError, r"img=.* cannot be read as an image"),
        (
            lambda img: "no.nii",
            FileNotFoundError,
            r"img must be .* 'no.nii' does not exist",
        ),
        (
            lambda img: nib.Nifti1Image(np.full(img.shape, np.inf), img.affine),
            ValueError,
            "Image 0 must be finite; got infinite values",
        ),
        (
            lambda img: nib.Nifti1Image(np.ones((2, 2, 2, 2, 2)), img.affine),
            ValueError,
            r"img must be .* got shape \(2, 2, 2, 2, 2\)",
        ),
    ],
)
def test_invalid_images_raise(masker, imgs, make, error, match):
    with pytest.raises(error, match=match):
        masker.transform_imgs(make(imgs))


@pytest.mark.parametrize("kind", [nib.load, str])
def test_compressed_file_is_opened_once(masker, imgs, tmp_path, monkeypatch, kind):
    """Otherwise a .nii.gz is decompressed from its start for each volume."""
    nib.save(imgs, tmp_path / "all.nii.gz")
    given, opened = kind(tmp_path / "all.nii.gz"), []
    masker.transform_imgs(imgs)

    class Counting(ImageOpener):
        def __init__(self, *args, **kwargs):
            opened.append(1)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr("nibabel.arrayproxy.openers.ImageOpener", Counting)
    assert len(masker.transform_imgs(given)) == 7
    assert len(opened) == 1


def test_maps_of_both_signs_equal_nilearns_without_its_mask(grid, imgs, rng):
    """With a mask nilearn excludes voxels where no map is positive."""
    signed = _smooth_maps_img(rng, grid, 3)
    masker = KDEDiFuMoMasker(signed, target_affine=8).fit()
    coefficients = masker.transform_imgs(imgs)
    settings = {"resampling_target": "maps"}
    without, with_mask = (
        NiftiMapsMasker(masker.maps_img_, mask_img=mask_img, **settings).fit_transform(
            imgs
        )
        for mask_img in (None, masker.mask_img_)
    )
    largest = np.abs(without).max()
    np.testing.assert_allclose(coefficients, without, atol=1e-4 * largest, rtol=0)
    assert np.abs(coefficients - with_mask).max() > 1e-2 * largest


@pytest.mark.parametrize(
    ("target_affine", "shape"),
    [
        (0.2, (981, 1161, 941)),
        (0.5, (393, 465, 377)),
        ((0.001, 100, 100), (196_001, 4, 3)),
        ([[4, 0, 0, -4e9], [0, 4, 0, -134], [0, 0, 4, -72], [0, 0, 0, 1]], None),
    ],
)
def test_grids_of_unlimited_memory_raise(target_affine, shape):
    match = "" if shape is None else f"{math.prod(shape):,} voxels, which needs [1-9]"
    with pytest.raises(ValueError, match=f"at most 1 GB .*{match}"):
        resample_mask(open_mask("mni"), target_affine)


@pytest.mark.parametrize("target_affine", [None, 1, 2, 4, (1, 2, 3)])
def test_usual_grids_have_the_expected_size(target_affine):
    _check_grid_size(open_mask("mni"), check_affine(target_affine))


def test_forged_masker_raises_before_memory_is_used(tmp_path):
    masker = KDEDiFuMoMasker("geometric", 128).fit()
    for name, value in (("target_affine", 0.2), ("fwhm", 1e15)):
        folder = save_model(masker, tmp_path / name)

        def forge(description, name=name, value=value):
            description["model"]["params"][name] = value

        edit(folder, forge)
        tracemalloc.start()
        with pytest.raises(ValueError, match=name):
            load_model(folder)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1e8


@pytest.mark.parametrize("shape", [(20, 22, 20), (20, 22, 20, 3)])
@pytest.mark.parametrize("name", ["cut.nii.gz", "cut.nii"])
def test_incomplete_masks_and_atlases_are_named(tmp_path, rng, name, shape):
    path = tmp_path / name
    values = rng.uniform(0.5, 1, shape).astype(np.float32)
    nib.Nifti1Image(values, open_mask("mni").affine).to_filename(path)
    path.write_bytes(path.read_bytes()[:20_000])
    kinds = {"atlas": path} if len(shape) == 4 else {"atlas": path, "mask_img": path}
    for kind, given in kinds.items():
        masker = KDEDiFuMoMasker("geometric", 128).set_params(**{kind: given})
        with pytest.raises(ValueError, match=rf"{kind} .*{name}.* may be incomplete"):
            masker.fit()
