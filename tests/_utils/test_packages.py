"""Import of optional dependencies."""

import sys

import pytest

from sklearn_neurocontext._utils.packages import import_optional


def test_import_optional_returns_the_module():
    assert import_optional("json", extra="demo").loads("[1]") == [1]


def test_missing_module_raises_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-neurocontext\[demo\]"):
        import_optional("pyarrow", extra="demo")
