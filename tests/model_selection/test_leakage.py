"""Tests of the tools against leakage, and that no study is on both sides."""

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


def test_titles_that_differ_in_markup_case_and_accents_are_one():
    assert normalize_title("The naïve β–brain.") == normalize_title("the NAIVE β brain")
    assert normalize_title("Pain < fear > joy") == "pain fear joy"
    assert normalize_title(" … ") == ""


def test_groups_by_title_peaks_and_what_connects_them():
    titles = ["Pain", "PAIN!", "fear", "", "", "memory"]
    peaks = [FIVE, FIVE + 1, FIVE[::-1] + 1, FIVE[:4], FIVE[:4], FIVE + 9]
    # 0–1 by title, 1–2 by peaks in another order; four peaks or no title tell nothing.
    np.testing.assert_array_equal(duplicate_groups(titles, peaks), [0, 0, 0, 1, 2, 3])


def test_five_peaks_in_common_are_enough():
    more = np.vstack([FIVE, FIVE + 100])
    four = np.vstack([FIVE[:4], FIVE + 200])
    repeated = np.repeat(FIVE[:1], 9, axis=0)
    none = np.empty((0, 3))
    numbers = duplicate_groups("abcdef", [FIVE, more, four, repeated, none, none])
    np.testing.assert_array_equal(numbers, [0, 0, 1, 2, 3, 4])


def test_missing_titles_and_groups_are_equal_to_no_other():
    peaks = [FIVE + 100 * i for i in range(6)]
    titles = [None, np.nan, "", "a", "b", "c"]
    groups = ["s", None, None, np.nan, "s", np.nan]
    numbers = duplicate_groups(titles, peaks, groups)
    np.testing.assert_array_equal(numbers, [0, 1, 2, 3, 0, 4])


def test_given_groups_are_kept_together():
    peaks = [FIVE, FIVE + 1, FIVE + 2]
    numbers = duplicate_groups(["a", "b", "c"], peaks, groups=["s", "t", "s"])
    np.testing.assert_array_equal(numbers, [0, 1, 0])


def test_negative_zero_is_zero():
    peaks = [FIVE * 0.0 + FIVE, FIVE.copy()]
    peaks[1][0, 0] = -0.0
    np.testing.assert_array_equal(duplicate_groups(["a", "b"], peaks), [0, 0])


@pytest.mark.parametrize("groups", [None, ["a"]])
def test_unequal_lengths(groups):
    with pytest.raises(ValueError, match=r"Got 2 titles, \d arrays.*one of each per"):
        duplicate_groups(["a", "b"], [FIVE] * (1 if groups is None else 2), groups)


def test_splits_keep_their_test_parts_and_lose_duplicates(rng):
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


def test_excluded_studies_are_never_tested_but_may_train():
    splits = paper_splits(100, n_splits=2, n_candidates=30, n_development=20)
    excluded = splits[0][1][:10]
    clean = remove_leakage(splits, np.arange(100), exclude=excluded)
    assert not np.intersect1d(clean[0][1], excluded).size
    assert len(clean[0][1]) == 20
    assert np.isin(excluded, clean[1][0]).all()


def test_excluded_studies_as_a_mask():
    splits = [([0, 1, 2], [3, 4, 5])]
    mask = np.arange(6) == 5
    ((train, test),) = remove_leakage(splits, np.arange(6), exclude=mask)
    np.testing.assert_array_equal(train, [0, 1, 2])
    np.testing.assert_array_equal(test, [3, 4])


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        (["5"], r"indices or a mask of 6 .* got an array of <U1"),
        ([True], r"got an array of bool and shape \(1,\)"),
        ([6], r"between 0 and 5, .* got 6"),
        ([-1], "got -1"),
    ],
)
def test_excluded_rows_that_are_none(exclude, said):
    with pytest.raises(ValueError, match=said):
        remove_leakage([([0, 1, 2], [3, 4, 5])], np.arange(6), exclude=exclude)


def test_splits_of_another_corpus():
    with pytest.raises(ValueError, match=r"between 0 and 3, .* got 5"):
        remove_leakage([([0, 1, 2], [3, 4, 5])], np.arange(4))


def test_nothing_left_to_test():
    splits = [(np.array([0]), np.array([1, 2]))]
    with pytest.raises(ValueError, match=r"Split 0 has 1 test studies left.*Exclude"):
        remove_leakage(splits, [0, 1, 2], exclude=[2])


def _mates_by_peaks(peaks):
    """Find the studies that share five peaks with each, by counting peak by peak."""
    sets = [set(map(tuple, np.round(xyz, 1) + 0.0)) for xyz in peaks]
    studies_of_peak = defaultdict(list)
    for study, own in enumerate(sets):
        for xyz in own:
            studies_of_peak[xyz].append(study)
    mates = []
    for study, own in enumerate(sets):
        shared = Counter(mate for xyz in own for mate in studies_of_peak[xyz])
        mates.append({m for m, n in shared.items() if n >= 5 and m != study})
    return mates


@pytest.mark.slow
def test_real_splits_share_no_title_and_no_five_peaks(shared_data, monkeypatch):
    monkeypatch.setenv("NEUROCONTEXT_DATA", str(shared_data))
    corpus = load_corpus("neuroquery+neurosynth")
    titles = corpus.studies["title"].tolist()
    groups = duplicate_groups(titles, corpus.peaks, corpus.groups)
    splits = remove_leakage(paper_splits(len(titles)), groups)
    named = [normalize_title(title) for title in titles]
    mates = _mates_by_peaks(corpus.peaks)
    for train, test in splits:
        assert not {named[i] for i in train} & {named[i] for i in test} - {""}
        assert not set(train) & set().union(*(mates[study] for study in test))
        assert len(test) == 1000
    # Some studies have mates, or nothing was shown.
    assert sum(map(bool, mates)) > 100
    # There is something to take out, or the test would show nothing.
    assert sum(len(train) for train, _ in splits) < 15 * (len(titles) - 1000)
