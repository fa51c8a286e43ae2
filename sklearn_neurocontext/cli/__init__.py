"""Command-line interface of the package."""

from ._main import main

__all__ = ["main"]
