"""Retrieval tables: windows of texts, subsets of studies, CSLS, shared records."""

import numpy as np
import pytest

from benchmarks.retrieval.corpora import Task
from benchmarks.retrieval.rows import CorrectedByCandidates, Row, some_of
from benchmarks.retrieval.run import run
from benchmarks.retrieval.windows import (
    WINDOW_WORDS,
    richest_in_coordinates,
    spread_windows,
    tile,
)
from sklearn_neurocontext import CCABaseline, similarity
from sklearn_neurocontext.metrics import csls


def test_windows_are_evenly_spaced_and_the_richest_has_coordinates():
    words = [f"word{place}" for place in range(7 * WINDOW_WORDS)]
    text = " ".join(words)
    tiles = tile(text)
    assert " ".join(tiles) == text
    assert spread_windows(text, 3) == [tiles[0], tiles[3], tiles[6]]
    assert spread_windows("one window", 3) == ["one window"]
    assert richest_in_coordinates(text) == []
    words[5 * WINDOW_WORDS + 3] = "(-46, -56, -18)"
    assert "-46" in richest_in_coordinates(" ".join(words))[0]


def test_subsets_of_training_studies_are_nested(rng):
    train = np.sort(rng.choice(500, 300, replace=False))
    small, large = some_of(train, 50), some_of(train, 200)
    assert len(small) == 50
    assert np.isin(small, large).all()
    assert np.isin(large, train).all()
    with pytest.raises(ValueError, match="at most 300; got 301"):
        some_of(train, 301)


def test_correction_by_candidates_is_csls(rng):
    X, y = rng.normal(size=(60, 4)), rng.normal(size=(60, 6))
    corrected = CorrectedByCandidates(CCABaseline(), k=3).fit(X[:40], y[:40])
    plain = similarity(CCABaseline().fit(X[:40], y[:40]), X[40:], y[40:])
    np.testing.assert_allclose(corrected.similarity(X[40:], y[40:]), csls(plain, 3))


def test_rows_of_two_tables_share_their_records(rng, tmp_path):
    y = rng.normal(size=(60, 6))
    splits = [(np.arange(40), np.arange(40, 60)), (np.arange(20, 60), np.arange(20))]
    rows = np.arange(60)
    task = Task("titles", None, rows, None, None, y, splits, splits, groups=rows)
    X = rng.normal(size=(60, 4))
    rows = [
        Row("cca", CCABaseline(), lambda: X, splits, label="all"),
        Row("cca", CCABaseline(), X, [(splits[0][0][:30], splits[0][1])], label="30"),
    ]
    result = run(rows, task, tmp_path)
    assert [r["estimator"] for r in result.records] == ["all", "all", "30"]
    assert len(list((tmp_path / "records").iterdir())) == 3
    summary = result.summary()
    assert summary["low"][summary["chance"].notna()].notna().all()
    assert result.provenance[result.records[-1]["run"]]["settings"] == {}
    seconds = [record["fit_seconds"] for record in result.records]
    again = run(rows[:1], task, tmp_path)
    assert [record["fit_seconds"] for record in again.records] == seconds[:2]
