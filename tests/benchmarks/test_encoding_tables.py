"""Tables of the encoding benchmark: laws of ranks, and numbers by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from sklearn_neurocontext import KDEDiFuMoMasker

pytestmark = pytest.mark.usefixtures("importable_benchmarks")


@pytest.fixture
def results(rng):
    """Observed maps, a perfect method, one that knows the mean, one by similarity."""
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
    from encoding_tables import rank_of_own

    assert rank_of_own(np.eye(4)).tolist() == [1, 1, 1, 1]
    assert rank_of_own(np.ones((4, 4))).tolist() == [2.5] * 4
    matrix = rng.normal(size=(30, 30))
    ranks = [1 + sum(column > column[i]) for i, column in enumerate(matrix.T)]
    assert rank_of_own(matrix).tolist() == ranks
    order = rng.permutation(30)
    again = rank_of_own(matrix[order][:, order])
    assert again.tolist() == np.array(ranks)[order].tolist()


def test_scores_of_methods_that_know_all_and_nothing(results):
    from encoding_tables import compare, score

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


def test_tables_for_people(results, tmp_path, capsys):
    from encoding_tables import score, write

    names = ["a", "b", "c", "d|e", "f"]
    write(score(*results), names, {"n_topics": 5}, tmp_path)
    text = (tmp_path / "encoding.md").read_text()
    assert text in capsys.readouterr().out
    assert "| perfect | 1.000 [1.000, 1.000] |" in text
    assert "| chance |  | 0.20 | 0.60 | 3.0 |" in text
    assert "| swaps two | similarity | 0.60 | 1.00 | 1.4 |" in text
    rows = [line for line in text.splitlines() if line.startswith("| a |")]
    assert rows[0].startswith("| a | 1.000 | 0.")
    assert "| d\\|e | 1.000 |" in text
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 16


def test_maps_are_put_on_the_mean_of_densities(rng):
    from bench_encoding import _put_on_mean

    masker = KDEDiFuMoMasker("geometric", 128).fit()
    y = rng.uniform(size=(9, 128))
    n_voxels = np.count_nonzero(masker.mask_img_.dataobj)
    task = SimpleNamespace(
        masker=masker, y=y, studies=np.arange(6), mean_map=rng.uniform(size=n_voxels)
    )
    unit = normalize(y[:6])
    mean = masker.coefficients_to_voxels(unit.mean(axis=0, keepdims=True))[0]
    maps = masker.coefficients_to_voxels(unit[:2])
    flat = _put_on_mean(maps, 0.0, None, task)
    fine = task.mean_map * np.linalg.norm(mean) / np.linalg.norm(task.mean_map)
    np.testing.assert_allclose(flat, np.stack([fine, fine]), rtol=1e-5)
    half = _put_on_mean(maps, 0.5, None, task)
    np.testing.assert_allclose(half - flat, 0.5 * (maps - mean), atol=1e-6)


def test_names_of_methods_may_end_in_steps():
    from argparse import ArgumentTypeError

    from bench_encoding import _methods

    names = ("ridge", "cca, words, 8 mm", "cca, words, 8 mm, 0.5 on the mean map")
    assert _methods(";".join(names)) == names
    with pytest.raises(ArgumentTypeError, match="'lasso'"):
        _methods("ridge;lasso")
