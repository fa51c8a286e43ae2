"""Images that are maps already: coefficients as nilearn computes them, streamed."""

import warnings

import nibabel as nib
import numpy as np
import pytest
from nibabel.openers import ImageOpener
from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext import KDEDiFuMoMasker
from sklearn_neurocontext.maskers import _images


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


def test_images_of_another_grid_are_resampled_as_nilearn_does(atlas_img, masker, rng):
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
        masker.transform_imgs(imgs), expected, atol=1e-4 * np.abs(expected).max()
    )


def test_means_equal_those_of_nilearns_labels_masker(grid, imgs, rng):
    labels_img = nib.Nifti1Image(
        rng.integers(1, 4, grid.shape).astype(np.int16) * np.asarray(grid.dataobj),
        grid.affine,
    )
    expected = NiftiLabelsMasker(labels_img).fit_transform(imgs)
    for strategy in ("mean", "lstsq"):
        masker = KDEDiFuMoMasker(labels_img, target_affine=8, strategy=strategy).fit()
        np.testing.assert_allclose(masker.transform_imgs(imgs), expected, atol=1e-5)


def test_all_ways_to_give_images_give_the_same(masker, imgs, tmp_path, monkeypatch):
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


def test_images_are_opened_when_their_turn_comes(masker, imgs, monkeypatch):
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


def test_coefficients_survive_the_way_to_images_and_back(masker, rng):
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
        (lambda img: [], ValueError, "imgs is empty"),
        (lambda img: [img, 5], TypeError, r"imgs\[1\] must be the path .* got int"),
        (lambda img: __file__, ValueError, r"imgs\[0\]=.* cannot be read as an image"),
        (
            lambda img: "no.nii",
            FileNotFoundError,
            r"imgs\[0\] must be .* 'no.nii' does not exist",
        ),
        (
            lambda img: nib.Nifti1Image(np.full(img.shape, np.inf), img.affine),
            ValueError,
            "Image 0 contains infinite",
        ),
        (
            lambda img: nib.Nifti1Image(np.ones((2, 2, 2, 2, 2)), img.affine),
            ValueError,
            r"imgs\[0\] must be .* got shape \(2, 2, 2, 2, 2\)",
        ),
    ],
)
def test_what_is_no_image_is_told(masker, imgs, make, error, match):
    with pytest.raises(error, match=match):
        masker.transform_imgs(make(imgs))


@pytest.mark.parametrize("kind", [nib.load, str])
def test_a_packed_file_is_opened_once(masker, imgs, tmp_path, monkeypatch, kind):
    """Opened for each volume, a .nii.gz would be unpacked from its start each time."""
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
    """With a mask nilearn leaves out the voxels where no map is above zero."""
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
