"""What ``bench_encoding.py`` predicts: topics in words, and their observed maps."""

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_neurocontext.datasets import (
    CoordinateSpaceWarning,
    fetch_ibc_maps,
    load_sleuth,
    study_texts,
    usable_rows,
)
from sklearn_neurocontext.datasets._bunch import describe_spaces
from sklearn_neurocontext.maskers import density_map
from sklearn_neurocontext.model_selection import paper_splits

# It is made of two others.
LEFT_OUT = ("reward_cue_reactivity",)
# Terms to choose settings with: phrases of so many development studies.
_MIN_STUDIES, _MAX_STUDIES, _MAX_TERMS = 10, 60, 60
_COLUMNS = ("name", "file", "description")
_NONE = np.array([], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Topics:
    """Topics, one row each.

    Attributes
    ----------
    names, descriptions : list of str
        Of each topic.
    observed : ndarray of shape (n_topics, n_voxels)
        Observed map.
    y : ndarray of shape (n_topics, n_components)
        Its coefficients.
    experiments : list of ndarray of shape (n_foci, 3)
        Foci of each experiment of all topics, mm; empty where maps are no densities.
    left_out : ndarray of int
        Rows of the corpus that the topics are made of.
    """

    names: list
    descriptions: list
    observed: np.ndarray
    y: np.ndarray
    experiments: list
    left_out: np.ndarray


def load_meta_analyses(folder: Path, masker) -> Topics:
    """Read one topic per description; its map is the density of all its peaks.

    Says how many peaks were converted, or are of unknown space and taken as MNI.

    Raises
    ------
    OSError
        If the folder, its table or one of its files cannot be read.
    ValueError
        If table or files are not as expected, or a topic has no peak in the brain.
    """
    table = read_descriptions(folder)
    names, descriptions, foci, experiments = [], [], [], []
    spaces = Counter()
    for description, files in table.groupby("description", sort=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoordinateSpaceWarning)
            corpora = [load_sleuth(folder / name) for name in files["file"].unique()]
        spaces += sum((Counter(corpus.space_counts) for corpus in corpora), Counter())
        of_topic = [peaks for corpus in corpora for peaks in corpus.peaks]
        names.append(files["name"].iloc[0])
        descriptions.append(description)
        foci.append(np.concatenate([np.zeros((0, 3)), *of_topic]))
        experiments += of_topic
    print(describe_spaces(spaces), flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # foci outside the mask
        y = masker.transform(foci)
    empty = [name for name, row in zip(names, y, strict=True) if not row.any()]
    if empty:
        raise ValueError(
            f"{', '.join(empty)}: no peak lies inside the brain. Expected mm in MNI "
            "or Talairach space; check the files' coordinates."
        )
    observed = [density_map(one, masker.mask_img_) for one in foci]
    return Topics(names, descriptions, np.stack(observed), y, experiments, _NONE)


def read_descriptions(folder: Path) -> pd.DataFrame:
    """Read the table of meta-analyses: columns name, file and description, no gaps."""
    path = folder / "descriptions.tsv"
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(path)!r} is no file. Expected a folder of meta-analyses in Sleuth's "
            "text form and a table descriptions.tsv with the columns name, file and "
            "description; or the word ibc, or development."
        )
    table = pd.read_csv(path, sep="\t", dtype=str, encoding="utf-8-sig")
    lacking = [column for column in _COLUMNS if column not in table]
    if lacking:
        raise ValueError(
            f"descriptions.tsv has the columns {list(table.columns)}; {lacking} are "
            "missing. Expected name, file and description, apart by tabs."
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
        raise ValueError("descriptions.tsv lists no meta-analysis.")
    if left_out.any():
        print(f"{', '.join(LEFT_OUT)} is left out: it is made of two others.")
    topics = table.groupby("name")["description"].nunique()
    if (topics > 1).any():
        raise ValueError(
            f"descriptions.tsv: {topics.idxmax()!r} has {topics.max()} descriptions; "
            "expected one for each name."
        )
    return table


def load_ibc(masker, data_home=None) -> Topics:
    """Fetch Individual Brain Charting's group maps; words are contrast definitions."""
    from nilearn.image import resample_to_img

    ibc = fetch_ibc_maps(data_home)
    words = ibc.contrasts["contrast_definition"].tolist()
    mask_img, observed = masker.mask_img_, []
    for path in ibc.maps:
        img = resample_to_img(path, mask_img, force_resample=True, copy_header=True)
        observed.append(np.nan_to_num(img.get_fdata()[mask_img.get_fdata() > 0]))
    y = masker.transform_imgs(ibc.maps)
    return Topics(words, words, np.stack(observed), y, [], _NONE)


def load_development(corpus, masker) -> Topics:
    """Make topics of development studies: a phrase, and the foci of those that use it.

    They are to meta-analyses what development studies are to test studies: settings are
    chosen on them.
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
        foci = [
            np.concatenate([corpus.peaks[development[row]] for row in rows])
            for rows in (using[:, [column]].nonzero()[0] for column in phrases)
        ]
        y = masker.transform(foci)
    observed = np.stack([density_map(one, masker.mask_img_) for one in foci])
    return Topics(words, words, observed, y, [], development)


def _is_phrase(corpus, column):
    return " " in corpus.vocabulary[column]
