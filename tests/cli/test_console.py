"""What the commands print, and how they run."""

import os

from sklearn_neurocontext import experiments
from sklearn_neurocontext.cli import main
from sklearn_neurocontext.cli._console import print_differences, print_scores


def test_one_split_has_no_deviation_and_names_hold_anything(capsys):
    scores = {"n_candidates": 30, "mix_match": 0.7, "fit_seconds": 1.0}
    names = ("ridge", "[/x] mine")
    records = [{"split": 0, "estimator": name, **scores} for name in names]
    result = experiments.BenchmarkResult(records, reference="ridge")
    print_scores(result, {"mix_match": "mix&match, %"}, "my[old] corpus [/x]")
    print_differences(result, {"mix_match": "mix&match, %"})
    printed = capsys.readouterr().out
    assert "my[old] corpus [/x]" in printed
    assert "[/x] mine" in printed
    assert "70.0" in printed
    assert "nan" not in printed


def test_threads_wait_without_spinning(monkeypatch, capsys):
    for before, after in ((None, "passive"), ("active", "active")):
        if before is None:
            monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
        else:
            monkeypatch.setenv("OMP_WAIT_POLICY", before)
        assert main(["decode", "nowhere.nii.gz"]) == 1
        assert os.environ["OMP_WAIT_POLICY"] == after
    assert "nowhere.nii.gz" in capsys.readouterr().err
