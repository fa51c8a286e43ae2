"""One self-contained HTML page about a text, a corpus or a benchmark."""

from ._report import Report, make_report

__all__ = ["Report", "make_report"]
