"""Tests of duplicate detection and of the removal of leakage from splits."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from sklearn_neurocontext.datasets import load_corpus
from sklearn_neurocontext.model_selection import (
    duplicate_groups,
    normalize_title,
    paper_splits,
    remove_leakage,
)

FIVE = np.arange(15.0).reshape(5, 3)


def test_normalize_title_ignores_markup_case_and_accents():
    assert normalize_title("The naïve β–brain.") == normalize_title("the NAIVE β brain")
    assert normalize_title("Pain < fear > joy") == "pain fear joy"
    assert normalize_title(" … ") == ""


def test_groups_are_connected_by_titles_or_peaks():
    titles = ["Pain", "PAIN!", "fear", "", "", "memory"]
    peaks = [FIVE, FIVE + 1, FIVE[::-1] + 1, FIVE[:4], FIVE[:4], FIVE + 9]
    # Rows 0 and 1 share a title, rows 1 and 2 five peaks, rows 3 and 4 only four.
    np.testing.assert_array_equal(duplicate_groups(titles, peaks), [0, 0, 0, 1, 2, 3])


def test_rows_with_five_common_peaks_are_duplicates():
    more = np.vstack([FIVE, FIVE + 100])
    four = np.vstack([FIVE[:4], FIVE + 200])
    repeated = np.repeat(FIVE[:1], 9, axis=0)
    none = np.empty((0, 3))
    numbers = duplicate_groups("abcdef", [FIVE, more, four, repeated, none, none])
    np.testing.assert_array_equal(numbers, [0, 0, 1, 2, 3, 4])


def test_missing_titles_and_groups_are_never_equal():
    peaks = [FIVE + 100 * i for i in range(6)]
    titles = [None, np.nan, "", "a", "b", "c"]
    groups = ["s", None, None, np.nan, "s", np.nan]
    numbers = duplicate_groups(titles, peaks, groups)
    np.testing.assert_array_equal(numbers, [0, 1, 2, 3, 0, 4])


def test_rows_of_a_given_group_are_duplicates():
    peaks = [FIVE, FIVE + 1, FIVE + 2]
    numbers = duplicate_groups(["a", "b", "c"], peaks, groups=["s", "t", "s"])
    np.testing.assert_array_equal(numbers, [0, 1, 0])


def test_negative_zero_equals_zero():
    peaks = [FIVE * 0.0 + FIVE, FIVE.copy()]
    peaks[1][0, 0] = -0.0
    np.testing.assert_array_equal(duplicate_groups(["a", "b"], peaks), [0, 0])


@pytest.mark.parametrize("groups", [None, ["a"]])
def test_different_lengths_raise(groups):
    with pytest.raises(ValueError, match=r"Got 2 titles, \d arrays.*one per row"):
        duplicate_groups(["a", "b"], [FIVE] * (1 if groups is None else 2), groups)


def test_remove_leakage_removes_duplicates_from_training(rng):
    groups = rng.integers(150, size=200)
    splits = paper_splits(200, n_splits=3, n_candidates=40, n_development=20)
    for (train, test), (old_train, old_test) in zip(
        remove_leakage(splits, groups), splits, strict=True
    ):
        np.testing.assert_array_equal(test, old_test)
        assert not np.intersect1d(groups[train], groups[test]).size
        lost = np.setdiff1d(old_train, train)
        assert lost.size
        assert np.isin(groups[lost], groups[test]).all()


def test_excluded_studies_are_removed_from_test_parts_only():
    splits = paper_splits(100, n_splits=2, n_candidates=30, n_development=20)
    excluded = splits[0][1][:10]
    clean = remove_leakage(splits, np.arange(100), exclude=excluded)
    assert not np.intersect1d(clean[0][1], excluded).size
    assert len(clean[0][1]) == 20
    assert np.isin(excluded, clean[1][0]).all()


def test_exclude_accepts_a_mask():
    splits = [([0, 1, 2], [3, 4, 5])]
    mask = np.arange(6) == 5
    ((train, test),) = remove_leakage(splits, np.arange(6), exclude=mask)
    np.testing.assert_array_equal(train, [0, 1, 2])
    np.testing.assert_array_equal(test, [3, 4])


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        (["5"], r"indices or a mask of 6 .* got an array of <U1"),
        ([True], r"got an array of bool and shape \(1,\)"),
        ([6], r"from 0 to 5, .* got 6"),
        ([-1], "got -1"),
    ],
)
def test_invalid_exclude_raises(exclude, message):
    with pytest.raises(ValueError, match=message):
        remove_leakage([([0, 1, 2], [3, 4, 5])], np.arange(6), exclude=exclude)


def test_splits_of_another_corpus_raise():
    with pytest.raises(ValueError, match=r"from 0 to 3, .* got 5"):
        remove_leakage([([0, 1, 2], [3, 4, 5])], np.arange(4))


def test_too_few_test_studies_raise():
    splits = [(np.array([0]), np.array([1, 2]))]
    with pytest.raises(ValueError, match=r"Split 0 has only 1 test studies.*Exclude"):
        remove_leakage(splits, [0, 1, 2], exclude=[2])


def _find_sharing_slow(peaks):
    """Find, for each study, the studies that share five peaks with it."""
    sets = [set(map(tuple, np.round(xyz, 1) + 0.0)) for xyz in peaks]
    studies_of_peak = defaultdict(list)
    for study, own in enumerate(sets):
        for xyz in own:
            studies_of_peak[xyz].append(study)
    sharing = []
    for study, own in enumerate(sets):
        counts = Counter(other for xyz in own for other in studies_of_peak[xyz])
        sharing.append({one for one, n in counts.items() if n >= 5 and one != study})
    return sharing


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The peaks of")  # 17 studies seem not to be in mm
def test_clean_paper_splits_share_no_titles_or_peaks(shared_data, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(shared_data))
    corpus = load_corpus("neuroquery+neurosynth")
    titles = corpus.studies["title"].tolist()
    groups = duplicate_groups(titles, corpus.peaks, corpus.groups)
    splits = remove_leakage(paper_splits(len(titles)), groups)
    normalized = [normalize_title(title) for title in titles]
    sharing = _find_sharing_slow(corpus.peaks)
    for train, test in splits:
        common = {normalized[i] for i in train} & {normalized[i] for i in test}
        assert not common - {""}
        assert not set(train) & set().union(*(sharing[study] for study in test))
        assert len(test) == 1000
    # The corpus has duplicates, and some of them were removed from training sets.
    assert sum(map(bool, sharing)) > 100
    assert sum(len(train) for train, _ in splits) < 15 * (len(titles) - 1000)
