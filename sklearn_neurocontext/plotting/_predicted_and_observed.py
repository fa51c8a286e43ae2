"""Plot the predicted maps of studies beside the densities of their peaks."""

from ._display import make_display_map
from ._layout import (
    BAR_SPACE,
    LABEL_LINE,
    MARGIN,
    WIDTH,
    check_text,
    draw_color_bar,
    draw_label,
    make_colors,
    make_figure,
    to_fractions,
)
from ._maps import describe_display
from ._style import DENSITY_UNIT, GRAY, LABEL_SIZE, TICK_SIZE, wrap
from ._views import draw_glass_brain

# Heights of the row of a study and of its color bars, in inches, and largest number of
# characters in the title of a study.
_ROW_HEIGHT = 1.75
_BAR_HEIGHT = 1.35
_LINE_CHARACTERS = 110


def plot_predicted_and_observed(
    predicted_imgs,
    observed_imgs,
    *,
    titles,
    title="",
    top=0.1,
    predicted_unit=DENSITY_UNIT,
    observed_unit="peaks per cm³",
):
    """Plot the observed map of each study beside the map predicted from its text.

    A predicted map resembles an average over studies, so its values differ less between
    voxels than the values of an observed map. Therefore, each map has its own color
    scale. Compare the locations of the voxels shown, not their values. With the same
    `top`, :func:`~sklearn_neurocontext.metrics.dice_score` computes the overlap of the
    voxels shown in the two maps. For display, maps are interpolated to 2 mm, as in
    `plot_maps`.

    Parameters
    ----------
    predicted_imgs : sequence of Nifti1Image
        Predicted map of each study, of shape (nx, ny, nz) or (nx, ny, nz, 1), in MNI
        space.
    observed_imgs : sequence of Nifti1Image
        Observed map of each study, for example the density of its peaks.
        :func:`~sklearn_neurocontext.experiments.held_out_studies` computes both maps.
    titles : sequence of str
        Title of each study. It is printed above the two maps, cut to one line.
    title : str, default=""
        Title of the figure. It is wrapped to two lines, and ``$`` is printed literally.
    top : float, default=0.1
        Fraction of brain voxels to show, in (0, 1]. The voxels with the highest values
        are shown, except voxels below a hundredth of the maximum.
    predicted_unit : str, default="predicted peak density (a.u.)"
        Unit of the predicted maps, printed beside the color bars.
    observed_unit : str, default="peaks per cm³"
        Unit of the observed maps.

    Returns
    -------
    figure : matplotlib Figure
        Figure of width 12 inches. Each row shows the observed map of a study on the
        left, and the predicted map on the right.

    Raises
    ------
    TypeError
        If a map is not an image, or if a title is not a string.
    ValueError
        If the numbers of maps and titles differ, or are zero; if an image contains
        several maps, contains NaN, or has no positive voxel inside the brain; or if
        `top` is out of range.

    See Also
    --------
    plot_maps : Plot one or several maps in other views.

    Examples
    --------
    >>> from sklearn_neurocontext import KDEDiFuMoMasker
    >>> from sklearn_neurocontext.plotting import plot_predicted_and_observed
    >>> masker = KDEDiFuMoMasker(atlas="geometric", n_components=128).fit()
    >>> observed, other = masker.transform([[[-42, -24, 56]], [[-40, -28, 50]]])
    >>> figure = plot_predicted_and_observed(
    ...     [masker.inverse_transform([other])],
    ...     [masker.inverse_transform([observed])],
    ...     titles=["Finger tapping"],
    ... )
    >>> [text.get_text() for text in figure.texts[-3:]]
    ['Finger tapping', 'observed', 'predicted']
    """
    title = check_text(title, "title")
    titles = [check_text(one, "titles") for one in titles]
    predicted_imgs, observed_imgs = list(predicted_imgs), list(observed_imgs)
    numbers = len(predicted_imgs), len(observed_imgs), len(titles)
    if len(set(numbers)) > 1 or not titles:
        raise ValueError(
            "predicted_imgs, observed_imgs and titles must have one entry per study; "
            f"got {numbers[0]}, {numbers[1]} and {numbers[2]} entries. Pass a single "
            "study as lists of one entry."
        )
    pairs = [
        (
            make_display_map(observed, "observed_imgs", top=top),
            make_display_map(predicted, "predicted_imgs", top=top),
        )
        for predicted, observed in zip(predicted_imgs, observed_imgs, strict=True)
    ]
    footer = describe_display(
        [one for pair in pairs for one in pair],
        threshold=None,
        top=top,
        two_sided=False,
    )
    row_height = LABEL_LINE + _ROW_HEIGHT + MARGIN
    height = LABEL_LINE + row_height * len(titles)
    figure, bottom = make_figure(title, "", footer, height)
    end = bottom + height - LABEL_LINE
    for name, pair in zip(titles, pairs, strict=True):
        name = wrap(name, _LINE_CHARACTERS, 1)
        draw_label(figure, name, MARGIN, end, size=TICK_SIZE)
        _draw_pair(figure, pair, end - LABEL_LINE, (observed_unit, predicted_unit))
        end -= row_height
    for place, name in enumerate(("observed", "predicted")):
        center = place * WIDTH / 2 + (WIDTH / 2 - BAR_SPACE) / 2
        x, y, _, _ = to_fractions(figure, center, bottom + height, 0, 0)
        style = {"ha": "center", "va": "top", "fontsize": LABEL_SIZE, "color": GRAY}
        figure.text(x, y, name, **style)
    return figure


def _draw_pair(figure, pair, top, units):
    """Draw the observed and the predicted map of a study below `top`, in inches."""
    half = WIDTH / 2
    for place, (shown, unit) in enumerate(zip(pair, units, strict=True)):
        colors = make_colors(shown)
        left, bottom = place * half + MARGIN, top - _ROW_HEIGHT
        size = (half - BAR_SPACE - MARGIN, _ROW_HEIGHT)
        rectangle = to_fractions(figure, left, bottom, *size)
        draw_glass_brain(figure, rectangle, shown, colors, display_mode="lzr")
        bar = (place + 1) * half - BAR_SPACE + MARGIN
        middle = bottom + _ROW_HEIGHT / 2
        draw_color_bar(figure, shown, colors, unit, bar, middle, _BAR_HEIGHT)
