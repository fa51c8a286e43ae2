"""A run that is killed goes on: nothing is lost, changed or embedded again."""

import pytest

from tests.text.tiny_models import WORDS, save_tiny_model


@pytest.mark.usefixtures("importable_benchmarks")
def test_kills_in_forward_passes_and_commits_harm_nothing(tmp_path, rng):
    from kill_embedder import COMMIT, FORWARD, Plan, kill_again_and_again

    sizes = rng.integers(40, 200, size=150)
    texts = [" ".join(rng.choice(WORDS.split(), size=size)) for size in sizes]
    settings = {"model_name": save_tiny_model(tmp_path / "model", "bert")}
    settings["batch_tokens"] = 128
    plan = Plan(n_kills=3, n_forward=2, n_commit=1, most_steps=8)
    path = tmp_path / "store.sqlite"
    report = kill_again_and_again(settings, texts, path, plan)
    assert report.finished
    assert report.n_kills[FORWARD] >= 2
    assert report.n_kills[COMMIT] >= 1
    assert report.n_runs == sum(report.n_kills.values()) + 1
    # Kills struck while some texts were stored and others were not.
    assert 0 < report.n_stored[-1] < len(texts)
    assert report.n_again == 0
    assert report.n_changed == 0
    assert report.difference < 1e-6
