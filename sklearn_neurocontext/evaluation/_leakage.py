"""Studies that are the same study twice stay on one side of a split."""

import re
import unicodedata

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Fewer common peaks than this can be chance.
_ENOUGH_PEAKS = 5


def normalize_title(title: str) -> str:
    """Bring a title to lower-case letters and digits, without accents.

    Parameters
    ----------
    title : str
        As published.

    Returns
    -------
    normalized : str
        Words joined by single spaces.

    Examples
    --------
    >>> from sklearn_neurocontext.evaluation import normalize_title
    >>> normalize_title("Pain: a <i>meta</i>-analysis (Erratum).")
    'pain a meta analysis erratum'
    """
    without_tags = re.sub(r"</?[A-Za-z][^<>]*>", "", title)
    letters = unicodedata.normalize("NFKD", without_tags).casefold()
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", letters))


def duplicate_groups(titles, peaks, groups=None) -> np.ndarray:
    """Give studies that share a title, or a set of peaks, the same number.

    Two rows are of one group where their normalised titles are equal and not empty, or
    where they report the same peaks, five or more of them, or where `groups` says so;
    and so are all rows that such pairs connect.

    Parameters
    ----------
    titles : sequence of str
        One per row.
    peaks : sequence of ndarray of shape (n_peaks_i, 3)
        One per row, in mm; compared to a tenth of a millimetre, in any order.
    groups : array-like of shape (n_rows,) or None, default=None
        The study of each row, where rows are analyses.

    Returns
    -------
    numbers : ndarray of shape (n_rows,), int64
        Equal within a group, from 0.

    Raises
    ------
    ValueError
        If lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.evaluation import duplicate_groups
    >>> peaks = [np.zeros((1, 3)), np.ones((1, 3)), np.ones((1, 3))]
    >>> duplicate_groups(["Pain.", "Fear", "pain"], peaks)
    array([0, 1, 0])
    """
    n = len(titles)
    if len(peaks) != n or (groups is not None and len(groups) != n):
        raise ValueError(
            f"Got {n} titles, {len(peaks)} arrays of peaks"
            + ("" if groups is None else f" and {len(groups)} groups")
            + "; expected one of each per row."
        )
    keys = [[("title", normalize_title(t)) for t in titles], list(map(_key, peaks))]
    if groups is not None:
        keys.append([("group", str(group)) for group in groups])
    first_row: dict = {}
    pairs = [
        (row, first_row.setdefault(key, row))
        for of_kind in keys
        for row, key in enumerate(of_kind)
        if key[1]
    ]
    left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(n, n))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _key(xyz):
    """Name a set of peaks; empty where there are too few to tell studies apart."""
    rounded = np.unique(np.round(np.asarray(xyz, dtype=np.float64), 1), axis=0)
    rounded += 0.0  # no negative zeros
    return "peaks", rounded.tobytes() if len(rounded) >= _ENOUGH_PEAKS else b""


def without_leaks(splits, groups, *, exclude=None) -> list:
    """Take from training parts what is in the test part under another id.

    Parameters
    ----------
    splits : sequence of (train, test) index arrays
        What `paper_splits` gives.
    groups : array-like of shape (n_rows,)
        What `duplicate_groups` gives.
    exclude : array-like of int or None, default=None
        Rows that are taken out of test parts, with all rows of their groups: studies
        that a pretrained competitor was trained on.

    Returns
    -------
    splits : list of (train, test) index arrays
        Test parts keep all rows that are not excluded; training parts lose the rows
        that share a group with one of them.

    Raises
    ------
    ValueError
        If a test part has fewer than two rows left.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.evaluation import without_leaks
    >>> splits = [(np.array([0, 1, 2]), np.array([3, 4, 5]))]
    >>> without_leaks(splits, [0, 1, 2, 0, 4, 5], exclude=[5])
    [(array([1, 2]), array([3, 4]))]
    """
    groups = np.asarray(groups)
    excluded = groups[np.asarray([] if exclude is None else exclude, dtype=np.int64)]
    clean = []
    for index, (train, test) in enumerate(splits):
        test = test[~np.isin(groups[test], excluded)]
        if len(test) < 2:
            raise ValueError(
                f"Split {index} has {len(test)} test studies left after exclude; "
                "retrieval needs two. Exclude fewer, or make other splits."
            )
        clean.append((train[~np.isin(groups[train], groups[test])], test))
    return clean
