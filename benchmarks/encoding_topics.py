"""What ``bench_encoding.py`` predicts: topics in words, and their observed maps."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_neurocontext.datasets import (
    SpaceWarning,
    fetch_ibc_maps,
    load_sleuth,
    study_texts,
)
from sklearn_neurocontext.evaluation import density_map, paper_splits, usable_rows

# It is made of two others.
LEFT_OUT = ("reward_cue_reactivity",)
# Terms to choose settings with: phrases of so many development studies.
_MIN_STUDIES, _MAX_STUDIES, _MAX_TERMS = 10, 60, 60


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
    """Read one topic per description; its map is the density of all its foci."""
    table = pd.read_csv(folder / "descriptions.tsv", sep="\t")
    table = table[~table["name"].isin(LEFT_OUT)]
    names, descriptions, foci, experiments = [], [], [], []
    for description, files in table.groupby("description", sort=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpaceWarning)
            corpora = [load_sleuth(folder / name) for name in files["file"]]
        of_topic = [peaks for corpus in corpora for peaks in corpus.peaks]
        names.append(files["name"].iloc[0])
        descriptions.append(description)
        foci.append(np.concatenate(of_topic))
        experiments += of_topic
    observed = [density_map(one, masker.mask_img_) for one in foci]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # foci outside the mask
        y = masker.transform(foci)
    return Topics(names, descriptions, np.stack(observed), y, experiments, _NONE)


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
