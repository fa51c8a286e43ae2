"""Tests of plot_maps: views, color bars, labels, table of peaks and errors."""

import itertools
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.ndimage import gaussian_filter

from sklearn_neurocontext.cli._common import VIEWS
from sklearn_neurocontext.inference import peak_table
from sklearn_neurocontext.plotting import plot_maps
from sklearn_neurocontext.plotting._display import make_display_map
from sklearn_neurocontext.plotting._layout import draw_label, format_number, make_figure
from sklearn_neurocontext.plotting._maps import _VIEWS
from sklearn_neurocontext.plotting._views import (
    choose_slices,
    divide_triangles,
    load_surface,
    sample,
)

AFFINE = nib.affines.from_matvec(np.diag([4.0, 4.0, 4.0]), (-98, -134, -72))
SHAPE = (50, 59, 48)
LEFT, RIGHT = (-42, -22, 56), (42, -22, 56)
TITLE = r"costs of $5 and a_b of $6 in \alpha_1 $\frac{"
# Half a meter away from the brain.
FAR_IMG = nib.Nifti1Image(
    np.ones((5, 5, 5)), nib.affines.from_matvec(np.eye(3), [500] * 3)
)


def _img(volume):
    return nib.Nifti1Image(np.asarray(volume, dtype=np.float32), AFFINE)


def _blobs(**values):
    """Return Gaussians of 24 mm (FWHM) on the left or right hand area."""
    volume = np.zeros(SHAPE)
    for name, value in values.items():
        xyz = {"left": LEFT, "right": RIGHT}[name]
        one = np.zeros(SHAPE)
        inverse = np.linalg.inv(AFFINE)
        one[tuple(np.rint(nib.affines.apply_affine(inverse, xyz)).astype(int))] = 1
        one = gaussian_filter(one, 2.5)
        volume += value * one / one.max()
    return _img(volume)


# Drawing takes seconds, so tests share these figures.
@pytest.fixture(scope="module")
def figure():
    """Plot both signs of a map in all views, with a table of peaks."""
    img, options = _blobs(left=8, right=-5), {"threshold": 3, "two_sided": True}
    peaks = peak_table(img, **options)
    texts = {"title": TITLE, "note": "a $note$", "unit": "z value"}
    return plot_maps(img, peaks=peaks, **texts, **options)


@pytest.fixture(scope="module")
def pair_figure():
    """Plot two maps on the surface."""
    maps = {"left_$hand$": _blobs(left=1), "right": _blobs(right=2)}
    units = {"left_$hand$": "apples", "right": "pears"}
    return plot_maps(maps, views="surface", top=0.02, unit=units)


def _bars(figure):
    return [ax for ax in figure.axes if ax.get_label() == "color bar"]


def _words(figure):
    return [text.get_text() for text in figure.texts]


def _colored(ax):
    """Return the fraction of triangles of a hemisphere that are not gray."""
    colors = ax.collections[0].get_facecolor()[:, :3]
    return (np.ptp(colors, axis=1) > 0.05).mean()


def test_command_line_has_all_views():
    assert tuple(_VIEWS) == VIEWS


def test_every_view_is_drawn(figure):
    words = _words(figure)
    assert sum(word.endswith(" mm") and "=" in word for word in words) == 5
    assert {"left, lateral", "right, medial"} <= set(words)
    assert sum(ax.name == "3d" for ax in figure.axes) == 4
    n_images = [len(ax.images) for ax in figure.axes]
    # Each slice has an anatomical image, and each view of the glass brain has none.
    assert sorted(n for n in n_images if n) == [1] * 4 + [2] * 5


def test_both_signs_have_a_symmetric_bar(figure):
    (bar,) = _bars(figure)
    np.testing.assert_allclose(bar.get_ylim(), (-8, 8), rtol=1e-6)
    np.testing.assert_allclose(sorted(bar.get_yticks()), (-8, -3, 3, 8), rtol=1e-6)
    labels = [label.get_text() for label in bar.get_yticklabels()]
    assert set(labels) == {"−8", "−3", "3", "8"}
    assert bar.get_ylabel() == "z value"
    (gap,) = bar.patches
    assert (gap.get_y(), gap.get_y() + gap.get_height()) == (-3, 3)


def test_all_views_have_the_limits_of_the_bar(figure):
    maps = [ax.images[-1] for ax in figure.axes if ax.images]
    for image in maps:
        np.testing.assert_allclose(image.get_clim(), (-8, 8), rtol=1e-6)
        shown = np.ma.compressed(image.get_array())
        assert (np.abs(shown) >= 3).all()
    values = np.concatenate([np.ma.compressed(one.get_array()) for one in maps])
    assert values.max() == pytest.approx(8, rel=0.01)
    assert values.min() == pytest.approx(-5, rel=0.01)


def test_note_states_threshold_and_interpolation(figure, pair_figure):
    words = " ".join(_words(figure))
    assert "values of at least 3 and of at most −3" in words
    assert "Interpolated to 2 mm for display" in words
    words = " ".join(_words(pair_figure))
    assert "the 2 % of brain voxels with the highest values" in words


def test_threshold_of_the_strongest_voxels_is_stated():
    img = _blobs(left=1)
    threshold = make_display_map(img, "img", top=0.1).threshold
    figure = plot_maps(img, views="glass")
    assert f"(threshold {format_number(threshold)})" in " ".join(_words(figure))
    (bar,) = _bars(figure)
    assert bar.get_ylim() == (0, 1)
    assert threshold in bar.get_yticks()


def test_map_below_the_threshold_has_no_bar():
    figure = plot_maps(_blobs(left=1), threshold=2, views=("slices", "glass"))
    assert not _bars(figure)
    assert "no voxel reaches the threshold" in " ".join(_words(figure))


def test_slices_cut_the_strongest_regions():
    shown = make_display_map(
        _blobs(left=8, right=-5), "img", threshold=3, two_sided=True
    )
    slices = choose_slices(shown)
    assert [axis for axis, _ in slices] == ["x", "y", "z", "z", "z"]
    for axis, expected in zip("xyz", LEFT, strict=True):
        distances = [abs(cut - expected) for one, cut in slices if one == axis]
        assert min(distances) <= 2


def test_left_is_left_in_slices_and_glass_brains():
    figure = plot_maps(_blobs(left=1), views=("slices", "glass"), threshold=0.5)
    maps = [ax.images[-1] for ax in figure.axes if ax.images]
    for image in maps[1:5]:
        columns = np.flatnonzero(~np.ma.getmaskarray(image.get_array()).all(axis=0))
        low, high = image.get_extent()[:2]
        width = image.get_array().shape[1]
        assert (low + (columns + 0.5) * (high - low) / width < 0).all()
    shown = [(~np.ma.getmaskarray(image.get_array())).sum() for image in maps[5:]]
    # The views are: left, back, right, top.
    assert shown[0] > 0
    assert shown[2] == 0


def test_only_the_hemisphere_of_the_map_is_colored(pair_figure):
    brains = [ax for ax in pair_figure.axes if ax.name == "3d"]
    shares = np.reshape([_colored(ax) for ax in brains], (2, 4))
    assert (shares[0, :2] > 0.01).all()
    assert (shares[1, 2:] > 0.01).all()
    assert shares[0, 2:].max() == shares[1, :2].max() == 0
    assert shares.max() < 0.3


def test_each_map_has_its_own_name_unit_and_color_bar(pair_figure):
    bars = _bars(pair_figure)
    assert [bar.get_ylabel() for bar in bars] == ["apples", "pears"]
    assert [bar.get_ylim() for bar in bars] == [(0, 1), (0, 2)]
    heights = {text.get_text(): text.get_position()[1] for text in pair_figure.texts}
    assert heights["left_$hand$"] > heights["right"]


def test_names_of_hemispheres_are_below_the_brains(pair_figure):
    brains = [ax for ax in pair_figure.axes if ax.name == "3d"][:4]
    ends = (", lateral", ", medial")
    named = [one for one in pair_figure.texts if one.get_text().endswith(ends)][:4]
    for ax, text in zip(brains, named, strict=True):
        box = ax.get_position()
        assert text.get_position()[0] == pytest.approx((box.x0 + box.x1) / 2)


def test_maximum_of_samples_is_at_the_maximum_of_the_map():
    for side, xyz in (("left", LEFT), ("right", RIGHT)):
        part = load_surface()[side]
        values = sample(make_display_map(_blobs(**{side: 1}), "img"), part)
        peak = part["pial"].coordinates[values.argmax()]
        assert np.linalg.norm(peak - xyz) < 12


def test_medial_wall_is_zero():
    shown = make_display_map(_img(np.ones(SHAPE)), "img")
    for side, part in load_surface().items():
        wall = ~part["is_cortex"]
        # The medial wall surrounds the corpus callosum and the thalamus.
        assert 0.04 < wall.mean() < 0.1, side
        x, y, z = part["pial"].coordinates[wall].mean(axis=0)
        assert abs(x) < 20
        assert -40 < y < 20
        assert -20 < z < 20
        values = sample(shown, part)
        assert not values[wall].any()
        np.testing.assert_allclose(values[~wall], 1)


def test_divided_triangles_have_the_same_area():
    rng = np.random.default_rng(0)
    rows, faces = rng.normal(size=(4, 3)), np.array([[0, 1, 2], [2, 1, 3]])
    new_rows, new_faces = divide_triangles(rows, faces)
    assert new_rows.shape == (4 + 5, 3)
    assert new_faces.shape == (8, 3)

    def normals(rows, faces):
        a, b, c = rows[faces].swapaxes(0, 1)
        return np.cross(b - a, c - a)

    # A normal has the length of twice the area, and states the orientation.
    for face, parts in enumerate(np.arange(8).reshape(4, 2).T):
        quarters = normals(new_rows, new_faces)[parts]
        whole = normals(rows, faces)[face]
        np.testing.assert_allclose(quarters, np.tile(whole / 4, (4, 1)))


def test_table_of_peaks(figure):
    words = _words(figure)
    assert {"x, y, z (mm)", "value", "−42, −22, 56", "8", "−5"} <= set(words)
    assert any(re.fullmatch(r"parietal \(\d+ mm\)", word) for word in words)
    assert words.count("sensorimotor") == 2


def test_table_has_at_most_eight_rows_and_optional_columns():
    peaks = pd.DataFrame({"x": range(20), "y": 0, "z": 0, "value": 1.0})
    words = _words(plot_maps(_blobs(left=1), views="glass", peaks=peaks))
    assert "7, 0, 0" in words
    assert "8, 0, 0" not in words


def test_texts_without_mathtext(figure, pair_figure):
    assert figure.get_suptitle() == TITLE
    for text in (*figure.texts, *pair_figure.texts):
        if "$" in text.get_text():
            assert not text.get_parse_math()
    figure.draw_without_rendering()


def test_all_artists_are_inside_the_figure(figure):
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert width == 12
    # The axes of a surface are larger than the brain.
    assert box.x0 >= -0.5
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


@pytest.mark.parametrize("n_words", [1, 11, 400])
@pytest.mark.parametrize("note", ["", "short", "a longer note $x_ " * 20])
def test_title_and_note_fit_above_the_maps(n_words, note):
    title = " ".join(["HIPPOCAMPAL"] * n_words)
    figure, bottom = make_figure(title, note, "a footer", 2.5)
    draw_label(figure, "the content", 0.1, bottom + 2.5)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts]
    boxes = sorted(boxes, key=lambda box: -box.y0)
    assert len(boxes) == (4 if note else 3)
    assert boxes[0].y1 < figure.bbox.height
    for above, below in itertools.pairwise(boxes):
        assert above.y0 > below.y1
        assert above.x0 > 0
        assert above.x1 < figure.bbox.width
    lines = figure.get_suptitle().split("\n")
    assert len(lines) == (1 if n_words == 1 else 2)
    assert lines[-1].endswith(" …") == (n_words == 400)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (-3.1, "−3.1"), (1.234e-5, "1.23×10⁻⁵"), (0.02651, "0.0265")],
)
def test_numbers_have_three_digits(value, text):
    assert format_number(value) == text


def test_paths_and_4d_images_of_one_map(tmp_path):
    img = _blobs(left=1)
    img_4d = _img(img.get_fdata()[..., np.newaxis])
    img_4d.to_filename(tmp_path / "map.nii")
    pictures = []
    for one in (img, img_4d, tmp_path / "map.nii"):
        figure = plot_maps(one, views="glass")
        pictures.append([ax.images[0].get_array() for ax in figure.axes if ax.images])
    for other in pictures[1:]:
        for found, expected in zip(other, pictures[0], strict=True):
            np.testing.assert_array_equal(found.mask, expected.mask)


def test_saved_picture_is_not_blank(figure, tmp_path):
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "map.png", dpi=40)
    red, _, blue = np.moveaxis(imread(tmp_path / "map.png")[..., :3], -1, 0)
    assert (red - blue > 0.4).mean() > 0.003
    assert (blue - red > 0.3).mean() > 0.003


def test_vector_file_of_a_surface_is_small(pair_figure, tmp_path):
    pair_figure.savefig(tmp_path / "map.svg", dpi=40)
    assert (tmp_path / "map.svg").stat().st_size < 2_000_000


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"maps": np.ones(3)}, TypeError, "maps must be a NIfTI image; got ndarray"),
        ({"maps": {}}, ValueError, "maps is empty"),
        ({"maps": {"a": 3}}, TypeError, "a must be a NIfTI image; got int"),
        ({"maps": _img(np.ones((*SHAPE, 2)))}, ValueError, "must contain one 3D map"),
        ({"maps": _img(np.full(SHAPE, np.nan))}, ValueError, "maps contains NaN"),
        ({"maps": _img(np.zeros(SHAPE))}, ValueError, "maps has no positive voxel"),
        ({"maps": FAR_IMG}, ValueError, "maps does not overlap the brain"),
        ({"maps": FAR_IMG, "threshold": 1}, ValueError, "does not overlap the brain"),
        (
            {"maps": nib.Nifti1Image(np.ones((5, 5, 5)), None)},
            ValueError,
            "maps must have an affine; got None",
        ),
        (
            {"maps": nib.Nifti1Image(np.ones((5, 5, 5)) + 0j, AFFINE)},
            ValueError,
            "got complex numbers",
        ),
        ({"top": 0.0}, ValueError, "top must be a fraction of the voxels"),
        ({"title": ["reading"]}, TypeError, "title must be a string; got list"),
        ({"note": 3}, TypeError, "note must be a string; got int"),
        ({"views": "flat"}, ValueError, "views must be among slices, glass, surface"),
        ({"views": ()}, ValueError, "got ()"),
        ({"unit": {}}, ValueError, "the names ['maps']; got []"),
        ({"peaks": pd.DataFrame({"x": [1]})}, ValueError, "none named y, z, value"),
        *(
            ({"threshold": one}, ValueError, "threshold must be a positive number; got")
            for one in (0, -1, np.nan, np.inf, True, "3")
        ),
    ],
)
def test_errors(change, kind, message):
    arguments = {"maps": _blobs(left=1), **change}
    with pytest.raises(kind, match=re.escape(message)):
        plot_maps(arguments.pop("maps"), **arguments)


def test_table_of_peaks_requires_a_single_map():
    peaks = pd.DataFrame({"x": [1], "y": [1], "z": [1], "value": [1.0]})
    maps = {"a": _blobs(left=1), "b": _blobs(right=1)}
    with pytest.raises(ValueError, match="peaks must be None for several maps; got 2"):
        plot_maps(maps, peaks=peaks)
