"""Maps on glass brains: their strongest voxels, with a color bar."""

import numpy as np

from .._utils.validation import check_peaks
from .._utils.volumes import keep_strongest
from ._style import (
    COLOURS,
    DENSITY_UNIT,
    GREY,
    LABEL_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    check_title,
    wrap,
)

# In inches: the width of every figure of brains, the height of a row of four views, and
# what the colour bar takes from its right side.
WIDTH = 12.0
ROW_HEIGHT = 2.7
_BAR_SPACE = 1.5
_TITLE_LINE = 1.35 * TITLE_SIZE / 72
_TITLE_CHARACTERS = 78
_TITLE_LINES = 2
_NOTE_LINE = 1.35 * TICK_SIZE / 72
_NOTE_CHARACTERS = 120
_COLOURS = "inferno_r"
_PEAK_COLOUR = "#0072B2"


def read_map(img, name):
    """Return the one map of an image as a 3D image."""
    if not hasattr(img, "get_fdata"):
        raise TypeError(
            f"{name} must be a NIfTI image; got {type(img).__name__}. Convert "
            "coefficients to an image with KDEDiFuMoMasker.inverse_transform."
        )
    if len(img.shape) == 4 and img.shape[3] == 1:
        img = img.slicer[..., 0]
    if len(img.shape) != 3:
        raise ValueError(
            f"{name} must contain one 3D map; got shape {img.shape}. Select one of "
            "several maps with img.slicer[..., i]."
        )
    if not np.isfinite(img.get_fdata()).all():
        raise ValueError(f"{name} contains NaN or infinity. Set these voxels to 0.")
    return img


def figure_with_title(title, n_rows, note=""):
    """Create a figure with a title and room for rows of glass brains.

    Parameters
    ----------
    title : str
        Wrapped to two lines; mathtext is not interpreted.
    n_rows : int
        Number of rows.
    note : str, default=""
        Text below the title.

    Returns
    -------
    figure : matplotlib Figure
        Figure with title and note.
    rectangles : list of (left, bottom, width, height)
        Place of each row from the top, as fractions of the figure.
    """
    from matplotlib.figure import Figure

    title = wrap(title, _TITLE_CHARACTERS, _TITLE_LINES)
    note = wrap(note, _NOTE_CHARACTERS, _TITLE_LINES)
    title_end = 0.15 + _TITLE_LINE * (title.count("\n") + 1) if title else 0.1
    head = title_end + (_NOTE_LINE * (note.count("\n") + 1) if note else 0)
    head += 0.1 if title or note else 0
    height = head + n_rows * ROW_HEIGHT
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    figure.suptitle(
        title, y=1 - 0.15 / height, va="top", fontsize=TITLE_SIZE, parse_math=False
    )
    if note:
        figure.text(
            0.5,
            1 - title_end / height,
            note,
            ha="center",
            va="top",
            fontsize=TICK_SIZE,
            color=COLOURS[1],
            parse_math=False,
        )
    share = ROW_HEIGHT / height
    rows = range(n_rows - 1, -1, -1)
    return figure, [(0.0, row * share, 1.0, share) for row in rows]


def draw_glass_brain(figure, rectangle, img, *, label, unit, peaks=None):
    """Draw a map with its label and its color bar into a part of a figure.

    Parameters
    ----------
    figure : matplotlib Figure
        Figure to draw on.
    rectangle : (left, bottom, width, height)
        Part of the figure, as fractions.
    img : Nifti1Image of shape (nx, ny, nz)
        As returned by `keep_strongest`.
    label : str
        Label above the views on the left.
    unit : str
        Label of the color bar.
    peaks : ndarray of shape (n_peaks, 3) or None, default=None
        Peaks to mark, in mm, MNI space.
    """
    from nilearn.plotting import plot_glass_brain

    colours = map_colours()
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
        cmap=colours,
        vmin=0,
        vmax=strongest,
        symmetric_cbar=False,
        alpha=0.85,
    )
    if peaks is not None and len(peaks):
        display.add_markers(
            peaks,
            marker_color=_PEAK_COLOUR,
            marker_size=24,
            edgecolors="white",
            linewidths=0.7,
        )
        _draw_peak_legend(figure, rectangle)
    figure.text(
        left + 0.01,
        bottom + 0.97 * height,
        label,
        va="top",
        fontsize=LABEL_SIZE,
        fontweight="bold",
        parse_math=False,
    )
    draw_color_bar(figure, rectangle, colours, (weakest, strongest), unit)


def _draw_peak_legend(figure, rectangle):
    """Draw the legend of the peaks, above the views."""
    from matplotlib.lines import Line2D

    left, bottom, width, height = rectangle
    style = {"marker": "o", "markersize": 7, "linestyle": "", "label": "reported peak"}
    colours = {"color": _PEAK_COLOUR, "markeredgecolor": "white"}
    figure.legend(
        handles=[Line2D([], [], **style, **colours)],
        loc="upper left",
        bbox_to_anchor=(left + 0.19 * width, bottom + 1.02 * height),
        frameon=False,
        fontsize=TICK_SIZE,
        handletextpad=0.2,
    )


def map_colours():
    """Return the color map of densities, without its palest and darkest parts."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[_COLOURS](np.linspace(0.1, 0.8, 256)))


def draw_color_bar(figure, rectangle, colours, ends, unit):
    """Draw the color bar of a map; values below the threshold are white."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    weakest, strongest = ends
    left, bottom, width, height = rectangle
    bar = figure.add_axes(
        (
            left + width - (_BAR_SPACE - 0.1) / figure.get_figwidth(),
            bottom + 0.12 * height,
            0.18 / figure.get_figwidth(),
            0.72 * height,
        )
    )
    scale = ScalarMappable(Normalize(0, strongest), colours)
    colour_bar = figure.colorbar(scale, cax=bar)
    bar.axhspan(0, weakest, color="white")
    bar.axhline(weakest, color=GREY, linewidth=1)
    bar.tick_params(labelsize=TICK_SIZE)
    bar.locator_params(axis="y", nbins=4)
    bar.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    colour_bar.set_label(wrap(unit, 24, 2), fontsize=TICK_SIZE, parse_math=False)


def check_study_peaks(peaks):
    """Return the peaks of one study as an array; None stays None."""
    return None if peaks is None else check_peaks([peaks])[0]


def plot_predicted_map(img, *, text, top=0.1, unit=DENSITY_UNIT, note=""):
    """Plot the map predicted for a text on a glass brain.

    Parameters
    ----------
    img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        For example ``masker.inverse_transform(model.predict([text]))``, in MNI space.
    text : str
        Wrapped to two lines; mathtext is not interpreted.
    top : float, default=0.1
        Fraction of brain voxels to show, in (0, 1]; only positive voxels are shown.
    unit : str, default="peak density (a.u.)"
        Unit of the map, for the color bar.
    note : str, default=""
        Text below the title, such as a low-confidence warning.

    Returns
    -------
    figure : matplotlib Figure
        Width 12 inches.

    Raises
    ------
    TypeError
        If `img` is not an image, or `text` or `note` not a string.
    ValueError
        If `img` contains several maps, NaN, or no positive voxel inside the brain, or
        `top` is out of range.

    See Also
    --------
    plot_predicted_and_observed : Compare it with the map that a study reports.

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
    kept_img = keep_strongest(read_map(img, "img"), top, "img")
    figure, (rectangle,) = figure_with_title(text, 1, note)
    draw_glass_brain(
        figure, rectangle, kept_img, label=f"predicted, top {100 * top:g} %", unit=unit
    )
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
    """Plot the map that a study reports above the map predicted from its text.

    Each map has its own color scale: a prediction is an average over studies and hence
    flatter than the map of one study. Compare the locations. The voxels shown are those
    that :func:`~sklearn_neurocontext.metrics.dice_score` compares for the same `top`.

    Parameters
    ----------
    predicted_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        For example ``masker.inverse_transform(model.predict([text]))``, in MNI space.
    observed_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        Map of the peaks that the study reports, on the same scale; see
        :func:`~sklearn_neurocontext.models.scale_like_predictions`.
    title : str or None, default=None
        Title of the study, wrapped to two lines; mathtext is not interpreted.
    peaks : array-like of shape (n_peaks, 3) or None, default=None
        Peaks of the study in mm, MNI space; marked on the observed map.
    top : float, default=0.1
        Fraction of brain voxels to show, in (0, 1]; only positive voxels are shown.
    unit : str, default="peak density (a.u.)"
        Unit of both maps, for the color bars.

    Returns
    -------
    figure : matplotlib Figure
        Width 12 inches, the observed map above the predicted one.

    Raises
    ------
    TypeError
        If a map is not an image, or `title` not a string.
    ValueError
        If an image contains several maps, NaN, or no positive voxel inside the brain,
        `top` is out of range, or peaks are not finite (n_peaks, 3) numbers.

    See Also
    --------
    plot_predicted_map : The map predicted for any text.

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
    peaks = check_study_peaks(peaks)
    observed_img, predicted_img = (
        keep_strongest(read_map(img, name), top, name)
        for img, name in (
            (observed_img, "observed_img"),
            (predicted_img, "predicted_img"),
        )
    )
    figure, (above, below) = figure_with_title(title, 2)
    label = f"top {100 * top:g} %"
    draw_glass_brain(
        figure,
        above,
        observed_img,
        label=f"observed, {label}",
        unit=unit,
        peaks=peaks,
    )
    draw_glass_brain(
        figure, below, predicted_img, label=f"predicted, {label}", unit=unit
    )
    return figure
