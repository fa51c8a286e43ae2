"""Studies that are the same study twice stay on one side of a split."""

import re
import unicodedata

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array
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
    >>> from sklearn_neurocontext.model_selection import normalize_title
    >>> normalize_title("Pain: a <i>meta</i>-analysis (Erratum).")
    'pain a meta analysis erratum'
    """
    without_tags = re.sub(r"</?[A-Za-z][^<>]*>", "", title)
    letters = unicodedata.normalize("NFKD", without_tags).casefold()
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", letters))


def duplicate_groups(titles, peaks, groups=None) -> np.ndarray:
    """Give studies that share a title, or five peaks, the same number.

    Two rows are of one group where their normalised titles are equal and not empty, or
    where five or more different peaks of one are peaks of the other, or where `groups`
    says so; and so are all rows that such pairs connect. The same peaks in Talairach
    and in MNI space are different peaks: convert them first.

    Parameters
    ----------
    titles : sequence of str
        One per row; a missing one is equal to no other.
    peaks : sequence of ndarray of shape (n_peaks_i, 3)
        One per row, in mm; compared to a tenth of a millimetre, in any order.
    groups : array-like of shape (n_rows,) or None, default=None
        The study of each row, where rows are analyses; a missing one is equal to no
        other.

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
    >>> from sklearn_neurocontext.model_selection import duplicate_groups
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
    keys = [["" if pd.isna(title) else normalize_title(title) for title in titles]]
    if groups is not None:
        keys.append(["" if pd.isna(group) else str(group) for group in groups])
    links = sum(map(_same_key, keys), _enough_common_peaks(peaks))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _same_key(keys):
    """Link each row to the first one of the same key, where it is not empty."""
    first_row: dict = {}
    pairs = [(first_row.setdefault(key, i), i) for i, key in enumerate(keys) if key]
    left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return coo_array((np.ones(len(left)), (left, right)), shape=(len(keys),) * 2)


def _enough_common_peaks(peaks):
    """Link rows that have enough peaks in common."""
    # Zero is added against negative zeros.
    of_row = [
        np.unique(np.round(np.reshape(xyz, (-1, 3)).astype(float), 1) + 0.0, axis=0)
        for xyz in peaks
    ]
    rows = np.repeat(np.arange(len(of_row)), [len(xyz) for xyz in of_row])
    every = np.concatenate([np.empty((0, 3)), *of_row])
    number = np.unique(every, axis=0, return_inverse=True)[1].ravel()
    has_peak = csr_array(
        (np.ones(len(rows)), (rows, number)),
        shape=(len(of_row), number.max(initial=0) + 1),
    )
    return (has_peak @ has_peak.T) >= _ENOUGH_PEAKS


def without_leaks(splits, groups, *, exclude=None) -> list:
    """Take from training parts what is in the test part under another id.

    Parameters
    ----------
    splits : sequence of (train, test) index arrays
        What `paper_splits` gives.
    groups : array-like of shape (n_rows,)
        What `duplicate_groups` gives.
    exclude : array-like of int or bool, or None, default=None
        Rows, or a mask over all rows, that are taken out of test parts, with all rows
        of their groups: studies that a pretrained competitor was trained on.

    Returns
    -------
    splits : list of (train, test) index arrays
        Test parts keep all rows that are not excluded; training parts lose the rows
        that share a group with one of them.

    Raises
    ------
    ValueError
        If a test part has fewer than two rows left, an index is beyond the groups, or
        `exclude` is neither rows nor a mask of the length of `groups`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.model_selection import without_leaks
    >>> splits = [(np.array([0, 1, 2]), np.array([3, 4, 5]))]
    >>> without_leaks(splits, [0, 1, 2, 0, 4, 5], exclude=[5])
    [(array([1, 2]), array([3, 4]))]
    """
    groups = np.asarray(groups)
    excluded = groups[_rows(exclude, len(groups))]
    clean = []
    for index, split in enumerate(splits):
        train, test = (_rows(part, len(groups)) for part in split)
        test = test[~np.isin(groups[test], excluded)]
        if len(test) < 2:
            raise ValueError(
                f"Split {index} has {len(test)} test studies left after exclude; "
                "retrieval needs two. Exclude fewer, or make other splits."
            )
        clean.append((train[~np.isin(groups[train], groups[test])], test))
    return clean


def _rows(rows, n_rows):
    """Give the rows that indices, a mask, or None stand for."""
    rows = np.asarray([] if rows is None else rows)
    if rows.dtype == bool and rows.shape == (n_rows,):
        return np.flatnonzero(rows)
    if rows.size == 0:
        return rows.astype(np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(
            f"Got an array of {rows.dtype} and shape {rows.shape}; expected indices of "
            f"rows, or a mask of {n_rows} booleans."
        )
    if rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(
            f"Row {rows.min() if rows.min() < 0 else rows.max()} is asked for, but "
            f"groups has {n_rows} rows, from 0. Make both from the same studies."
        )
    return rows.astype(np.int64)
