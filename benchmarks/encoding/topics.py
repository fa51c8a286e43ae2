"""Topics whose maps are predicted: descriptions in words and observed maps."""

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    load_sleuth,
    study_texts,
    usable_rows,
)
from sklearn_neurocontext.datasets._bunch import describe_spaces
from sklearn_neurocontext.maskers import density_map
from sklearn_neurocontext.model_selection import paper_splits

# The union of two other meta-analyses.
LEFT_OUT = ("reward_cue_reactivity",)
# Development topics: phrases that this many development studies use.
_MIN_STUDIES, _MAX_STUDIES, _MAX_TERMS = 10, 60, 60
_COLUMNS = ("name", "file", "description")
_NONE = np.array([], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Topics:
    """Topics, one row each.

    Attributes
    ----------
    names, descriptions : list of str
        Name and description of each topic.
    observed : ndarray of shape (n_topics, n_voxels)
        Observed maps.
    y : ndarray of shape (n_topics, n_components)
        Coefficients of the observed maps.
    experiments : list of ndarray of shape (n_peaks, 3)
        Peaks of each experiment of all topics, mm; empty if maps are not densities.
    left_out : ndarray of int
        Rows of the corpus that belong to the topics.
    """

    names: list
    descriptions: list
    observed: np.ndarray
    y: np.ndarray
    experiments: list
    left_out: np.ndarray


def load_meta_analyses(folder: Path, masker) -> Topics:
    """Load one topic per description; its map is the density of all its peaks.

    Prints the numbers of converted peaks and of peaks of unknown space.

    Raises
    ------
    OSError
        If the folder, its table or one of its files cannot be read.
    ValueError
        If table or files are invalid, or a topic has no peak in the brain.
    """
    table = read_descriptions(folder)
    names, descriptions, all_peaks, experiments = [], [], [], []
    spaces = Counter()
    for description, files in table.groupby("description", sort=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoordinateSpaceWarning)
            corpora = [load_sleuth(folder / name) for name in files["file"].unique()]
        spaces += sum((Counter(corpus.space_counts) for corpus in corpora), Counter())
        of_topic = [peaks for corpus in corpora for peaks in corpus.peaks]
        names.append(files["name"].iloc[0])
        descriptions.append(description)
        all_peaks.append(np.concatenate([np.zeros((0, 3)), *of_topic]))
        experiments += of_topic
    print(describe_spaces(spaces), flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # peaks outside the mask
        y = masker.transform(all_peaks)
    empty = [name for name, row in zip(names, y, strict=True) if not row.any()]
    if empty:
        raise ValueError(
            f"{', '.join(empty)}: no peak lies inside the brain; peaks must be in "
            "mm, MNI or Talairach space. Check the coordinates of the files."
        )
    observed = [density_map(one, masker.mask_img_) for one in all_peaks]
    return Topics(names, descriptions, np.stack(observed), y, experiments, _NONE)


def read_descriptions(folder: Path) -> pd.DataFrame:
    """Read the table of meta-analyses with the columns name, file and description."""
    path = folder / "descriptions.tsv"
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(path)!r} does not exist; expected a folder of meta-analyses in "
            "Sleuth's text form and a table descriptions.tsv with the columns name, "
            "file and description; or the word ibc, or development."
        )
    table = pd.read_csv(path, sep="\t", dtype=str, encoding="utf-8-sig")
    lacking = [column for column in _COLUMNS if column not in table]
    if lacking:
        raise ValueError(
            f"descriptions.tsv has the columns {list(table.columns)}; {lacking} are "
            "missing. It must have name, file and description, separated by tabs."
        )
    table = table[list(_COLUMNS)].apply(lambda cells: cells.str.strip())
    table["description"] = table["description"].str.split().str.join(" ")
    gaps = table.index[(table.fillna("") == "").any(axis=1)]
    if len(gaps):
        raise ValueError(
            f"descriptions.tsv, line {gaps[0] + 2}: a name, file or description is "
            "missing."
        )
    left_out = table["name"].isin(LEFT_OUT)
    table = table[~left_out]
    if table.empty:
        raise ValueError("descriptions.tsv must list at least one meta-analysis.")
    if left_out.any():
        print(f"{', '.join(LEFT_OUT)} is excluded: it is the union of two others.")
    topics = table.groupby("name")["description"].nunique()
    if (topics > 1).any():
        raise ValueError(
            f"descriptions.tsv: {topics.idxmax()!r} has {topics.max()} descriptions; "
            "expected one for each name."
        )
    return table


def load_development(corpus, masker) -> Topics:
    """Make topics of development studies: phrases and the peaks of studies using them.

    Settings are chosen on these topics, so that the meta-analyses remain a test.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # peaks outside the mask
        studies = usable_rows(
            study_texts(corpus, "title"), masker.transform(corpus.peaks)
        )
        development = studies[paper_splits(len(studies)).development]
        parts = ("title", "keywords", "abstract")
        counts = sum(corpus.term_counts[part] for part in parts).tocsr()[development]
        n_studies = np.asarray((counts > 0).sum(axis=0)).ravel()
        kept = (n_studies >= _MIN_STUDIES) & (n_studies <= _MAX_STUDIES)
        phrases = [
            column for column in np.flatnonzero(kept) if _is_phrase(corpus, column)
        ]
        phrases = sorted(phrases, key=lambda column: -n_studies[column])[:_MAX_TERMS]
        words = [corpus.vocabulary[column] for column in phrases]
        using = counts.tocsc()
        all_peaks = [
            np.concatenate([corpus.peaks[development[row]] for row in rows])
            for rows in (using[:, [column]].nonzero()[0] for column in phrases)
        ]
        y = masker.transform(all_peaks)
    observed = np.stack([density_map(one, masker.mask_img_) for one in all_peaks])
    return Topics(words, words, observed, y, [], development)


def _is_phrase(corpus, column):
    return " " in corpus.vocabulary[column]
