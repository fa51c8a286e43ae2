"""Plot of maps on the cortical surface."""

from collections.abc import Mapping

import numpy as np

from .._utils.volumes import keep_strongest
from ._brain_maps import (
    ROW_HEIGHT,
    draw_color_bar,
    figure_with_title,
    map_colours,
    read_map,
)
from ._style import GREY, LABEL_SIZE, TICK_SIZE, check_title

_VIEWS = (
    ("left", "lateral"),
    ("left", "medial"),
    ("right", "medial"),
    ("right", "lateral"),
)
# Of a row's width; the rest holds the colour bar.
_BRAINS_WIDTH = 0.86
# Height of an axes relative to its row: the cube around a brain is mostly empty.
_ZOOM = 1.12
# Greys of gyri and sulci.
_GYRUS, _SULCUS = 0.12, 0.4
# Thickness in mm. Thinner parts of the mesh belong to the medial wall, not to cortex.
_LEAST_THICKNESS = 1.0
# Sampling depths, as fractions of the cortical thickness.
_DEPTHS = (0.2, 0.5, 0.8)


def plot_surface_maps(maps, *, title=None, top=0.1, unit="density"):
    """Plot maps on the inflated cortical surface, one row per map.

    Maps are averaged through the thickness of cortex on fsaverage5 and thresholded to
    their strongest voxels. The fraction refers to voxels of the whole brain, as on
    glass brains and in :func:`~sklearn_neurocontext.metrics.dice_score`. Subcortical
    voxels are not visible; the medial wall stays gray.

    Parameters
    ----------
    maps : dict of str to Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        Map of each row by name, in MNI space.
    title : str or None, default=None
        Wrapped to two lines; mathtext is not interpreted.
    top : float, default=0.1
        Fraction of brain voxels to show, in (0, 1]; only positive voxels are shown.
    unit : str or dict of str to str, default="density"
        Unit of all maps, or of each map by name. Each map has its own scale.

    Returns
    -------
    figure : matplotlib Figure
        Width 12 inches; each row shows lateral and medial views of both hemispheres.

    Raises
    ------
    TypeError
        If `maps` is not a dictionary, a map is not an image, or `title` not a string.
    ValueError
        If `maps` is empty, an image contains several maps, NaN, or no positive voxel
        inside the brain, `top` is out of range, or `unit` has other names than `maps`.

    See Also
    --------
    plot_predicted_and_observed : Plot two maps on glass brains.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.plotting import plot_surface_maps
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=128)
    >>> coefficients = masker.fit_transform([[[-42, -24, 56], [44, -22, 54]]])
    >>> maps = {"tapping": masker.inverse_transform(coefficients)}
    >>> figure = plot_surface_maps(maps)  # doctest: +SKIP
    """
    title = "" if title is None else check_title(title, "title")
    if not isinstance(maps, Mapping):
        raise TypeError(
            f"maps must be a dictionary of name to image; got {type(maps).__name__}. "
            "For one map write {'predicted': img}."
        )
    if not maps:
        raise ValueError("maps is empty; expected at least one image.")
    imgs = {name: read_map(img, name) for name, img in maps.items()}
    cuts = {name: _thresholds(img, top, name) for name, img in imgs.items()}
    units = dict.fromkeys(imgs, unit) if isinstance(unit, str) else dict(unit)
    if set(units) != set(imgs):
        raise ValueError(
            f"unit must be a string or have the names of maps, {sorted(imgs)}; got "
            f"{sorted(units)}."
        )
    surface = _load_surface()
    figure, rows = figure_with_title(title, len(imgs))
    for rectangle, (name, img) in zip(rows, imgs.items(), strict=True):
        _draw_row(figure, rectangle, surface, img, cuts[name], units[name])
        figure.text(
            0.01,
            rectangle[1] + 0.97 * rectangle[3],
            f"{name}, top {100 * top:g} %",
            va="top",
            fontsize=LABEL_SIZE,
            fontweight="bold",
            parse_math=False,
        )
    return figure


def _thresholds(img, top, name) -> tuple[float, float]:
    """Return the threshold and the maximum of the voxels to show."""
    kept = keep_strongest(img, top, name).get_fdata()
    return float(kept[kept > 0].min()), float(kept.max())


def _load_surface() -> dict:
    """Load meshes, sulcal depth and extent of cortex, shipped with nilearn."""
    from nilearn.datasets import load_fsaverage, load_fsaverage_data

    meshes = load_fsaverage("fsaverage5")
    folding, thickness = (
        load_fsaverage_data(mesh="fsaverage5", data_type=kind).data.parts
        for kind in ("sulcal", "thickness")
    )
    return {
        side: {
            "pial": meshes["pial"].parts[side],
            "white": meshes["white_matter"].parts[side],
            "drawn": meshes["inflated"].parts[side],
            "folding": folding[side],
            "is_cortex": thickness[side] > _LEAST_THICKNESS,
        }
        for side in ("left", "right")
    }


def _draw_row(figure, rectangle, surface, img, ends, unit):
    weakest, strongest = ends
    colours = map_colours()
    values = {side: _sample(img, part) for side, part in surface.items()}
    left, bottom, width, height = rectangle
    step = _BRAINS_WIDTH * width / len(_VIEWS)
    side_length = _ZOOM * ROW_HEIGHT
    size = (side_length / figure.get_figwidth(), side_length / figure.get_figheight())
    for place, (side, view) in enumerate(_VIEWS):
        centre = left + (place + 0.5) * step, bottom + 0.42 * height
        ax = figure.add_axes(
            (centre[0] - size[0] / 2, centre[1] - size[1] / 2, *size),
            projection="3d",
        )
        _draw_hemisphere(ax, surface[side], values[side], side, view, ends, colours)
        figure.text(
            centre[0],
            bottom + 0.01 * height,
            f"{side[0].upper()}, {view}",
            ha="center",
            va="bottom",
            fontsize=TICK_SIZE,
            color=GREY,
        )
    draw_color_bar(figure, rectangle, colours, (weakest, strongest), unit)


def _sample(img, part) -> np.ndarray:
    """Average a map through the thickness of cortex; zero on the medial wall."""
    from nilearn.surface import vol_to_surf

    values = vol_to_surf(
        img, part["pial"], inner_mesh=part["white"], depth=list(_DEPTHS)
    )
    return np.where(part["is_cortex"], values, 0.0)


def _draw_hemisphere(ax, part, values, side, view, ends, colours):
    from nilearn.plotting import plot_surf_stat_map

    weakest, strongest = ends
    plot_surf_stat_map(
        surf_mesh=part["drawn"],
        stat_map=np.where(values >= weakest, values, 0.0),
        bg_map=np.where(part["folding"] > 0, _SULCUS, _GYRUS),
        hemi=side,
        view=view,
        threshold=weakest / 2,
        cmap=colours,
        vmin=0,
        vmax=strongest,
        symmetric_cbar=False,
        colorbar=False,
        bg_on_data=False,
        figure=ax.figure,
        axes=ax,
    )
    ax.patch.set_alpha(0)
