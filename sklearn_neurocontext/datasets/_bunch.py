"""The one shape that every loader gives: studies, peaks, groups."""

import warnings

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._utils.coordinate_spaces import normalize_spaces, talairach_to_mni
from ._ids import read_numbers

TEXT_COLUMNS = ("title", "keywords", "abstract", "body", "journal")
STUDY_COLUMNS = (
    "study_id",
    "pmid",
    "pmcid",
    "title",
    "keywords",
    "abstract",
    "body",
    "year",
    "journal",
    "coordinate_space",
)
_TEXT_FIELDS = ("title", "abstract", "body", "title+abstract")


class CoordinateSpaceWarning(UserWarning):
    """Peaks were converted from Talairach space, or their space is unknown."""


class SkippedPeaksWarning(UserWarning):
    """Peaks were left out, since their study is not in the table of studies."""


def make_bunch(studies, rows, xyz, spaces, *, description, groups=None, **extra):
    """Gather studies and their peaks, with all peaks in MNI space.

    Parameters
    ----------
    studies : DataFrame
        One row per study, with ``study_id`` and any of the other columns of
        `STUDY_COLUMNS`; those that are missing are filled in as unknown. A given
        ``coordinate_space`` serves rows that have no peak.
    rows : ndarray of shape (n_peaks,), int
        Row of `studies` that each peak belongs to.
    xyz : ndarray of shape (n_peaks, 3)
        Peaks as reported, in mm.
    spaces : ndarray of shape (n_peaks,), str
        What the source says of each peak's space.
    description : str
        Where the corpus comes from, in a sentence.
    groups : array-like of shape (n_rows,) or None, default=None
        The study of each row, where rows are analyses.
    **extra
        Further fields of the Bunch.

    Returns
    -------
    corpus : Bunch
        ``studies`` (DataFrame), ``peaks`` (list of float64 arrays of shape
        (n_peaks_i, 3), MNI, mm), ``peak_spaces`` (list of str arrays of shape
        (n_peaks_i,): the reported space of each peak), ``groups`` (ndarray of str),
        ``space_counts`` (dict: peaks by reported space), ``description``, and the extra
        fields.

    Raises
    ------
    ValueError
        If there is no study, ids repeat, a PMID, PMCID or year is no whole number, or
        a coordinate is NaN or infinite.
    """
    studies = _complete_columns(studies)
    xyz = np.asarray(xyz, dtype=np.float64).reshape(-1, 3)
    _check_rows(studies, rows, xyz)
    spaces = normalize_spaces(spaces)
    converted = spaces == "TAL"
    xyz = np.where(converted[:, None], talairach_to_mni(xyz), xyz)
    order = np.argsort(rows, kind="stable")
    bounds = np.searchsorted(rows[order], np.arange(1, len(studies)))
    peaks = [part.copy() for part in np.split(xyz[order], bounds)]
    peak_spaces = [part.copy() for part in np.split(spaces[order].astype(str), bounds)]
    reported = normalize_spaces(studies["coordinate_space"].to_numpy())
    for row, part in enumerate(peak_spaces):
        if len(part):
            reported[row] = part[0] if (part == part[0]).all() else "MIXED"
    studies["coordinate_space"] = reported.astype(str)
    groups = studies["study_id"] if groups is None else groups
    corpus = Bunch(
        studies=studies,
        peaks=peaks,
        peak_spaces=peak_spaces,
        groups=np.asarray(groups, dtype=str),
        space_counts=count_spaces(spaces),
        description=description,
        **extra,
    )
    corpus.description += (
        f" {describe_spaces(corpus.space_counts)}{describe_empty(peaks)}"
    )
    return corpus


def say_spaces(corpus, stacklevel=3):
    """Say once, as a warning, what was converted and what is unknown.

    Parameters
    ----------
    corpus : Bunch
        What `make_bunch` gave.
    stacklevel : int, default=3
        3 names the line that called a loader.

    Returns
    -------
    corpus : Bunch
        The same.
    """
    if set(corpus.space_counts) - {"MNI"}:
        text = describe_spaces(corpus.space_counts)
        warnings.warn(text, CoordinateSpaceWarning, stacklevel=stacklevel)
    return corpus


def describe_spaces(counts: dict) -> str:
    """Write down how many peaks were reported in which space.

    Parameters
    ----------
    counts : dict of str to int
        Peaks by reported space.

    Returns
    -------
    text : str
        One sentence.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets._bunch import describe_spaces
    >>> describe_spaces({"MNI": 7, "TAL": 2, "UNKNOWN": 1})
    'Of 10 peaks, 2 were reported in Talairach space and converted to MNI (Lancaster); \
1 is of unknown space and left as reported.'
    """
    parts = []
    if n := counts.get("TAL", 0):
        parts.append(
            f"{n:,} {'was' if n == 1 else 'were'} reported in Talairach space and "
            "converted to MNI (Lancaster)"
        )
    for space, words in (
        ("UNKNOWN", "of unknown space and left as reported"),
        ("OTHER", "of a space that is neither MNI nor Talairach and left as reported"),
        ("MIXED", "of several spaces, which is not said, and left as reported"),
    ):
        if n := counts.get(space, 0):
            parts.append(f"{n:,} {'is' if n == 1 else 'are'} {words}")
    total = sum(counts.values())
    if not parts:
        return f"All {total:,} peaks were reported in MNI space."
    return f"Of {total:,} peaks, " + "; ".join(parts) + "."


def describe_empty(peaks) -> str:
    """Write down how many studies have no peak; nothing where all have one.

    Parameters
    ----------
    peaks : list of ndarray of shape (n_peaks_i, 3)
        Of each study.

    Returns
    -------
    text : str
        One sentence after a blank, or the empty string.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets._bunch import describe_empty
    >>> describe_empty([[[0, 0, 8]], [], []])
    ' 2 of 3 studies have no peak.'
    """
    n_empty = sum(not len(of_study) for of_study in peaks)
    verb = "has" if n_empty == 1 else "have"
    return f" {n_empty:,} of {len(peaks):,} studies {verb} no peak." if n_empty else ""


def count_spaces(spaces) -> dict:
    """Count peaks by space.

    Parameters
    ----------
    spaces : ndarray of shape (n_peaks,), object
        The words of `normalize_spaces`.

    Returns
    -------
    counts : dict of str to int
        Spaces that occur.
    """
    names, counts = np.unique(spaces.astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _complete_columns(studies):
    """Give all columns, in order and in their types."""
    studies = studies.reset_index(drop=True)
    complete = pd.DataFrame({"study_id": studies["study_id"].astype(str)})
    for column in STUDY_COLUMNS[1:]:
        known = studies.get(column)
        if column in ("pmid", "pmcid", "year"):
            empty = pd.Series(pd.NA, index=complete.index)
            complete[column] = read_numbers(empty if known is None else known, column)
        elif known is None:
            complete[column] = pd.Series("", index=complete.index, dtype=str)
        else:
            words = known.astype(object).where(known.notna(), "")
            complete[column] = words.astype(str).str.strip()
    return complete


def _check_rows(studies, rows, xyz):
    repeated = studies["study_id"][studies["study_id"].duplicated()]
    if len(repeated):
        raise ValueError(
            f"{len(repeated)} rows repeat a study id, {repeated.iloc[0]!r} among them; "
            "expected one row per study. Drop or merge the repeated rows."
        )
    wrong = np.flatnonzero(~np.isfinite(xyz).all(axis=1))
    if len(wrong):
        study = studies["study_id"].iloc[rows[wrong[0]]]
        raise ValueError(
            f"{len(wrong)} of {len(xyz)} peaks hold NaN or infinity, the first in "
            f"study {study}. Expected x, y, z in mm. Drop these peaks from the table."
        )


def study_texts(corpus, text_field: str = "title+abstract") -> list[str]:
    """Return one text field of each study.

    Parameters
    ----------
    corpus : Bunch
        A corpus of a loader of this package.
    text_field : {"title", "abstract", "body", "title+abstract"}, \
            default="title+abstract"
        The field. The last joins title and abstract with a line break, and is the
        title alone if the abstract is missing.

    Returns
    -------
    texts : list of str
        One per row of ``corpus.studies``; empty if the field is missing.

    Raises
    ------
    ValueError
        If `text_field` is unknown, or empty for every study.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies, study_texts
    >>> corpus = make_studies(n_studies=3, random_state=0)
    >>> len(study_texts(corpus, "title"))
    3
    """
    if text_field not in _TEXT_FIELDS:
        raise ValueError(
            f"text_field must be one of {', '.join(_TEXT_FIELDS)}; got {text_field!r}."
        )
    columns = [corpus.studies[name].str.strip() for name in text_field.split("+")]
    texts = ["\n".join(filter(None, row)) for row in zip(*columns, strict=True)]
    if not any(texts):
        known = [
            name
            for name in ("title", "abstract", "body")
            if corpus.studies[name].str.strip().any()
        ]
        raise ValueError(
            f"No study of this corpus has a text in {text_field!r}; fields with texts: "
            f"{', '.join(known) or 'none'}."
        )
    return texts
