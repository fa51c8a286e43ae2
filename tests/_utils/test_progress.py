"""Progress bars in terminals, in notebooks and in programs without either."""

import sys
from types import SimpleNamespace

import pytest

from sklearn_neurocontext._utils import progress
from sklearn_neurocontext._utils.progress import delayed_progress_bar, progress_bar


def test_progress_bar_starts_with_the_first_item(capsys):
    with pytest.raises(ValueError, match="early"), progress_bar("embedding"):
        raise ValueError("early")
    assert capsys.readouterr().err == ""
    with progress_bar("embedding") as update:
        update(3, 3)
    assert "3/3" in capsys.readouterr().err


def test_slow_tasks_show_a_bar_in_a_terminal(monkeypatch, capsys):
    for is_terminal, seconds, is_shown in (
        (True, 0.0, True),
        (True, 60.0, False),
        (False, 0.0, False),
    ):
        monkeypatch.setattr(progress, "_DELAY", seconds)
        monkeypatch.setattr(sys.stderr, "isatty", lambda value=is_terminal: value)
        with delayed_progress_bar("embedding") as update:
            update(1, 2)
            update(2, 2)
        assert ("2/2" in capsys.readouterr().err) == is_shown


def test_bar_in_a_notebook_is_updated(monkeypatch, capsys):
    shown = []

    def display(bar, display_id):
        shown.append(bar)
        return SimpleNamespace(update=shown.append)

    shell = SimpleNamespace(kernel=None)
    modules = {
        "IPython": SimpleNamespace(get_ipython=lambda: shell),
        "IPython.display": SimpleNamespace(HTML=str, display=display),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    with delayed_progress_bar("<b>") as update:
        update(1, 1200)
        update(1200, 1200)
    assert shown == [
        '&lt;b&gt; <progress value="1" max="1200"></progress> 1 of 1,200',
        '&lt;b&gt; <progress value="1200" max="1200"></progress> 1,200 of 1,200',
    ]
    assert capsys.readouterr().err == ""
