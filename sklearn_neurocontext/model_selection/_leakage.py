"""Functions that find and remove leakage between training and test studies."""

import re
import unicodedata
from collections import Counter
from itertools import chain

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .._utils.coordinate_spaces import mni_to_talairach, talairach_to_mni
from .._utils.validation import normalize_text

# Two studies that share at least this number of peaks are duplicates. Different studies
# can share fewer peaks by coincidence.
_MIN_COMMON_PEAKS = 5


def normalize_title(title: str) -> str:
    """Normalize a title to lower-case words without accents, markup or punctuation.

    Parameters
    ----------
    title : str
        Title as published.

    Returns
    -------
    normalized : str
        Words separated by single spaces.

    Examples
    --------
    >>> from sklearn_neurocontext.model_selection import normalize_title
    >>> normalize_title("Pain: a <i>meta</i>-analysis (Erratum).")
    'pain a meta analysis erratum'
    """
    without_tags = re.sub(r"</?[A-Za-z][^<>]*>", "", normalize_text(title))
    letters = unicodedata.normalize("NFKD", without_tags).casefold()
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", letters))


def duplicate_groups(titles, peaks, groups=None) -> np.ndarray:
    """Find groups of duplicate studies by their titles and peaks.

    The parameters have one entry per row, and each row describes a study or a part of a
    study. Two rows are duplicates if at least one of these conditions holds:

    - their normalized titles are equal and not empty;
    - they share five or more distinct peaks;
    - they have the same entry in `groups`.

    Rows that are connected by a chain of duplicates belong to the same group. Convert
    all peaks to the same coordinate space first, because peaks in Talairach space are
    not recognized as equal to peaks in MNI space.

    Parameters
    ----------
    titles : sequence of str
        Title of each row. A missing title is not equal to any other title.
    peaks : sequence of ndarray of shape (n_peaks_i, 3)
        Peaks of each row, in mm. They are rounded to 0.1 mm before they are compared.
        Their order has no effect.
    groups : array-like of shape (n_rows,) or None, default=None
        Identifier of the study of each row. Pass `groups` if a study can have several
        rows, for example one row per analysis. A missing identifier is not equal to any
        other identifier.

    Returns
    -------
    numbers : ndarray of shape (n_rows,), int64
        Group number of each row, starting at 0.

    Raises
    ------
    ValueError
        If `titles`, `peaks` and `groups` differ in length.

    See Also
    --------
    remove_leakage : Removes duplicates of test studies from training sets.

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
            + "; expected the same number of each, one per row."
        )
    keys = [["" if pd.isna(title) else normalize_title(title) for title in titles]]
    if groups is not None:
        keys.append(["" if pd.isna(group) else str(group) for group in groups])
    links = sum(map(_link_equal_keys, keys), _link_common_peaks(peaks))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _link_equal_keys(keys):
    """Return a sparse matrix that links each row to the first row with the same key.

    The matrix has shape (n_rows, n_rows). Its nonzero entries are the links. Rows with
    an empty key have no link.
    """
    first_row: dict = {}
    pairs = [(first_row.setdefault(key, i), i) for i, key in enumerate(keys) if key]
    left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return coo_array((np.ones(len(left)), (left, right)), shape=(len(keys),) * 2)


def _link_common_peaks(peaks):
    """Return a sparse matrix that links rows with common peaks.

    Two rows are linked if they share at least `_MIN_COMMON_PEAKS` distinct peaks.
    """
    # The addition of 0.0 replaces -0.0 by 0.0, so that both count as the same value.
    distinct = [
        np.unique(np.round(np.reshape(xyz, (-1, 3)).astype(float), 1) + 0.0, axis=0)
        for xyz in peaks
    ]
    rows = np.repeat(np.arange(len(distinct)), [len(xyz) for xyz in distinct])
    stacked = np.concatenate([np.empty((0, 3)), *distinct])
    number = np.unique(stacked, axis=0, return_inverse=True)[1].ravel()
    has_peak = csr_array(
        (np.ones(len(rows)), (rows, number)),
        shape=(len(distinct), number.max(initial=0) + 1),
    )
    return (has_peak @ has_peak.T) >= _MIN_COMMON_PEAKS


def remove_leakage(splits, groups, *, exclude=None) -> list:
    """Remove training studies that are duplicates of test studies.

    Parameters
    ----------
    splits : sequence of (train, test) index arrays
        Training and test set of each split, for example from `paper_splits`.
    groups : array-like of shape (n_rows,)
        Group of each row, from `duplicate_groups`.
    exclude : array-like of int or bool, or None, default=None
        Indices or boolean mask of rows to remove from the test sets, for example the
        training studies of a pretrained model. Duplicates of these rows are also
        removed from the test sets.

    Returns
    -------
    splits : list of (train, test) index arrays
        The cleaned splits. Test sets contain no excluded rows and no duplicates of
        them. Training sets contain no duplicates of the remaining test rows.

    Raises
    ------
    ValueError
        If fewer than two rows remain in a test set, or if an index is out of range. The
        error is also raised if `exclude` is neither an array of indices nor a boolean
        mask with one entry per row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.model_selection import remove_leakage
    >>> splits = [(np.array([0, 1, 2]), np.array([3, 4, 5]))]
    >>> remove_leakage(splits, [0, 1, 2, 0, 4, 5], exclude=[5])
    [(array([1, 2]), array([3, 4]))]
    """
    groups = np.asarray(groups)
    excluded = groups[_as_indices(exclude, len(groups))]
    clean = []
    for index, split in enumerate(splits):
        train, test = (_as_indices(part, len(groups)) for part in split)
        test = test[~np.isin(groups[test], excluded)]
        if len(test) < 2:
            raise ValueError(
                f"Split {index} has only {len(test)} test studies after the removal of "
                "excluded rows; retrieval needs at least two. Exclude fewer rows, or "
                "create other splits."
            )
        clean.append((train[~np.isin(groups[train], groups[test])], test))
    return clean


def _as_indices(rows, n_rows):
    """Convert indices or a boolean mask to row indices.

    If `rows` is None, the result is empty.
    """
    rows = np.asarray([] if rows is None else rows)
    if rows.dtype == bool and rows.shape == (n_rows,):
        return np.flatnonzero(rows)
    if rows.size == 0:
        return rows.astype(np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(
            f"Rows must be indices or a mask of {n_rows} booleans; got an array of "
            f"{rows.dtype} and shape {rows.shape}."
        )
    if rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(
            f"Row indices must be from 0 to {n_rows - 1}, the last row of groups; got "
            f"{rows.min() if rows.min() < 0 else rows.max()}. Create the splits and "
            "the groups from the same studies."
        )
    return rows.astype(np.int64)


def find_studies_sharing_peaks(
    peaks,
    experiments,
    *,
    tolerance_mm: float = 1.0,
    min_peaks: int = 3,
    min_share: float = 0.5,
) -> np.ndarray:
    """Find training studies whose peaks are included in a meta-analysis.

    A meta-analysis collects the peaks of published experiments. Some of these
    experiments may belong to training studies. The function returns each training study
    that shares enough peaks with at least one experiment. The number of shared peaks
    must be at least `min_peaks`. It must also be at least `min_share` times the number
    of distinct peaks of the experiment.

    The coordinate space of the meta-analysis can differ from the coordinate space of a
    training study. Therefore, the peaks of an experiment are compared with the peaks of
    the training studies three times: unchanged, converted from Talairach to MNI space,
    and converted from MNI to Talairach space.

    Parameters
    ----------
    peaks : sequence of array-like of shape (n_peaks_i, 3)
        Peaks of each training study, in mm.
    experiments : sequence of array-like of shape (n_peaks_i, 3)
        Peaks of each experiment in the meta-analysis, in mm.
    tolerance_mm : float, default=1.0
        Two peaks count as equal if they differ by at most this value along each axis.
    min_peaks : int, default=3
        Minimum number of shared peaks; at least 1.
    min_share : float, default=0.5
        Minimum number of shared peaks, as a fraction of the distinct peaks of the
        experiment, in [0, 1].

    Returns
    -------
    rows : ndarray of int64
        Sorted indices of the training studies that share enough peaks with at least one
        experiment.

    Raises
    ------
    ValueError
        If a parameter is out of range, or if a peak is not three finite numbers.

    Examples
    --------
    >>> from sklearn_neurocontext.model_selection import find_studies_sharing_peaks
    >>> shared = [[-42, -22, 54], [4, 0, 60], [30, -80, 0]]
    >>> find_studies_sharing_peaks([[[0, 0, 0]], [*shared, [9, 9, 9]]], [shared])
    array([1])
    """
    if not (tolerance_mm >= 0 and min_peaks >= 1 and 0 <= min_share <= 1):
        raise ValueError(
            "tolerance_mm must be at least 0, min_peaks at least 1, and min_share in "
            f"[0, 1]; got tolerance_mm={tolerance_mm!r}, min_peaks={min_peaks!r}, "
            f"min_share={min_share!r}."
        )
    peaks = [_as_peaks(one, f"peaks[{row}]") for row, one in enumerate(peaks)]
    study = np.repeat(np.arange(len(peaks)), [len(one) for one in peaks])
    tree = cKDTree(np.concatenate([np.zeros((0, 3)), *peaks]))
    sharing = set()
    for row, experiment in enumerate(experiments):
        wanted = np.unique(_as_peaks(experiment, f"experiments[{row}]"), axis=0)
        needed = max(min_peaks, min_share * len(wanted))
        if len(wanted) < needed:
            continue
        for moved in (wanted, talairach_to_mni(wanted), mni_to_talairach(wanted)):
            near = tree.query_ball_point(moved, tolerance_mm + 1e-6, p=np.inf)
            # Each peak of the experiment counts at most once per training study.
            hits = [set(study[rows].tolist()) for rows in near]
            counts = Counter(chain.from_iterable(hits))
            sharing.update(one for one, n in counts.items() if n >= needed)
    return np.array(sorted(sharing), dtype=np.int64)


def _as_peaks(peaks, name):
    """Check peaks and return them as an array of shape (n_peaks, 3)."""
    array = np.asarray(peaks, dtype=np.float64)
    array = array.reshape(0, 3) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must have shape (n_peaks, 3) with finite x, y, z in mm; got shape "
            f"{array.shape}."
        )
    return array
