"""Plot maps in slices, on a glass brain and on the cortical surface."""

from collections.abc import Mapping

from ._checks import check_mapping
from ._display import DISPLAY_MM, check_threshold, make_display_map
from ._layout import (
    BAR_SPACE,
    LABEL_LINE,
    MARGIN,
    TEXT_LINE,
    WIDTH,
    check_text,
    draw_color_bar,
    draw_label,
    format_number,
    make_colors,
    make_figure,
    to_fractions,
)
from ._style import DENSITY_UNIT, GRAY, TICK_SIZE, wrap
from ._views import draw_glass_brain, draw_slices, draw_surface

# For each view: the function that draws it, and its height in inches.
_VIEWS = {
    "slices": (draw_slices, 2.5),
    "glass": (draw_glass_brain, 2.25),
    "surface": (draw_surface, 2.2),
}
_BAR_HEIGHT = 1.9
# Largest number of rows in the table of peaks.
_MAX_PEAKS = 8
# Columns of the table of peaks: heading, place of the right or left end as a fraction
# of the width, and alignment. The coordinates are in one column.
_COLUMNS = {
    "xyz": ("x, y, z (mm)", 0.17, "right"),
    "value": ("value", 0.28, "right"),
    "cluster_mm3": ("cluster (cm³)", 0.42, "right"),
    "region": ("nearest region (distance)", 0.48, "left"),
    "network": ("network", 0.76, "left"),
}


def plot_maps(
    maps,
    *,
    views=("slices", "glass", "surface"),
    threshold=None,
    top=0.1,
    two_sided=False,
    title="",
    unit=DENSITY_UNIT,
    note="",
    peaks=None,
):
    """Plot one or several maps in slices, on a glass brain and on the surface.

    For display, maps are interpolated with cubic splines on a grid of 2 mm. Therefore,
    the voxels of a coarse map are not visible as blocks. The maps themselves are not
    changed, and the threshold is computed before the interpolation. Each map has its
    own color bar. The threshold is a tick on this bar.

    Parameters
    ----------
    maps : Nifti1Image or path-like, or dict of str to such images
        One map, or a dictionary from the name of each map to the map. Maps have shape
        (nx, ny, nz) or (nx, ny, nz, 1) and are in MNI space. Voxels outside nilearn's
        MNI mask are not shown.
    views : str or sequence of str, default=("slices", "glass", "surface")
        Views of each map, from top to bottom. ``"slices"``: one sagittal, one coronal
        and three axial slices through the strongest regions, on an anatomical image.
        ``"glass"``: glass brain seen from the left, from behind, from the right and
        from above; each pixel has the value with the largest magnitude along the line
        of sight. ``"surface"``: lateral and medial views of the inflated cortex
        (fsaverage5). Values are averaged over the thickness of the cortex. Subcortical
        voxels are not visible, and the medial wall is gray.
    threshold : float or None, default=None
        Smallest magnitude to show, in the unit of the map, for example 3 for a z map.
        If None, the threshold is chosen so that the fraction `top` of the voxels in the
        brain is shown.
    top : float, default=0.1
        Fraction of the voxels in the brain to show, in (0, 1]. Voxels below a hundredth
        of the maximum are never shown. `top` is ignored if `threshold` is passed.
    two_sided : bool, default=False
        Whether to show negative values too, with the same threshold for magnitudes. If
        False, only positive values are shown.
    title : str, default=""
        Title of the figure. It is wrapped to two lines, and ``$`` is printed literally.
    unit : str or dict of str to str, default="predicted peak density (a.u.)"
        Unit of the maps, or a dictionary from the name of each map to its unit. It is
        printed beside the color bars.
    note : str, default=""
        Text below the title, such as a low-confidence warning.
    peaks : DataFrame or None, default=None
        Peaks of the map, as returned by
        :func:`~sklearn_neurocontext.inference.peak_table`. The first eight rows are
        printed below the map. It requires a single map.

    Returns
    -------
    figure : matplotlib Figure
        Figure of width 12 inches. The line at its bottom states the threshold and the
        interpolation. If no voxel reaches the threshold, the brains are empty and there
        is no color bar.

    Raises
    ------
    TypeError
        If a map is not an image, or if `title` or `note` is not a string.
    ValueError
        If `maps` is empty; if an image contains several maps or NaN; if a map does not
        overlap the brain; if `threshold` is None and a map has no positive voxel; if
        `threshold` is not a positive number; if `top` is out of range; if a view is
        unknown; if the names in `unit` differ from those in `maps`; or if `peaks` has
        no columns x, y, z and value, or is passed with several maps.

    See Also
    --------
    plot_predicted_and_observed : Plot predicted maps beside observed maps.
    sklearn_neurocontext.inference.peak_table : Find the peaks of a map.

    Examples
    --------
    >>> from nilearn.datasets import load_sample_motor_activation_image
    >>> from sklearn_neurocontext.inference import peak_table
    >>> from sklearn_neurocontext.plotting import plot_maps
    >>> img = load_sample_motor_activation_image()
    >>> options = {"threshold": 5, "two_sided": True}
    >>> figure = plot_maps(
    ...     img,
    ...     views="glass",
    ...     title="left minus right hand",
    ...     unit="z value",
    ...     peaks=peak_table(img, **options),
    ...     **options,
    ... )
    >>> figure.get_suptitle()
    'left minus right hand'
    """
    title, note = check_text(title, "title"), check_text(note, "note")
    views = _check_views(views)
    check_threshold(threshold)
    has_names = isinstance(maps, Mapping)
    imgs = check_mapping(maps, "maps", "image") if has_names else {"maps": maps}
    units = _check_units(unit, imgs)
    rows = [] if peaks is None else _check_peaks(peaks, imgs)
    options = {"threshold": threshold, "top": top, "two_sided": two_sided}
    shown = {n: make_display_map(img, n, **options) for n, img in imgs.items()}
    label = LABEL_LINE if has_names else 0
    map_height = label + sum(_VIEWS[view][1] + MARGIN for view in views)
    table_height = TEXT_LINE * (len(rows) + 1) + 2 * MARGIN if rows else 0
    height = map_height * len(imgs) + table_height
    footer = describe_display(shown.values(), **options)
    figure, bottom = make_figure(title, note, footer, height)
    _draw_table(figure, rows, bottom)
    end = bottom + height
    for name, one in shown.items():
        if has_names:
            draw_label(figure, wrap(name, 90, 1), MARGIN, end)
        _draw_views(figure, one, views, units[name], end - label)
        end -= map_height
    return figure


def describe_display(shown, *, threshold, top, two_sided) -> str:
    """Return a sentence about the voxels that are shown, and the interpolation."""
    shown = list(shown)
    if threshold is None:
        extreme = "largest magnitudes" if two_sided else "highest values"
        which = f"the {100 * top:g} % of brain voxels with the {extreme}"
        if len(shown) == 1:
            which += f" (threshold {format_number(shown[0].threshold)})"
        else:
            which += ", if above 1 % of the maximum"
    else:
        value = format_number(threshold)
        which = f"values of at least {value}"
        which += f" and of at most −{value}" if two_sided else ""
        if all(one.is_empty for one in shown):
            which += "; no voxel reaches the threshold"
    return f"Shown: {which}. Interpolated to {DISPLAY_MM} mm for display."


def _draw_views(figure, shown, views, unit, top):
    """Draw the views of a map below `top`, and its color bar; in inches."""
    colors = make_colors(shown)
    bottom = top
    for view in views:
        draw, height = _VIEWS[view]
        bottom -= height
        size = (WIDTH - BAR_SPACE - MARGIN, height)
        draw(figure, to_fractions(figure, MARGIN, bottom, *size), shown, colors)
        bottom -= MARGIN
    left = WIDTH - BAR_SPACE + MARGIN
    middle = (top + bottom + MARGIN) / 2
    draw_color_bar(figure, shown, colors, unit, left, middle, _BAR_HEIGHT)


def _draw_table(figure, rows, bottom):
    """Draw the table of peaks above `bottom`, in inches."""
    if not rows:
        return
    top = bottom + TEXT_LINE * (len(rows) + 1) + MARGIN
    for number, row in enumerate([{k: c[0] for k, c in _COLUMNS.items()}, *rows]):
        for name, cell in row.items():
            x, align = _COLUMNS[name][1:]
            _, y, _, _ = to_fractions(figure, 0, top - number * TEXT_LINE, 0, 0)
            style = {"ha": align, "va": "top", "fontsize": TICK_SIZE}
            style["color"] = "black" if number else GRAY
            figure.text(x, y, cell, parse_math=False, **style)


def _check_views(views) -> tuple:
    """Return the names of views as a tuple."""
    names = (views,) if isinstance(views, str) else tuple(views)
    unknown = [name for name in names if name not in _VIEWS]
    if unknown or not names:
        raise ValueError(
            f"views must be among {', '.join(_VIEWS)}; got {views!r}. Pass for example "
            "('slices', 'glass')."
        )
    return names


def _check_units(unit, names) -> dict:
    """Return a dict with the unit of each map."""
    units = dict.fromkeys(names, unit) if isinstance(unit, str) else dict(unit)
    if set(units) != set(names):
        raise ValueError(
            f"unit must be a string or a dictionary with the names {sorted(names)}; "
            f"got {sorted(units)}."
        )
    return units


def _check_peaks(peaks, imgs) -> list:
    """Return the cells of each row of a table of peaks."""
    if len(imgs) > 1:
        raise ValueError(f"peaks must be None for several maps; got {len(imgs)} maps.")
    missing = [name for name in ("x", "y", "z", "value") if name not in peaks]
    if missing:
        raise ValueError(
            f"peaks must have the columns x, y, z and value; got none named "
            f"{', '.join(missing)}. Pass the output of peak_table."
        )
    return [_format_peak(row) for row in peaks.head(_MAX_PEAKS).to_dict("records")]


def _format_peak(peak) -> dict:
    """Return the cells of a peak, in the columns of the table that the peak has."""
    coordinates = ", ".join(f"{peak[axis]:.0f}".replace("-", "−") for axis in "xyz")
    cells = {"xyz": coordinates, "value": format_number(peak["value"])}
    volume = peak.get("cluster_mm3", float("nan"))
    cells["cluster_mm3"] = f"{volume / 1000:.1f}" if volume == volume else ""
    cells["region"] = wrap(str(peak.get("region", "")), 24, 1)
    if "distance_mm" in peak:
        cells["region"] += f" ({peak['distance_mm']:.0f} mm)"
    cells["network"] = wrap(str(peak.get("network", "")), 24, 1)
    return cells
