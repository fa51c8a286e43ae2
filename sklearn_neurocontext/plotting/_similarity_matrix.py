"""Plot of a similarity matrix."""

import numpy as np

from .._utils.validation import check_similarity
from ._style import LABEL_SIZE, TICK_SIZE, axes_or_new, set_axes_title, wrap

# With more rows or columns, names and marks would overlap.
_MAX_NAMED = 30
_CELL_INCHES = 0.42
_COLOURS = "RdBu_r"


def plot_similarity_matrix(
    similarity, *, paired=False, texts=None, maps=None, title=None, ax=None
):
    """Plot the similarity of texts and maps, and the most similar map of each text.

    A ring marks the most similar map of each text, unless several are tied. Colors are
    symmetric around zero. Rings and names are omitted if there are more than 30 rows or
    columns.

    Parameters
    ----------
    similarity : array-like of shape (n_texts, n_maps)
        Finite, for example ``model.similarity(X, y)``.
    paired : bool, default=False
        Whether true pairs lie on the diagonal. The x label then states for how many
        texts the own map is the most similar; ties do not count.
    texts : sequence of str of length n_texts or None, default=None
        Names of the rows, wrapped to two lines.
    maps : sequence of str of length n_maps or None, default=None
        Names of the columns, cut to one line.
    title : str or None, default=None
        Wrapped; mathtext is not interpreted.
    ax : matplotlib Axes or None, default=None
        Axes to draw on; None creates a figure.

    Returns
    -------
    ax : matplotlib Axes
        Texts from top to bottom, maps from left to right.

    Raises
    ------
    ValueError
        If the matrix is empty, contains NaN, is `paired` but not square, or the number
        of names differs from that of rows or columns.

    See Also
    --------
    plot_recall_curves : Plot recall for many studies.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.plotting import plot_similarity_matrix
    >>> ax = plot_similarity_matrix(np.eye(3), paired=True)
    >>> ax.get_xlabel()
    'map (own map most similar: 3 of 3)'
    """
    similarity = check_similarity(similarity, square=paired)
    n_texts, n_maps = similarity.shape
    texts = _check_names(texts, "texts", n_texts)
    maps = _check_names(maps, "maps", n_maps)
    names = max((len(name) for name in (*(texts or ()), *(maps or ()))), default=0)
    room = 1.2 + 0.09 * min(names, 34)
    ax = axes_or_new(
        ax,
        figsize=(
            _side(n_maps) + room + 1.4,
            _side(n_texts) + room + 0.6 * (title is not None),
        ),
    )
    limit = float(np.abs(similarity).max()) or 1.0
    shown = ax.imshow(similarity, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto")
    bar = ax.figure.colorbar(shown, ax=ax, fraction=0.046, pad=0.03)
    bar.set_label("similarity", fontsize=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    _label_axes(ax, similarity, paired, texts, maps)
    if title is not None:
        set_axes_title(ax, title)
    return ax


def _side(n: int) -> float:
    """Return the length of a side of the matrix in inches."""
    return float(np.clip(_CELL_INCHES * n, 3.0, 9.0))


def _check_names(names, argument, n):
    if names is None:
        return None
    names = [str(name) for name in names]
    if len(names) != n:
        raise ValueError(
            f"{argument} must have one name per "
            f"{'row' if argument == 'texts' else 'column'}, {n}; got {len(names)}."
        )
    return names


def _label_axes(ax, similarity, paired, texts, maps):
    from matplotlib.patheffects import withStroke

    n_texts, n_maps = similarity.shape
    label = "map"
    nearest = similarity.argmax(axis=1).astype(np.float64)
    tied = similarity == similarity.max(axis=1, keepdims=True)
    nearest[tied.sum(axis=1) > 1] = np.nan
    if paired:
        found = int((nearest == np.arange(n_texts)).sum())
        label = f"map (own map most similar: {found:,} of {n_texts:,})"
    ax.set_xlabel(label, fontsize=LABEL_SIZE)
    ax.set_ylabel("text", fontsize=LABEL_SIZE)
    style = {"fontsize": TICK_SIZE, "parse_math": False}
    if texts is not None and n_texts <= _MAX_NAMED:
        ax.set_yticks(range(n_texts), [wrap(name, 34, 2) for name in texts], **style)
    if maps is not None and n_maps <= _MAX_NAMED:
        shown = [wrap(name, 34, 1) for name in maps]
        ax.set_xticks(
            range(n_maps),
            shown,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
            **style,
        )
    if max(n_texts, n_maps) <= _MAX_NAMED:
        ax.plot(
            nearest,
            np.arange(n_texts),
            linestyle="",
            marker="o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor="black",
            markeredgewidth=1.6,
            path_effects=[withStroke(linewidth=3.6, foreground="white")],
        )
