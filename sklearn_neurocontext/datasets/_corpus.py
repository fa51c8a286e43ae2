"""A corpus: a Bunch whose representation is a short summary."""

import html

from sklearn.utils import Bunch

_TEXT_FIELDS = ("title", "abstract", "body")


class Corpus(Bunch):
    """Bunch of the studies of a corpus and their peaks, displayed as a short summary.

    The fields are documented in `sklearn_neurocontext.datasets`.
    """

    def _summarize(self) -> dict:
        """Return the lines of the summary, as a dict from headings to texts."""
        studies = self["studies"]
        n_texts = {name: int((studies[name] != "").sum()) for name in _TEXT_FIELDS}
        return {
            "studies": f"{len(studies):,}",
            "peaks": f"{sum(map(len, self['peaks'])):,}",
            "texts": ", ".join(f"{n:,} {name}" for name, n in n_texts.items()),
            "fields": ", ".join(self),
            "description": self["description"],
        }

    def _is_complete(self) -> bool:
        """Return whether the corpus has the fields that the summary describes."""
        return {"studies", "peaks", "description"} <= set(self)

    def __repr__(self):
        """Return a summary in lines, or the dict if fields of a corpus are missing."""
        if not self._is_complete():
            return super().__repr__()
        lines = [f"  {name}: {text}" for name, text in self._summarize().items()]
        return "\n".join(["Corpus", *lines])

    def _repr_html_(self):
        """Return the summary as an HTML table, for display in notebooks."""
        if not self._is_complete():
            return f"<pre>{html.escape(repr(self))}</pre>"
        rows = "".join(
            f'<tr><th style="text-align: left">{name}</th>'
            f'<td style="text-align: left">{html.escape(text)}</td></tr>'
            for name, text in self._summarize().items()
        )
        return f"<table><caption>Corpus</caption>{rows}</table>"
