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
    """Check that an image holds one map, and give it back three-dimensional.

    Parameters
    ----------
    img : Nifti1Image
        3D, or 4D with one map.
    name : str
        What the error messages call it.

    Returns
    -------
    img : Nifti1Image of shape (nx, ny, nz)
        The same map.
    """
    if not hasattr(img, "get_fdata"):
        raise TypeError(
            f"{name} must be a Nifti image; got {type(img).__name__}. Coefficients "
            "become an image by KDEDiFuMoMasker.inverse_transform."
        )
    if len(img.shape) == 4 and img.shape[3] == 1:
        img = img.slicer[..., 0]
    if len(img.shape) != 3:
        raise ValueError(
            f"{name} has shape {img.shape}; expected one 3D map. Pass one of several "
            "maps: img.slicer[..., i]."
        )
    if not np.isfinite(img.get_fdata()).all():
        raise ValueError(f"{name} holds NaN or infinity. Set these voxels to 0 first.")
    return img


def figure_with_title(title, n_rows, note=""):
    """Make a figure for rows of glass brains below a title of any length.

    Parameters
    ----------
    title : str
        Drawn as it is, on two lines at most, the rest an ellipsis; no part of it is
        read as mathematics.
    n_rows : int
        Rows of glass brains.
    note : str, default=""
        What a reader of the picture must know, below the title and as the title is.

    Returns
    -------
    figure : matplotlib Figure
        With the title.
    rectangles : list of (left, bottom, width, height)
        Room for each row, from the top, as fractions of the figure.
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
    """Draw a map with its label and its colour bar into a part of a figure.

    Parameters
    ----------
    figure : matplotlib Figure
        Where to draw.
    rectangle : (left, bottom, width, height)
        The part, as fractions of the figure.
    img : Nifti1Image of shape (nx, ny, nz)
        What :func:`keep_strongest` gives.
    label : str
        Written above the views on the left.
    unit : str
        Written beside the colour bar.
    peaks : ndarray of shape (n_peaks, 3) or None, default=None
        Marked as points, mm in MNI space.
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
        _explain_markers(figure, rectangle)
    figure.text(
        left + 0.01,
        bottom + 0.97 * height,
        label,
        va="top",
        fontsize=LABEL_SIZE,
        fontweight="bold",
        parse_math=False,
    )
    draw_bar(figure, rectangle, colours, (weakest, strongest), unit)


def _explain_markers(figure, rectangle):
    """Write what the points are, on the right above the views."""
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
    """Dark where strong, without the palest part, lost on white, and without black."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[_COLOURS](np.linspace(0.1, 0.8, 256)))


def draw_bar(figure, rectangle, colours, ends, unit):
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
    # Below the cut nothing is drawn.
    bar.axhspan(0, weakest, color="white")
    bar.axhline(weakest, color=GREY, linewidth=1)
    bar.tick_params(labelsize=TICK_SIZE)
    bar.locator_params(axis="y", nbins=4)
    bar.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    colour_bar.set_label(wrap(unit, 24, 2), fontsize=TICK_SIZE, parse_math=False)


def check_study_peaks(peaks):
    """Check the peaks of one study, or pass None through."""
    return None if peaks is None else check_peaks([peaks])[0]


def plot_predicted_map(img, *, text, top=0.1, unit=DENSITY_UNIT, note=""):
    """Draw the map predicted for a text on a glass brain, below the text.

    Parameters
    ----------
    img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        What ``masker.inverse_transform(model.predict([text]))`` gives, in MNI space.
    text : str
        Drawn as it is, on two lines at most, the rest an ellipsis; no part of it is
        read as mathematics.
    top : float, default=0.1
        Fraction of the brain's voxels to draw, in (0, 1], the strongest first. Only
        positive ones are drawn.
    unit : str, default="peak density (a.u.)"
        Unit of the map, for the colour bar. Models predict coefficients
        of studies scaled to norm 1 unless they have ``y_scaling=None``.
    note : str, default=""
        What a reader of the picture must know, such as `NeuroContextModel.caveat`;
        drawn below the text, as it is.

    Returns
    -------
    figure : matplotlib Figure
        Twelve inches wide.

    Raises
    ------
    TypeError
        If `img` is not an image, or `text` or `note` not a string.
    ValueError
        If `img` holds several maps, NaN, or no positive voxel inside the brain, or
        `top` is out of range.

    See Also
    --------
    plot_predicted_and_observed : The same above the map that the study reports.

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
    """Draw the map a study reports and the one predicted from its text.

    Each map has its own colour scale, since a prediction is an expectation over studies
    and flatter than the map of one study; what can be compared is where they are
    strong. The voxels drawn are those that
    :func:`~sklearn_neurocontext.metrics.dice_score` compares for the same `top`.

    Parameters
    ----------
    predicted_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        What ``masker.inverse_transform(model.predict([text]))`` gives, in MNI space.
    observed_img : Nifti1Image of shape (nx, ny, nz) or (nx, ny, nz, 1)
        The same for the coefficients of the study's peaks; where models scale studies
        to norm 1, of coefficients divided by their norm.
    title : str or None, default=None
        The study's title. Drawn as it is, on two lines at most, the rest an ellipsis;
        no part of it is read as mathematics.
    peaks : array-like of shape (n_peaks, 3) or None, default=None
        The study's peaks, mm in MNI space, marked on the observed map, with a legend.
    top : float, default=0.1
        Fraction of the brain's voxels to draw, in (0, 1], the strongest first. Only
        positive ones are drawn.
    unit : str, default="peak density (a.u.)"
        Unit of both maps, for the colour bars. Models predict coefficients
        of studies scaled to norm 1 unless they have ``y_scaling=None``.

    Returns
    -------
    figure : matplotlib Figure
        Twelve inches wide, the observed map above the predicted one.

    Raises
    ------
    TypeError
        If a map is not an image, or `title` not a string.
    ValueError
        If an image holds several maps, NaN, or no positive voxel inside the brain,
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
