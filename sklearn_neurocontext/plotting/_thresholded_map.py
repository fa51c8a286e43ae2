"""Plot positive and negative voxels of a map beyond a threshold on a glass brain."""

import warnings
from numbers import Real

import numpy as np

from ._brain_maps import (
    check_title,
    density_colors,
    draw_color_bar,
    draw_row_label,
    figure_with_title,
    read_map,
)

# Fraction of the width of the figure for the brains; the rest is for the color bar.
_BRAINS_WIDTH = 0.875


def plot_thresholded_map(img, *, threshold, title="", unit="z value", note=""):
    """Plot the voxels of a map whose magnitude reaches a threshold, on a glass brain.

    If the map has values of ``-threshold`` or less, negative values are blue and
    positive values are red. Otherwise the colors are those of `plot_predicted_map`.

    Parameters
    ----------
    img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        Map in MNI space, for example the ``z_map`` of a `NeuroContextModel`.
    threshold : float
        Smallest magnitude to show, in the unit of the map. It must be positive.
    title : str, default=""
        Title of the figure. It is wrapped to two lines, and ``$`` is printed literally.
    unit : str, default="z value"
        Unit of the map, printed beside the color bar.
    note : str, default=""
        Text below the title, such as a low-confidence warning.

    Returns
    -------
    figure : matplotlib Figure
        Figure of width 12 inches. If no voxel reaches the threshold, the glass brain is
        empty and the figure has no color bar.

    Raises
    ------
    TypeError
        If `img` is not an image, or if `title` or `note` is not a string.
    ValueError
        If `img` contains several maps or NaN, or if `threshold` is not a positive
        number.

    See Also
    --------
    plot_predicted_map : Plot the strongest positive voxels of a map.

    Examples
    --------
    >>> import nibabel as nib
    >>> import numpy as np
    >>> from sklearn_neurocontext.plotting import plot_thresholded_map
    >>> values = np.zeros((20, 20, 20))
    >>> values[5, 10, 10], values[15, 10, 10] = 4.0, -5.0
    >>> affine = np.diag([8.0, 8.0, 8.0, 1.0])
    >>> affine[:3, 3] = -80
    >>> img = nib.Nifti1Image(values, affine)
    >>> figure = plot_thresholded_map(img, threshold=3.0, title="left minus right")
    >>> figure.get_suptitle()
    'left minus right'
    """
    title, note = check_title(title, "title"), check_title(note, "note")
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not is_number or not 0 < threshold < np.inf:
        raise ValueError(
            f"threshold must be a positive number; got {threshold!r}. Try 3 for a z "
            "map."
        )
    img = read_map(img, "img")
    values = img.get_fdata()
    shown = np.abs(values) >= threshold
    strongest = float(np.abs(values[shown]).max(initial=threshold))
    signed = bool((values[shown] < 0).any())
    figure, (row,) = figure_with_title(title, 1, note)
    colors = _signed_colors() if signed else density_colors()
    with warnings.catch_warnings():
        # nilearn warns if no voxel is shown.
        warnings.filterwarnings("ignore", "empty mask")
        _draw_glass_brain(figure, row, img, colors, threshold, strongest, signed)
    draw_row_label(figure, row, f"threshold {threshold:.3g}")
    if shown.any():
        limits = (threshold, strongest)
        draw_color_bar(figure, row, colors, limits, unit, signed=signed)
    return figure


def _signed_colors():
    """Return a color map from blue (negative) to red (positive) without pale colors."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    shades = np.linspace(0.4, 1, 128)
    blues, reds = colormaps["Blues"](shades[::-1]), colormaps["Reds"](shades)
    return ListedColormap(np.vstack([blues, reds]))


def _draw_glass_brain(figure, rectangle, img, colors, threshold, strongest, signed):
    from nilearn.plotting import plot_glass_brain

    left, bottom, width, height = rectangle
    plot_glass_brain(
        img,
        figure=figure,
        axes=(left, bottom, _BRAINS_WIDTH * width, 0.9 * height),
        display_mode="lyrz",
        colorbar=False,
        # nilearn hides values equal to the threshold.
        threshold=np.nextafter(threshold, 0),
        plot_abs=False,
        cmap=colors,
        vmin=-strongest if signed else 0,
        vmax=strongest,
        symmetric_cbar=signed,
        alpha=0.85,
    )
