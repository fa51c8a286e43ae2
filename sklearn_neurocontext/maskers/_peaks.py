"""Convert peaks from any accepted form to one array of MNI coordinates per study."""

import os
import warnings
from collections.abc import Mapping

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse

from .._utils.coordinate_spaces import (
    MIN_PEAKS,
    CoordinateSpaceWarning,
    DoubtfulPeaksWarning,
    describe_sides,
    describe_unclear_labels,
    describe_units,
    find_sides,
    find_unclear_labels,
    normalize_spaces,
    talairach_to_mni,
)
from .._utils.validation import check_peaks, read_numbers

STUDY_COLUMNS = ("study_id", "pmid", "pmcid", "id")
_SPACE_COLUMNS = ("space", "coordinate_space")


def gather_peaks(peaks, *, space="MNI", counts_grid=None):
    """Return the peaks of each study in MNI space, and the study ids of a table."""
    # The ids are None if the peaks are not a table. If the peaks are a sparse matrix,
    # it contains the number of peaks of each study at each voxel of a grid, and
    # `counts_grid` is the shape and the affine of this grid.
    ids = None
    if issparse(peaks):
        peaks = _read_counts(peaks, *counts_grid)
    elif isinstance(peaks, pd.DataFrame):
        peaks, ids = _read_table(peaks, space)
    else:
        _refuse_other_types(peaks)
        peaks = _read_frames(peaks, space)
    peaks = check_peaks(peaks)
    sizes = [len(rows) for rows in peaks]
    xyz, study_of = np.concatenate(peaks), np.repeat(np.arange(len(peaks)), sizes)
    if len(xyz) >= MIN_PEAKS:  # Fewer peaks do not suffice to detect a wrong unit.
        names = np.arange(len(peaks)) if ids is None else ids
        _warn_about_doubtful_peaks(describe_units(xyz, study_of, names))
    if space == "TAL":
        peaks = np.split(talairach_to_mni(xyz), np.cumsum(sizes)[:-1])
    return peaks, ids


def _warn_about_doubtful_peaks(message, stacklevel=5):
    """Warn about the unit or the hemisphere of peaks, unless `message` is empty."""
    # With the default `stacklevel`, the warning points to the user's call of transform.
    # This call runs scikit-learn's wrapper, then transform itself, gather_peaks, and
    # this function.
    if message:
        message += " The coordinates were not changed."
        warnings.warn(message, DoubtfulPeaksWarning, stacklevel=stacklevel)


def _read_table(table, space):
    """Return the peaks and the ids of studies from a table with one row per peak."""
    study = next((name for name in STUDY_COLUMNS if name in table), None)
    missing = [name for name in "xyz" if name not in table]
    if study is None or missing:
        raise ValueError(
            "The table of peaks must have the columns x, y, z in mm and one of "
            f"{', '.join(STUDY_COLUMNS)}; got {', '.join(map(str, table))}. Rename "
            "the columns."
        )
    _check_spaces([table], space)
    study_of, ids = pd.factorize(table[study])
    if (study_of < 0).any():
        raise ValueError(
            f"{(study_of < 0).sum()} rows of the table of peaks have no {study}. Fill "
            "in the missing values, or drop these rows."
        )
    xyz = np.stack([read_numbers(table[axis]) for axis in "xyz"], axis=1)
    wrong = np.flatnonzero(np.isnan(xyz).any(axis=1))
    if len(wrong):
        shown = "; ".join(map(str, table[["x", "y", "z"]].iloc[wrong[0]]))
        raise ValueError(
            "The columns x, y, z of the table of peaks must contain numbers; got "
            f"{shown} in row {wrong[0] + 1} of the table (counted from 1), {study} "
            f"{ids[study_of[wrong[0]]]}. Correct or drop these rows."
        )
    _check_sides(table, study_of, ids)
    return _split_by_study(xyz, study_of, len(ids)), np.asarray(ids)


def _refuse_other_types(peaks):
    """Raise an error with advice if the input is a mapping, images or paths."""
    if isinstance(peaks, Mapping):
        raise TypeError(
            "peaks must be a sequence with one array per study; got a "
            f"{type(peaks).__name__}. Pass list(peaks.values())."
        )
    first = next(iter(peaks), None) if _is_sequence(peaks) else peaks
    if isinstance(first, str | os.PathLike) or hasattr(first, "dataobj"):
        raise TypeError(
            "peaks must be a sequence of arrays of x, y, z in mm; got a "
            f"{type(first).__name__}. To transform images or paths of images, call "
            "transform_imgs."
        )


def _is_sequence(peaks) -> bool:
    types = list | tuple | np.ndarray | pd.Series
    return isinstance(peaks, types) and getattr(peaks, "ndim", 1) > 0


def _read_frames(peaks, space):
    """Select the columns x, y, z of each study whose peaks are a DataFrame."""
    if not _is_sequence(peaks):
        return peaks
    frames = {
        row: of_study
        for row, of_study in enumerate(peaks)
        if isinstance(of_study, pd.DataFrame)
    }
    if not frames:
        return peaks
    for frame in frames.values():
        if not {"x", "y", "z"} <= set(frame):
            raise ValueError(
                "The table of a study must have the columns x, y, z in mm; got "
                f"{', '.join(map(str, frame))}. Rename the columns."
            )
    _check_spaces(frames.values(), space)
    study_of = np.repeat([*frames], [len(frame) for frame in frames.values()])
    _check_sides(pd.concat(frames), study_of, np.arange(len(peaks)))
    return [
        rows[["x", "y", "z"]] if isinstance(rows, pd.DataFrame) else rows
        for rows in peaks
    ]


def _check_spaces(tables, space):
    """Check that the peaks of tables are in `space`, the space of the masker.

    Raise an error if `space` is "MNI" and a peak is in Talairach space, or if `space`
    is "TAL" and a peak is in MNI space. Warn about peaks in an unknown space.
    """
    for name in _SPACE_COLUMNS:
        columns = [
            column
            for table in tables
            for own_name, column in table.items()
            if str(own_name).strip().lower() == name
        ]
        if not columns:
            continue
        labels = pd.concat(columns)
        words = normalize_spaces(labels)
        if np.isin(words, list({"MNI", "TAL"} - {space})).any():
            raise ValueError(
                f"The column {name!r} of the table must contain only the space of the "
                f"masker, {space!r}; got peaks in another space. Read the table with "
                "datasets.load_table, which converts each peak, or pass only the rows "
                "of one space. If the peaks are already converted, for example by a "
                "loader of this package, drop the column."
            )
        if n_others := np.count_nonzero(words != space):
            message = (
                f"According to the column {name!r}, {n_others} of {len(words)} peaks "
                f"are in an unknown space. They are treated as {space} coordinates. "
                f"{describe_unclear_labels(find_unclear_labels(labels))}"
            )
            warnings.warn(
                message.rstrip(),
                CoordinateSpaceWarning,
                # The warning points to the user's call of transform. This call runs
                # scikit-learn's wrapper, then transform itself, gather_peaks,
                # _read_table or _read_frames, and this function.
                stacklevel=6,
            )


def _check_sides(table, study_of, names):
    """Warn if the hemispheres that a table lists for peaks contradict the sign of x."""
    sides = find_sides(table)
    if sides is not None:
        message = describe_sides(read_numbers(table["x"]), sides, study_of, names)
        # The default stacklevel does not count two functions that run here: _read_table
        # or _read_frames, and this function.
        _warn_about_doubtful_peaks(message, stacklevel=7)


def _split_by_study(xyz, study_of, n_studies):
    """Split peaks by study; keep the order of the peaks of each study."""
    if n_studies == 0:
        return []
    order = np.argsort(study_of, kind="stable")
    ends = np.cumsum(np.bincount(study_of, minlength=n_studies))[:-1]
    return np.split(xyz[order], ends)


def _read_counts(counts, shape, affine):
    """Convert counts of shape (n_studies, nx * ny * nz) to peaks at voxel centers."""
    counts = csr_array(counts)
    if counts.shape[1] != np.prod(shape):
        raise ValueError(
            f"A sparse matrix of counts must have {np.prod(shape)} columns, the number "
            f"of voxels of the grid {shape} of the mask; got {counts.shape[1]}. For a "
            "bunch from NiMARE, set mask_img=bunch.masker.mask_img in the masker and "
            "pass bunch.data[:, bunch.voxel_columns]."
        )
    times = np.rint(counts.data).astype(np.int64)
    if not np.array_equal(times, counts.data) or (times < 0).any():
        raise ValueError(
            "A sparse matrix of peaks must contain counts, that is, nonnegative "
            "integers; got other values."
        )
    study_of = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    voxels = np.stack(np.unravel_index(counts.indices, shape), axis=1)
    xyz = nib.affines.apply_affine(affine, voxels)
    return _split_by_study(
        np.repeat(xyz, times, axis=0), np.repeat(study_of, times), counts.shape[0]
    )


def warn_outside(n_off_grid, n_off_mask, n_peaks, *, kept: bool) -> None:
    """Warn about peaks outside the field of view or outside the mask."""
    # If `kept` is True, peaks in the field of view but outside the mask are kept.
    if n_off_grid + n_off_mask == 0:
        return
    if kept:
        message = (
            f"Dropped {n_off_grid} of {n_peaks} peaks, which are outside the field of "
            f"view. Kept {n_off_mask} peaks outside the mask, as in NeuroQuery."
        )
    else:
        message = (
            f"Dropped {n_off_grid + n_off_mask} of {n_peaks} peaks: {n_off_grid} "
            f"outside the field of view, {n_off_mask} outside the mask."
        )
    warnings.warn(
        f"{message} If the number of such peaks is large, check that the coordinates "
        "are in mm and in MNI space.",
        UserWarning,
        # The warning points to the user's call of transform. This call runs
        # scikit-learn's wrapper, then transform itself, _count_peaks and this function.
        stacklevel=5,
    )
