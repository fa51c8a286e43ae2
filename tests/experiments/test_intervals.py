"""Simulation of the coverage of intervals from a bootstrap over test studies."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity

from sklearn_neurocontext.experiments import BenchmarkResult, _result
from sklearn_neurocontext.metrics import bootstrap_interval, true_ranks
from sklearn_neurocontext.model_selection import paper_splits

pytestmark = pytest.mark.slow

# Number of usable studies and of development studies of the four corpora.
CORPORA = {
    "titles": (17_951, 600),
    "counts": (12_638, 600),
    "abstracts": (4_265, 600),
    "bodies": (2_894, 300),
}
# Coverage of 95 % intervals of a t-test over splits, which the bootstrap replaced.
COVERAGE_OVER_SPLITS = {
    "titles": 0.95,
    "counts": 0.83,
    "abstracts": 0.59,
    "bodies": 0.47,
}
N_CANDIDATES = 1000
N_REPLICATES = 400
N_DRAWS = 1000
# The difficulty of a study is the probability that a wrong candidate is ranked before
# the true one. With this distribution, recall@10 is about 0.2 and mix&match 0.83, as
# for titles.
DIFFICULTY = stats.beta(0.45, 2.2)
METRICS = ("recall_at_10", "recall_at_100", "mix_match", "recall_curve_auc")
# A second estimator finds each study somewhat more difficult than the first one.
POWER = 0.9


def score_ranks(ranks):
    """Return the scores of each study, in the order of METRICS."""
    n = N_CANDIDATES
    scores = ranks <= 10, ranks <= 100, (n - ranks) / (n - 1), (n - ranks + 0.5) / n
    return np.stack(scores, axis=-1).astype(float)


def true_scores(power=1.0):
    """Return the expected scores over an unlimited number of studies."""
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    difficulty = DIFFICULTY.ppf(quantiles) ** power
    n = N_CANDIDATES - 1
    recalls = [stats.binom.cdf(k - 1, n, difficulty).mean() for k in (10, 100)]
    rank = 1 + n * difficulty.mean()
    return np.array([*recalls, *score_ranks(np.array(rank))[2:]])


def simulate_difficulties(rng, n_studies):
    return rng.beta(*DIFFICULTY.args, size=n_studies)


def simulate_ranks(rng, difficulty):
    """Return ranks; the wrong candidates are drawn anew in each call."""
    return 1 + rng.binomial(N_CANDIDATES - 1, difficulty)


def splits_of(corpus):
    n_studies, n_development = CORPORA[corpus]
    return n_studies, paper_splits(n_studies, n_development=n_development).tests


def assert_nominal(coverage):
    assert ((coverage >= 0.92) & (coverage <= 0.97)).all(), coverage


@pytest.mark.parametrize("corpus", CORPORA)
def test_coverage_of_scores(corpus, monkeypatch):
    """95 % intervals contain the true score in 92 to 97 % of the simulated corpora.

    The difficulty of a study is the same in all splits that test it.
    """
    monkeypatch.setattr(_result, "_N_DRAWS", N_DRAWS)
    n_studies, tests = splits_of(corpus)
    rng = np.random.default_rng(0)
    records = []
    # Each estimator of the result is a replicate with its own simulated corpus.
    for replicate in range(N_REPLICATES):
        difficulty = simulate_difficulties(rng, n_studies)
        for split, test in enumerate(tests):
            ranks = simulate_ranks(rng, difficulty[test])
            means = score_ranks(ranks).mean(axis=0).tolist()
            record = {"split": split, "estimator": replicate}
            record |= {"n_candidates": N_CANDIDATES, "ranks": _join(ranks)}
            records.append(record | dict(zip(METRICS, means, strict=True)))
    summary = BenchmarkResult(records, studies=tests).summary()
    metric = summary["metric"]
    true = metric.map(dict(zip(METRICS, true_scores(), strict=True)))
    covered = (summary["low"] <= true) & (true <= summary["high"])
    assert_nominal(covered.groupby(metric).mean())
    # An interval over splits is too narrow if test sets overlap.
    half = stats.t.ppf(0.975, len(tests) - 1) * summary["std"] / len(tests) ** 0.5
    covered = (summary["mean"] - true).abs() <= half
    expected = pytest.approx(COVERAGE_OVER_SPLITS[corpus], abs=0.05)
    assert covered.groupby(metric).mean()["mix_match"] == expected


def _join(ranks):
    return " ".join(map(str, ranks.tolist()))


@pytest.mark.parametrize("corpus", CORPORA)
def test_coverage_of_paired_differences(corpus):
    """95 % intervals contain the true difference in 92 to 97 % of the simulations."""
    n_studies, tests = splits_of(corpus)
    rng = np.random.default_rng(1)
    studies = np.concatenate(tests)
    differences = np.empty((len(studies), N_REPLICATES, 3))
    for replicate in range(N_REPLICATES):
        difficulty = simulate_difficulties(rng, n_studies)[studies]
        first, second = (
            score_ranks(simulate_ranks(rng, difficulty**power))
            for power in (1.0, POWER)
        )
        differences[:, replicate] = (second - first)[:, :3]
    low, high = bootstrap_interval(
        differences.reshape(len(studies), -1), groups=studies, n_draws=N_DRAWS
    )
    true = np.tile((true_scores(POWER) - true_scores())[:3], N_REPLICATES)
    covered = (low <= true) & (true <= high)
    assert_nominal(covered.reshape(N_REPLICATES, 3).mean(axis=0))


def test_coverage_with_duplicates():
    """Duplicates that are drawn together do not make intervals too narrow."""
    rng = np.random.default_rng(2)
    studies = np.repeat(np.arange(700), rng.choice([1, 3], size=700))
    scores = rng.normal(size=(700, N_REPLICATES))[studies]
    coverages = []
    for groups in (studies, None):
        low, high = bootstrap_interval(scores, groups=groups, n_draws=N_DRAWS)
        coverages.append(((low <= 0) & (high >= 0)).mean())
    assert_nominal(np.array(coverages[0]))
    assert coverages[1] < 0.85


def test_coverage_with_new_candidates():
    """Intervals have nominal coverage although candidates are not drawn again.

    In each replicate, all maps are new, so that all candidates of a text are new, too.
    """
    rng = np.random.default_rng(3)
    n = 300
    scores = np.empty((n, N_REPLICATES, 3))
    for replicate in range(N_REPLICATES):
        maps = rng.normal(size=(n, 12))
        noise = rng.gamma(1.0, size=(n, 1)) ** 0.5 * rng.normal(size=(n, 12))
        # The last term makes some maps similar to most texts.
        matrix = cosine_similarity(maps + 1.6 * noise, maps) + 0.05 * rng.normal(size=n)
        ranks = true_ranks(matrix)[:, 0]
        columns = ranks <= 3, ranks <= 30, (n - ranks) / (n - 1)
        scores[:, replicate] = np.column_stack(columns)
    low, high = bootstrap_interval(scores.reshape(n, -1), n_draws=N_DRAWS)
    true = np.tile(scores.mean(axis=(0, 1)), N_REPLICATES)
    covered = (low <= true) & (true <= high)
    assert_nominal(covered.reshape(N_REPLICATES, 3).mean(axis=0))
