"""Colors, font sizes and text that all figures share."""

import textwrap

# The palette of Okabe and Ito for color-blind readers, without yellow, which is too
# pale on white. See Wong, Nature Methods 8, 2011.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
# After seven lines colors repeat, and dashes distinguish the lines.
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)))
GREY = "0.35"
# Unit of maps predicted with y_scaling="unit" or "sqrt": studies scaled to norm one.
DENSITY_UNIT = "peak density (a.u.)"
TITLE_SIZE = 16
LABEL_SIZE = 14
TICK_SIZE = 12


def line_style(position: int) -> dict:
    """Return color and dashes of the line at a position, as arguments of ``plot``."""
    dashes = LINE_STYLES[(position // len(COLOURS)) % len(LINE_STYLES)]
    return {"color": COLOURS[position % len(COLOURS)], "linestyle": dashes}


def wrap(text: str, width: int, max_lines: int = 6) -> str:
    """Wrap a text into lines of similar length; an ellipsis replaces the rest."""
    lines = textwrap.wrap(text, width, max_lines=max_lines, placeholder=" …")
    if len(textwrap.wrap(text, width)) <= max_lines:
        # As narrow as this number of lines allows, so that the last line is not a
        # single word; but not narrower than the longest word.
        longest = max(map(len, text.split()), default=0)
        while (
            width > longest
            and len(narrower := textwrap.wrap(text, width - 1)) == len(lines) > 1
        ):
            lines, width = narrower, width - 1
    return "\n".join(lines)


def axes_or_new(ax, figsize=(8.0, 5.0)):
    """Return the axes, or axes on a new figure of this size in inches."""
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=figsize, layout="constrained").add_subplot()
    ax.tick_params(labelsize=TICK_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def set_axes_title(ax, title: str) -> None:
    """Set a title, wrapped to the width of the axes, without mathtext."""
    # A character is about 0.6 font sizes wide.
    width_points = 72 * ax.figure.get_figwidth() * ax.get_position().width
    ax.set_title(
        wrap(title, max(20, int(width_points / (0.58 * TITLE_SIZE)))),
        fontsize=TITLE_SIZE,
        parse_math=False,
    )


def draw_legend(ax, handles, names, **options) -> None:
    """Draw a legend without interpreting mathtext in its names."""
    # Set afterwards, because matplotlib drops names that start with an underscore.
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


def check_title(text, name: str) -> str:
    """Check that a title is one string."""
    if not isinstance(text, str):
        raise TypeError(
            f"{name} must be a string; got {type(text).__name__}. Pass the text of a "
            "single study."
        )
    return text
