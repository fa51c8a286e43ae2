"""Define the colors, font sizes, axes, legends and titles of all figures."""

import textwrap

from .._utils.files import replace_surrogates

# The palette of Okabe and Ito for color-blind readers (Wong, Nature Methods 8, 2011).
# Yellow is omitted because it is too pale on a white background.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Colors repeat after seven lines. Dashes distinguish lines of the same color.
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)))
GRAY = "0.35"
# Unit of maps that a model predicts with y_scaling="unit" or "sqrt". The unit is
# arbitrary, because both settings scale the coefficients of each study to norm 1.
DENSITY_UNIT = "predicted peak density (a.u.)"
# Default threshold of z maps in figures, pages and tables of peaks. In a normal
# distribution, one value in 740 is larger.
Z_THRESHOLD = 3.0
TITLE_SIZE = 16
LABEL_SIZE = 14
TICK_SIZE = 12
# Options that place a legend outside the axes.
ABOVE = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
BESIDE = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}


def line_style(position: int) -> dict:
    """Return the color and dashes of a line as options of ``plot``."""
    dashes = LINE_STYLES[(position // len(COLORS)) % len(LINE_STYLES)]
    return {"color": COLORS[position % len(COLORS)], "linestyle": dashes}


def wrap(text: str, width: int, max_lines: int = 6) -> str:
    """Wrap a text into lines of similar length; cut a long text with an ellipsis."""
    text = replace_surrogates(text)
    lines = textwrap.wrap(text, width, max_lines=max_lines, placeholder=" …")
    if len(textwrap.wrap(text, width)) <= max_lines:
        # The width is reduced as much as possible without adding a line. Otherwise the
        # last line could be a single word.
        longest = max(map(len, text.split()), default=0)
        while (
            width > longest
            and len(narrower := textwrap.wrap(text, width - 1)) == len(lines) > 1
        ):
            lines, width = narrower, width - 1
    return "\n".join(lines)


def axes_or_new(ax, figsize, grid="both"):
    """Return formatted axes; if `ax` is None, create them on a new figure."""
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=figsize, layout="constrained").add_subplot()
    ax.tick_params(labelsize=TICK_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(axis=grid, color="0.9")
        ax.set_axisbelow(True)
    return ax


def set_axes_title(ax, title) -> None:
    """Set a title wrapped to the width of the axes, without parsing ``$`` as math."""
    if title is None:
        return
    # The mean width of a character is about 0.58 times the font size.
    width_points = 72 * ax.figure.get_figwidth() * ax.get_position().width
    ax.set_title(
        wrap(title, max(20, int(width_points / (0.58 * TITLE_SIZE)))),
        fontsize=TITLE_SIZE,
        parse_math=False,
    )


def draw_legend(ax, handles, names, **options) -> None:
    """Draw a legend, without parsing ``$`` in names as math."""
    # The legend is drawn with numbers, which are then replaced by the names. Otherwise
    # matplotlib would omit names that start with "_".
    legend = ax.legend(
        handles,
        [str(i) for i in range(len(handles))],
        fontsize=TICK_SIZE,
        frameon=False,
        **options,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(replace_surrogates(name))
