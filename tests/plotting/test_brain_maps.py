"""Tests of plots on glass brains: voxels, labels, titles and errors."""

import itertools
import math
import re

import nibabel as nib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_to_img
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext._utils.volumes import keep_strongest
from sklearn_neurocontext.plotting import (
    plot_predicted_and_observed,
    plot_predicted_map,
)
from sklearn_neurocontext.plotting._brain_maps import draw_row_label, figure_with_title

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])
AFFINE[:3, 3] = (-88, -124, -72)
SHAPE = (23, 28, 23)
TITLE = r"costs of $5 and a_b of $6 in \alpha_1 $\frac{"


def _img(volume):
    return nib.Nifti1Image(np.asarray(volume, dtype=np.float32), AFFINE)


# Half a meter away from the brain.
FAR_IMG = nib.Nifti1Image(
    np.ones((5, 5, 5)), np.block([[np.eye(3), np.full((3, 1), 500)], [0, 0, 0, 1]])
)


@pytest.fixture(scope="module")
def img():
    """Return a smooth positive map without ties that extends beyond the brain."""
    return _img(gaussian_filter(np.random.default_rng(0).random(SHAPE), 1.5))


@pytest.fixture(scope="module")
def weak_img(img):
    """Return another map with values 50 times smaller."""
    return _img(gaussian_filter(img.get_fdata()[::-1], 1.0) / 50)


@pytest.fixture(scope="module")
def inside():
    """Return the MNI brain mask on the grid of the maps."""
    mask_img = resample_to_img(
        load_mni152_brain_mask(resolution=2),
        _img(np.zeros(SHAPE)),
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )
    return mask_img.get_fdata() > 0


# Drawing a glass brain takes almost a second, so tests share these two figures.
@pytest.fixture(scope="module")
def figure(img):
    return plot_predicted_map(img, text=TITLE, note="a note", top=0.05)


@pytest.fixture(scope="module")
def pair_figure(img, weak_img):
    return plot_predicted_and_observed(
        weak_img,
        img,
        title=TITLE,
        peaks=[[-40, -20, 50], [8, 0, 6]],
        top=0.2,
        unit="peaks per voxel",
    )


def _drawn_pixels(figure):
    """Return the pixels drawn in each view (l, y, r, z), row by row from the top."""
    images = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    return [~np.ma.getmaskarray(one) for one in images]


@pytest.mark.parametrize("top", [0.02, 0.1, 0.5, 1.0])
def test_fraction_of_brain_voxels_is_kept(img, inside, top):
    kept = keep_strongest(img, top, "img").get_fdata()
    voxels = img.get_fdata()
    assert not kept[~inside].any()
    assert np.count_nonzero(kept) == math.ceil(top * inside.sum())
    np.testing.assert_array_equal(kept[kept > 0], voxels[kept > 0])
    if top < 1:
        assert kept[kept > 0].min() > voxels[inside & (kept == 0)].max()


def test_voxels_below_a_hundredth_of_the_maximum_are_removed(img, inside):
    volume = img.get_fdata()
    shifted = np.float32(volume - np.quantile(volume[inside], 0.98))
    kept = keep_strongest(_img(shifted), 0.5, "img").get_fdata()
    assert kept.min() == 0
    expected = inside & (shifted > 0.01 * shifted[inside].max())
    np.testing.assert_array_equal(kept > 0, expected)


def test_kept_voxels_are_drawn(img, figure):
    kept = keep_strongest(img, 0.05, "img").get_fdata() > 0
    drawn = _drawn_pixels(figure)
    assert len(drawn) == 4
    assert drawn[1].sum() == kept.any(axis=1).sum()
    assert drawn[3].sum() == kept.any(axis=2).sum()


def test_observed_map_is_above_the_predicted_map(img, weak_img, pair_figure):
    heights = {text.get_text(): text.get_position()[1] for text in pair_figure.texts}
    assert heights["observed, top 20 %"] > heights["predicted, top 20 %"]
    for row, one in ((slice(0, 4), img), (slice(4, 8), weak_img)):
        kept = keep_strongest(one, 0.2, "img").get_fdata() > 0
        assert _drawn_pixels(pair_figure)[row][3].sum() == kept.any(axis=2).sum()


def test_each_map_has_its_own_color_scale(img, weak_img, pair_figure):
    bars = [ax for ax in pair_figure.axes if ax.get_ylabel()]
    limits = [ax.images[0].get_clim() for ax in pair_figure.axes if ax.images]
    assert [bar.get_ylabel() for bar in bars] == ["peaks per voxel"] * 2
    for row, one in enumerate((img, weak_img)):
        strongest = keep_strongest(one, 0.2, "img").get_fdata().max()
        assert bars[row].get_ylim() == pytest.approx((0, strongest))
        expected = [(0, strongest)] * 4
        np.testing.assert_allclose(limits[4 * row : 4 * row + 4], expected, rtol=1e-6)


def test_peaks_are_marked_on_the_observed_map(pair_figure):
    marked = [ax for ax in pair_figure.axes if ax.collections and not ax.get_ylabel()]
    offsets = [len(ax.collections[-1].get_offsets()) for ax in marked]
    assert offsets == [1, 2, 1, 2]
    assert min(ax.get_position().y0 for ax in marked) > 0.4
    (legend,) = pair_figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["reported peak"]


def test_study_without_peaks_has_no_marks(img):
    figure = plot_predicted_and_observed(img, img, peaks=[])
    assert not any(ax.collections for ax in figure.axes if not ax.get_ylabel())
    assert not figure.legends


def test_titles_without_mathtext(figure, pair_figure):
    for one in (figure, pair_figure):
        assert one.get_suptitle() == TITLE
        assert not one._suptitle.get_parse_math()
        one.draw_without_rendering()


@pytest.mark.parametrize("n_words", [1, 11, 400])
@pytest.mark.parametrize("note", ["", "short", "a longer note $x_ " * 20])
def test_title_and_note_fit_above_the_maps(n_words, note):
    title = " ".join(["HIPPOCAMPAL"] * n_words)
    figure, (row,) = figure_with_title(title, 1, note)
    draw_row_label(figure, row, "predicted")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts]
    assert len(boxes) == (3 if note else 2)
    assert boxes[0].y1 < figure.bbox.height
    for above, below in itertools.pairwise(boxes):
        assert above.y0 > below.y1
        assert above.x0 > 0
        assert above.x1 < figure.bbox.width
    lines = figure.get_suptitle().split("\n")
    assert len(lines) == (1 if n_words == 1 else 2)
    assert lines[-1].endswith(" …") == (n_words == 400)
    if note:
        shown = figure.texts[1].get_text().replace("\n", " ")
        assert shown.startswith(note[:60].strip())


def test_note_is_drawn(figure):
    assert "a note" in [text.get_text() for text in figure.texts]


def test_all_artists_are_inside_the_figure(pair_figure):
    box = pair_figure.get_tightbbox()
    width, height = pair_figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_4d_image_of_one_map(img, figure):
    img_4d = _img(img.get_fdata()[..., np.newaxis])
    drawn = _drawn_pixels(plot_predicted_map(img_4d, text="reading", top=0.05))
    for one, expected in zip(drawn, _drawn_pixels(figure), strict=True):
        np.testing.assert_array_equal(one, expected)


def test_saved_picture_is_not_blank(figure, tmp_path):
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "map.png", dpi=40)
    pixels = imread(tmp_path / "map.png")[..., :3]
    colored = np.ptp(pixels, axis=2) > 0.2
    assert 0.005 < colored.mean() < 0.5


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"img": np.ones(3)}, TypeError, "img must be a NIfTI image; got ndarray"),
        ({"img": _img(np.ones((*SHAPE, 2)))}, ValueError, "must contain one 3D map"),
        ({"img": _img(np.full(SHAPE, np.nan))}, ValueError, "img contains NaN"),
        ({"img": _img(np.zeros(SHAPE))}, ValueError, "img has no positive voxel"),
        ({"img": FAR_IMG}, ValueError, "img does not overlap the brain"),
        ({"top": 0.0}, ValueError, "top must be a fraction of the voxels"),
        ({"text": ["reading"]}, TypeError, "text must be a string; got list"),
    ],
)
def test_errors(img, change, kind, message):
    arguments = {"img": img, "text": "reading", **change}
    with pytest.raises(kind, match=re.escape(message)):
        plot_predicted_map(arguments.pop("img"), **arguments)


def test_errors_of_two_images(img):
    empty = _img(np.zeros(SHAPE))
    with pytest.raises(ValueError, match="observed_img has no positive voxel"):
        plot_predicted_and_observed(img, empty)
    with pytest.raises(ValueError, match="predicted_img has no positive voxel"):
        plot_predicted_and_observed(empty, img)
    with pytest.raises(ValueError, match="The peaks of study 0 have shape"):
        plot_predicted_and_observed(img, img, peaks=[1.0, 2.0, 3.0])


def test_images_without_position_or_real_numbers_raise():
    volume = np.ones((5, 5, 5), np.float32)
    for img, words in (
        (nib.Nifti1Image(volume, None), "img must have an affine; got None"),
        (nib.Nifti1Image(volume + 0j, AFFINE), "got complex numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            plot_predicted_map(img, text="pain")


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_strongest_voxels_do_not_depend_on_the_unit(img, factor):
    scaled = nib.Nifti1Image(factor * np.asarray(img.dataobj, float), img.affine)
    kept, scaled = (keep_strongest(one, 0.1, "img") for one in (img, scaled))
    np.testing.assert_allclose(scaled.get_fdata() / factor, kept.get_fdata(), rtol=1e-6)
