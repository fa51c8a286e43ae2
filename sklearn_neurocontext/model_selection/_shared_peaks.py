"""Training studies that report the peaks of a meta-analysis's experiments."""

from collections import Counter
from itertools import chain

import numpy as np
from scipy.spatial import cKDTree

from .._utils.coordinate_spaces import mni_to_talairach, talairach_to_mni


def studies_sharing_peaks(
    peaks,
    experiments,
    *,
    tolerance_mm: float = 1.0,
    min_peaks: int = 3,
    min_share: float = 0.5,
) -> np.ndarray:
    """Find training studies that report the peaks of an experiment.

    A meta-analysis is made of published studies, so some of its peaks may stand in the
    training corpus, there or here in another space than stated. A study shares an
    experiment if it has enough of its distinct peaks, as they are or converted either
    way between Talairach and MNI space.

    Parameters
    ----------
    peaks : sequence of array-like of shape (n_peaks_i, 3)
        Of each training study, in mm.
    experiments : sequence of array-like of shape (n_peaks_i, 3)
        Peaks of each experiment of the meta-analyses, in mm.
    tolerance_mm : float, default=1.0
        How far apart two peaks may be along each axis.
    min_peaks : int, default=3
        Peaks that must be shared at least, 1 or more.
    min_share : float, default=0.5
        Share of the experiment's peaks that must be shared at least, in [0, 1].

    Returns
    -------
    rows : ndarray of int64
        Rows of `peaks`, rising.

    Raises
    ------
    ValueError
        If a number is out of its range, or peaks are not three numbers each.

    Examples
    --------
    >>> from sklearn_neurocontext.model_selection import studies_sharing_peaks
    >>> shared = [[-42, -22, 54], [4, 0, 60], [30, -80, 0]]
    >>> studies_sharing_peaks([[[0, 0, 0]], [*shared, [9, 9, 9]]], [shared])
    array([1])
    """
    if not (tolerance_mm >= 0 and min_peaks >= 1 and 0 <= min_share <= 1):
        raise ValueError(
            f"tolerance_mm={tolerance_mm!r}, min_peaks={min_peaks!r}, "
            f"min_share={min_share!r}; expected at least 0 mm, at least 1 peak and a "
            "share in [0, 1]."
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
            # A peak counts once for a study, however many of the study's are near.
            hits = [set(study[rows].tolist()) for rows in near]
            counts = Counter(chain.from_iterable(hits))
            sharing.update(one for one, n in counts.items() if n >= needed)
    return np.array(sorted(sharing), dtype=np.int64)


def _as_peaks(peaks, name):
    array = np.asarray(peaks, dtype=np.float64)
    array = array.reshape(0, 3) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} has shape {array.shape}; expected (n_peaks, 3) with finite x, y, "
            "z in mm."
        )
    return array
