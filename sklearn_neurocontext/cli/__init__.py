"""Command line of the package."""

from ._main import main

__all__ = ["main"]
