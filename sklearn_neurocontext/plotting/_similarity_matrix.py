"""Plot a similarity matrix."""

import numpy as np

from .._utils.validation import check_similarity
from ._style import LABEL_SIZE, TICK_SIZE, axes_or_new, set_axes_title, wrap

# Maximum number of rows or columns for which names and rings are drawn. More names or
# rings would overlap.
_MAX_NAMED = 30
_CELL_INCHES = 0.42
_COLOR_MAP = "RdBu_r"


def plot_similarity_matrix(
    similarity, *, paired=False, texts=None, maps=None, title=None, ax=None
):
    """Plot the similarities of texts and maps, and mark the best map of each text.

    A ring marks the best map of a text, that is, the most similar map. A text has no
    ring if several maps share the highest similarity. The color scale is symmetric
    around zero. Rings are omitted if the matrix has more than 30 rows or more than 30
    columns. Row names are omitted if there are more than 30 rows. Column names are
    omitted if there are more than 30 columns.

    Parameters
    ----------
    similarity : array-like of shape (n_texts, n_maps)
        Finite similarities, for example ``model.similarity(X, y)``.
    paired : bool, default=False
        Whether true pairs lie on the diagonal. If True, the label of the x axis states
        how many texts are more similar to their own map than to any other map.
    texts : sequence of str of length n_texts or None, default=None
        Names of the rows. Each name is wrapped to two lines.
    maps : sequence of str of length n_maps or None, default=None
        Names of the columns. Each name is shortened to one line.
    title : str or None, default=None
        Title of the axes. It is wrapped, and ``$`` is printed literally.
    ax : matplotlib Axes or None, default=None
        Axes to draw on. If None, a new figure is created.

    Returns
    -------
    ax : matplotlib Axes
        Axes with the texts from top to bottom and the maps from left to right.

    Raises
    ------
    ValueError
        If the matrix is empty or contains NaN; if `paired` is True and the matrix is
        not square; or if the number of names differs from the number of rows or
        columns.

    See Also
    --------
    plot_recall_curves : Plot recall@k against k.

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
    longest_name = max(map(len, [*(texts or ()), *(maps or ())]), default=0)
    margin = 1.2 + 0.09 * min(longest_name, 34)
    width = _side_inches(n_maps) + margin + 1.4
    height = _side_inches(n_texts) + margin + 0.6 * (title is not None)
    ax = axes_or_new(ax, figsize=(width, height), grid=None)
    limit = float(np.abs(similarity).max()) or 1.0
    image = ax.imshow(
        similarity, cmap=_COLOR_MAP, vmin=-limit, vmax=limit, aspect="auto"
    )
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
    bar.set_label("similarity", fontsize=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    _label_axes(ax, similarity, paired, texts, maps)
    set_axes_title(ax, title)
    return ax


def _side_inches(n: int) -> float:
    return float(np.clip(_CELL_INCHES * n, 3.0, 9.0))


def _check_names(names, argument, n):
    if names is None:
        return None
    names = [str(name) for name in names]
    if len(names) != n:
        raise ValueError(
            f"{argument} must have one name per "
            f"{'row' if argument == 'texts' else 'column'} ({n}); got {len(names)}."
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
        style |= {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        ax.set_xticks(range(n_maps), [wrap(name, 34, 1) for name in maps], **style)
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
