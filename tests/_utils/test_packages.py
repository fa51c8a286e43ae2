"""An optional dependency that is missing is named with the command that installs it."""

import sys

import pytest

from sklearn_neurocontext._utils.packages import import_optional


def test_returns_the_module():
    assert import_optional("json", extra="demo").loads("[1]") == [1]


def test_hidden_module_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-neurocontext\[demo\]"):
        import_optional("pyarrow", extra="demo")
