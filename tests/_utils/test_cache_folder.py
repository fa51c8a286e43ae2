"""Where computed things are kept."""

import sys
from pathlib import Path

import pytest

from sklearn_neurocontext._utils.disk_cache import cache_folder


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.cache/sklearn_neurocontext"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/sklearn_neurocontext"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/sklearn_neurocontext"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/sklearn_neurocontext"),
        ("linux", {"NEUROCONTEXT_CACHE": "~/own", "HOME": "/h"}, "/h/own"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="homes are told otherwise there")
def test_the_folder_is_the_systems_or_the_users(
    monkeypatch, platform, variables, expected
):
    for name in ("NEUROCONTEXT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(expected)
