"""One self-contained HTML page about a text and its map."""

from ._report import Report, make_report

__all__ = ["Report", "make_report"]
