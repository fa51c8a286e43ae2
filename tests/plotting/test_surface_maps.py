"""Tests of plot_surface_maps: colors, labels, sampling and errors."""

import re

import nibabel as nib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from nilearn.datasets import load_mni152_brain_mask
from nilearn.image import resample_img

from sklearn_neurocontext.plotting import plot_surface_maps
from sklearn_neurocontext.plotting._surface_maps import _load_surface, _sample


def _blob(x, y, z):
    """Return a Gaussian of 10 mm around a point, on a 6 mm grid."""
    mask_img = resample_img(
        load_mni152_brain_mask(resolution=2),
        target_affine=np.eye(3) * 6,
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )
    grid = np.moveaxis(np.indices(mask_img.shape), 0, -1)
    position = nib.affines.apply_affine(mask_img.affine, grid)
    distance = ((position - [x, y, z]) ** 2).sum(axis=-1)
    return nib.Nifti1Image(
        np.exp(-distance / 200) * (mask_img.get_fdata() > 0), mask_img.affine
    )


@pytest.fixture(scope="module")
def figure():
    """Plot the hand areas of both hemispheres, one per row."""
    maps = {"left_$hand$": _blob(-40, -22, 56), "right": _blob(42, -22, 56)}
    units = {"left_$hand$": "apples", "right": "pears"}
    return plot_surface_maps(maps, title="two $hands$", top=0.02, unit=units)


def _colored_fraction(ax):
    """Return the fraction of triangles of a hemisphere that are not gray."""
    colors = ax.collections[0].get_facecolor()[:, :3]
    return (np.ptp(colors, axis=1) > 0.05).mean()


def test_only_the_hemisphere_of_the_map_is_colored(figure):
    brains = [ax for ax in figure.axes if ax.name == "3d"]
    shares = np.reshape([_colored_fraction(ax) for ax in brains], (2, 4))
    assert (shares[0, :2] > 0.01).all()
    assert (shares[1, 2:] > 0.01).all()
    assert shares[0, 2:].max() == shares[1, :2].max() == 0
    assert shares.max() < 0.2


def test_labels_without_mathtext(figure):
    assert figure.get_suptitle() == "two $hands$"
    words = {text.get_text(): text.get_parse_math() for text in figure.texts}
    sides = [f"{side}, {view}" for side in "LR" for view in ("lateral", "medial")]
    assert not set(sides) - set(words)
    assert {word: words[word] for word in words if word not in sides} == {
        "left_$hand$, top 2 %": False,
        "right, top 2 %": False,
        "two $hands$": False,
    }
    bars = [ax.get_ylabel() for ax in figure.axes if ax.name != "3d"]
    assert bars == ["apples", "pears"]
    assert to_rgb(figure.get_facecolor()) == (1, 1, 1)


def test_maximum_of_samples_is_at_the_maximum_of_the_map():
    part = _load_surface()["left"]
    values = _sample(_blob(-40, -22, 56), part)
    peak = part["pial"].coordinates[values.argmax()]
    assert np.linalg.norm(peak - [-40, -22, 56]) < 12


def test_names_of_hemispheres_and_views(figure):
    brains = [ax for ax in figure.axes if ax.name == "3d"][:4]
    named = [text for text in figure.texts if text.get_text()[:2] in ("L,", "R,")][:4]
    # Left views come first, as the test of colors above shows.
    names = ["L, lateral", "L, medial", "R, medial", "R, lateral"]
    assert [text.get_text() for text in named] == names
    for ax, text in zip(brains, named, strict=True):
        box = ax.get_position()
        assert text.get_position()[0] == pytest.approx((box.x0 + box.x1) / 2)


def test_medial_wall_is_zero():
    for side, part in _load_surface().items():
        wall = ~part["is_cortex"]
        # The medial wall surrounds the corpus callosum and the thalamus.
        assert 0.04 < wall.mean() < 0.1, side
        x, y, z = part["pial"].coordinates[wall].mean(axis=0)
        assert abs(x) < 20
        assert -40 < y < 20
        assert -20 < z < 20
        values = _sample(_blob(0, -10, 6), part)
        assert not values[wall].any()
        assert values.max() > 0


@pytest.mark.parametrize(
    ("maps", "options", "kind", "message"),
    [
        ([], {}, TypeError, "maps must be a dictionary from name to image; got list"),
        ({}, {}, ValueError, "maps is empty"),
        ({"a": 3}, {}, TypeError, "a must be a NIfTI image; got int"),
        ({"a": _blob(0, 0, 0)}, {"title": 3}, TypeError, "title must be a string"),
        ({"a": _blob(0, 0, 0)}, {"top": 0}, ValueError, "top must be a fraction"),
        (
            {"a": _blob(0, 0, 0)},
            {"unit": {}},
            ValueError,
            "the names ['a']; got []",
        ),
    ],
)
def test_errors(maps, options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        plot_surface_maps(maps, **options)
