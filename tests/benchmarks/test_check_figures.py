"""Check of figures: tolerances, and names that the expected values refer to."""

import pytest

from benchmarks import check_figures


def test_a_figure_may_differ_by_its_tolerance(capsys):
    assert check_figures.compare("same", (1.0, 2.0), (1.1, 2.0), 0.11)
    assert not check_figures.compare("other", (1.0, 2.0), (1.2, 2.0), 0.11)
    assert not check_figures.compare("nan", float("nan"), 0.0, 1.0)
    printed = capsys.readouterr().out
    assert "other: (1.0, 2.0) (CHANGED, expected (1.2, 2.0))" in printed


def test_unknown_checks_raise(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["check_figures.py", "maps", "speed"])
    with pytest.raises(SystemExit):
        check_figures.main()
    assert "unknown: speed; expected maps" in capsys.readouterr().err
