"""Build the corpus that every loader returns, and describe its coordinate spaces."""

import inspect
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import (
    CoordinateSpaceWarning,
    DoubtfulPeaksWarning,
    describe_sides,
    describe_unclear_labels,
    describe_units,
    find_unclear_labels,
    normalize_spaces,
    talairach_to_mni,
)
from .._utils.files import replace_surrogates
from ._corpus import Corpus
from ._ids import read_dois, read_integers

TEXT_COLUMNS = ("title", "keywords", "abstract", "body", "journal")
STUDY_COLUMNS = (
    "study_id",
    "pmid",
    "pmcid",
    "doi",
    "title",
    "keywords",
    "abstract",
    "body",
    "year",
    "journal",
    "coordinate_space",
)
_TEXT_FIELDS = ("title", "abstract", "body", "title+abstract")


def count_words(n: int, singular: str, plural: str) -> str:
    """Return a number and its noun, for example "1 study" or "1,200 studies"."""
    return f"{n:,} {singular if n == 1 else plural}"


class SkippedPeaksWarning(UserWarning):
    """Warning that peaks without a known study or without coordinates were skipped."""


def make_bunch(
    studies,
    rows,
    xyz,
    spaces,
    *,
    description,
    groups=None,
    sides=None,
    is_published=False,
    **extra,
):
    """Return a corpus; Talairach peaks are converted to MNI space.

    `studies` must have the column ``study_id``, and may have the other columns of
    `STUDY_COLUMNS`. Three arrays describe the peaks of all studies:

    - `rows`, of shape (n_peaks,), contains the row of `studies` to which each peak
      belongs;
    - `xyz`, of shape (n_peaks, 3), contains the reported coordinates in mm;
    - `spaces`, of shape (n_peaks,), contains the space of each peak, as named by the
      source.

    `groups` contains one identifier per row of `studies`; rows from the same article
    have the same identifier. If `groups` is None, each row is a separate article.
    `sides` contains the hemisphere of each peak ("l", "r", or "" if unknown), or is
    None if the source does not state hemispheres.

    A warning is issued if the coordinates of some peaks are doubtful. If `is_published`
    is True, the corpus is a public data set that users do not correct. In this case,
    the description contains the warning instead.
    """
    studies = _complete_columns(studies)
    xyz = np.asarray(xyz, dtype=np.float64).reshape(-1, 3)
    groups = np.asarray(studies["study_id"] if groups is None else groups, dtype=str)
    _check_rows(studies, rows, xyz)
    doubts = _describe_doubtful_peaks(xyz, sides, rows, groups)
    if doubts and is_published:
        description = f"{description} {doubts}"
    elif doubts:
        level = _find_stacklevel()
        warnings.warn(doubts, DoubtfulPeaksWarning, stacklevel=level)
    unclear = find_unclear_labels(spaces)
    spaces = normalize_spaces(spaces)
    xyz = np.where((spaces == "TAL")[:, None], talairach_to_mni(xyz), xyz)
    order = np.argsort(rows, kind="stable")
    bounds = np.searchsorted(rows[order], np.arange(1, len(studies)))
    peaks = [part.copy() for part in np.split(xyz[order], bounds)]
    peak_spaces = [part.copy() for part in np.split(spaces[order].astype(str), bounds)]
    # The space stated in the table of studies is used only for studies without peaks.
    study_spaces = normalize_spaces(studies["coordinate_space"].to_numpy())
    for row, part in enumerate(peak_spaces):
        if len(part):
            study_spaces[row] = part[0] if (part == part[0]).all() else "MIXED"
    studies["coordinate_space"] = study_spaces.astype(str)
    return finish_bunch(
        studies,
        peaks,
        peak_spaces,
        groups,
        description,
        unclear_spaces=unclear,
        **extra,
    )


def _describe_doubtful_peaks(xyz, sides, rows, groups) -> str:
    """Return sentences about peaks that are probably wrong; "" if there are none.

    Peaks are probably wrong if they are not in mm, or if x lost its minus signs. Peaks
    in the left hemisphere must have negative x.
    """
    codes, names = pd.factorize(groups)
    messages = [describe_units(xyz, codes[rows], names)]
    if sides is not None:
        messages.append(describe_sides(xyz[:, 0], sides, codes[rows], names))
    message = " ".join(filter(None, messages))
    return message and f"{message} The coordinates were not changed."


def _find_stacklevel() -> int:
    """Return the `stacklevel` with which a warning shows the user's line of code."""
    # The user's code is the innermost caller that is outside this package. The level is
    # counted from the caller of this function.
    package = str(Path(__file__).parents[1])
    frame, level = inspect.currentframe().f_back, 1
    while frame is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level


def finish_bunch(
    studies, peaks, peak_spaces, groups, description, *, unclear_spaces, **extra
):
    """Return a corpus; count its peaks by space, and complete its description."""
    counts = _count_spaces(peak_spaces)
    n_empty = sum(not len(of_study) for of_study in peaks)
    description = f"{description} {describe_spaces(counts, unclear_spaces)}"
    if n_empty:
        verb = "has" if n_empty == 1 else "have"
        of_all = count_words(len(peaks), "study", "studies")
        description += f" {n_empty:,} of {of_all} {verb} no peak."
    return Corpus(
        studies=studies,
        peaks=peaks,
        peak_spaces=peak_spaces,
        groups=np.asarray(groups, dtype=str),
        space_counts=counts,
        unclear_spaces=unclear_spaces,
        description=description,
        **extra,
    )


def warn_about_spaces(corpus):
    """Warn if labels of spaces are unclear; return the corpus unchanged."""
    if text := describe_unclear_labels(corpus.unclear_spaces):
        level = _find_stacklevel()
        warnings.warn(text, CoordinateSpaceWarning, stacklevel=level)
    return corpus


def describe_spaces(counts: dict, unclear_spaces=()) -> str:
    """Return sentences that count the peaks in each space, and quote unclear labels."""
    parts = []
    if n := counts.get("TAL", 0):
        parts.append(
            f"{n:,} {'was' if n == 1 else 'were'} reported in Talairach space and "
            "converted to MNI (Lancaster)"
        )
    for space, words in (
        ("UNKNOWN", "of unknown space"),
        ("OTHER", "of a space that is neither MNI nor Talairach"),
        ("MIXED", "of studies with mixed spaces"),
    ):
        if n := counts.get(space, 0):
            verb = "is" if n == 1 else "are"
            parts.append(f"{n:,} {verb} {words} and left as reported")
    total = sum(counts.values())
    if not parts:
        all_peaks = "The only peak was" if total == 1 else f"All {total:,} peaks were"
        return f"{all_peaks} reported in MNI space."
    text = f"Of {count_words(total, 'peak', 'peaks')}, " + "; ".join(parts) + "."
    return f"{text} {describe_unclear_labels(unclear_spaces)}".rstrip()


def describe_ignored(columns) -> str:
    """Return sentences that list ignored columns of studies; "" if there are none."""
    if not columns:
        return ""
    shown = ", ".join(columns[:8]) + (", …" if len(columns) > 8 else "")
    return (
        f" Ignored columns of the table of studies: {shown}. If one of them "
        "contains texts, rename it to title, keywords, abstract or body."
    )


def _count_spaces(peak_spaces) -> dict:
    """Return a dict that maps each reported space to its number of peaks."""
    names, counts = np.unique(np.concatenate(peak_spaces), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _complete_columns(studies) -> pd.DataFrame:
    """Return the studies with all `STUDY_COLUMNS`; unknown cells are "" or NA."""
    studies = studies.reset_index(drop=True)
    ids = [replace_surrogates(str(one)) for one in studies["study_id"]]
    complete = pd.DataFrame({"study_id": pd.Series(ids, dtype=str)})
    for column in STUDY_COLUMNS[1:]:
        known = studies.get(column, pd.Series(pd.NA, index=complete.index))
        if column in ("pmid", "pmcid", "year"):
            complete[column] = read_integers(known, column)
        elif column == "doi":
            complete[column] = read_dois(known)
        else:
            words = known.astype(object).where(known.notna(), "")
            words = [replace_surrogates(str(word)).strip() for word in words]
            complete[column] = pd.Series(words, dtype=str)
    return complete


def _check_rows(studies, rows, xyz):
    """Check that study ids are unique and that peaks are finite."""
    repeated = studies["study_id"][studies["study_id"].duplicated()]
    if len(repeated):
        raise ValueError(
            f"Several rows have the same study id, for example {repeated.iloc[0]!r}. "
            "Expected one row per study. Drop or merge the repeated rows."
        )
    wrong = np.flatnonzero(~np.isfinite(xyz).all(axis=1))
    if len(wrong):
        study = studies["study_id"].iloc[rows[wrong[0]]]
        raise ValueError(
            f"{len(wrong)} of {len(xyz)} peaks contain NaN or infinity. The first of "
            f"them is in study {study}. Expected x, y, z in mm. Drop these peaks."
        )


def study_texts(corpus, text_field: str = "title+abstract") -> list[str]:
    """Return the title, the abstract, both, or the body of each study.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package.
    text_field : str, default="title+abstract"
        One of "title", "abstract", "body" and "title+abstract". "title+abstract" joins
        the title and the abstract with a line break. If a study has only a title or
        only an abstract, its text is that field.

    Returns
    -------
    texts : list of str
        One text per row of ``corpus.studies``. An unknown text is an empty string.

    Raises
    ------
    ValueError
        If `text_field` is not one of the four names listed above, or if all studies
        have an empty text in this field.

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
    rows = zip(*columns, strict=True)
    texts = [replace_surrogates("\n".join(filter(None, row))) for row in rows]
    if not any(texts):
        known = [f for f in _TEXT_FIELDS[:3] if corpus.studies[f].str.strip().any()]
        raise ValueError(
            f"No study of this corpus has a text in {text_field!r}. Fields with texts: "
            f"{', '.join(known) or 'none'}."
            + describe_ignored(corpus.get("ignored_columns", []))
        )
    return texts


def select_studies(corpus, study_ids):
    """Select studies of a corpus by their ids.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package.
    study_ids : sequence of str
        Values of the column ``study_id`` of ``corpus.studies``, for example the column
        ``study_id`` of the table returned by `NeuroContextModel.similar_documents`.

    Returns
    -------
    selected : Bunch
        Corpus of these studies, in the order of `study_ids`. It has the fields
        documented in `sklearn_neurocontext.datasets`. If `corpus` has the fields
        ``n_subjects``, ``term_counts`` or ``vocabulary``, these fields are also kept.

    Raises
    ------
    ValueError
        If `study_ids` is empty, or if an id is not in the corpus or occurs twice.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import make_studies, select_studies
    >>> corpus = make_studies(n_studies=5, random_state=0)
    >>> selected = select_studies(corpus, corpus.studies["study_id"][[3, 1]])
    >>> len(selected.peaks)
    2
    """
    study_ids = [str(one) for one in study_ids]
    row_of = {one: row for row, one in enumerate(corpus.studies["study_id"])}
    unknown = [one for one in study_ids if one not in row_of]
    if not study_ids or unknown or len(set(study_ids)) < len(study_ids):
        found = repr(unknown[0]) if unknown else f"{len(study_ids)} ids"
        raise ValueError(
            "study_ids must contain at least one id. Each id must be in the corpus, "
            f"and no id may be repeated; got {found}. Use values of "
            "corpus.studies['study_id']."
        )
    rows = np.array([row_of[one] for one in study_ids])
    extra = {}
    if "n_subjects" in corpus:
        extra["n_subjects"] = corpus.n_subjects[rows]
    if "term_counts" in corpus:
        counts = {name: matrix[rows] for name, matrix in corpus.term_counts.items()}
        extra |= {"term_counts": counts, "vocabulary": corpus.vocabulary}
    selected = count_words(len(rows), "study", "studies")
    return finish_bunch(
        corpus.studies.iloc[rows].reset_index(drop=True),
        [corpus.peaks[row].copy() for row in rows],
        [corpus.peak_spaces[row].copy() for row in rows],
        np.asarray(corpus.groups)[rows],
        f"{selected} selected from a corpus of {len(corpus.peaks):,}.",
        unclear_spaces=corpus.unclear_spaces,
        **extra,
    )
