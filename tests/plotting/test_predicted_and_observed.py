"""Tests of plot_predicted_and_observed: places, color scales, titles and errors."""

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext.plotting import DENSITY_UNIT, plot_predicted_and_observed

AFFINE = nib.affines.from_matvec(np.diag([8.0, 8.0, 8.0]), (-88, -124, -72))
SHAPE = (23, 28, 23)


def _img(seed, scale):
    noise = np.random.default_rng(seed).random(SHAPE)
    return nib.Nifti1Image(scale * gaussian_filter(noise, 1.5), AFFINE)


PREDICTED, OBSERVED = [_img(0, 1), _img(1, 2)], [_img(2, 50), _img(3, 60)]


@pytest.fixture(scope="module")
def figure():
    return plot_predicted_and_observed(
        PREDICTED, OBSERVED, titles=["first $a_b$", "second " * 60], top=0.2
    )


def test_observed_maps_are_on_the_left(figure):
    centers = {text.get_text(): text.get_position()[0] for text in figure.texts}
    assert centers["observed"] < 0.5 < centers["predicted"]
    bars = [ax for ax in figure.axes if ax.get_label() == "color bar"]
    units = [bar.get_ylabel().replace("\n", " ") for bar in bars]
    assert units == ["peaks per cm³", DENSITY_UNIT] * 2
    ends = [bar.get_position().x1 for bar in bars]
    assert ends[0] < 0.5 < ends[1]


def test_each_map_has_its_own_color_scale(figure):
    limits = [ax.images[0].get_clim() for ax in figure.axes if ax.images]
    order = [OBSERVED[0], PREDICTED[0], OBSERVED[1], PREDICTED[1]]
    assert len(limits) == 3 * len(order)
    for place, img in enumerate(order):
        for low, high in limits[3 * place : 3 * place + 3]:
            assert low == 0
            assert 0.5 * img.get_fdata().max() < high <= img.get_fdata().max()


def test_titles_are_cut_to_one_line_without_mathtext(figure):
    words = {text.get_text(): text for text in figure.texts}
    assert not words["first $a_b$"].get_parse_math()
    (long,) = [word for word in words if word.startswith("second")]
    assert long.endswith(" …")
    assert "\n" not in long
    assert any("the 20 % of brain voxels" in word for word in words)
    box = figure.get_tightbbox()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()


def test_errors():
    empty = nib.Nifti1Image(np.zeros(SHAPE), AFFINE)
    img = PREDICTED[0]
    with pytest.raises(ValueError, match="observed_imgs has no positive voxel"):
        plot_predicted_and_observed([img], [empty], titles=["a"])
    with pytest.raises(ValueError, match="predicted_imgs has no positive voxel"):
        plot_predicted_and_observed([empty], [img], titles=["a"])
    with pytest.raises(ValueError, match="one entry per study; got 1, 1 and 2 entries"):
        plot_predicted_and_observed([img], [img], titles=["a", "b"])
    with pytest.raises(ValueError, match="one entry per study; got 0, 0 and 0"):
        plot_predicted_and_observed([], [], titles=[])
    with pytest.raises(TypeError, match="titles must be a string; got int"):
        plot_predicted_and_observed([img], [img], titles=[3])
    with pytest.raises(ValueError, match="top must be a fraction"):
        plot_predicted_and_observed([img], [img], titles=["a"], top=2)
