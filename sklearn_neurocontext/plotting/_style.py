"""Colors, font sizes, axes, legends and titles that all figures share."""

import textwrap

# The palette of Okabe and Ito for color-blind readers (Wong, Nature Methods 8, 2011),
# without yellow, which is too pale on a white background.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Colors repeat after seven lines; dashes then distinguish the lines.
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)))
GRAY = "0.35"
# Unit of maps predicted with y_scaling="unit" or "sqrt", which scale studies to norm 1.
DENSITY_UNIT = "peak density (a.u.)"
TITLE_SIZE = 16
LABEL_SIZE = 14
TICK_SIZE = 12
# Places of legends outside the axes.
ABOVE = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
BESIDE = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}


def line_style(position: int) -> dict:
    """Return color and dashes of the line at a position, as options of ``plot``."""
    dashes = LINE_STYLES[(position // len(COLORS)) % len(LINE_STYLES)]
    return {"color": COLORS[position % len(COLORS)], "linestyle": dashes}


def wrap(text: str, width: int, max_lines: int = 6) -> str:
    """Wrap a text into lines of similar length; an ellipsis replaces excess text."""
    lines = textwrap.wrap(text, width, max_lines=max_lines, placeholder=" …")
    if len(textwrap.wrap(text, width)) <= max_lines:
        # Reduce the width as far as the number of lines stays the same, so that the
        # last line is not a single word.
        longest = max(map(len, text.split()), default=0)
        while (
            width > longest
            and len(narrower := textwrap.wrap(text, width - 1)) == len(lines) > 1
        ):
            lines, width = narrower, width - 1
    return "\n".join(lines)


def axes_or_new(ax, figsize, grid="both"):
    """Return the axes, or axes on a new figure of this size in inches, with a grid."""
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
    """Set a title, if any, wrapped to the width of the axes, without mathtext."""
    if title is None:
        return
    # A character is about 0.6 font sizes wide.
    width_points = 72 * ax.figure.get_figwidth() * ax.get_position().width
    ax.set_title(
        wrap(title, max(20, int(width_points / (0.58 * TITLE_SIZE)))),
        fontsize=TITLE_SIZE,
        parse_math=False,
    )


def draw_legend(ax, handles, names, **options) -> None:
    """Draw a legend without interpreting mathtext in its names."""
    # Names are set afterwards: matplotlib omits those that start with an underscore.
    legend = ax.legend(
        handles,
        [str(i) for i in range(len(handles))],
        fontsize=TICK_SIZE,
        frameon=False,
        **options,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
