"""Plot the strongest voxels of brain maps on glass brains."""

import numpy as np

from .._utils.validation import check_peaks
from .._utils.volumes import keep_strongest, open_img
from ._style import (
    COLORS,
    DENSITY_UNIT,
    GRAY,
    LABEL_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    wrap,
)

# Sizes in inches: the width of a figure, the height of a row with four views and a
# color bar, the width of the space for the color bar, the height of a line of the
# title, and the height of a line of the note.
WIDTH = 12.0
ROW_HEIGHT = 2.7
_BAR_SPACE = 1.5
_TITLE_LINE = 1.35 * TITLE_SIZE / 72
_NOTE_LINE = 1.35 * TICK_SIZE / 72
_TITLE_CHARACTERS = 78
_NOTE_CHARACTERS = 120
_MAX_LINES = 2
_COLOR_MAP = "inferno_r"
_PEAK_COLOR = "#0072B2"


def read_map(img, name):
    """Check that an image contains a single map and return it as a 3D image."""
    if not hasattr(img, "get_fdata"):
        raise TypeError(
            f"{name} must be a NIfTI image; got {type(img).__name__}. Convert "
            "coefficients to an image with KDEDiFuMoMasker.inverse_transform."
        )
    img = open_img(img, name)
    if len(img.shape) == 4 and img.shape[3] == 1:
        img = img.slicer[..., 0]
    if len(img.shape) != 3:
        raise ValueError(
            f"{name} must contain one 3D map; got shape {img.shape}. If it contains "
            "several maps, select map i with img.slicer[..., i]."
        )
    if not np.isfinite(img.get_fdata()).all():
        raise ValueError(f"{name} contains NaN or infinity. Set these voxels to 0.")
    return img


def check_title(title, argument: str) -> str:
    """Check that a title or a note is a string, and return it."""
    if not isinstance(title, str):
        raise TypeError(
            f"{argument} must be a string; got {type(title).__name__}. Pass the text "
            "of a single study."
        )
    return title


def figure_with_title(title, n_rows, note=""):
    """Create a figure with a title, a note and space for rows of brain views.

    Return the figure and one rectangle per row: (left, bottom, width, height), in
    fractions of the figure size.
    """
    from matplotlib.figure import Figure

    title = wrap(title, _TITLE_CHARACTERS, _MAX_LINES)
    note = wrap(note, _NOTE_CHARACTERS, _MAX_LINES)
    title_end = 0.15 + _TITLE_LINE * (title.count("\n") + 1) if title else 0.1
    head = title_end + (_NOTE_LINE * (note.count("\n") + 1) if note else 0)
    head += 0.1 if title or note else 0
    height = head + n_rows * ROW_HEIGHT
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    figure.suptitle(
        title, y=1 - 0.15 / height, va="top", fontsize=TITLE_SIZE, parse_math=False
    )
    if note:
        style = {"fontsize": TICK_SIZE, "color": COLORS[1], "parse_math": False}
        y = 1 - title_end / height
        figure.text(0.5, y, note, ha="center", va="top", **style)
    row_height = ROW_HEIGHT / height
    rows_from_top = range(n_rows - 1, -1, -1)
    return figure, [(0.0, row * row_height, 1.0, row_height) for row in rows_from_top]


def _read_strongest(img, top, name):
    return keep_strongest(read_map(img, name), top, name)


def _draw_glass_brain(figure, rectangle, img, label, unit, peaks=None):
    """Draw a map, its label and its color bar in a rectangle of a figure."""
    from nilearn.plotting import plot_glass_brain

    colors = density_colors()
    left, bottom, width, height = rectangle
    bar_space = _BAR_SPACE / figure.get_figwidth()
    strongest = img.get_fdata().max()
    weakest = img.get_fdata()[img.get_fdata() > 0].min()
    display = plot_glass_brain(
        img,
        figure=figure,
        axes=(left, bottom, width - bar_space, 0.9 * height),
        display_mode="lyrz",
        colorbar=False,
        threshold=weakest / 2,
        plot_abs=False,
        cmap=colors,
        vmin=0,
        vmax=strongest,
        symmetric_cbar=False,
        alpha=0.85,
    )
    if peaks is not None and len(peaks):
        style = {"edgecolors": "white", "linewidths": 0.7}
        display.add_markers(peaks, marker_color=_PEAK_COLOR, marker_size=24, **style)
        _draw_peak_legend(figure, rectangle)
    draw_row_label(figure, rectangle, label)
    draw_color_bar(figure, rectangle, colors, (weakest, strongest), unit)


def draw_row_label(figure, rectangle, label):
    """Draw the label of a row at the top left of its rectangle."""
    left, bottom, _, height = rectangle
    style = {"fontsize": LABEL_SIZE, "fontweight": "bold", "parse_math": False}
    figure.text(left + 0.01, bottom + 0.97 * height, label, va="top", **style)


def _draw_peak_legend(figure, rectangle):
    """Draw the legend of the peaks above the views."""
    from matplotlib.lines import Line2D

    left, bottom, width, height = rectangle
    style = {"marker": "o", "markersize": 7, "linestyle": "", "label": "reported peak"}
    colors = {"color": _PEAK_COLOR, "markeredgecolor": "white"}
    figure.legend(
        handles=[Line2D([], [], **style, **colors)],
        loc="upper left",
        bbox_to_anchor=(left + 0.19 * width, bottom + 1.02 * height),
        frameon=False,
        fontsize=TICK_SIZE,
        handletextpad=0.2,
    )


def density_colors():
    """Return a color map for densities, without very pale or very dark colors."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[_COLOR_MAP](np.linspace(0.1, 0.8, 256)))


def draw_color_bar(figure, rectangle, colors, limits, unit, signed=False):
    """Draw a color bar that is white for values that are not shown in the map.

    `limits` contains the smallest and the largest magnitude that the map shows. The bar
    extends from 0 to the largest magnitude. If `signed` is True, it starts at minus the
    largest magnitude instead of 0.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    weakest, strongest = limits
    left, bottom, width, height = rectangle
    bar_left = left + width - (_BAR_SPACE - 0.1) / figure.get_figwidth()
    bar_width = 0.18 / figure.get_figwidth()
    bar = figure.add_axes((bar_left, bottom + 0.12 * height, bar_width, 0.72 * height))
    lowest, gap_start = (-strongest, -weakest) if signed else (0, 0)
    scale = ScalarMappable(Normalize(lowest, strongest), colors)
    color_bar = figure.colorbar(scale, cax=bar)
    bar.axhspan(gap_start, weakest, color="white")
    for edge in {gap_start, weakest} - {0}:
        bar.axhline(edge, color=GRAY, linewidth=1)
    bar.tick_params(labelsize=TICK_SIZE)
    bar.locator_params(axis="y", nbins=4)
    bar.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    color_bar.set_label(wrap(unit, 24, 2), fontsize=TICK_SIZE, parse_math=False)


def plot_predicted_map(img, *, text, top=0.1, unit=DENSITY_UNIT, note=""):
    """Plot the map predicted for a text on a glass brain.

    Parameters
    ----------
    img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        Predicted map in MNI space, for example
        ``masker.inverse_transform(model.predict([text]))``.
    text : str
        Title of the figure. It is wrapped to two lines, and ``$`` is printed literally.
    top : float, default=0.1
        Fraction of brain voxels to show, in (0, 1]. The voxels with the highest values
        are shown, except voxels whose value is zero or negative.
    unit : str, default="peak density (a.u.)"
        Unit of the map, printed beside the color bar.
    note : str, default=""
        Text below the title, such as a low-confidence warning.

    Returns
    -------
    figure : matplotlib Figure
        Figure of width 12 inches.

    Raises
    ------
    TypeError
        If `img` is not an image, or if `text` or `note` is not a string.
    ValueError
        If `img` contains several maps, contains NaN, or has no positive voxel inside
        the brain, or if `top` is out of range.

    See Also
    --------
    plot_predicted_and_observed : Plot the map of a study and its prediction.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.plotting import plot_predicted_map
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=128)
    >>> coefficients = masker.fit_transform([[[-42, -24, 56], [44, -22, 54]]])
    >>> figure = plot_predicted_map(
    ...     masker.inverse_transform(coefficients), text="finger tapping"
    ... )
    >>> figure.get_suptitle()
    'finger tapping'
    """
    text, note = check_title(text, "text"), check_title(note, "note")
    kept_img = _read_strongest(img, top, "img")
    figure, (row,) = figure_with_title(text, 1, note)
    _draw_glass_brain(figure, row, kept_img, f"predicted, top {100 * top:g} %", unit)
    return figure


def plot_predicted_and_observed(
    predicted_img,
    observed_img,
    *,
    title=None,
    peaks=None,
    top=0.1,
    unit=DENSITY_UNIT,
):
    """Plot the observed map of a study above the map predicted from its text.

    A predicted map resembles an average over studies, so its values differ less between
    voxels than the values of an observed map. Therefore, each map has its own color
    scale. Compare the locations of the voxels shown, not their values. With the same
    `top`, :func:`~sklearn_neurocontext.metrics.dice_score` computes the overlap of the
    voxels shown in the two maps.

    Parameters
    ----------
    predicted_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        Predicted map in MNI space, for example
        ``masker.inverse_transform(model.predict([text]))``.
    observed_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        Map of the reported peaks, in the same unit as the predicted map. To obtain it,
        convert the coefficients of the study with
        :func:`~sklearn_neurocontext.models.scale_like_predictions`, then pass them to
        ``masker.inverse_transform``.
    title : str or None, default=None
        Title of the study. It is wrapped to two lines, and ``$`` is printed literally.
    peaks : array-like of shape (n_peaks, 3) or None, default=None
        Peaks of the study in mm, in MNI space. They are marked on the observed map.
    top : float, default=0.1
        Fraction of brain voxels to show, in (0, 1]. The voxels with the highest values
        are shown, except voxels whose value is zero or negative.
    unit : str, default="peak density (a.u.)"
        Unit of both maps, printed beside the color bars.

    Returns
    -------
    figure : matplotlib Figure
        Figure of width 12 inches, with the observed map above the predicted map.

    Raises
    ------
    TypeError
        If a map is not an image, or if `title` is not a string.
    ValueError
        If an image contains several maps, contains NaN, or has no positive voxel inside
        the brain; if `top` is out of range; or if `peaks` is not a finite array of
        shape (n_peaks, 3).

    See Also
    --------
    plot_predicted_map : Plot the map predicted for any text.

    Examples
    --------
    >>> from sklearn.preprocessing import normalize
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.plotting import plot_predicted_and_observed
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=128).fit()
    >>> peaks = [[-42, -24, 56], [44, -22, 54]]
    >>> observed, other = normalize(masker.transform([peaks, [[-40, -28, 50]]]))
    >>> figure = plot_predicted_and_observed(
    ...     masker.inverse_transform([other]),
    ...     masker.inverse_transform([observed]),
    ...     title="Finger tapping",
    ...     peaks=peaks,
    ... )
    >>> figure.get_suptitle()
    'Finger tapping'
    """
    title = "" if title is None else check_title(title, "title")
    peaks = None if peaks is None else check_peaks([peaks])[0]
    observed_img = _read_strongest(observed_img, top, "observed_img")
    predicted_img = _read_strongest(predicted_img, top, "predicted_img")
    figure, (above, below) = figure_with_title(title, 2)
    shown = f"top {100 * top:g} %"
    _draw_glass_brain(figure, above, observed_img, f"observed, {shown}", unit, peaks)
    _draw_glass_brain(figure, below, predicted_img, f"predicted, {shown}", unit)
    return figure
