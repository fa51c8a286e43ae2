"""Brain maps: which voxels are drawn, titles, labels, and errors."""

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

from sklearn_neurocontext.plotting import (
    plot_predicted_and_observed,
    plot_predicted_map,
)
from sklearn_neurocontext.plotting._brain_maps import keep_strongest

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])
AFFINE[:3, 3] = (-88, -124, -72)
SHAPE = (23, 28, 23)


def _img(volume):
    return nib.Nifti1Image(np.asarray(volume, dtype=np.float32), AFFINE)


# Half a metre off the brain.
FAR_IMG = nib.Nifti1Image(
    np.ones((5, 5, 5)), np.block([[np.eye(3), np.full((3, 1), 500)], [0, 0, 0, 1]])
)


@pytest.fixture
def img(rng):
    """A smooth positive map, without ties, that reaches beyond the brain."""
    return _img(gaussian_filter(rng.random(SHAPE), 1.5))


@pytest.fixture(scope="module")
def inside():
    """The MNI brain on the grid of the maps."""
    mask_img = resample_to_img(
        load_mni152_brain_mask(resolution=2),
        _img(np.zeros(SHAPE)),
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )
    return mask_img.get_fdata() > 0


def _drawn(figure):
    """The pixels drawn in each view, row after row: l, y, r, z."""
    images = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    return [~np.ma.getmaskarray(one) for one in images]


@pytest.mark.parametrize("top", [0.02, 0.1, 0.5, 1.0])
def test_the_stated_fraction_of_the_brain_is_kept(img, inside, top):
    kept = keep_strongest(img, top, "img").get_fdata()
    voxels = img.get_fdata()
    assert not kept[~inside].any()
    assert np.count_nonzero(kept) == math.ceil(top * inside.sum())
    np.testing.assert_array_equal(kept[kept > 0], voxels[kept > 0])
    if top < 1:
        assert kept[kept > 0].min() > voxels[inside & (kept == 0)].max()


def test_only_voxels_above_a_hundredth_of_the_maximum_are_kept(img, inside):
    volume = img.get_fdata()
    shifted = np.float32(volume - np.quantile(volume[inside], 0.98))
    kept = keep_strongest(_img(shifted), 0.5, "img").get_fdata()
    assert kept.min() == 0
    expected = inside & (shifted > 0.01 * shifted[inside].max())
    np.testing.assert_array_equal(kept > 0, expected)


def test_what_is_kept_is_what_is_drawn(img):
    kept = keep_strongest(img, 0.05, "img").get_fdata() > 0
    drawn = _drawn(plot_predicted_map(img, text="reading", top=0.05))
    assert len(drawn) == 4
    assert drawn[1].sum() == kept.any(axis=1).sum()
    assert drawn[3].sum() == kept.any(axis=2).sum()


def test_observed_stands_above_predicted(img):
    weak = _img(gaussian_filter(img.get_fdata()[::-1], 1.0) / 50)
    figure = plot_predicted_and_observed(img, weak, title="a study", top=0.2)
    texts = {text.get_text(): text.get_position()[1] for text in figure.texts}
    assert texts["observed, top 20 %"] > texts["predicted, top 20 %"]
    for row, one in ((slice(0, 4), weak), (slice(4, 8), img)):
        kept = keep_strongest(one, 0.2, "img").get_fdata() > 0
        assert _drawn(figure)[row][3].sum() == kept.any(axis=2).sum()


def test_each_map_has_its_own_scale(img):
    weak = _img(img.get_fdata() / 50)
    figure = plot_predicted_and_observed(img, weak, unit="peaks per voxel")
    bars = [ax for ax in figure.axes if ax.get_ylabel()]
    strongest = keep_strongest(img, 0.1, "img").get_fdata().max()
    assert {bar.get_ylabel() for bar in bars} == {"peaks per voxel"}
    assert bars[0].get_ylim() == pytest.approx((0, strongest / 50))
    assert bars[1].get_ylim() == pytest.approx((0, strongest))
    limits = [ax.images[0].get_clim() for ax in figure.axes if ax.images]
    expected = [(0, strongest / 50)] * 4 + [(0, strongest)] * 4
    np.testing.assert_allclose(limits, expected, rtol=1e-6)


def test_peaks_are_marked_on_the_observed_map(img):
    figure = plot_predicted_and_observed(img, img, peaks=[[-40, -20, 50], [8, 0, 6]])
    marked = [ax for ax in figure.axes if ax.collections and not ax.get_ylabel()]
    offsets = [len(ax.collections[-1].get_offsets()) for ax in marked]
    assert offsets == [1, 2, 1, 2]
    assert min(ax.get_position().y0 for ax in marked) > 0.4
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["reported peak"]


def test_a_study_without_peaks_to_mark(img):
    figure = plot_predicted_and_observed(img, img, peaks=[])
    assert not any(ax.collections for ax in figure.axes if not ax.get_ylabel())
    assert not figure.legends


def test_titles_are_literal(img):
    title = r"costs of $5 and a_b of $6 in \alpha_1 $\frac{"
    for figure in (
        plot_predicted_map(img, text=title),
        plot_predicted_and_observed(img, img, title=title),
    ):
        assert figure.get_suptitle() == title
        assert not figure._suptitle.get_parse_math()
        figure.draw_without_rendering()


@pytest.mark.parametrize("n_words", [1, 11, 400])
def test_titles_are_wrapped_and_fit_above_the_maps(img, n_words):
    figure = plot_predicted_map(img, text=" ".join(["HIPPOCAMPAL"] * n_words))
    figure.draw_without_rendering()
    title = figure._suptitle.get_window_extent()
    label = figure.texts[-1].get_window_extent()
    assert title.x0 > 0
    assert title.x1 < figure.bbox.width
    assert title.y1 < figure.bbox.height
    assert title.y0 > label.y1
    lines = figure.get_suptitle().split("\n")
    assert len(lines) == (1 if n_words == 1 else 2)
    assert lines[-1].endswith(" …") == (n_words == 400)


@pytest.mark.parametrize("note", ["short", "a longer note $x_ " * 20])
def test_a_note_stands_between_title_and_maps(img, note):
    plain = plot_predicted_map(img, text="a text")
    figure = plot_predicted_map(img, text="a text", note=note)
    assert figure.get_figheight() > plain.get_figheight()
    figure.draw_without_rendering()
    _, found, label = figure.texts[:3]
    assert found.get_text().replace("\n", " ").startswith(note[:60].strip())
    boxes = [one.get_window_extent() for one in (figure._suptitle, found, label)]
    assert boxes[0].y0 > boxes[1].y1 > boxes[1].y0 > boxes[2].y1
    assert boxes[1].x0 > 0
    assert boxes[1].x1 < figure.bbox.width


def test_nothing_sticks_out_of_the_figure(img):
    figure = plot_predicted_and_observed(
        img, img, title="a study", peaks=[[-40, -20, 50]]
    )
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_an_image_of_one_map_may_be_4d(img):
    flat = _drawn(plot_predicted_map(img, text="reading"))
    deep = _img(img.get_fdata()[..., np.newaxis])
    for one, other in zip(
        flat, _drawn(plot_predicted_map(deep, text="reading")), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_saved_picture_is_not_blank(img, tmp_path):
    figure = plot_predicted_map(img, text="reading")
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "map.png", dpi=40)
    pixels = imread(tmp_path / "map.png")[..., :3]
    coloured = np.ptp(pixels, axis=2) > 0.2
    assert 0.005 < coloured.mean() < 0.5


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"img": np.ones(3)}, TypeError, "img must be a NIfTI image; got ndarray"),
        (
            {"img": _img(np.ones((*SHAPE, 2)))},
            ValueError,
            "must contain one 3D map",
        ),
        ({"img": _img(np.full(SHAPE, np.nan))}, ValueError, "img contains NaN"),
        ({"img": _img(np.zeros(SHAPE))}, ValueError, "img has no positive voxel"),
        (
            {"img": FAR_IMG},
            ValueError,
            "img does not overlap the MNI brain",
        ),
        ({"top": 0.0}, ValueError, "top must be a fraction of the voxels"),
        ({"text": ["reading"]}, TypeError, "text must be a string; got list"),
    ],
)
def test_errors(img, change, kind, message):
    arguments = {"img": img, "text": "reading", **change}
    with pytest.raises(kind, match=re.escape(message)):
        plot_predicted_map(arguments.pop("img"), **arguments)


def test_errors_of_a_pair_name_the_image(img):
    empty = _img(np.zeros(SHAPE))
    with pytest.raises(ValueError, match="observed_img has no positive voxel"):
        plot_predicted_and_observed(img, empty)
    with pytest.raises(ValueError, match="predicted_img has no positive voxel"):
        plot_predicted_and_observed(empty, img)
    with pytest.raises(ValueError, match="The peaks of study 0 have shape"):
        plot_predicted_and_observed(img, img, peaks=[1.0, 2.0, 3.0])
