"""Tables of the encoding benchmark: laws of ranks, and values by hand."""

import numpy as np
import pytest

from benchmarks.encoding.tables import TOPS, compare, rank_of_own, score, write
from sklearn_neurocontext import dice_score


@pytest.fixture
def results(rng):
    """Results of three methods, observed maps and their mean."""
    observed = rng.uniform(size=(5, 400))
    mean = observed.mean(axis=0)
    swapped = 2 * np.eye(5)[[1, 0, 2, 3, 4]] + np.eye(5)
    maps = {
        "perfect": {"maps": observed},
        "mean map": {"maps": np.tile(mean, (5, 1))},
        "swaps two": {"maps": observed, "similarity": swapped},
    }
    return maps, observed, mean


def test_ranks_of_own_words(rng):
    assert rank_of_own(np.eye(4)).tolist() == [1, 1, 1, 1]
    assert rank_of_own(np.ones((4, 4))).tolist() == [2.5] * 4
    matrix = rng.normal(size=(30, 30))
    ranks = [1 + sum(column > column[i]) for i, column in enumerate(matrix.T)]
    assert rank_of_own(matrix).tolist() == ranks
    order = rng.permutation(30)
    again = rank_of_own(matrix[order][:, order])
    assert again.tolist() == np.array(ranks)[order].tolist()


def test_scores_of_a_perfect_method_and_of_the_mean_map(results):
    table = score(*results).set_index("method")
    assert (table.loc["perfect", "dice"] == 1).all()
    assert (table.loc["perfect", "decoded_rank"] == 1).all()
    assert table.loc["perfect", "decoded_by"].unique() == ["maps"]
    assert (table.loc["mean map", "rank"] == 3).all()
    assert (table.loc["mean map", "decoded_rank"] == 3).all()
    assert table.loc["swaps two", "decoded_rank"].tolist() == [2, 2, 1, 1, 1]
    differences = compare(table.reset_index(), "mean map").set_index(
        ["method", "score"]
    )
    one = differences.loc[("perfect", "dice")]
    gap = 1 - table.loc["mean map", "dice"]
    assert one["difference"] == pytest.approx(gap.mean())
    assert gap.min() <= one["low"] <= one["difference"] <= one["high"] <= gap.max()
    assert differences.loc[("perfect", "rank"), "share_better"] == 1


def test_dice_at_each_threshold(results):
    _, observed, mean = results
    table = score(*results).set_index("method").loc["mean map"]
    columns = [f"dice_{100 * top:g}" for top in TOPS]
    expected = [[dice_score(one, mean, top=top) for top in TOPS] for one in observed]
    np.testing.assert_allclose(table[columns], expected)
    np.testing.assert_allclose(table["dice_mean"], np.mean(expected, axis=1))
    np.testing.assert_allclose(table["dice"], table["dice_10"])


METADATA = {
    "n_topics": 5,
    "n_training": 12000,
    "n_excluded": 7,
    "n_abstracts": 0,
    "atlas": "geometric",
    "n_components": 64,
    "random_state": 3,
    "machine": {"platform": "Linux", "cpu_count": 2, "threads": "2"},
    "versions": {"numpy": "2.4.6"},
}


def test_written_tables(results, tmp_path, capsys):
    names = ["a", "b", "c", "d|e", "f"]
    maps, observed, mean = results
    maps["pretrained recipe"] = maps["perfect"]
    write(score(maps, observed, mean), names, METADATA, tmp_path)
    text = (tmp_path / "encoding.md").read_text()
    assert text in capsys.readouterr().out
    assert "| perfect | 1.000 [1.000, 1.000] |" in text
    assert "| perfect | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |" in text
    assert "minus that of | pretrained recipe | mean map |" in text
    assert "| perfect | +0.000 [+0.000, +0.000], 0% | +0." in text
    assert "| chance |  | 0.20 | 0.60 | 3.0 |" in text
    assert "| swaps two | similarity | 0.60 | 1.00 | 1.4 |" in text
    rows = [line for line in text.splitlines() if line.startswith("| a |")]
    assert rows[0].startswith("| a | 1.000 | 0.")
    assert "| d\\|e | 1.000 |" in text
    assert (
        "Topics: 5. Brackets contain 95 % intervals of a bootstrap over topics" in text
    )
    assert "Training studies: 12,000; 7 were excluded" in text
    assert "2 cores (Linux, 2 threads), numpy 2.4.6." in text
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 21


def test_chance_level_with_two_topics(rng, tmp_path):
    observed = rng.uniform(size=(2, 400))
    table = score({"perfect": {"maps": observed}}, observed, observed.mean(axis=0))
    write(table, ["a", "b"], METADATA, tmp_path)
    text = (tmp_path / "encoding.md").read_text()
    assert "| chance |  | 0.50 | 1.00 | 1.5 |" in text
