"""Tests of plot_thresholded_map: colors, color bar, texts and errors."""

import nibabel as nib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sklearn_neurocontext.plotting import plot_thresholded_map

AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])
AFFINE[:3, 3] = -80


def _img(left, right):
    values = np.zeros((20, 20, 20))
    values[4:7, 9:12, 9:12], values[13:16, 9:12, 9:12] = left, right
    return nib.Nifti1Image(values, AFFINE)


def _bar(figure):
    (bar,) = [ax for ax in figure.axes if ax.get_ylabel()]
    return bar


def test_both_signs_have_a_symmetric_bar():
    figure = plot_thresholded_map(_img(4, -5), threshold=3, unit="z value")
    bar = _bar(figure)
    assert bar.get_ylim() == (-5, 5)
    assert bar.get_ylabel() == "z value"
    (gap,) = bar.patches
    assert (gap.get_y(), gap.get_y() + gap.get_height()) == (-3, 3)


@pytest.mark.parametrize("values", [(4, 5), (-2.9, 5)])
def test_bar_without_negative_values_starts_at_zero(values):
    figure = plot_thresholded_map(_img(*values), threshold=3)
    assert _bar(figure).get_ylim() == (0, 5)


def test_values_equal_to_the_threshold_are_shown():
    for threshold, n_bars in ((4, 1), (4.01, 0)):
        figure = plot_thresholded_map(_img(4, 0), threshold=threshold)
        assert len([ax for ax in figure.axes if ax.get_ylabel()]) == n_bars


def test_colors_of_both_signs():
    figure = plot_thresholded_map(_img(4, -5), threshold=3)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    red, _, blue = np.moveaxis(picture, -1, 0)
    assert (red - blue > 80).sum() > 100
    assert (blue - red > 80).sum() > 100


def test_texts_without_mathtext():
    figure = plot_thresholded_map(
        _img(4, -5), threshold=3, title="$a_b$", note="no $voxel$"
    )
    assert figure.get_suptitle() == "$a_b$"
    words = {text.get_text(): text.get_parse_math() for text in figure.texts}
    assert not words["no $voxel$"]
    assert "threshold 3" in words


@pytest.mark.parametrize("threshold", [0, -1, np.nan, np.inf, True, "3"])
def test_wrong_threshold(threshold):
    with pytest.raises(ValueError, match="threshold must be a positive number; got"):
        plot_thresholded_map(_img(4, -5), threshold=threshold)


def test_wrong_map_and_texts():
    with pytest.raises(TypeError, match="img must be a NIfTI image"):
        plot_thresholded_map(np.zeros((4, 4, 4)), threshold=3)
    with pytest.raises(ValueError, match="NaN"):
        plot_thresholded_map(_img(np.nan, 0), threshold=3)
    with pytest.raises(TypeError, match="title must be a string"):
        plot_thresholded_map(_img(4, 0), threshold=3, title=None)
    with pytest.raises(TypeError, match="note must be a string"):
        plot_thresholded_map(_img(4, 0), threshold=3, note=3)
