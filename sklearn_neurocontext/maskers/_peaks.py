"""Peaks in the forms that people have them in, as one array per study."""

import os
import warnings
from collections.abc import Mapping

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse

from .._utils.coordinate_spaces import normalize_spaces, talairach_to_mni
from .._utils.validation import check_peaks

STUDY_COLUMNS = ("study_id", "pmid", "pmcid", "id")
_SPACE_COLUMNS = ("space", "coordinate_space")


def gather_peaks(peaks, *, space="MNI", counts_grid=None):
    """Bring peaks of any form to one array per study, in MNI space.

    Parameters
    ----------
    peaks : sequence of array-like of shape (n_peaks_i, 3), DataFrame, or sparse matrix
        One array, or DataFrame with ``x``, ``y``, ``z``, per study; or a table of all
        peaks with the columns ``x``, ``y``, ``z`` and one of ``study_id``, ``pmid``,
        ``pmcid``, ``id``; or rows of counts of peaks at the voxels of `counts_grid`, as
        NiMARE's ``Studyset.to_bunch().data``.
    space : {"MNI", "TAL"}, default="MNI"
        Space that the peaks are in.
    counts_grid : tuple of shape and affine, or None, default=None
        Grid whose voxels the columns of a sparse matrix are, in C order.

    Returns
    -------
    peaks : list of ndarray of shape (n_peaks_i, 3), float64
        MNI, in mm.
    ids : ndarray of shape (n_studies,) or None
        Of a table the studies, in the order in which they first appear.

    Raises
    ------
    TypeError, ValueError
        If the input is of none of these forms.
    """
    ids = None
    if issparse(peaks):
        peaks = _from_counts(peaks, *counts_grid)
    elif isinstance(peaks, pd.DataFrame):
        peaks, ids = _from_table(peaks, space)
    else:
        _refuse_others(peaks)
        peaks = _from_frames(peaks, space)
    peaks = check_peaks(peaks)
    if space == "TAL":
        ends = np.cumsum([len(rows) for rows in peaks])[:-1]
        peaks = np.split(talairach_to_mni(np.concatenate(peaks)), ends)
    return peaks, ids


def _from_table(table, space):
    study = next((name for name in STUDY_COLUMNS if name in table), None)
    missing = [name for name in "xyz" if name not in table]
    if study is None or missing:
        raise ValueError(
            f"The table of peaks has the columns {', '.join(map(str, table))}; "
            f"expected x, y, z in mm and one of {', '.join(STUDY_COLUMNS)}. Rename the "
            "columns."
        )
    _check_spaces([table], space)
    of_study, ids = pd.factorize(table[study])
    if (of_study < 0).any():
        raise ValueError(
            f"{(of_study < 0).sum()} rows of the table of peaks have no {study}. Fill "
            "them in, or drop these rows."
        )
    try:
        xyz = table[["x", "y", "z"]].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The coordinates of the table cannot be read as numbers ({error})."
        ) from error
    return _split(xyz, of_study, len(ids)), np.asarray(ids)


def _refuse_others(peaks):
    """Tell what to do with images and mappings, which are no peaks."""
    if isinstance(peaks, Mapping):
        raise TypeError(
            f"peaks is a {type(peaks).__name__}; expected a sequence, one array per "
            "study. Pass list(peaks.values())."
        )
    first = next(iter(peaks), None) if _is_sequence(peaks) else peaks
    if isinstance(first, str | os.PathLike) or hasattr(first, "dataobj"):
        raise TypeError(
            f"peaks holds a {type(first).__name__}; peaks must be a sequence of arrays "
            "of x, y, z in mm. For images, or paths of images, call transform_imgs."
        )


def _is_sequence(peaks) -> bool:
    kinds = list | tuple | np.ndarray | pd.Series
    return isinstance(peaks, kinds) and getattr(peaks, "ndim", 1) > 0


def _from_frames(peaks, space):
    """Read tables, one per study, by the names of their columns."""
    if not _is_sequence(peaks):
        return peaks
    frames = [rows for rows in peaks if isinstance(rows, pd.DataFrame)]
    if not frames:
        return peaks
    for frame in frames:
        if not {"x", "y", "z"} <= set(frame):
            raise ValueError(
                f"A study's table has the columns {', '.join(map(str, frame))}; "
                "expected x, y, z in mm. Rename the columns."
            )
    _check_spaces(frames, space)
    return [
        rows[["x", "y", "z"]] if isinstance(rows, pd.DataFrame) else rows
        for rows in peaks
    ]


def _check_spaces(tables, space):
    """Refuse tables that name another space; warn where theirs is not known."""
    for name in _SPACE_COLUMNS:
        columns = [table[name] for table in tables if name in table]
        if not columns:
            continue
        words = normalize_spaces(pd.concat(columns))
        if np.isin(words, list({"MNI", "TAL"} - {space})).any():
            raise ValueError(
                f"The column {name!r} of the table holds other spaces than the "
                f"masker's space={space!r}. Read the table with datasets.load_table, "
                "which converts peak by peak, or pass the rows of one space. Drop the "
                "column if the peaks are already converted, as this package's are."
            )
        if n_others := np.count_nonzero(words != space):
            warnings.warn(
                f"Of {len(words)} peaks, {n_others} are of unknown or another space by "
                f"the column {name!r}; taking them as {space}.",
                UserWarning,
                # Above this: a reader, gather_peaks, transform, scikit-learn's wrapper.
                stacklevel=6,
            )


def _split(xyz, of_study, n_studies):
    """Part peaks by study, each study's in their order."""
    if n_studies == 0:
        return []
    order = np.argsort(of_study, kind="stable")
    ends = np.cumsum(np.bincount(of_study, minlength=n_studies))[:-1]
    return np.split(xyz[order], ends)


def _from_counts(counts, shape, affine):
    counts = csr_array(counts)
    if counts.shape[1] != np.prod(shape):
        raise ValueError(
            f"The rows of counts have {counts.shape[1]} columns; the mask's own grid "
            f"{shape} has {np.prod(shape)} voxels. Of NiMARE's bunch pass "
            "bunch.data[:, bunch.voxel_columns], and mask_img=bunch.masker.mask_img "
            "to the masker."
        )
    times = np.rint(counts.data).astype(np.int64)
    if not np.array_equal(times, counts.data) or (times < 0).any():
        raise ValueError(
            "The rows hold other values than whole numbers; expected counts of peaks."
        )
    study = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    voxels = np.stack(np.unravel_index(counts.indices, shape), axis=1)
    xyz = nib.affines.apply_affine(affine, voxels)
    return _split(
        np.repeat(xyz, times, axis=0), np.repeat(study, times), counts.shape[0]
    )


def tell_outside(n_off_grid, n_off_mask, n_peaks, *, kept: bool) -> None:
    """Warn once about peaks outside the field of view or the mask, with their number.

    Parameters
    ----------
    n_off_grid, n_off_mask, n_peaks : int
        Peaks outside the field of view, those inside it but outside the mask, and all.
    kept : bool
        Whether peaks outside the mask count nevertheless.
    """
    if n_off_grid + n_off_mask == 0:
        return
    if kept:
        told = (
            f"Dropped {n_off_grid} of {n_peaks} peaks: outside the field of view. Kept "
            f"{n_off_mask} outside the mask, as NeuroQuery does."
        )
    else:
        told = (
            f"Dropped {n_off_grid + n_off_mask} of {n_peaks} peaks: {n_off_grid} "
            f"outside the field of view, {n_off_mask} outside the mask."
        )
    warnings.warn(
        f"{told} If these are many, check that peaks are in mm and in MNI space.",
        UserWarning,
        # The user's line: above this, transform, and scikit-learn's wrapper of it.
        stacklevel=4,
    )
