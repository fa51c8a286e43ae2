"""Create figures of maps: titles, notes, labels, color maps and color bars."""

import numpy as np

from ._style import GRAY, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, wrap

# Sizes in inches: the width of a figure, the space on the right of the brains for a
# color bar, the width of a color bar, margins, and the heights of lines.
WIDTH = 12.0
BAR_SPACE = 1.8
_BAR_WIDTH = 0.18
MARGIN = 0.1
TITLE_LINE = 1.35 * TITLE_SIZE / 72
LABEL_LINE = 1.5 * LABEL_SIZE / 72
TEXT_LINE = 1.5 * TICK_SIZE / 72
# Largest number of characters in a line of the title and in a line of a note.
_TITLE_CHARACTERS = 78
NOTE_CHARACTERS = 120
_MAX_LINES = 2
# Color maps of positive values (from weak to strong) and of negative values, and the
# parts of them that are used. The palest colors would not be visible on white.
_POSITIVE = ("YlOrRd", 0.25)
_NEGATIVE = ("YlGnBu", 0.35)


def check_text(text, argument: str) -> str:
    """Check that a title or a note is a string, and return it."""
    if not isinstance(text, str):
        raise TypeError(
            f"{argument} must be a string; got {type(text).__name__}. Pass the text "
            "of a single study."
        )
    return text


def make_figure(title, note, footer, height):
    """Create a figure whose content has a height of `height` inches.

    The title and the note are above the content, and the footer is below the content.
    Return the figure and the bottom of the content, in inches.
    """
    from matplotlib.figure import Figure

    title = wrap(title, _TITLE_CHARACTERS, _MAX_LINES)
    note = wrap(note, NOTE_CHARACTERS, _MAX_LINES)
    footer = wrap(footer, NOTE_CHARACTERS, _MAX_LINES)
    title_end = MARGIN
    title_end += TITLE_LINE * (title.count("\n") + 1) if title else 0
    head = title_end + (TEXT_LINE * (note.count("\n") + 1) if note else 0)
    head += MARGIN if title or note else 0
    foot = 2 * MARGIN + TEXT_LINE * (footer.count("\n") + 1)
    total = head + height + foot
    figure = Figure(figsize=(WIDTH, total), facecolor="white")
    figure.suptitle(
        title, y=1 - MARGIN / total, va="top", fontsize=TITLE_SIZE, parse_math=False
    )
    style = {"ha": "center", "fontsize": TICK_SIZE, "parse_math": False}
    if note:
        y = 1 - title_end / total
        figure.text(0.5, y, note, va="top", color=GRAY, **style)
    figure.text(0.5, MARGIN / total, footer, va="bottom", color=GRAY, **style)
    return figure, foot


def to_fractions(figure, left, bottom, width, height) -> tuple:
    """Convert a rectangle from inches to fractions of the size of a figure."""
    x, y = figure.get_size_inches()
    return left / x, bottom / y, width / x, height / y


def draw_label(figure, text, left, top, size=LABEL_SIZE) -> None:
    """Draw a bold label at a position in inches."""
    x, y, _, _ = to_fractions(figure, left, top, 0, 0)
    style = {"fontsize": size, "fontweight": "bold", "parse_math": False}
    figure.text(x, y, text, va="top", **style)


def make_colors(shown):
    """Return a color map for the values of a map that are shown.

    Positive values are yellow to red; negative values are green to blue.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    positive, negative = (
        colormaps[name](np.linspace(weakest, 1, 128))
        for name, weakest in (_POSITIVE, _NEGATIVE)
    )
    low, high = shown.limits
    parts = ([negative[::-1]] if low < 0 else []) + ([positive] if high > 0 else [])
    return ListedColormap(np.concatenate(parts))


def draw_color_bar(figure, shown, colors, unit, left, center, height):
    """Draw a color bar that is white for hidden values; its place is in inches.

    The ticks are the ends of the bar and the threshold, for each sign that is shown.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if shown.is_empty:
        return
    low, high = shown.limits
    rectangle = (left, center - height / 2, _BAR_WIDTH, height)
    bar = figure.add_axes(to_fractions(figure, *rectangle), label="color bar")
    color_bar = figure.colorbar(ScalarMappable(Normalize(low, high), colors), cax=bar)
    ticks = []
    gap = [max(low, -shown.threshold), min(high, shown.threshold)]
    bar.axhspan(*gap, color="white")
    for end, edge in ((low, gap[0]), (high, gap[1])):
        if end != 0:
            bar.axhline(edge, color=GRAY, linewidth=1)
            ticks.append(edge)
        # Two ticks that are too close would overlap.
        if abs(end - (edge if end else gap[0] + gap[1])) > 0.1 * (high - low):
            ticks.append(end)
    color_bar.set_ticks(ticks, labels=[format_number(tick) for tick in ticks])
    color_bar.ax.minorticks_off()
    bar.tick_params(labelsize=TICK_SIZE)
    color_bar.set_label(wrap(unit, 24, 2), fontsize=TICK_SIZE, parse_math=False)


def format_number(value) -> str:
    """Return a number with three significant digits, for example 1.5×10⁻⁵."""
    text = f"{value:.3g}".replace("-", "−")
    if "e" not in text:
        return text
    digits, exponent = text.split("e")
    raised = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
    sign = "−" if exponent.startswith("−") else ""
    return f"{digits}×10{(sign + exponent.lstrip('−+0')).translate(raised)}"
