"""Plot maps on the cortical surface."""

import numpy as np

from .._utils.volumes import keep_strongest
from ._brain_maps import (
    ROW_HEIGHT,
    check_title,
    density_colors,
    draw_color_bar,
    draw_row_label,
    figure_with_title,
    read_map,
)
from ._checks import check_mapping
from ._style import GRAY, TICK_SIZE

_SIDES = ("left", "left", "right", "right")
_VIEWS = ("lateral", "medial", "medial", "lateral")
# Fraction of the width of a row for the brains; the rest is for the color bar.
_BRAINS_WIDTH = 0.86
# Height of the axes of a brain divided by the height of the row. It may exceed 1,
# because a brain fills only a part of its 3D axes.
_ZOOM = 1.12
# Gray levels of gyri and sulci.
_GYRUS, _SULCUS = 0.12, 0.4
# Minimum thickness of the cortex, in mm. Thinner regions of the mesh belong to the
# medial wall.
_MIN_THICKNESS = 1.0
# Sampling depths, as fractions of the cortical thickness.
_DEPTHS = (0.2, 0.5, 0.8)


def plot_surface_maps(maps, *, title=None, top=0.1, unit="density"):
    """Plot maps on the inflated cortical surface, one row per map.

    Maps are averaged over the thickness of the cortex of fsaverage5. Averages below a
    threshold are not shown. To obtain the threshold, the brain voxels with the highest
    values are selected; `top` is their fraction. The threshold is the lowest value of
    the selected voxels. `plot_predicted_map` and
    :func:`~sklearn_neurocontext.metrics.dice_score` select the same voxels if they
    receive the same `top`. Subcortical voxels are not visible, and the medial wall is
    gray.

    Parameters
    ----------
    maps : dict of str to Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        Dictionary from the name of each row to its map, in MNI space.
    title : str or None, default=None
        Title of the figure. It is wrapped to two lines, and ``$`` is printed literally.
    top : float, default=0.1
        Fraction of brain voxels to select, in (0, 1]. Voxels whose value is zero or
        negative are never selected.
    unit : str or dict of str to str, default="density"
        Unit of all maps, or a dictionary from the name of each map to its unit. Each
        map has its own color scale.

    Returns
    -------
    figure : matplotlib Figure
        Figure of width 12 inches. Each row shows the lateral and medial views of both
        hemispheres.

    Raises
    ------
    TypeError
        If `maps` is not a dictionary, if a map is not an image, or if `title` is not a
        string.
    ValueError
        If `maps` is empty; if an image contains several maps, contains NaN, or has no
        positive voxel inside the brain; if `top` is out of range; or if the names in
        `unit` differ from those in `maps`.

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
    maps = check_mapping(maps, "maps", "image")
    imgs = {name: read_map(img, name) for name, img in maps.items()}
    limits = {name: _color_limits(img, top, name) for name, img in imgs.items()}
    units = dict.fromkeys(imgs, unit) if isinstance(unit, str) else dict(unit)
    if set(units) != set(imgs):
        raise ValueError(
            f"unit must be a string or a dictionary with the names {sorted(imgs)}; got "
            f"{sorted(units)}."
        )
    surface = _load_surface()
    figure, rows = figure_with_title(title, len(imgs))
    for rectangle, (name, img) in zip(rows, imgs.items(), strict=True):
        _draw_row(figure, rectangle, surface, img, limits[name], units[name])
        draw_row_label(figure, rectangle, f"{name}, top {100 * top:g} %")
    return figure


def _color_limits(img, top, name) -> tuple[float, float]:
    """Return the smallest and the largest value of the selected voxels."""
    kept = keep_strongest(img, top, name).get_fdata()
    return float(kept[kept > 0].min()), float(kept.max())


def _load_surface() -> dict:
    """Load the meshes, folding and cortical thickness of both hemispheres."""
    # nilearn contains these data, so no download is needed.
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
            "inflated": meshes["inflated"].parts[side],
            "folding": folding[side],
            "is_cortex": thickness[side] > _MIN_THICKNESS,
        }
        for side in ("left", "right")
    }


def _draw_row(figure, rectangle, surface, img, limits, unit):
    colors = density_colors()
    values = {side: _sample(img, part) for side, part in surface.items()}
    left, bottom, width, height = rectangle
    step = _BRAINS_WIDTH * width / len(_VIEWS)
    side_length = _ZOOM * ROW_HEIGHT
    size = (side_length / figure.get_figwidth(), side_length / figure.get_figheight())
    for place, (side, view) in enumerate(zip(_SIDES, _VIEWS, strict=True)):
        x, y = left + (place + 0.5) * step, bottom + 0.42 * height
        corner = x - size[0] / 2, y - size[1] / 2
        ax = figure.add_axes((*corner, *size), projection="3d")
        _draw_hemisphere(ax, surface[side], values[side], side, view, limits, colors)
        name = f"{side[0].upper()}, {view}"
        style = {"ha": "center", "va": "bottom", "fontsize": TICK_SIZE, "color": GRAY}
        figure.text(x, bottom + 0.01 * height, name, **style)
    draw_color_bar(figure, rectangle, colors, limits, unit)


def _sample(img, part) -> np.ndarray:
    """Average a map over the cortical thickness; values on the medial wall are 0."""
    from nilearn.surface import vol_to_surf

    depths = list(_DEPTHS)
    values = vol_to_surf(img, part["pial"], inner_mesh=part["white"], depth=depths)
    return np.where(part["is_cortex"], values, 0.0)


def _draw_hemisphere(ax, part, values, side, view, limits, colors):
    from nilearn.plotting import plot_surf_stat_map

    weakest, strongest = limits
    plot_surf_stat_map(
        surf_mesh=part["inflated"],
        stat_map=np.where(values >= weakest, values, 0.0),
        bg_map=np.where(part["folding"] > 0, _SULCUS, _GYRUS),
        hemi=side,
        view=view,
        threshold=weakest / 2,
        cmap=colors,
        vmin=0,
        vmax=strongest,
        symmetric_cbar=False,
        colorbar=False,
        bg_on_data=False,
        figure=ax.figure,
        axes=ax,
    )
    ax.patch.set_alpha(0)
